package pinpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tidings/internal/api/apitest"
	"tidings/internal/fault"
	"tidings/internal/pinpoint"
)

// bodies are seeds for all that read a body.
var bodies = []string{
	`{"BatchItem":{"endpoint-1":{"Endpoint":{"Address":"a@b.example","Attributes":{"k":["v",null]},"ChannelType":"EMAIL","Demographic":{"AppVersion":"1","Locale":"en_US"},"Location":{"Latitude":1.5,"Longitude":-0.25e2},"Metrics":{"m":1},"User":{"UserAttributes":{"k":[]},"UserId":"u"}},"Events":{"ev-1":{"EventType":"purchase","Timestamp":"2026-01-01T00:00:00.000Z","AppTitle":"t","Attributes":{"k":"\u00fc\ud83d\ude00\ud83d"},"Metrics":{"m":1.5},"Session":{"Id":"s","StartTimestamp":"x","Duration":1}},"ev-2":{}}},"endpoint-2":{"Endpoint":{},"Events":{}}}}`,
	`{"BatchItem":{"e":null,"f":{"Endpoint":null,"Events":{"1":null}}}}`, `{"BatchItem":null}`, `{"BatchItem":[]}`, `{"BatchItem":{"e":{"Events":{"1":{"EventType":7}}}}}`,
	`{"Item":[{"Id":"a","Address":"x"},null,{"Id":"b","Metrics":{"m":1e400}}]}`, `{"Address":"\"\\\/\b\f\n\r\t","Unknown":[1,-0,0.1,1E+9,true,false,null,{"a":{}}]}`,
	`{"a":01}`, `{"a":1.}`, `{"a":-}`, `{"a":+1}`, `{"a":.5}`, `{"a":1e}`, `{"a" 1}`, `{"a":1,}`, `{"a":[1,]}`, `{,}`, `{"a":"`, `{"a":"\x"}`, `{"a":"\u12"}`, "{\"a\":\"\x01\"}", "{\"a\":\"\x1f\"}", "{\"a\":\"\\n\x1f\"}",
	`{"a":nul}`, `{"a":nulll}`, `{"a":truee}`, `[]`, `""`, `7`, `null`, ``, ` `, `{}{}`, "\xff", `{"Address":"a","Address":"b"}`, strings.Repeat(`{"a":`, 100) + strings.Repeat(`}`, 100),
}

// reference reads what the readers read, by way of encoding/json.
type reference struct{ err error }

var errKind = errors.New("a value of the wrong kind")

// referenceOf decodes the body; ok is false if the body has a member twice, for which the
// two may differ.
func referenceOf(body []byte) (r *reference, v any, ok bool) {
	r = &reference{}
	if len(bytes.Trim(body, blanks)) == 0 {
		return r, map[string]any{}, true
	}
	if !utf8.Valid(body) {
		r.err = errKind
		return r, nil, true
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if r.err = d.Decode(&v); r.err == nil {
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			r.err = errKind
		}
	}
	return r, v, r.err != nil || !twice(body)
}

// twice reports whether an object in the valid body has a member twice.
func twice(body []byte) bool {
	d := json.NewDecoder(bytes.NewReader(body))
	var names []map[string]bool // of the objects around; nil = an array
	name := false               // the next token is a name
	for {
		token, err := d.Token()
		if err != nil {
			return false
		}
		switch token := token.(type) {
		case json.Delim:
			switch token {
			case '{':
				names = append(names, map[string]bool{})
			case '[':
				names = append(names, nil)
			default:
				names = names[:len(names)-1]
			}
		case string:
			if name {
				if names[len(names)-1][token] {
					return true
				}
				names[len(names)-1][token] = true
				name = false
				continue
			}
		}
		name = len(names) > 0 && names[len(names)-1] != nil
	}
}

func (r *reference) object(v any) map[string]any {
	object, ok := v.(map[string]any)
	if v != nil && !ok {
		r.err = errKind
	}
	return object
}

func (r *reference) text(v any) string {
	text, ok := v.(string)
	if v != nil && !ok {
		r.err = errKind
	}
	return text
}

func (r *reference) said(v any) *string {
	if v == nil {
		return nil
	}
	return new(r.text(v))
}

func (r *reference) number(v any) float64 {
	if v == nil {
		return 0
	}
	n, ok := v.(json.Number)
	if !ok {
		r.err = errKind
		return 0
	}
	f, err := n.Float64()
	if err != nil {
		r.err = errKind
	}
	return f
}

func (r *reference) optional(v any) *float64 {
	if v == nil {
		return nil
	}
	return new(r.number(v))
}

func mapped[T any](r *reference, v any, read func(v any) T) map[string]T {
	if v == nil {
		return nil
	}
	m := map[string]T{}
	for k, v := range r.object(v) {
		if v != nil {
			m[k] = read(v)
		}
	}
	return m
}

func (r *reference) list(v any) []string {
	list, ok := v.([]any)
	if !ok {
		r.err = errKind
	}
	texts := []string{}
	for _, v := range list {
		texts = append(texts, r.text(v))
	}
	return texts
}

func (r *reference) change(v any) *pinpoint.EndpointChange {
	if v == nil {
		return nil
	}
	o := r.object(v)
	c := &pinpoint.EndpointChange{
		Address: r.said(o["Address"]), Attributes: mapped(r, o["Attributes"], r.list), ChannelType: r.said(o["ChannelType"]),
		EffectiveDate: r.said(o["EffectiveDate"]), EndpointStatus: r.said(o["EndpointStatus"]), Metrics: mapped(r, o["Metrics"], r.number),
		OptOut: r.said(o["OptOut"]), RequestID: r.said(o["RequestId"]),
	}
	if d := r.object(o["Demographic"]); d != nil {
		c.Demographic = &pinpoint.Demographic{
			AppVersion: r.said(d["AppVersion"]), Locale: r.said(d["Locale"]), Make: r.said(d["Make"]), Model: r.said(d["Model"]),
			ModelVersion: r.said(d["ModelVersion"]), Platform: r.said(d["Platform"]), PlatformVersion: r.said(d["PlatformVersion"]), Timezone: r.said(d["Timezone"]),
		}
	}
	if l := r.object(o["Location"]); l != nil {
		c.Location = &pinpoint.Location{
			City: r.said(l["City"]), Country: r.said(l["Country"]), Latitude: r.optional(l["Latitude"]), Longitude: r.optional(l["Longitude"]),
			PostalCode: r.said(l["PostalCode"]), Region: r.said(l["Region"]),
		}
	}
	if u := r.object(o["User"]); u != nil {
		c.User = &pinpoint.User{UserID: r.said(u["UserId"]), UserAttributes: mapped(r, u["UserAttributes"], r.list)}
	}
	return c
}

func (r *reference) event(id string, v any) pinpoint.Event {
	o := r.object(v)
	e := pinpoint.Event{
		ID: id, Type: r.text(o["EventType"]), Timestamp: r.text(o["Timestamp"]), AppPackageName: r.said(o["AppPackageName"]), AppTitle: r.said(o["AppTitle"]),
		AppVersionCode: r.said(o["AppVersionCode"]), ClientSDKVersion: r.said(o["ClientSdkVersion"]), SDKName: r.said(o["SdkName"]),
		Attributes: mapped(r, o["Attributes"], r.text), Metrics: mapped(r, o["Metrics"], r.number),
	}
	if s := r.object(o["Session"]); s != nil {
		e.Session = &pinpoint.Session{ID: r.text(s["Id"]), Start: r.text(s["StartTimestamp"]), Stop: r.said(s["StopTimestamp"])}
		r.number(s["Duration"])
	}
	return e
}

func (r *reference) batch(v any) []pinpoint.Item {
	var items []pinpoint.Item
	for id, v := range r.object(r.object(v)["BatchItem"]) {
		o := r.object(v)
		item := pinpoint.Item{Endpoint: id, Change: r.change(o["Endpoint"])}
		for id, v := range r.object(o["Events"]) {
			item.Events = append(item.Events, r.event(id, v))
		}
		items = append(items, item)
	}
	return items
}

func (r *reference) changes(v any) []pinpoint.NamedChange {
	list, ok := r.object(v)["Item"].([]any)
	if v := r.object(v)["Item"]; v != nil && !ok {
		r.err = errKind
	}
	var all []pinpoint.NamedChange
	for _, v := range list {
		n := pinpoint.NamedChange{ID: r.text(r.object(v)["Id"])}
		if v != nil {
			n.Change = *r.change(v)
		}
		all = append(all, n)
	}
	return all
}

// sorted is a comparison that does not look at the order of what comes from an object.
var sorted = cmp.Options{
	cmpopts.EquateEmpty(),
	cmpopts.SortSlices(func(a, b pinpoint.Item) bool { return a.Endpoint < b.Endpoint }),
	cmpopts.SortSlices(func(a, b pinpoint.Event) bool { return a.ID < b.ID }),
}

// agree compares what a reader made of the body with what encoding/json makes of it.
func agree[T any](t *testing.T, body []byte, read func(r *reader) T, refer func(r *reference, v any) T) {
	t.Helper()
	r := newReader(body)
	got := read(r)
	err := r.end()
	ref, v, ok := referenceOf(body)
	var want T
	if ref.err == nil {
		want = refer(ref, v)
	}
	if err != nil && (!fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "%!") || len(err.Error()) > 2048) {
		t.Errorf("%.200q: %v, want fault.Invalid with a short sentence", body, err)
	}
	if !ok {
		return
	}
	if (err == nil) != (ref.err == nil) {
		t.Fatalf("%.200q: the reader says %v, encoding/json %v", body, err, ref.err)
	}
	if err != nil {
		return
	}
	if diff := cmp.Diff(want, got, sorted); diff != "" {
		t.Errorf("%.200q (-encoding/json +reader):\n%s", body, diff)
	}
}

// FuzzPutEvents reads any body as an EventsRequest.
func FuzzPutEvents(f *testing.F) {
	for _, seed := range bodies {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) { agree(t, body, readBatch, (*reference).batch) })
}

// FuzzUpdateEndpointsBatch reads any body as an EndpointBatchRequest.
func FuzzUpdateEndpointsBatch(f *testing.F) {
	for _, seed := range bodies {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) { agree(t, body, readEndpoints, (*reference).changes) })
}

// FuzzRequests sends any body to every operation that reads one. What is refused must not
// have reached the feature, and no answer may be without JSON.
func FuzzRequests(f *testing.F) {
	operations := readModel(f).Operations
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(operations)), func(name string) bool { return operations[name].Request == "" })
	for i, body := range append(bodies, `{"Name":"a","tags":{"k":null}}`, `{"Limits":{"Daily":1.5}}`, `{"DestinationStreamArn":"arn","RoleArn":7}`, `{"PhoneNumber":"+12065550142"}`) {
		f.Add(uint(i), []byte(body))
	}
	f.Fuzz(func(t *testing.T, which uint, body []byte) {
		op := operations[names[which%uint(len(names))]]
		r := full()
		w, err := apitest.Call(t, New(Config{Apps: r}), op.Method, fill(op.Path), string(body))
		switch {
		case err != nil && (!fault.Is(err, fault.Invalid) || len(r.asked) > 0 || w.Body.Len() > 0):
			t.Errorf("%s with %q: %v after asking %v and writing %q, want fault.Invalid at once", op.Path, body, err, r.asked, w.Body)
		case err == nil && w.Code != op.Status:
			t.Errorf("%s with %q = %d, want %d", op.Path, body, w.Code, op.Status)
		case err == nil && op.Reply != "" && !json.Valid(w.Body.Bytes()):
			t.Errorf("%s with %q answers %q, which is no JSON", op.Path, body, w.Body)
		}
	})
}
