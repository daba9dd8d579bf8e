package ses

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/awsapi/query"
)

// modelled is what AWS's own model says of an operation; see testdata/model.py.
type modelled struct {
	Input  []string // members, as in "Tags.Name"
	Result bool     // replies have a result element
	Errors []string // codes
}

func readModel(tb testing.TB) map[string]modelled {
	tb.Helper()
	text, err := os.ReadFile("testdata/model.json")
	if err != nil {
		tb.Fatal(err)
	}
	var m map[string]modelled
	if err := json.Unmarshal(text, &m); err != nil {
		tb.Fatal(err)
	}
	return m
}

// goldens are all replies of the scenarios.
func goldens(tb testing.TB) string {
	tb.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		tb.Fatalf("Glob = %v, %v, want scenarios", files, err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

func TestEachOperationIsServedOrRefusedByName(t *testing.T) {
	t.Parallel()
	have := New(Config{}).Operations()
	for name := range absent {
		have = append(have, name)
	}
	slices.Sort(have)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(readModel(t))), have); diff != "" {
		t.Errorf("the operations of the model and those served or absent (-model +here):\n%s", diff)
	}
}

// ignored are the members that have no effect here: ARNs of identities that authorize others, and what a bounce message says of the server
// that received the mail and is made up by ours.
var ignored = []string{
	"ReturnPathArn", "TemplateArn", "MessageDsn.ReportingMta", "MessageDsn.ArrivalDate", "MessageDsn.ExtensionFields.Name", "MessageDsn.ExtensionFields.Value",
	"BouncedRecipientInfoList.RecipientArn", "BouncedRecipientInfoList.RecipientDsnFields.FinalRecipient", "BouncedRecipientInfoList.RecipientDsnFields.RemoteMta",
	"BouncedRecipientInfoList.RecipientDsnFields.LastAttemptDate", "BouncedRecipientInfoList.RecipientDsnFields.ExtensionFields.Name",
	"BouncedRecipientInfoList.RecipientDsnFields.ExtensionFields.Value",
}

func TestInputsHaveTheMembersOfTheModel(t *testing.T) {
	t.Parallel()
	m := readModel(t)
	a := &API{}
	for _, all := range [][]query.Operation{a.sending(), a.sets(), a.templates(), a.identities(), a.account()} {
		for _, o := range all {
			var want []string
			for _, path := range m[o.Name].Input {
				if !slices.Contains(ignored, path) {
					want = append(want, path)
				}
			}
			got := members(reflect.TypeOf(o.NewInput()), "")
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the input of %s (-model +here):\n%s", o.Name, diff)
			}
		}
	}
}

// members are the paths of all plain values in a type.
func members(t reflect.Type, path string) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8 {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return []string{strings.TrimPrefix(path, ".")}
	}
	var all []string
	for field := range t.Fields() {
		all = append(all, members(field.Type, path+"."+field.Name)...)
	}
	return all
}

// TestEveryReplyIsGolden finds the success of each operation and each error of the model among the scenarios.
func TestEveryReplyIsGolden(t *testing.T) {
	t.Parallel()
	text := goldens(t)
	m := readModel(t)
	for _, name := range New(Config{}).Operations() {
		if !strings.Contains(text, "<"+name+"Response xmlns=") {
			t.Errorf("no scenario has a success of %s", name)
		}
		if got := strings.Contains(text, "<"+name+"Result>"); got != m[name].Result {
			t.Errorf("replies of %s have a result element: %v, want %v", name, got, m[name].Result)
		}
		for _, code := range m[name].Errors {
			// The own domain of a return path is never found to be unverified: nobody looks into the DNS for that.
			if code != "MailFromDomainNotVerifiedException" && !strings.Contains(text, "<Code>"+code+"</Code>") {
				t.Errorf("no scenario has the error %s of %s", code, name)
			}
		}
	}
}

func TestEventTypes(t *testing.T) {
	t.Parallel()
	for word, typ := range eventTypes.Of {
		got, err := EventType(word)
		if err != nil || got != typ || EventWord(got) != word {
			t.Errorf("EventType(%q) = %q, %v, whose word is %q", word, got, err, EventWord(got))
		}
	}
	if got, err := EventType("SEND"); err == nil {
		t.Errorf("EventType(SEND) = %q, want an error: words are in lower case", got)
	}
	if got := EventWord("email.later"); got != "email.later" {
		t.Errorf("EventWord of a later version's type = %q, want our own", got)
	}
}
