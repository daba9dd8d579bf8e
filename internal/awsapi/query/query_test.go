package query_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/awsapi"
	"tidings/internal/awsapi/query"
)

// TestParameters gives an input each kind of parameter and looks at what the operation saw of it.
func TestParameters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ form, want string }{
		{"", `{}`},
		{"Text=a%20b+c%2B%C3%BC&Word=", `{"Text":"a b c+ü","Word":""}`},
		{"Yes=true&Maybe=false&Count=-3&Small=7&Weight=1.5", `{"Yes":true,"Maybe":false,"Count":-3,"Small":7,"Weight":1.5}`},
		{"When=2026-11-21T10:30:00Z&Perhaps=2026-11-21T11:30:00.5%2B01:00", `{"When":"2026-11-21T10:30:00Z","Perhaps":"2026-11-21T10:30:00.5Z"}`},
		{"Data=%2Bw%3D%3D&Raw=", `{"Data":"+w==","Raw":""}`},
		{"Inner.Name=a&Plain.Name=b&Plain.Words.member.1=c", `{"Inner":{"Name":"a","Words":null,"Deep":null},"Plain":{"Name":"b","Words":["c"],"Deep":null}}`},
		{"Words.member.1=a&Words.member.2=b", `{"Words":["a","b"]}`},
		{"Words.member.9=c&Words.member.2=b&Words.member.1000=d&Words.member.1=a", `{"Words":["a","b","c","d"]}`}, // out of order and with gaps
		{"Words.2=b&Words.1=a", `{"Words":["a","b"]}`},                                                            // flattened
		{"Words=&Boxes=&Labels=", `{}`}, // as clients write empty lists
		{"Numbers.member.1=7&Numbers.member.2=8", `{"Numbers":[7,8]}`},
		{
			"Boxes.member.1.Colour=red&Boxes.member.1.Things.member.2=y&Boxes.member.1.Things.member.1=x&Boxes.member.2.Colour=blue",
			`{"Boxes":[{"Colour":"red","Things":["x","y"],"Boxes":null},{"Colour":"blue","Things":null,"Boxes":null}]}`,
		},
		{
			"Boxes.member.2.Colour=b&Boxes.member.1.Boxes.member.1.Colours.member.1=x&Boxes.member.2.Things.member.1=y&Boxes.member.1.Colour=a",
			`{"Boxes":[{"Colour":"a","Things":null,"Boxes":[{"Colours":["x"]}]},{"Colour":"b","Things":["y"],"Boxes":null}]}`,
		},
		{"Pointers.member.1.Colour=red", `{"Pointers":[{"Colour":"red","Things":null,"Boxes":null}]}`},
		{"Inner.Deep.Boxes.member.1.Things.member.1=x", `{"Inner":{"Name":"","Words":null,"Deep":{"Boxes":[{"Colour":"","Things":["x"],"Boxes":null}]}}}`},
		{"Labels.entry.1.key=a&Labels.entry.1.value=1&Labels.entry.2.value=2&Labels.entry.2.key=b", `{"Labels":{"a":"1","b":"2"}}`},
		{"Counts.1.key=a&Counts.1.value=1", `{"Counts":{"a":1}}`},
		{"Unknown=a&Text=b&Inner.Unknown.Deeper=c&X-Amz-Date=d&text=e&%zz", ""},
		{"Unknown=a&Text=b&Plain.Unknown.Deeper=c&X-Amz-Date=d&text=e&&=&Unknown", `{"Text":"b"}`},
		{"Text=a&Text=b&Words.member.1=c&Words.member.1=d", `{"Text":"b","Words":["d"]}`}, // the last one counts
		{"T%65xt=a&Words%2Emember%2E1=b", `{"Text":"a","Words":["b"]}`},
	} {
		w := post(t, "Action=Show&"+c.form)
		if c.want == "" {
			if w.Code != http.StatusBadRequest {
				t.Errorf("%s = %d %s, want 400", c.form, w.Code, w.Body)
			}
			continue
		}
		var want, got everything
		if err := json.Unmarshal([]byte(c.want), &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(seen(t, w)), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.form, diff)
		}
	}
}

func TestWrongParameters(t *testing.T) {
	t.Parallel()
	for form, want := range map[string]string{
		"Text=%ff":                            "Text must be UTF-8.",
		"Text=%4":                             `The form is broken: "%4" is no escape sequence.`,
		"Text=%zz1":                           `The form is broken: "%zz" is no escape sequence.`,
		"Text.Deeper=a":                       "Text.Deeper goes too deep: above its end there is a plain value.",
		"Yes=True":                            "Yes must be true or false.",
		"Yes=":                                "Yes must be true or false.",
		"Count=1.5":                           "Count must be a whole number.",
		"Small=2147483648":                    "Small must be a whole number.",
		"Weight=heavy":                        "Weight must be a number.",
		"Weight=NaN":                          "Weight must be a number.",
		"Weight=-Inf":                         "Weight must be a number.",
		"When=yesterday":                      "When must be a time as in 2026-01-02T15:04:05Z.",
		"Data=+w==":                           "Data must be Base64.",
		"Inner=a":                             "Inner is a structure and takes no value of its own.",
		"Words=a":                             "Words is a list and takes no value of its own.",
		"Words.member.0=a":                    "Words.member.0 must name an element of a list by a number from 1 to 1000.",
		"Words.member.1001=a":                 "Words.member.1001 must name an element of a list by a number from 1 to 1000.",
		"Words.member.%2B1=a":                 "Words.member.+1 must name an element of a list by a number from 1 to 1000.",
		"Words.member.=a":                     "Words.member. must name an element of a list by a number from 1 to 1000.",
		"Words.member=a":                      "Words.member must name an element of a list by a number from 1 to 1000.",
		"Words.entry.1=a":                     "Words.entry.1 must name an element of a list by a number from 1 to 1000.",
		"Labels.member.1.key=a":               "Labels.member.1.key must name an element of a list by a number from 1 to 1000.",
		"Boxes.member.1=a":                    "Boxes.member.1 is a structure and takes no value of its own.",
		"Boxes.member.7." + longName + "=a":   "",
		"Words.member.1." + longName + "=a":   "Words.member.1.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… goes too deep: above its end there is a plain value.",
		strings.Repeat("Count=1&", 50_001):    "A request has at most 50000 parameters.",
		strings.Repeat("Count=1&", 50_000-10): "",
	} {
		w := post(t, form+"&Action=Show")
		short := form[:min(len(form), 60)]
		if want == "" {
			if w.Code != http.StatusOK {
				t.Errorf("%s = %d %s, want 200", short, w.Code, w.Body)
			}
			continue
		}
		message := "<Message>" + strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(want) + "</Message>"
		if got := text(t, w); w.Code != http.StatusBadRequest || !strings.Contains(got, message) {
			t.Errorf("%s = %d %s, want 400 %q", short, w.Code, got, want)
		}
	}
}

var longName = strings.Repeat("x", 100)

func TestReplies(t *testing.T) {
	t.Parallel()
	const open = ` xmlns="http://library.example.com/doc/2026-01-01/">`
	for _, c := range []struct {
		method, target, body string
		status               int
		want                 string
	}{
		{"POST", "/", "Action=Echo&Text=a%26b", 200, `<EchoResponse` + open + `<EchoResult><Seen>a&amp;b</Seen></EchoResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></EchoResponse>`},
		{"GET", "/?Action=Echo&Version=2026-01-01&Text=a", "", 200, `<EchoResponse` + open + `<EchoResult><Seen>a</Seen></EchoResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></EchoResponse>`},
		{"POST", "/?Action=Echo&Text=a", "Text=b", 200, `<EchoResponse` + open + `<EchoResult><Seen>b</Seen></EchoResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></EchoResponse>`},
		{"POST", "/", "Action=Delete&Version=2026-01-01", 200, `<DeleteResponse` + open + `<DeleteResult></DeleteResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></DeleteResponse>`},
		{"POST", "/", "Action=Enable", 200, `<EnableResponse` + open + `<ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></EnableResponse>`},
		{"POST", "/", "Action=GetAll", 200, `<GetAllResponse` + open + `<GetAllResult>` +
			"<Text>&lt;a&gt; &amp; \"b\" 'c' ]]&gt;&#13;\n\tü \uFFFD\uFFFD</Text><Yes>true</Yes><No>false</No><Maybe>false</Maybe><Count>-7</Count><Zero>0</Zero><Weight>1.5</Weight><Whole>200.0</Whole>" +
			`<When>2026-11-21T10:30:00.005Z</When><Data>+/8=</Data><Inner><Name>n</Name></Inner>` +
			`<Words><member>a</member><member></member><member>&lt;</member></Words><NoWords></NoWords><Boxes><member><Colour>red</Colour></member><member></member></Boxes>` +
			`<Labels><entry><key>a&lt;</key><value>1</value></entry><entry><key>b</key><value>2</value></entry></Labels>` +
			`<Boxed><entry><key>k</key><value><Name>v</Name></value></entry></Boxed>` +
			`</GetAllResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></GetAllResponse>`},
		{"POST", "/", "Action=Fail&Text=%3Ca%3E", 400, `<ErrorResponse` + open + `<Error><Type>Sender</Type><Code>FailFailed</Code><Message>Books &lt;&lt;a&gt;&gt; &amp; stay.</Message><Book>&lt;a&gt;</Book></Error><RequestId>ID</RequestId></ErrorResponse>`},
		{"POST", "/", "Action=Nothing", 400, `<ErrorResponse` + open + `<Error><Type>Sender</Type><Code>InvalidAction</Code><Message>Could not find operation Nothing for version 2026-01-01</Message></Error><RequestId>ID</RequestId></ErrorResponse>`},
		{"POST", "/", "Action=Echo&Version=2012-12-01", 400, `<ErrorResponse` + open + `<Error><Type>Sender</Type><Code>InvalidAction</Code><Message>Could not find operation Echo for version 2012-12-01</Message></Error><RequestId>ID</RequestId></ErrorResponse>`},
		{"POST", "/", "Action=Burn", 400, `<ErrorResponse` + open + `<Error><Type>Sender</Type><Code>InvalidAction</Code><Message>Could not find operation Burn for version 2026-01-01. This server does not offer it: books stay.</Message></Error><RequestId>ID</RequestId></ErrorResponse>`},
		{"POST", "/", "Version=2026-01-01", 400, `<ErrorResponse` + open + `<Error><Type>Sender</Type><Code>MissingAction</Code><Message>The request has no parameter Action.</Message></Error><RequestId>ID</RequestId></ErrorResponse>`},
		{"GET", "/", "Action=Echo", 400, `<ErrorResponse` + open + `<Error><Type>Sender</Type><Code>MissingAction</Code><Message>The request has no parameter Action.</Message></Error><RequestId>ID</RequestId></ErrorResponse>`},
		{"PUT", "/", "Action=Echo", 405, `<ErrorResponse` + open + `<Error><Type>Sender</Type><Code>MethodNotAllowed</Code><Message>Requests of this API are made by GET and POST.</Message></Error><RequestId>ID</RequestId></ErrorResponse>`},
		{"POST", "/other", "Action=Echo", 400, `<ErrorResponse` + open + `<Error><Type>Sender</Type><Code>InvalidAction</Code><Message>This server has no such API: check the path of the endpoint URL.</Message></Error><RequestId>ID</RequestId></ErrorResponse>`},
	} {
		w := do(t, handler(), c.method, c.target, c.body)
		if got := text(t, w); w.Code != c.status || got != c.want || w.Header().Get("Content-Type") != "text/xml" {
			t.Errorf("%s %s %s = %d %s\nwant %d %s", c.method, c.target, c.body, w.Code, got, c.status, c.want)
		}
	}
}

func TestHeadersOfFailures(t *testing.T) {
	t.Parallel()
	if w := post(t, "Action=Fail"); w.Header().Get("Retry-After") != "2" {
		t.Errorf("Retry-After = %q, want whole seconds, 2", w.Header().Get("Retry-After"))
	}
	if w := do(t, handler(), http.MethodDelete, "/", ""); w.Header().Get("Allow") != "GET, POST" {
		t.Errorf("Allow = %q, want GET, POST", w.Header().Get("Allow"))
	}
}

func TestAnUnclassifiedErrorTellsNothing(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"cause", "panic"} {
		w := post(t, "Action=Fail&Text="+what)
		if got := text(t, w); w.Code != http.StatusInternalServerError || strings.Contains(got, "hunter2") || !strings.Contains(got, "<Type>Receiver</Type>") {
			t.Errorf("%s = %d %s, want 500, a Receiver and no cause", what, w.Code, got)
		}
	}
}

func TestEveryReasonHasItsException(t *testing.T) {
	t.Parallel()
	for reason, want := range map[awsapi.Reason]string{
		awsapi.UnknownOperation:    "400 InvalidAction",
		awsapi.WrongMethod:         "405 MethodNotAllowed",
		awsapi.TooLarge:            "413 RequestEntityTooLarge",
		awsapi.BadRequest:          "400 MalformedQueryString",
		awsapi.NotSigned:           "403 MissingAuthenticationToken",
		awsapi.IncompleteSignature: "400 IncompleteSignature",
		awsapi.WrongSignature:      "403 SignatureDoesNotMatch",
		awsapi.WrongTime:           "400 RequestExpired",
		awsapi.UnknownKey:          "403 UnrecognizedClientException",
		awsapi.ExpiredKey:          "403 ExpiredTokenException",
		awsapi.Forbidden:           "403 AccessDeniedException",
	} {
		w := httptest.NewRecorder()
		e := library().WriteError(w, "", fmt.Errorf("wrapped: %w", &awsapi.RefusedError{Reason: reason, Msg: "why"}))
		if got := fmt.Sprintf("%d %s", w.Code, e.Code); got != want || !strings.Contains(w.Body.String(), "<Code>"+e.Code+"</Code><Message>why</Message>") {
			t.Errorf("reason %d = %s %s, want %s", reason, got, w.Body, want)
		}
	}
}

func TestTheOperationIsNeverTheClientsWord(t *testing.T) {
	t.Parallel()
	call, err := library().Resolve(httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil), []byte("Action=Ech%6F"))
	if err != nil || call.Operation != "Echo" {
		t.Errorf("Resolve = %q, %v, want Echo", call.Operation, err)
	}
	if diff := cmp.Diff([]string{"Delete", "Echo", "Enable", "Fail", "GetAll", "Show"}, library().Operations()); diff != "" {
		t.Errorf("Operations (-want +got):\n%s", diff)
	}
}

type endless struct{ Next []endless }

func TestTypesThatCannotBeAreMistakes(t *testing.T) {
	t.Parallel()
	for name, makes := range map[string]func(){
		"a channel": func() {
			query.Op("X", func(context.Context, *struct{ C chan int }) (*shown, error) { return nil, nil })
		},
		"a list of lists": func() {
			query.Op("X", func(context.Context, *struct{ C [][]string }) (*shown, error) { return nil, nil })
		},
		"an endless type": func() { query.Op("X", func(context.Context, *endless) (*shown, error) { return nil, nil }) },
		"no struct":       func() { query.Op("X", func(context.Context, *string) (*shown, error) { return nil, nil }) },
		"an output like it": func() {
			query.Op("X", func(context.Context, *shown) (*struct{ C chan int }, error) { return nil, nil })
		},
		"an endless output":   func() { query.Op("X", func(context.Context, *shown) (*endless, error) { return nil, nil }) },
		"an output no struct": func() { query.Op("X", func(context.Context, *shown) (*[]string, error) { return nil, nil }) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Op did not panic over %s", name)
				}
			}()
			makes()
		}()
	}
}
