package restjson_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/account"
	"tidings/internal/awsapi"
	"tidings/internal/awsapi/restjson"
	"tidings/internal/fault"
)

type putInput struct {
	Shelf string `uri:"Shelf" json:"-"`
	Book  string `uri:"Book" json:"-"`
	Mode  string `query:"Mode" json:"-"`
	Title string
	Tags  []string
	Lent  bool
	Pages int
	Cover *struct{ Colour string }
}

type listInput struct {
	Shelf string `uri:"Shelf" json:"-"`
	From  string `query:"From" json:"-"`
}

type output struct {
	Seen string `json:",omitempty"`
}

// library is a family of three operations that answer with what they were given.
func library() *restjson.Family {
	echo := func(v any) (*output, error) {
		seen, err := json.Marshal(v)
		return &output{Seen: string(seen)}, err
	}
	type shown struct {
		Shelf, Book, Mode string
		Body              putInput
	}
	return restjson.New(restjson.Config{
		Name: "library", Service: "library", Prefixes: []string{"/v1/library/"},
		Routes: []restjson.Route{
			{Method: http.MethodPut, Path: "/v1/library/{Shelf}/books/{Book}", Operation: awsapi.Op("PutBook", func(_ context.Context, in *putInput) (*output, error) {
				return echo(shown{in.Shelf, in.Book, in.Mode, *in})
			})},
			{Method: http.MethodGet, Path: "/v1/library/{Shelf}", Operation: awsapi.Op("ListBooks", func(_ context.Context, in *listInput) (*output, error) {
				return echo([]string{in.Shelf, in.From})
			})},
			{Method: http.MethodDelete, Path: "/v1/library/{Shelf}", Operation: awsapi.Op("BurnBooks", func(_ context.Context, in *listInput) (*output, error) {
				if in.Shelf == "empty" {
					return nil, nil
				}
				f := fault.New(fault.Denied, "", "Books <are> & stay.")
				f.RetryAfter = 1500 * time.Millisecond
				return nil, f
			})},
		},
		Exception: func(operation string, f *fault.Error) awsapi.Exception {
			return awsapi.Exception{Status: http.StatusTeapot, Code: operation + "Failed", Message: f.Msg, RetryAfter: f.RetryAfter}
		},
	})
}

// anybody takes every request as that of one account.
type anybody struct{ err error }

func (a anybody) Verify(*http.Request, string, []byte) (account.Principal, error) {
	return account.Principal{Key: &account.Key{ID: "AKID", Account: &account.Account{ID: "123456789012"}}, Region: "us-east-1"}, a.err
}

func handler() http.Handler {
	return awsapi.NewHandler(awsapi.Options{Families: []awsapi.Family{library()}, Verifier: anybody{}})
}

func do(tb testing.TB, h http.Handler, method, target, body string) *httptest.ResponseRecorder {
	tb.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(
		fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", method, target, len(body), body))))
	if err != nil {
		tb.Fatalf("ReadRequest(%s %s): %v", method, target, err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(tb.Context()))
	return w
}

func seen(tb testing.TB, w *httptest.ResponseRecorder) string {
	tb.Helper()
	var out output
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK {
		tb.Fatalf("reply = %d %q, want 200 and JSON", w.Code, w.Body)
	}
	return out.Seen
}

func TestSegmentsAndParametersArriveWhole(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"/v1/library/a":                       `["a",""]`,
		"/v1/library/a%2Fb":                   `["a/b",""]`,
		"/v1/library/my%20set%2F%C3%BC%2Ba.b": `["my set/ü+a.b",""]`,
		"/v1/library/a+b":                     `["a+b",""]`,
		"/v1/library/%2e%2E":                  `["..",""]`,
		"/v1/library/100%25":                  `["100%",""]`,
		"/v1/library/%252F":                   `["%2F",""]`,
		"/v1/library/ü":                       `["ü",""]`,
		"/v1/libr%61ry/a":                     "",
		"/v1/library/a?From=b%20c%2B":         `["a","b c+"]`,
		"/v1/library/a?From=b+c&Other=1":      `["a","b c"]`,
		"/v1/library/a?from=b":                `["a",""]`,
		"/v1/library/a?":                      `["a",""]`,
		"http://x/v1/library/a%2Fb?From=c":    `["a/b","c"]`,
	} {
		w := do(t, handler(), http.MethodGet, target, "")
		if want == "" {
			if w.Code != http.StatusNotFound {
				t.Errorf("GET %s = %d, want 404", target, w.Code)
			}
			continue
		}
		if got := seen(t, w); got != want {
			t.Errorf("GET %s: the operation saw %s, want %s", target, got, want)
		}
	}
}

func TestBody(t *testing.T) {
	t.Parallel()
	const nothing = `{"Title":"","Tags":null,"Lent":false,"Pages":0,"Cover":null}`
	for name, c := range map[string]struct{ body, want, failure string }{
		"empty":                  {"", nothing, ""},
		"white space":            {" \r\n\t", nothing, ""},
		"an empty object":        {"{}", nothing, ""},
		"null":                   {"null", nothing, ""},
		"all members":            {`{"Title":"\u00fcü","Tags":["a"],"Lent":true,"Pages":3,"Cover":{"Colour":"red"}}`, `{"Title":"üü","Tags":["a"],"Lent":true,"Pages":3,"Cover":{"Colour":"red"}}`, ""},
		"members nobody knows":   {`{"Title":"a","Weight":{"Grams":[1,2]}}`, `{"Title":"a","Tags":null,"Lent":false,"Pages":0,"Cover":null}`, ""},
		"null members":           {`{"Title":null,"Tags":null,"Cover":null}`, nothing, ""},
		"a member twice":         {`{"Title":"a","Title":"b"}`, `{"Title":"b","Tags":null,"Lent":false,"Pages":0,"Cover":null}`, ""},
		"what the path has":      {`{"Shelf":"other","Book":"other","Mode":"other"}`, nothing, ""},
		"a number for a string":  {`{"Title":12345}`, "", "Title must be a string, not a number."},
		"an object for a string": {`{"Title":{}}`, "", "Title must be a string, not an object."},
		"a string for a bool":    {`{"Lent":"true"}`, "", "Lent must be true or false, not a string."},
		"a bool for a string":    {`{"Title":false}`, "", "Title must be a string, not true or false."},
		"a string for an array":  {`{"Tags":"a"}`, "", "Tags must be an array, not a string."},
		"a number in an array":   {`{"Tags":["a",1]}`, "", "Tags must be a string, not a number."},
		"a string for an object": {`{"Cover":"red"}`, "", "Cover must be an object, not a string."},
		"a bool deep inside":     {`{"Cover":{"Colour":true}}`, "", "Cover.Colour must be a string, not true or false."},
		"a string for a number":  {`{"Pages":"3"}`, "", "Pages must be a whole number of at most 18 digits, not a string."},
		"too large a number":     {`{"Pages":123456789012345678901234567890}`, "", "Pages must be a whole number of at most 18 digits, not a number."},
		"an array":               {`[]`, "", "The request body must be an object, not an array."},
		"a string":               {`"a"`, "", "The request body must be an object, not a string."},
		"no JSON":                {`Title=a`, "", "The request body is not JSON: at byte 1, invalid character 'T' looking for beginning of value."},
		"cut off":                {`{"Title":"a"`, "", "The request body is not JSON: at byte 12, unexpected end of JSON input."},
		"more behind it":         {`{}{}`, "", "The request body is not JSON: at byte 3, invalid character '{' after top-level value."},
		"not UTF-8":              {"{\"Title\":\"\xff\"}", "", "The request body is not UTF-8."},
		"very deep":              {strings.Repeat(`{"Weight":`, 50_000) + strings.Repeat("}", 50_000), "", "The request body is not JSON: at byte "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := do(t, handler(), http.MethodPut, "/v1/library/s/books/b?Mode=m", c.body)
			if c.failure != "" {
				if w.Code != http.StatusTeapot || !strings.HasPrefix(w.Body.String(), `{"Message":"`+c.failure) {
					t.Errorf("PUT %.50q = %d %s, want 418 with %q", c.body, w.Code, w.Body, c.failure)
				}
				return
			}
			if got, want := seen(t, w), `{"Shelf":"s","Book":"b","Mode":"m","Body":`+c.want+`}`; got != want {
				t.Errorf("PUT %q: the operation saw %s, want %s", c.body, got, want)
			}
		})
	}
}

func TestTheBodyOfAnOperationWithoutOneIsIgnored(t *testing.T) {
	t.Parallel()
	if got := seen(t, do(t, handler(), http.MethodGet, "/v1/library/a", "no JSON")); got != `["a",""]` {
		t.Errorf("the operation saw %s, want the path only", got)
	}
}

func TestReplies(t *testing.T) {
	t.Parallel()
	const json = "application/json"
	for _, c := range []struct {
		method, target string
		status         int
		header         map[string]string
		body           string
	}{
		{
			http.MethodDelete, "/v1/library/empty", 200,
			map[string]string{"Content-Type": json, "Content-Length": "2", "X-Amzn-Errortype": ""},
			"{}",
		},
		{
			http.MethodDelete, "/v1/library/a", 418,
			map[string]string{"Content-Type": json, "X-Amzn-Errortype": "BurnBooksFailed", "Retry-After": "2"},
			`{"Message":"Books <are> & stay."}`,
		},
		{
			http.MethodPost, "/v1/library/a", 405,
			map[string]string{"Content-Type": json, "X-Amzn-Errortype": "MethodNotAllowedException", "Allow": "DELETE, GET, OPTIONS"},
			`{"Message":"There is no operation of this method at this path; there is one for: DELETE, GET, OPTIONS."}`,
		},
		{http.MethodHead, "/v1/library/a", 405, map[string]string{"Allow": "DELETE, GET, OPTIONS"}, `{"Message":"There is`},
		{
			http.MethodOptions, "/v1/library/a%2Fb", 200,
			map[string]string{
				"Allow": "DELETE, GET, OPTIONS", "Access-Control-Allow-Methods": "DELETE, GET, OPTIONS", "Content-Type": "", "Content-Length": "0",
				"Access-Control-Allow-Headers": "content-type, x-amz-date, authorization, x-amz-security-token, x-amz-user-agent, x-amz-content-sha256, amz-sdk-invocation-id, amz-sdk-request",
				"Access-Control-Allow-Origin":  "",
			},
			"",
		},
		{http.MethodOptions, "/v1/library/a/shelves", 404, map[string]string{"X-Amzn-Errortype": "UnknownOperationException"}, `{"Message":"There is`},
	} {
		w := do(t, handler(), c.method, c.target, "")
		if w.Code != c.status || !strings.HasPrefix(w.Body.String(), c.body) || c.body == "" && w.Body.Len() > 0 {
			t.Errorf("%s %s = %d %q, want %d %q", c.method, c.target, w.Code, w.Body, c.status, c.body)
		}
		for name, want := range c.header {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s %s: %s = %q, want %q", c.method, c.target, name, got, want)
			}
		}
	}
}

// TestNothingIsRedirected asks a real server for paths that http.ServeMux would clean.
func TestNothingIsRedirected(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(handler())
	t.Cleanup(server.Close)
	for _, target := range []string{
		"/", "//", "/v1", "/v1/library", "/v1/library/", "/v1/library//", "//v1/library/a", "/v1//library/a", "/v1/library/a/", "/v1/library/a/.",
		"/v1/library/../library/a", "/v1/library/./a", "/v1/library/..", "/v1/library/a/books/", "/v1/library/a/books//b", "/v1/library//books/b",
		"/v1/library/a/books/b/c", "/V1/library/a", "/v1/Library/a", "/favicon.ico",
	} {
		status, header, body := raw(t, server.Listener.Addr().String(), "GET "+target+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		var message struct{ Message string }
		if err := json.Unmarshal(body, &message); err != nil || status != http.StatusNotFound || message.Message == "" || header.Get("X-Amzn-Errortype") != "UnknownOperationException" {
			t.Errorf("GET %s = %d %v %s, want 404 UnknownOperationException as JSON", target, status, header, body)
		}
	}
}

// raw sends bytes that no client would send.
func raw(tb testing.TB, address, request string) (int, http.Header, []byte) {
	tb.Helper()
	var d net.Dialer
	conn, err := d.DialContext(tb.Context(), "tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		tb.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return resp.StatusCode, resp.Header, body
}

func TestEveryReasonHasItsException(t *testing.T) {
	t.Parallel()
	for reason, want := range map[awsapi.Reason]string{
		awsapi.UnknownOperation:    "404 UnknownOperationException",
		awsapi.WrongMethod:         "405 MethodNotAllowedException",
		awsapi.TooLarge:            "413 RequestEntityTooLargeException",
		awsapi.BadRequest:          "400 BadRequestException",
		awsapi.NotSigned:           "403 MissingAuthenticationTokenException",
		awsapi.IncompleteSignature: "403 IncompleteSignatureException",
		awsapi.WrongSignature:      "403 InvalidSignatureException",
		awsapi.WrongTime:           "403 InvalidSignatureException",
		awsapi.UnknownKey:          "403 UnrecognizedClientException",
		awsapi.ExpiredKey:          "403 ExpiredTokenException",
		awsapi.Forbidden:           "403 AccessDeniedException",
	} {
		w := httptest.NewRecorder()
		library().WriteError(w, "", fmt.Errorf("wrapped: %w", &awsapi.RefusedError{Reason: reason, Msg: "why"}))
		if got := fmt.Sprintf("%d %s", w.Code, w.Header().Get("X-Amzn-Errortype")); got != want || w.Body.String() != `{"Message":"why"}` {
			t.Errorf("reason %d = %s %s, want %s", reason, got, w.Body, want)
		}
	}
}

func TestAnUnclassifiedErrorTellsNothing(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	library().WriteError(w, "PutBook", errors.New("password=hunter2"))
	if w.Code != http.StatusTeapot || strings.Contains(w.Body.String(), "hunter2") {
		t.Errorf("reply = %d %s, want no cause", w.Code, w.Body)
	}
}

type stampInput struct {
	Item   string   `uri:"Item" json:"-"`
	Colour []string `query:"colour" json:"-"`
	Weight float64
}

// office is a family with all that a family can choose.
func office() *restjson.Family {
	return restjson.New(restjson.Config{
		Name: "office", Service: "office", Prefixes: []string{"/v1/desks", "/v1/stamps/"}, BodyLimit: 64,
		TooLarge: "PayloadTooLargeException", ErrorRequestID: true, ResourceRoot: "/v1/",
		Routes: []restjson.Route{
			{Method: http.MethodPost, Path: "/v1/desks", Status: http.StatusCreated, Operation: awsapi.Op("CreateDesk", func(context.Context, *stampInput) (*output, error) {
				return &output{Seen: "made"}, nil
			})},
			{Method: http.MethodPut, Path: "/v1/stamps/{Item}", Operation: awsapi.Op("PutStamp", func(_ context.Context, in *stampInput) (*output, error) {
				return &output{Seen: fmt.Sprint(in.Item, in.Colour, in.Weight)}, nil
			})},
			{Method: http.MethodDelete, Path: "/v1/stamps/{Item}", Status: http.StatusNoContent, Operation: awsapi.Op("DeleteStamp", func(context.Context, *stampInput) (*output, error) {
				return nil, nil
			})},
		},
		Exception: func(_ string, f *fault.Error) awsapi.Exception {
			return awsapi.Exception{Status: http.StatusBadRequest, Code: "BadRequestException", Message: f.Msg}
		},
	})
}

func TestWhatAFamilyChooses(t *testing.T) {
	t.Parallel()
	h := awsapi.NewHandler(awsapi.Options{Families: []awsapi.Family{library(), office()}, Verifier: anybody{}})
	for _, c := range []struct {
		method, target, body string
		status               int
		want                 string // ID stands for the request's
	}{
		{http.MethodPost, "/v1/desks", `{}`, 201, `{"Seen":"made"}`},
		{http.MethodPut, "/v1/stamps/a%2Fb?colour=red&colour=blue%20", `{"Weight":1.5}`, 200, `{"Seen":"a/b[red blue ] 1.5"}`},
		{http.MethodDelete, "/v1/stamps/a", "", 204, ""},
		{http.MethodPut, "/v1/stamps/a", `{"Weight":"1"}`, 400, `{"Message":"Weight must be a number, not a string.","RequestID":"ID"}`},
		{http.MethodPut, "/v1/stamps/a?colour=red&colour=%ff", "", 400, `{"Message":"colour in the query is not UTF-8.","RequestID":"ID"}`},
		{http.MethodPost, "/v1/desks", strings.Repeat(" ", 65), 413, `{"Message":"The request body must be at most 64 bytes.","RequestID":"ID"}`},
		{http.MethodGet, "/v1/desks", "", 405, `{"Message":"There is no operation of this method at this path; there is one for: OPTIONS, POST.","RequestID":"ID"}`},
		{http.MethodGet, "/v1/desks/a", "", 404, `{"Message":"There is no operation at this path. Paths are taken as they come: no slash more or less.","RequestID":"ID"}`},
	} {
		w := do(t, h, c.method, c.target, c.body)
		got := strings.ReplaceAll(w.Body.String(), w.Header().Get("X-Amzn-Requestid"), "ID")
		if w.Code != c.status || got != c.want {
			t.Errorf("%s %s = %d %s, want %d %s", c.method, c.target, w.Code, got, c.status, c.want)
		}
		if code := w.Header().Get("X-Amzn-Errortype"); c.status == 413 && code != "PayloadTooLargeException" {
			t.Errorf("%s %s: the exception is %q, want the family's own", c.method, c.target, code)
		}
	}
	call, err := office().Resolve(httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/v1/stamps/a", nil), nil)
	if err != nil || call.Resource != "stamps/a" {
		t.Errorf("Resolve = %q, %v, want the resource stamps/a", call.Resource, err)
	}
}

func TestAPathThatNamesNoFieldIsAMistake(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("New did not panic over {Room}, for which the input has no field")
		}
	}()
	restjson.New(restjson.Config{Routes: []restjson.Route{{
		Method: http.MethodGet, Path: "/{Room}",
		Operation: awsapi.Op("Get", func(context.Context, *listInput) (*output, error) { return nil, nil }),
	}}})
}

func TestOperations(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff([]string{"BurnBooks", "ListBooks", "PutBook"}, library().Operations()); diff != "" {
		t.Errorf("Operations (-want +got):\n%s", diff)
	}
}
