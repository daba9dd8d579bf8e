package query_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"tidings/internal/account"
	"tidings/internal/awsapi"
	"tidings/internal/awsapi/query"
	"tidings/internal/fault"
)

// everything is an input that has all that an input can have.
type everything struct {
	Text     string
	Word     *string
	Yes      bool
	Maybe    *bool
	Count    int
	Small    *int32
	Weight   float64
	When     time.Time
	Perhaps  *time.Time
	Data     []byte
	Raw      *[]byte
	Inner    *inner
	Plain    inner
	Words    []string
	Numbers  []*int64
	Boxes    []box
	Pointers []*box
	Labels   map[string]string
	Counts   map[string]int
}

type inner struct {
	Name  string
	Words []string
	Deep  *struct{ Boxes []box }
}

type box struct {
	Colour string
	Things []string
	Boxes  []struct{ Colours []string }
}

type shown struct{ Seen string }

type all struct {
	Text     string
	Empty    string
	Yes      bool
	No       bool
	Maybe    *bool
	Count    int
	Zero     *int64
	Weight   float64
	Whole    float64
	When     time.Time
	Never    time.Time
	Data     []byte
	NoData   []byte
	Inner    *inner
	NoInner  *inner
	Words    []string
	NoWords  []string
	Nothing  []string
	Boxes    []box
	Labels   map[string]string
	Boxed    map[string]inner
	NoLabels map[string]string
}

// library is a family that answers with what it was given.
func library() *query.Family {
	return query.New(query.Config{
		Name: "library", Service: "library", Version: "2026-01-01", Namespace: "http://library.example.com/doc/2026-01-01/", BodyLimit: 1 << 20,
		Operations: []query.Operation{
			query.Op("Show", func(_ context.Context, in *everything) (*shown, error) {
				seen, err := json.Marshal(in)
				return &shown{Seen: string(seen)}, err
			}),
			query.Op("Echo", func(_ context.Context, in *everything) (*shown, error) { return &shown{Seen: in.Text}, nil }),
			query.Op("GetAll", func(context.Context, *struct{}) (*all, error) {
				return &all{
					Text: "<a> & \"b\" 'c' ]]>\r\n\tü \x00\xff", Yes: true, Maybe: new(bool), Count: -7, Zero: new(int64), Weight: 1.5, Whole: 200,
					When: time.Date(2026, 11, 21, 11, 30, 0, 5e6, time.FixedZone("", 3600)), Data: []byte{0xfb, 0xff},
					Inner: &inner{Name: "n"}, Words: []string{"a", "", "<"}, NoWords: []string{}, Boxes: []box{{Colour: "red"}, {}},
					Labels: map[string]string{"b": "2", "a<": "1"}, Boxed: map[string]inner{"k": {Name: "v"}},
				}, nil
			}),
			query.Op("Delete", func(context.Context, *everything) (*struct{}, error) { return nil, nil }),
			query.Op("Enable", func(context.Context, *everything) (*query.NoResult, error) { return nil, nil }),
			query.Op("Fail", func(_ context.Context, in *everything) (*struct{}, error) {
				switch in.Text {
				case "cause":
					return nil, errors.New("password=hunter2")
				case "panic":
					panic("password=hunter2")
				}
				f := fault.New(fault.Denied, "", "Books <%s> & stay.", in.Text)
				f.RetryAfter = 1500 * time.Millisecond
				return nil, f
			}),
		},
		Absent: map[string]string{"Burn": "books stay."},
		Exception: func(operation string, input any, f *fault.Error) query.Exception {
			e := query.Exception{Exception: awsapi.Exception{Status: http.StatusBadRequest, Code: operation + "Failed", Message: f.Msg, RetryAfter: f.RetryAfter}}
			if f.Kind == fault.Internal {
				e.Status = http.StatusInternalServerError
			}
			if in, ok := input.(*everything); ok && in.Text != "" {
				e.Members = []query.Member{{Name: "Book", Value: in.Text}}
			}
			return e
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
	r := httptest.NewRequestWithContext(tb.Context(), method, target, strings.NewReader(body))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func post(tb testing.TB, body string) *httptest.ResponseRecorder {
	tb.Helper()
	return do(tb, handler(), http.MethodPost, "/", body)
}

// text is a reply as goldens have it: without its request's ID.
func text(tb testing.TB, w *httptest.ResponseRecorder) string {
	tb.Helper()
	wellFormed(tb, w.Body.String())
	id := w.Header().Get(awsapi.RequestIDHeader)
	if id == "" || !strings.Contains(w.Body.String(), "<RequestId>"+id+"</RequestId>") {
		tb.Errorf("the reply %s does not name its request %q", w.Body, id)
	}
	return strings.ReplaceAll(w.Body.String(), id, "ID")
}

// wellFormed reads a document strictly.
func wellFormed(tb testing.TB, document string) {
	tb.Helper()
	d := xml.NewDecoder(strings.NewReader(document))
	roots, depth := 0, 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			tb.Fatalf("%s is no XML: %v", document, err)
		}
		switch token.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			depth++
		case xml.EndElement:
			depth--
		}
	}
	if roots != 1 {
		tb.Fatalf("%s has %d roots, want 1", document, roots)
	}
}

// seen is what an operation answered in Seen.
func seen(tb testing.TB, w *httptest.ResponseRecorder) string {
	tb.Helper()
	var out struct {
		Show, Echo struct{ Seen string }
	}
	document := strings.NewReplacer("ShowResult>", "Show>", "EchoResult>", "Echo>").Replace(w.Body.String())
	if err := xml.Unmarshal([]byte(document), &out); err != nil || w.Code != http.StatusOK {
		tb.Fatalf("reply = %d %s, %v, want 200 and XML", w.Code, w.Body, err)
	}
	return out.Show.Seen + out.Echo.Seen
}

func form(pairs ...string) string {
	var parts []string
	for i := 0; i < len(pairs); i += 2 {
		parts = append(parts, url.QueryEscape(pairs[i])+"="+url.QueryEscape(pairs[i+1]))
	}
	return strings.Join(parts, "&")
}
