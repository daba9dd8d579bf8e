package faults

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// postRig is a server that relays mail to a post office, and publishes events into a file.
type postRig struct {
	*server
	options  options
	books    *postBooks
	office   *postOffice
	client   *client
	follower *follower
	load     postLoad
	now      func() time.Time // the server's clock; nil = this machine's
	kills    []kill
}

// kill is one end of the server: it was alive until begun, and dead from ended on.
type kill struct{ begun, ended time.Time }

// mailsInHand bounds the mails that the server works on at a time, and with them those that
// it may send twice after a kill.
const mailsInHand = 32

// mailKeys are the keys of mail relayed to the post office.
func mailKeys(office *postOffice, more map[string]any) map[string]any {
	email := map[string]any{
		"relay":       map[string]any{"server": office.address, "tls": "none"},
		"concurrency": mailsInHand, "give_up": "13h", "hello": "mail.example.com",
	}
	maps.Copy(email, more)
	return email
}

// newPostRig starts a server with a set and a template. more are keys below email.
func newPostRig(t testing.TB, want setup, more map[string]any) *postRig {
	t.Helper()
	if want.dir == "" {
		want.dir = t.TempDir()
	}
	if want.keys == nil {
		want.keys = map[string]any{}
	}
	r := &postRig{books: newPostBooks(), office: newPostOffice(t), now: want.now}
	r.options = options{
		binary: want.binary, data: filepath.Join(want.dir, "data"), env: want.env,
		config: config(with(want.keys, "email", mailKeys(r.office, more))),
	}
	r.load = postLoad{books: r.books, kinds: mixture, fates: usualFates, most: 3, writers: 6, pace: length(300, 300)}
	r.follower = followMails(r.options.data, r.books)
	r.start(t)
	r.client.createMailSet(t)
	return r
}

// start starts the server, again or for the first time.
func (r *postRig) start(t testing.TB) {
	t.Helper()
	r.server = start(t, r.options)
	r.client = newClient(t, r.server)
	if r.now != nil {
		r.client.now = r.now
	}
	r.load.client = r.client
}

// killNow kills the server.
func (r *postRig) killNow(t testing.TB) {
	t.Helper()
	r.wantAlive(t)
	begun := time.Now()
	r.kill()
	r.kills = append(r.kills, kill{begun, time.Now()})
}

// awaitEnds waits until every recipient of what was acknowledged has its end in the file,
// and no delivery waits. Meanwhile hurry, if it is not nil, is called now and then.
func (r *postRig) awaitEnds(t testing.TB, hurry func()) {
	t.Helper()
	waiting, pending, parked := 0, 0, 0
	next := time.Now()
	await(t, r.server, "the ends of all mails", func() bool {
		r.follower.read(t)
		if waiting = r.books.waiting(); waiting > 0 {
			if hurry != nil && time.Now().After(next) {
				hurry()
				next = time.Now().Add(time.Second)
			}
			return false
		}
		pending, parked = r.backlog(t)
		return pending+parked == 0
	}, func() string {
		return fmt.Sprintf("%d recipients wait, %d deliveries pending, %d parked", waiting, pending, parked)
	})
	r.awaitQuiet(t)
}

// awaitQuiet waits until no mail is in the spool: also those are at their end of which the
// client does not know that they were accepted.
func (r *postRig) awaitQuiet(t testing.TB) {
	t.Helper()
	left := ""
	await(t, r.server, "an empty spool", func() bool {
		left = r.metric(t, "tidings_mail_spool_messages")
		pending, parked := r.backlog(t)
		return left == "0" && pending+parked == 0
	}, func() string { return left + " mails in the spool" })
}

// metric is the value of a metric without labels.
func (s *server) metric(t testing.TB, name string) string {
	t.Helper()
	resp := s.ask(t, "/metrics")
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read the metrics: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("there is no metric %s", name)
	return ""
}

// collect enters the event log in the books, while the server is there still, and returns
// how many dead letters there are. Everything must have ended before.
func (r *postRig) collect(t testing.TB) (dead int) {
	t.Helper()
	r.books.forget()
	r.eachEvent(t, "email.", r.books.log)
	return len(r.deadLetters(t))
}

// finish stops the server, closes the books and reports.
func (r *postRig) finish(t testing.TB, notes ...string) postTotals {
	t.Helper()
	dead := r.collect(t)
	r.stop(t)
	return r.settle(t, dead, notes...)
}

// settle closes the books of a server that was stopped, and reports.
func (r *postRig) settle(t testing.TB, dead int, notes ...string) postTotals {
	t.Helper()
	f := followMails(r.data, r.books) // what was read while the file grew may have been taken back
	f.read(t)
	f.wantWhole(t)
	sum := r.books.close()
	twice := r.wantTakings(t)
	if twice.mails > 0 {
		notes = append(notes, fmt.Sprintf("taken twice: at most %d around one kill, first at most %v before it", twice.atOnce, twice.before.Round(time.Millisecond)))
	}
	if r.books.refused > 0 {
		notes = append(notes, fmt.Sprintf("%d requests refused", r.books.refused))
	}
	if r.books.lonely > 0 {
		notes = append(notes, fmt.Sprintf("%d requests without an answer, of which %d were accepted", r.books.lonely, sum.unpromised))
	}
	t.Logf("\n| %s | %d | %d | %d | %d | %d | %d | %d | %s |", t.Name(), sum.acknowledged, sum.recipients, sum.ends, sum.open+sum.twofold,
		sum.missing, sum.repeated, twice.mails, strings.Join(notes, "; "))
	t.Logf("events: %v", sum.byKind)
	if sum.open+sum.twofold+sum.missing+dead > 0 {
		t.Errorf("%d recipients have no end, %d have several, %d events are not in the file, %d dead letters; want 0, 0, 0, 0", sum.open, sum.twofold, sum.missing, dead)
	}
	if twice.atOnce > mailsInHand {
		t.Errorf("%d mails were taken twice around one kill, want at most the %d that are in hand at a time", twice.atOnce, mailsInHand)
	}
	if sum.acknowledged == 0 {
		t.Error("nothing was acknowledged: nothing was tested")
	}
	r.books.wantClean(t)
	return sum
}

// takenTwice are the mails that the post office took twice, for some recipient.
type takenTwice struct {
	mails  int
	atOnce int           // of them, at most around a single kill
	before time.Duration // the longest time from the first 250 to the kill
}

// wantTakings compares what the post office took with what was asked for: who takes mail
// has it, once; a second time only if the server was killed in between.
func (r *postRig) wantTakings(t testing.TB) (twice takenTwice) {
	t.Helper()
	r.office.mu.Lock()
	defer r.office.mu.Unlock()
	r.books.mu.Lock()
	defer r.books.mu.Unlock()
	around := make([]map[int]bool, len(r.kills)) // serials
	mails := map[int]bool{}
	lost := 0
	for i := range r.books.mails {
		m := &r.books.mails[i]
		for _, address := range m.to {
			taken := r.office.taken[address]
			wanted := m.kind != infected && m.kind != unrenderable && m.kind != simulated && fateOf(address) != fateBounced
			if len(taken) > 0 && !wanted {
				t.Errorf("the post office took mail for %s, which nobody should have sent there", address)
			}
			if len(taken) == 0 && wanted && m.state == acknowledged {
				lost++
			}
			for j := 1; j < len(taken); j++ {
				at, ok := r.killBetween(taken[j-1], taken[j])
				if !ok {
					t.Errorf("the post office took mail for %s at %v and at %v, and no kill was in between", address, taken[j-1], taken[j])
					continue
				}
				if around[at] == nil {
					around[at] = map[int]bool{}
				}
				around[at][i], mails[i] = true, true
				twice.before = max(twice.before, r.kills[at].begun.Sub(taken[j-1]))
			}
		}
	}
	if lost > 0 {
		t.Errorf("%d recipients never got what was acknowledged, want 0", lost)
	}
	for _, m := range around {
		twice.atOnce = max(twice.atOnce, len(m))
	}
	twice.mails = len(mails)
	return twice
}

// killBetween returns the first kill after a that was over before b.
func (r *postRig) killBetween(a, b time.Time) (at int, ok bool) {
	for i, k := range r.kills {
		if !k.ended.Before(a) && !k.begun.After(b) {
			return i, true
		}
	}
	return 0, false
}
