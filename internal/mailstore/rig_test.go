package mailstore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"tidings/internal/email"
	"tidings/internal/event"
	"tidings/internal/tenant"
)

func TestMain(m *testing.M) {
	if code, ok := child(); ok {
		os.Exit(code)
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

var (
	acme  = tenant.Tenant{Account: "123456789012", Region: "us-east-1"}
	other = tenant.Tenant{Account: "123456789012", Region: "eu-west-1"}
)

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func open(t testing.TB, opts Options) *Store {
	t.Helper()
	if opts.Path == "" {
		opts.Path = filepath.Join(t.TempDir(), "mail.db")
	}
	s, err := Open(opts)
	if err != nil {
		t.Fatalf("Open(%q) = %v, want nil", opts.Path, err)
	}
	t.Cleanup(func() { shut(t, s) })
	return s
}

func shut(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("Close = %v, want nil", err)
	}
}

// serial makes IDs unique within a process.
var serial atomic.Uint64

// newID makes an ID as those of mails are: the time, and something random.
func newID(at time.Time) string {
	n := serial.Add(1)
	return fmt.Sprintf("0100%012x-%08x-0000-4000-8000-%012x-000000", at.UnixMilli(), uint32(n*2654435761), n)
}

// letter has a mail of a set with everything that a mail can have.
func newLetter(id string, size int) email.Letter {
	raw := []byte("Subject: hello\r\n\r\n" + strings.Repeat("x", size))
	return email.Letter{Raw: raw, Message: email.Message{
		ID: id, Tenant: acme, Accepted: time.UnixMilli(1_700_000_000_123).UTC(), Source: "Jane <jane@example.com>",
		SourceARN: "arn:aws:ses:us-east-1:123456789012:identity/example.com", Sender: "jane@example.com", ReturnPath: "bounces@example.com",
		Recipients: []string{"a@example.net", "b@example.net"}, Set: "set",
		Tags: map[string][]string{
			"ses:operation": {"SendEmail"}, "ses:configuration-set": {"set"}, "ses:source-ip": {"192.0.2.1"},
			"ses:from-domain": {"example.com"}, "ses:caller-identity": {"app"}, "campaign": {"spring"},
		},
		Headers: []email.Header{
			{Name: "From", Value: "Jane <jane@example.com>"},
			{Name: "To", Value: "a@example.net"},
			{Name: "Cc", Value: "b@example.net"},
			{Name: "Subject", Value: "hello"},
			{Name: "MIME-Version", Value: "1.0"},
			{Name: "Content-Type", Value: "text/plain; charset=UTF-8"},
		},
		HeadersTruncated: true,
		Common: email.CommonHeaders{
			From: []string{"Jane <jane@example.com>"}, To: []string{"a@example.net"}, Cc: []string{"b@example.net"}, Subject: "hello", MessageID: id,
		},
		Template: "welcome", Size: len(raw),
	}}
}

func put(t testing.TB, s *Store, all ...email.Letter) {
	t.Helper()
	if err := s.Put(within(t), all...); err != nil {
		t.Fatalf("Put = %v, want nil", err)
	}
}

func next(t testing.TB, s *Store) email.Job {
	t.Helper()
	j, err := s.Next(within(t))
	if err != nil {
		t.Fatalf("Next = %v, want nil", err)
	}
	return j
}

func content(t testing.TB, j email.Job) []byte {
	t.Helper()
	raw, err := j.Content(within(t))
	if err != nil {
		t.Fatalf("Content of %s = %v, want nil", j.Message.ID, err)
	}
	return raw
}

func save(t testing.TB, j email.Job, state email.State) {
	t.Helper()
	if err := j.Save(within(t), state); err != nil {
		t.Fatalf("Save of %s = %v, want nil", j.Message.ID, err)
	}
}

// delivered is the state of a mail whose recipients have all been delivered to.
func delivered() email.State {
	return email.State{Attempts: 1, Serial: 1, Outcomes: []email.Outcome{{
		Serial: 1, Type: event.EmailDelivery, At: time.UnixMilli(1_700_000_001_000).UTC(),
		Reply: email.Reply{
			Recipients: []int{0, 1}, Verdict: email.Delivered, Code: 250, Enhanced: "2.0.0", Text: "250 2.0.0 Ok: queued as 4F2", Host: "mx.example.net",
			RemoteIP: "192.0.2.7", LocalIP: "198.51.100.1", TLS: "TLSv1.3",
		},
	}}}
}

func diff(want, got any) string { return cmp.Diff(want, got, cmpopts.EquateEmpty()) }

// settled returns when all changes that were made before are on disk.
func settled(t testing.TB, s *Store) {
	t.Helper()
	if err := s.commit(within(t), &change{edit: func(*batch, *change) error { return nil }}); err != nil {
		t.Fatalf("commit of nothing = %v, want nil", err)
	}
}

// keys counts the keys of a bucket.
func keys(t testing.TB, s *Store, bucket []byte) (n int) {
	t.Helper()
	err := s.db.Read(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(_, _ []byte) error { n++; return nil })
	})
	if err != nil {
		t.Fatalf("View = %v, want nil", err)
	}
	return n
}

// waits fails the test if the store would hand out a mail now.
func waits(t testing.TB, s *Store) {
	t.Helper()
	settled(t, s)
	s.spool.mu.Lock()
	defer s.spool.mu.Unlock()
	if m := s.spool.pop(time.Now()); m != nil {
		t.Errorf("mail %s is due, want none", m.id)
	}
}
