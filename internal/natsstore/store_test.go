package natsstore

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fanout"
	"tidings/internal/fault"
	"tidings/internal/tenant"
	"tidings/internal/voice"
)

// Compile-time proof of the seams.
var (
	_ configset.Store = (*ConfigurationSets)(nil)
	_ voice.Queue     = (*Messages)(nil)
	_ voice.Publisher = (*Events)(nil)
	_ fanout.Log      = (*Events)(nil)
	_ fanout.Lot      = (*Parking)(nil)
	_ fanout.Morgue   = (*DeadLetters)(nil)
)

func TestMain(m *testing.M) {
	if code, ok := child(); ok {
		os.Exit(code)
	}
	goleak.VerifyTestMain(m)
}

var acme = tenant.Tenant{Account: "123456789012", Region: "us-east-1"}

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func testLog(t testing.TB) *slog.Logger {
	t.Helper()
	if !testing.Verbose() {
		return nil
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

func openStore(t testing.TB, opts Options) *Store {
	t.Helper()
	return openTuned(t, opts, defaultTuning())
}

func openTuned(t testing.TB, opts Options, tune tuning) *Store {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	opts.Log = testLog(t)
	s, err := open(t.Context(), opts, tune)
	if err != nil {
		t.Fatalf("Open(%q) = %v, want nil", opts.Dir, err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func closeStore(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("Close() = %v, want nil", err)
	}
}

// crash ends the store as a kill does, as far as that is possible inside one process:
// nothing in hand is given back.
func crash(t testing.TB, s *Store) {
	t.Helper()
	for _, b := range []*inbox{s.messages.inbox, s.events.inbox} {
		b.mu.Lock()
		b.held = map[uint64]*held{}
		b.mu.Unlock()
	}
	closeStore(t, s)
}

// runStore runs the store beside the test.
func runStore(t testing.TB, s *Store) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		all.Wait()
	})
}

func message(i int) voice.Message {
	return voice.Message{
		ID: fmt.Sprintf("4f0c7a0e-0000-4000-8000-%012d", i), Tenant: acme,
		Accepted:    time.UnixMilli(1_700_000_000_000 + int64(i)).UTC(),
		Destination: "+15550100", Origination: "+15550101", CallerID: "+15550102", Country: "US", Set: "calls",
		Content:   voice.Content{Kind: voice.SSML, Text: "<speak>hi</speak>", Language: "en-US", Voice: "Joanna"},
		MaxLength: 5 * time.Minute,
	}
}

func eventOf(m voice.Message, t event.Type) event.Event {
	return event.Event{
		ID: m.ID + "/" + string(t), Type: t, Time: m.Accepted.Add(time.Second), Tenant: m.Tenant, Set: m.Set,
		Message: m.ID, Record: []byte(`{"EventType":"` + string(t) + `"}`),
	}
}

func put(t testing.TB, s *Store, ms ...voice.Message) {
	t.Helper()
	for _, m := range ms {
		if err := s.Messages().Put(within(t), m); err != nil {
			t.Fatalf("Put(%s) = %v, want nil", m.ID, err)
		}
	}
}

func publish(t testing.TB, s *Store, events ...event.Event) {
	t.Helper()
	if err := s.Events().Publish(within(t), events...); err != nil {
		t.Fatalf("Publish = %v, want nil", err)
	}
}

func nextJob(t testing.TB, s *Store) voice.Job {
	t.Helper()
	j, err := s.Messages().Next(within(t))
	if err != nil {
		t.Fatalf("Next() = %v, want a job", err)
	}
	return j
}

// noJob proves that nothing waits: a message put now is the next one.
func noJob(t testing.TB, s *Store, marker voice.Message) {
	t.Helper()
	put(t, s, marker)
	if j := nextJob(t, s); j.Message.ID != marker.ID {
		t.Errorf("Next() = %s, want %s: nothing else should wait", j.Message.ID, marker.ID)
	} else {
		j.Done()
	}
}

func diff(t testing.TB, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func wantFault(t testing.TB, what string, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Errorf("%s = %v, want a fault of kind %v", what, err, kind)
	}
}

func TestOpenAndClose(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 2 {
		began := time.Now()
		s := openStore(t, Options{Dir: dir})
		t.Logf("Open took %v", time.Since(began))
		if got := s.Status(); got.State != StateOK || got.Limit != 10<<30 || got.Free <= 0 {
			t.Errorf("Status() = %+v, want ok with a limit of 10 GiB", got)
		}
		began = time.Now()
		closeStore(t, s)
		closeStore(t, s)
		t.Logf("Close took %v", time.Since(began))
		wantFault(t, "Put after Close", s.Messages().Put(t.Context(), message(1)), fault.Unavailable)
		wantFault(t, "Publish after Close", s.Events().Publish(t.Context(), eventOf(message(1), event.VoiceBusy)), fault.Unavailable)
		_, err := s.Messages().Next(t.Context())
		wantFault(t, "Next after Close", err, fault.Unavailable)
		_, err = s.Secret(t.Context(), "x")
		wantFault(t, "Secret after Close", err, fault.Unavailable)
		wantFault(t, "Read after Close", s.Events().Read(t.Context(), Position{}, true, nil), fault.Unavailable)
	}
}

func TestRunClosesTheStore(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	put(t, s, message(1))
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
	wantFault(t, "Put after Run", s.Messages().Put(t.Context(), message(2)), fault.Unavailable)
}

func TestOpenFailsOnAFile(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(t.Context(), Options{Dir: file}); err == nil {
		closeStore(t, s)
		t.Errorf("Open(%q) on a file = nil, want an error", file)
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, Options{Dir: dir})
	var (
		all     sync.WaitGroup
		secrets [8][]byte
	)
	for i := range secrets {
		all.Go(func() {
			var err error
			if secrets[i], err = s.Secret(within(t), "tokens"); err != nil {
				t.Errorf("Secret = %v, want nil", err)
			}
		})
	}
	all.Wait()
	other, err := s.Secret(within(t), "other")
	if err != nil || len(other) != 32 {
		t.Fatalf("Secret = %d bytes, %v, want 32", len(other), err)
	}
	for _, got := range secrets {
		diff(t, "secret of another caller", got, secrets[0])
	}
	if cmp.Equal(other, secrets[0]) {
		t.Error("two names have one secret")
	}
	if _, err := s.Secret(within(t), "a.b"); err == nil {
		t.Error(`Secret("a.b") = nil, want an error`)
	}
	closeStore(t, s)
	again, err := openStore(t, Options{Dir: dir}).Secret(within(t), "tokens")
	if err != nil {
		t.Fatalf("Secret after a restart = %v, want nil", err)
	}
	diff(t, "secret after a restart", again, secrets[0])
}
