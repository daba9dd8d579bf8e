package faults

import (
	"math/rand/v2"
	"net/http"
	"path"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// nonsense is a sink's mood that follows no rule, but for the doomed events.
type nonsense struct {
	share  float64      // of the requests that are not answered properly
	broken atomic.Int64 // deliveries that were taken by an answer that may not have come through
}

// doomed reports whether the troubled sink does not want the event for good.
func doomed(o occurrence) bool { return o.serial%10 == 0 && final(o.kind) }

func (n *nonsense) answer(w http.ResponseWriter, r *http.Request, l *ledger, parcels []parcel) {
	if slices.ContainsFunc(parcels, func(p parcel) bool { return doomed(p.occurrence) }) {
		w.WriteHeader(http.StatusGone)
		return
	}
	if rand.Float64() >= n.share {
		l.received(parcels)
		return
	}
	switch rand.IntN(10) {
	case 0, 1:
		http.Error(w, "<html>\x00 out of order", http.StatusInternalServerError)
	case 2:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case 3:
		w.Header().Set("Retry-After", strconv.Itoa(-1<<40))
		w.WriteHeader(http.StatusServiceUnavailable)
	case 4:
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	case 5:
		reset(w)
	case 6:
		n.take(l, parcels)
		reset(w)
	case 7:
		n.take(l, parcels)
		trickle(r.Context(), w, 200*time.Millisecond)
	case 8:
		n.take(l, parcels)
		trickle(r.Context(), w, 1500*time.Millisecond) // longer than the server waits
	default:
		if conn := hijack(w); conn != nil {
			_, _ = conn.Write([]byte("220 mail.example ESMTP\r\n")) // the answer of another service
			conn.Close()
		}
	}
}

// take takes deliveries although the sender may not hear of it.
func (n *nonsense) take(l *ledger, parcels []parcel) {
	n.broken.Add(int64(len(parcels)))
	l.received(parcels)
}

// TestSinkTalksNonsense has a sink give all kinds of answers in any order, and refuse some
// events for good: exactly those become dead letters, and arrive once it is mended.
func TestSinkTalksNonsense(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{keys: map[string]any{
		"delivery": map[string]any{"backoff": "50ms", "backoff_max": "500ms", "timeout": "1s"},
	}})
	mood := nonsense{share: 0.1}
	r.troubled.behave(mood.answer)
	r.load.pace = 50
	r.load.during(t, func() { pause(t, length(2*time.Second, time.Minute)) })
	r.awaitHealthy(t)
	want := r.doomed(t)
	r.awaitDelivered(t, r.books, r.follower, len(want))
	if len(want) == 0 || mood.broken.Load() == 0 {
		t.Errorf("%d deliveries were refused for good, %d answers broke off: not everything was tested", len(want), mood.broken.Load())
	}
	if diff := cmp.Diff(want, r.buried(t)); diff != "" {
		t.Errorf("the dead letters are not what was refused (-want +got):\n%s", diff)
	}
	r.troubled.behave(obliging)
	r.retryDeadLetters(t)
	r.finish(t, duplicates(mood.broken.Load()), strconv.Itoa(len(want))+" dead letters, all delivered by a retry",
		strconv.Itoa(int(mood.broken.Load()))+" taken by answers that broke off or came late")
	r.books.wantNoRefusals(t)
}

// grave names a delivery that was given up.
type grave struct {
	Destination string
	Serial      int
	Type        string
}

func sortGraves(all []grave) []grave {
	slices.SortFunc(all, func(a, b grave) int {
		if a.Serial != b.Serial {
			return a.Serial - b.Serial
		}
		return slices.Index(troubleTopics, a.Destination) - slices.Index(troubleTopics, b.Destination)
	})
	return all
}

// doomed lists the deliveries that the troubled sink refuses for good, by the log.
func (r *rig) doomed(t testing.TB) []grave {
	t.Helper()
	r.readLog(t, r.books)
	r.books.mu.Lock()
	defer r.books.mu.Unlock()
	var all []grave
	for serial := range r.books.calls {
		for kind, logged := range r.books.calls[serial].logged {
			if !logged || !doomed(occurrence{serial, kind}) {
				continue
			}
			for _, name := range troubleTopics {
				all = append(all, grave{name, serial, kinds[kind]})
			}
		}
	}
	return sortGraves(all)
}

// buried lists the dead letters of the server.
func (r *rig) buried(t testing.TB) []grave {
	t.Helper()
	var all []grave
	for _, letter := range r.deadLetters(t) {
		rec, err := parseRecord(letter.Record)
		if err != nil {
			t.Fatalf("the record of a dead letter: %v", err)
		}
		all = append(all, grave{path.Base(letter.Destination), rec.serial, rec.EventType})
	}
	return sortGraves(all)
}
