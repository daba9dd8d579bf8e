package mailstore

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tidings/internal/boltfile"
	"tidings/internal/fault"
)

func TestClose(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	path := filepath.Join(t.TempDir(), "mail.db")
	s := open(t, Options{Path: path, Registerer: registry})
	put(t, s, newLetter("1", 10), newLetter("2", 10))
	if n := testutil.CollectAndCount(registry); n != 8 {
		t.Errorf("the store has %d metrics, want 8", n)
	}
	if _, err := Open(Options{Path: path}); err == nil {
		t.Error("Open of a file that is open = nil, want an error")
	}
	done, late := next(t, s), next(t, s)
	done.Done() // is written when the store closes
	shut(t, s)
	shut(t, s)
	late.Done() // is not written any more
	if err := late.Save(within(t), delivered()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Save in a closed store = %v, want unavailable", err)
	}
	if err := s.Put(within(t), newLetter("3", 10)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Put of a closed store = %v, want unavailable", err)
	}
	if _, _, err := s.Find(within(t), "1"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Find of a closed store = %v, want unavailable", err)
	}
	s = open(t, Options{Path: path, Registerer: registry}) // the metrics are free again
	if j := next(t, s); j.Message.ID != "2" {
		t.Errorf("Next = %s, want 2", j.Message.ID)
	}
	waits(t, s)
}

func TestOpenRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mail.db")
	s := open(t, Options{Path: path})
	err := s.commit(within(t), &change{edit: func(b *batch, _ *change) error { return b.put(boltfile.Meta, boltfile.KeyVersion, []byte{layout + 1}) }})
	if err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	if _, err := Open(Options{Path: path}); err == nil || !strings.Contains(err.Error(), "layout") {
		t.Errorf("Open of a later layout = %v, want it refused", err)
	}
	if _, err := Open(Options{Path: t.TempDir()}); err == nil {
		t.Error("Open of a directory = nil, want an error")
	}
}
