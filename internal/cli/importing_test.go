package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/admin"
	"tidings/internal/awscli"
)

// mover stands for a running server.
type mover struct {
	asked []admin.Import
	done  admin.Imported
	owner awscli.Owner
}

func (m *mover) Import(_ context.Context, in admin.Import) (admin.Imported, error) {
	m.asked = append(m.asked, in)
	return m.done, nil
}

func (m *mover) Export(_ context.Context, service awscli.Service, owner awscli.Owner) (awscli.Batch, error) {
	m.owner = owner
	return awscli.Batch{Service: service, Sets: []awscli.Set{{Name: "news", Whole: true}}}, nil
}

// run runs a command against the server.
func run(t *testing.T, m *mover, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	s := &admin.Server{Gatherer: prometheus.NewRegistry(), Migrator: m, Log: slog.New(slog.DiscardHandler)}
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	var out, errs bytes.Buffer
	w := World{Getenv: func(string) string { return "" }, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs}
	code = Run(t.Context(), append(args, "--admin", server.URL), w)
	return code, out.String(), errs.String()
}

var whose = awscli.Owner{Account: "123456789012", Region: "us-east-1"}

func TestImportPrintsWhatBecameOfEach(t *testing.T) {
	t.Parallel()
	m := &mover{done: admin.Imported{
		Warnings: []string{"of the server"},
		Items: []admin.ImportedItem{
			{Owner: whose, Kind: admin.KindSet, Name: "calls", Result: admin.ImportUnchanged},
			{Owner: whose, Kind: admin.KindDestination, Name: "calls/a", Result: admin.ImportCreated},
			{Owner: whose, Kind: admin.KindDestination, Name: "calls/b", Result: admin.ImportWouldChange, Changes: []awscli.Difference{{Member: "Enabled", Old: "true", New: "false"}, {Member: "SnsDestination.TopicArn", New: "x"}}},
			{Owner: whose, Kind: admin.KindDestination, Name: "calls/c", Result: admin.ImportRefused, Reason: "It is wrong."},
		},
	}}
	text := `{"ConfigurationSets":["calls"],"NextToken":"x"}`
	code, stdout, stderr := run(t, m, text, "import", "sms-voice", "--account", whose.Account, "--region", whose.Region, "-")
	want := "" +
		"unchanged     configuration set          123456789012/us-east-1/calls\n" +
		"created       event destination          123456789012/us-east-1/calls/a\n" +
		"would change  event destination          123456789012/us-east-1/calls/b\n" +
		"                Enabled                  true -> false\n" +
		"                SnsDestination.TopicArn  (none) -> x\n" +
		"refused       event destination          123456789012/us-east-1/calls/c  It is wrong.\n" +
		"1 created, 1 unchanged, 1 would change, 1 refused (left alone; --replace changes them)\n"
	if diff := cmp.Diff(want, stdout); diff != "" {
		t.Errorf("standard output (-want +got):\n%s", diff)
	}
	wantErr := "warning: - has a NextToken: it is one page of several; save and import the others as well\nwarning: of the server\ntidings: 1 refused\n"
	if diff := cmp.Diff(wantErr, stderr); diff != "" || code != exitFailed {
		t.Errorf("exit %d, want %d; standard error (-want +got):\n%s", code, exitFailed, diff)
	}
	if diff := cmp.Diff([]admin.Import{{Batch: awscli.Batch{Service: awscli.SMSVoice, Sets: []awscli.Set{{Owner: whose, Name: "calls"}}}}}, m.asked); diff != "" {
		t.Errorf("the server was asked for (-want +got):\n%s", diff)
	}

	_, stdout, _ = run(t, m, text, "import", "sms-voice", "--account", whose.Account, "--region", whose.Region, "--json", "--replace", "--dry-run", "-")
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	var last admin.ImportedItem
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(lines) != 4 || !cmp.Equal(last, m.done.Items[3]) {
		t.Errorf("with --json: %d lines, the last of them %+v, %v", len(lines), last, err)
	}
	if in := m.asked[1]; !in.Replace || !in.DryRun {
		t.Errorf("the server was asked for %+v, want a dry run that replaces", in)
	}
}

func TestImportOfNothing(t *testing.T) {
	t.Parallel()
	m := &mover{}
	code, stdout, stderr := run(t, m, "", "import", "pinpoint", "--dry-run", "-")
	if code != exitOK || stdout != "nothing to import (dry run: nothing was changed)\n" || !strings.Contains(stderr, "warning: - is empty") {
		t.Errorf("an empty file: exit %d, %q, %q", code, stdout, stderr)
	}
}

func TestImportAsksForWhatItNeeds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	big := filepath.Join(dir, "big.json")
	f, err := os.Create(big)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(maxSavedFile + 1); err != nil { // sparse
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	m := &mover{}
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"import", "ses", "-"}, exitMisused, "--account"},
		{[]string{"import", "sms-voice", "--account", "1", "-"}, exitMisused, "--region"},
		{[]string{"import", "pinpoint"}, exitMisused, "<file>"},
		{[]string{"import", "sqs", "-"}, exitMisused, "sqs"},
		{[]string{"import", "pinpoint", filepath.Join(dir, "missing.json")}, exitFailed, "missing.json"},
		{[]string{"import", "pinpoint", dir}, exitFailed, "is a directory"},
		{[]string{"import", "pinpoint", big}, exitFailed, "big.json: a file has at most 64 MiB"},
		{[]string{"import", "ses", "--account", "1", "--region", "r", "-"}, exitFailed, "-: this is not what aws ses"},
	} {
		code, _, stderr := run(t, m, "{}", tc.args...)
		if code != tc.code || !strings.Contains(stderr, tc.want) {
			t.Errorf("%q: exit %d, %q; want %d and %q", tc.args, code, stderr, tc.code, tc.want)
		}
	}
	if len(m.asked) != 0 {
		t.Errorf("the server was asked for %+v, want nothing", m.asked)
	}
}

func TestExportPrints(t *testing.T) {
	t.Parallel()
	m := &mover{}
	code, stdout, stderr := run(t, m, "", "export", "sms-voice", "--account", whose.Account, "--region", whose.Region)
	want := "{\n    \"ConfigurationSets\": [\n        \"news\"\n    ]\n}\n{\n    \"ConfigurationSetName\": \"news\",\n    \"EventDestinations\": []\n}\n"
	if code != exitOK || stdout != want || m.owner != whose {
		t.Errorf("export sms-voice of %+v: exit %d, %q, %q", m.owner, code, stdout, stderr)
	}
	if code, stdout, _ := run(t, m, "", "export", "ses"); code != exitOK || !strings.Contains(stdout, `"Name": "news"`) || m.owner != (awscli.Owner{}) {
		t.Errorf("export ses of %+v: exit %d, %q", m.owner, code, stdout)
	}
	if code, stdout, _ := run(t, m, "", "export", "pinpoint"); code != exitOK || !strings.Contains(stdout, "ApplicationsResponse") {
		t.Errorf("export pinpoint: exit %d, %q", code, stdout)
	}
}
