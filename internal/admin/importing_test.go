package admin_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/admin"
	"tidings/internal/awscli"
	"tidings/internal/fault"
)

// mover is a Migrator in memory.
type mover struct {
	asked  []admin.Import
	done   admin.Imported
	batch  awscli.Batch
	owner  awscli.Owner
	broken error
}

func (m *mover) Import(_ context.Context, in admin.Import) (admin.Imported, error) {
	m.asked = append(m.asked, in)
	return m.done, m.broken
}

func (m *mover) Export(_ context.Context, service awscli.Service, owner awscli.Owner) (awscli.Batch, error) {
	m.owner = owner
	b := m.batch
	b.Service = service
	return b, m.broken
}

func openMover(t *testing.T, m *mover, log *strings.Builder) *admin.Client {
	t.Helper()
	s := &admin.Server{Gatherer: prometheus.NewRegistry(), Migrator: m, Log: slog.New(slog.NewTextHandler(log, nil))}
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	return &admin.Client{URL: server.URL, HTTP: server.Client()}
}

func TestImport(t *testing.T) {
	t.Parallel()
	owner := awscli.Owner{Account: "123456789012", Region: "us-east-1"}
	in := admin.Import{Replace: true, Batch: awscli.Batch{Service: awscli.Pinpoint, Apps: []awscli.App{
		{Owner: owner, ID: "a", Tags: map[string]string{}}, {Owner: owner, ID: "b"},
	}}}
	m := &mover{done: admin.Imported{Warnings: []string{"w"}, Items: []admin.ImportedItem{
		{Owner: owner, Kind: admin.KindApp, Name: "a", Result: admin.ImportCreated},
		{Owner: owner, Kind: admin.KindApp, Name: "b", Result: admin.ImportChanged, Changes: []awscli.Difference{{Member: "Name", Old: "x", New: "y"}}},
		{Owner: owner, Kind: admin.KindApp, Name: "c", Result: admin.ImportRefused, Reason: "why"},
	}}}
	var log strings.Builder
	c := openMover(t, m, &log)
	got, err := c.Import(t.Context(), in)
	if diff := cmp.Diff(m.done, got); diff != "" || err != nil {
		t.Errorf("Import: %v\n%s", err, diff)
	}
	if diff := cmp.Diff([]admin.Import{in}, m.asked); diff != "" { // an app without tags is not one of which none are said
		t.Errorf("the server was asked for (-want +got):\n%s", diff)
	}
	if want := "service=pinpoint replace=true created=1 changed=1 unchanged=0 different=0 refused=1 complete=true"; !strings.Contains(log.String(), want) {
		t.Errorf("the log is %q, want %q in it", log.String(), want)
	}
	log.Reset()
	m.done = admin.Imported{}
	if got, err := c.Import(t.Context(), admin.Import{DryRun: true}); err != nil || got.Items == nil || log.Len() > 0 {
		t.Errorf("Import of nothing = %+v, %v and logged %q, want an empty list and no line", got, err, log.String())
	}
}

func TestImportFails(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	m := &mover{broken: errors.New("the disk is full"), done: admin.Imported{Items: make([]admin.ImportedItem, 2)}}
	c := openMover(t, m, &log)
	if _, err := c.Import(t.Context(), admin.Import{}); err == nil || !strings.Contains(err.Error(), "import, after 2 of its things: the disk is full") {
		t.Errorf("Import on a full disk = %v, want how far it came", err)
	}
	if !strings.Contains(log.String(), "complete=false") {
		t.Errorf("the log is %q, want it to say that the import was broken off", log.String())
	}
	if _, err := c.Export(t.Context(), awscli.SES, awscli.Owner{}); err == nil || !strings.Contains(err.Error(), "export: the disk is full") {
		t.Errorf("Export = %v, want the reason", err)
	}
	m.broken = fault.New(fault.Invalid, "", "There is no such service.")
	for _, call := range []func() error{
		func() error { _, err := c.Import(t.Context(), admin.Import{}); return err },
		func() error { _, err := c.Export(t.Context(), "sqs", awscli.Owner{}); return err },
	} {
		if err := call(); err == nil || err.Error() != "There is no such service." {
			t.Errorf("the call = %v, want the text of the fault", err)
		}
	}
	for _, body := range []string{"", "{", `{"unknown":1}`, `[]`} {
		resp, err := c.HTTP.Post(c.URL+"/v1/import", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("POST /v1/import %q = %d, want 400", body, resp.StatusCode)
		}
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	m := &mover{batch: awscli.Batch{Sets: []awscli.Set{{Name: "a", Whole: true, Destinations: []awscli.Destination{{Name: "d", Types: []string{"BUSY"}}}}}}}
	want := m.batch
	want.Service = awscli.SMSVoice
	owner := awscli.Owner{Account: "123456789012", Region: "us east/1"}
	got, err := openMover(t, m, &log).Export(t.Context(), awscli.SMSVoice, owner)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Export: %v\n%s", err, diff)
	}
	if m.owner != owner {
		t.Errorf("the server was asked for %+v, want %+v", m.owner, owner)
	}
}
