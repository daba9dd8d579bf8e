package restjson_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"tidings/internal/awsapi"
	"tidings/internal/awsapi/restjson"
	"tidings/internal/fault"
)

// envelope is embedded: clients must never read its name.
type envelope struct {
	Seal *struct {
		Wax   restjson.Blob `json:",omitempty"`
		Dried restjson.Time `json:",omitzero"`
	} `json:",omitempty"`
}

type letter struct {
	envelope

	Pages []restjson.Blob `json:",omitempty"`
}

// post answers with the letter it was sent, in the dialect with message.
func post() http.Handler {
	family := restjson.New(restjson.Config{
		Name: "post", Service: "post", Prefixes: []string{"/v1/post"}, LowerMessage: true,
		Routes: []restjson.Route{
			{Method: http.MethodPost, Path: "/v1/post", Operation: awsapi.Op("Send", func(_ context.Context, in *letter) (*letter, error) { return in, nil })},
		},
		Exception: func(_ string, f *fault.Error) awsapi.Exception {
			return awsapi.Exception{Status: http.StatusBadRequest, Code: "BadRequestException", Message: f.Msg}
		},
	})
	return awsapi.NewHandler(awsapi.Options{Families: []awsapi.Family{family}, Verifier: anybody{}})
}

func TestTimesAndBlobs(t *testing.T) {
	t.Parallel()
	h := post()
	for _, c := range []struct{ body, reply string }{
		{`{}`, `{}`},
		{`{"Seal":{}}`, `{"Seal":{}}`},
		{`{"Seal":{"Wax":null,"Dried":null}}`, `{"Seal":{}}`},
		{`{"Seal":{"Dried":1795257000}}`, `{"Seal":{"Dried":1795257000}}`},
		{`{"Seal":{"Dried":1.795257000123E9}}`, `{"Seal":{"Dried":1795257000.123}}`},
		{`{"Seal":{"Dried":1795257000.1239999}}`, `{"Seal":{"Dried":1795257000.124}}`},
		{`{"Seal":{"Dried":-0.5}}`, `{"Seal":{"Dried":-0.5}}`},
		{`{"Seal":{"Dried":253402300799}}`, `{"Seal":{"Dried":253402300799}}`},
		{`{"Seal":{"Dried":253402300800}}`, `{"message":"Seal.Dried must be a time in seconds since 1970, not a number."}`},
		{`{"Seal":{"Dried":-1e300}}`, `{"message":"Seal.Dried must be a time in seconds since 1970, not a number."}`},
		{`{"Seal":{"Dried":1e999}}`, `{"message":"Seal.Dried must be a time in seconds since 1970, not a number."}`},
		{`{"Seal":{"Dried":"2026-11-21T10:30:00Z"}}`, `{"message":"Seal.Dried must be a time in seconds since 1970, not a string."}`},
		{`{"Seal":{"Dried":true}}`, `{"message":"Seal.Dried must be a time in seconds since 1970, not true or false."}`},
		{`{"Seal":{"Wax":""}}`, `{"Seal":{}}`},
		{`{"Seal":{"Wax":"aGVsbG8="}}`, `{"Seal":{"Wax":"aGVsbG8="}}`},
		{`{"Seal":{"Wax":"\/\/8="}}`, `{"Seal":{"Wax":"//8="}}`},
		{`{"Seal":{"Wax":"aGVs\nbG8="}}`, `{"Seal":{"Wax":"aGVsbG8="}}`},
		{`{"Seal":{"Wax":"aGVsbG8"}}`, `{"message":"Seal.Wax is not base64."}`},
		{`{"Seal":{"Wax":"\u00fc"}}`, `{"message":"Seal.Wax is not base64."}`},
		{`{"Seal":{"Wax":"_-8="}}`, `{"message":"Seal.Wax is not base64."}`},
		{`{"Seal":{"Wax":[1,2]}}`, `{"message":"Seal.Wax must be a string of base64, not an array."}`},
		{`{"Seal":{"Wax":{}}}`, `{"message":"Seal.Wax must be a string of base64, not an object."}`},
		{`{"Seal":"red"}`, `{"message":"Seal must be an object, not a string."}`},
		{`{"Pages":["YQ==",null,"Yg=="]}`, `{"Pages":["YQ==",null,"Yg=="]}`},
		{`{"Pages":["YQ==",7]}`, `{"message":"Pages must be a string of base64, not a number."}`},
		{`[]`, `{"message":"The request body must be an object, not an array."}`},
	} {
		if w := do(t, h, http.MethodPost, "/v1/post", c.body); w.Body.String() != c.reply {
			t.Errorf("POST %s = %d %s, want %s", c.body, w.Code, w.Body, c.reply)
		}
	}
}

// FuzzTime reads any value as a time. One that is taken must be written as the same time.
func FuzzTime(f *testing.F) {
	for _, seed := range []string{"0", "1795257000.123", "-62135596800", "1e9", `"x"`, "null", "253402300799.9999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var at, again restjson.Time
		if err := json.Unmarshal([]byte(s), &at); err != nil || strings.TrimSpace(s) == "null" {
			return
		}
		text, err := json.Marshal(at)
		if err != nil {
			t.Fatalf("Marshal(%v) = %v", at, err)
		}
		if err := json.Unmarshal(text, &again); err != nil || !again.Equal(at.Time) {
			t.Errorf("%s is read as %v and written as %s, which is %v, %v", s, at, text, again, err)
		}
		if year := at.Year(); year < -9999 || year > 10_000 || at.Location() != time.UTC {
			t.Errorf("%s is read as %v, want a year within bounds, in UTC", s, at)
		}
	})
}
