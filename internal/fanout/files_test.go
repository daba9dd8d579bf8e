package fanout_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tidings/internal/sink"
	"tidings/internal/sink/file"
)

// TestEventsReachFiles carries events through real bindings to real files.
func TestEventsReachFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Date(2026, 11, 5, 14, 0, 0, 0, time.UTC)
	driver, err := file.New(dir, file.Settings{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatalf("New = %v", err)
	}
	bindings := sink.NewBindings(sink.Binding{Name: "file", Driver: driver})
	r := newRig()
	r.sets.put("s", "a", "b")
	r.sinks = bindings
	r.start(t)
	ids := r.publish("s", 500)
	for r.log.unacknowledged() > 0 { // a pack is acknowledged once its events are synced
		<-r.log.acked
	}
	r.stopped()
	if err := bindings.Close(); err != nil {
		t.Errorf("Bindings.Close = %v", err)
	}
	if err := driver.Close(); err != nil {
		t.Errorf("Driver.Close = %v", err)
	}
	for _, name := range []string{"a", "b"} {
		path := filepath.Join(dir, "sns", "us-east-1", "123456789012", name, "2026", "11", "05", "14.ndjson")
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		for i := range ids {
			fmt.Fprintf(&want, "{\"n\":%d}\n", i+1)
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s holds %d bytes, want the %d of 500 records in order", path, len(got), want.Len())
		}
	}
}
