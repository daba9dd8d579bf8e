package natsstore

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tidings/internal/event"
)

func stateOf(t testing.TB, s *Store, stream string) jetstream.StreamState {
	t.Helper()
	sess, err := s.session()
	if err != nil {
		t.Fatal(err)
	}
	info, err := sess.streams[stream].Info(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return info.State
}

// settled waits until the server has worked off the acknowledgements up to seq.
func settled(t testing.TB, s *Store, stream string, seq uint64) {
	t.Helper()
	sess, err := s.session()
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "acknowledgements to arrive", func() bool {
		floor, err := s.ackFloor(t.Context(), sess, stream)
		return err == nil && floor >= seq
	})
}

func wantFirst(t testing.TB, what string, s *Store, stream string, want uint64) {
	t.Helper()
	if got := stateOf(t, s, stream).FirstSeq; got != want {
		t.Errorf("%s: the first pack of %s is %d, want %d", what, stream, got, want)
	}
}

func TestJanitorKeepsWhatIsNeeded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, Options{Dir: dir, KeepEvents: time.Hour})
	later := time.Now().Add(2 * time.Hour)
	sweep := func(now time.Time) {
		t.Helper()
		sess, err := s.session()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.sweepSession(within(t), sess, now); err != nil {
			t.Fatalf("sweep = %v, want nil", err)
		}
	}
	put(t, s, message(1)) // mark 0
	first := nextJob(t, s)
	for range 3 {
		publish(t, s, eventOf(message(1), event.VoiceInitiated))
	}
	put(t, s, message(2)) // mark 3
	second := nextJob(t, s)
	for range 3 {
		publish(t, s, eventOf(message(2), event.VoiceInitiated))
	}
	sweep(later)
	wantFirst(t, "nothing was fanned out", s, streamEvents, 1)
	for range 5 {
		nextPack(t, s).Ack()
	}
	settled(t, s, streamEvents, 5)
	sweep(later)
	wantFirst(t, "the first call has not ended", s, streamEvents, 1)
	wantFirst(t, "the first call has not ended", s, streamMessages, 1)

	first.Done()
	settled(t, s, streamMessages, 1)
	sweep(time.Now())
	wantFirst(t, "the events are young", s, streamEvents, 1)
	wantFirst(t, "the first call has ended", s, streamMessages, 2)
	sweep(later)
	wantFirst(t, "the second call has not ended", s, streamEvents, 4)

	second.Done()
	settled(t, s, streamMessages, 2)
	sweep(later)
	wantFirst(t, "five packs were fanned out", s, streamEvents, 6)
	nextPack(t, s).Ack()
	settled(t, s, streamEvents, 6)
	sweep(later)
	wantFirst(t, "the last pack always stays", s, streamEvents, 6)
	closeStore(t, s)

	// Should the consumer have forgotten what was finished, the floor still knows.
	s = openStore(t, Options{Dir: dir})
	sess, err := s.session()
	if err != nil {
		t.Fatal(err)
	}
	if err := sess.js.DeleteConsumer(within(t), streamMessages, consumerVoice); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = openStore(t, Options{Dir: dir})
	noJob(t, s, message(3))
}

func TestJanitorKeepsMessagesForAccepted(t *testing.T) {
	t.Parallel()
	s := openStore(t, Options{KeepMessages: time.Hour})
	for i := range 4 {
		put(t, s, message(i))
		nextJob(t, s).Done()
	}
	settled(t, s, streamMessages, 4)
	s.sweep(t.Context(), time.Now())
	wantFirst(t, "the messages are young", s, streamMessages, 1)
	s.sweep(t.Context(), time.Now().Add(2*time.Hour))
	wantFirst(t, "the messages are old", s, streamMessages, 4)
}

func TestCallsOfAFormerLifeAreForgottenInTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, Options{Dir: dir})
	put(t, s, message(1))
	publish(t, s, eventOf(nextJob(t, s).Message, event.VoiceInitiated))
	closeStore(t, s)
	s = openStore(t, Options{Dir: dir})
	j := nextJob(t, s)
	if s.messages.calls.Load() == nil || len(j.Begun) != 1 {
		t.Fatalf("Begun = %v, want one event of the former life", j.Begun)
	}
	s.sweep(t.Context(), time.Now())
	if s.messages.calls.Load() == nil {
		t.Error("the state of calls is forgotten while a call of the former life goes on")
	}
	j.Done()
	settled(t, s, streamMessages, 1)
	s.sweep(t.Context(), time.Now())
	if s.messages.calls.Load() != nil {
		t.Error("the state of calls is kept although no call of the former life is left")
	}
}

func TestBeyond(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		first, last, bytes uint64
		keep               int64
		want               uint64
	}{
		{1, 100, 1000, 1000, 0},
		{1, 100, 1000, 0, 0},
		{1, 101, 1000, 500, 51},
		{1001, 2001, 1_000_000, 900_000, 1101},
	} {
		st := jetstream.StreamState{FirstSeq: test.first, LastSeq: test.last, Bytes: test.bytes, Msgs: test.last - test.first + 1}
		if got := beyond(st, test.keep); got != test.want {
			t.Errorf("beyond(%d..%d with %d bytes, %d) = %d, want %d", test.first, test.last, test.bytes, test.keep, got, test.want)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	s := openStore(t, Options{Registerer: reg, MaxBytes: 1 << 30})
	publish(t, s, eventOf(message(1), event.VoiceBusy))
	s.sweep(t.Context(), time.Now())
	want := `
# HELP tidings_storage_full 1 while nothing new is accepted, for lack of space or because the storage is being reopened.
# TYPE tidings_storage_full gauge
tidings_storage_full 0
# HELP tidings_storage_limit_bytes Bytes that may be stored.
# TYPE tidings_storage_limit_bytes gauge
tidings_storage_limit_bytes 1.073741824e+09
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "tidings_storage_full", "tidings_storage_limit_bytes"); err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(collector{s}); n != storageParts+3 {
		t.Errorf("%d metrics, want one for each of %d streams and 3", n, storageParts)
	}
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint of the metrics: %v, %v", problems, err)
	}
	closeStore(t, s)
	again := openStore(t, Options{Registerer: reg})
	if _, err := Open(t.Context(), Options{Dir: t.TempDir(), Registerer: reg}); err == nil {
		t.Error("a second store on one registry = nil, want an error")
	}
	closeStore(t, again)
}
