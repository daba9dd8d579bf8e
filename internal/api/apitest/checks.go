package apitest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/account"
	"tidings/internal/awsapi"
	"tidings/internal/fault"
)

// operationRow is a row of a table of operations: its name and its state.
var operationRow = regexp.MustCompile("(?m)^\\| `([A-Za-z0-9]+)` \\|([^|]*)\\|")

// CheckPage holds docs/compatibility.md to the operations that a family serves, in alphabetical
// order: the table of the section has a row for each, and none more.
func CheckPage(tb testing.TB, title string, served []string) {
	tb.Helper()
	page, err := os.ReadFile("../../../docs/compatibility.md")
	if err != nil {
		tb.Fatal(err)
	}
	_, section, ok := strings.Cut(string(page), "\n### "+title+"\n")
	if !ok {
		tb.Fatalf("docs/compatibility.md has no section %q", title)
	}
	section, _, _ = strings.Cut(section, "\n#")
	var listed []string
	for _, row := range operationRow.FindAllStringSubmatch(section, -1) {
		listed = append(listed, row[1])
		if state := strings.TrimSpace(row[2]); state != "done" && state != "partial" {
			tb.Errorf("docs/compatibility.md: %s is %q, want done or partial", row[1], state)
		}
	}
	slices.Sort(listed)
	if diff := cmp.Diff(served, listed); diff != "" {
		tb.Errorf("%s: those that are served and those in docs/compatibility.md (-served +listed):\n%s", title, diff)
	}
}

// CheckNeedsCaller calls an operation past the handler, which knows the caller.
func CheckNeedsCaller(tb testing.TB, api awsapi.Family, method, target, body string) {
	tb.Helper()
	call, err := api.Resolve(httptest.NewRequestWithContext(tb.Context(), method, target, nil), []byte(body))
	if err != nil {
		tb.Fatalf("Resolve(%s %s) = %v", method, target, err)
	}
	if err := call.Serve(tb.Context(), httptest.NewRecorder()); fault.From(err) == nil || fault.From(err).Kind != fault.Internal {
		tb.Errorf("%s without a caller = %v, want an internal error", call.Operation, err)
	}
}

// Call lets a family answer a request as if the handler had authenticated it.
func Call(tb testing.TB, api awsapi.Family, method, target, body string) (*httptest.ResponseRecorder, error) {
	tb.Helper()
	call, err := api.Resolve(httptest.NewRequestWithContext(tb.Context(), method, target, nil), []byte(body))
	if err != nil {
		tb.Fatalf("Resolve(%s %s) = %v", method, target, err)
	}
	p := account.Principal{Key: &account.Key{ID: "AKID", Account: &account.Account{ID: "123456789012"}}, Region: "us-east-1"}
	w := httptest.NewRecorder()
	return w, call.Serve(account.NewContext(tb.Context(), p), w)
}

// Takes posts any body and reports whether it was taken. Of bodies that it refuses the family
// must say no more than that they are wrong.
func Takes(tb testing.TB, api awsapi.Family, path string, body []byte) bool {
	tb.Helper()
	w, err := Call(tb, api, http.MethodPost, path, string(body))
	if err != nil && (!fault.Is(err, fault.Invalid) || w.Body.Len() > 0) {
		tb.Errorf("%s with %q: %v after %d bytes were written, want fault.Invalid and none", path, body, err, w.Body.Len())
	}
	return err == nil
}

// TakesAgain posts the input that says the same as what was taken before.
func TakesAgain(tb testing.TB, api awsapi.Family, path string, input any) {
	tb.Helper()
	body, err := json.Marshal(input)
	if err != nil {
		tb.Fatal(err)
	}
	if !Takes(tb, api, path, body) {
		tb.Fatalf("%s is refused when it is written again: %s", path, body)
	}
}
