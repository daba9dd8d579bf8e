package faults

import (
	"fmt"
	"testing"
	"time"
)

// TestMailRelayInTrouble has the relay refuse connections, fall silent after it has read a
// mail, and say 421. Calls, and mail to simulated mailboxes, which share the server with
// the mail that waits, must go on meanwhile. Then the relay is well again, and the clock is
// put forward until all that waits was tried.
func TestMailRelayInTrouble(t *testing.T) {
	t.Parallel()
	want, clock := hurried(t)
	want.dates = clock.dates
	p := &postRig{books: newPostBooks(), office: newPostOffice(t)}
	want.keys = with(impatient(), "email", mailKeys(p.office, map[string]any{"concurrency": 256}))
	r := newRig(t, want)
	r.books.ledger(wellTopics[0]).time()
	p.server, p.options, p.client, p.follower = r.server, r.options, r.client, followMails(r.data, p.books)
	p.client.createMailSet(t)
	p.load = postLoad{
		client: p.client, books: p.books, kinds: []mailKind{byV1, byV2, rawV1, simulated}, fates: []string{fateTaken, fateTaken, fateLater},
		most: 3, writers: 4, pace: length(150, 200), latencies: &latencies{},
	}

	notes := []string{r.whileRelay(t, p, "is well")}
	for _, trouble := range []struct {
		words  string
		manner manner
	}{{"hangs", hangingUp}, {"says 421", busy}} {
		before := p.office.troubled()
		p.office.behave(trouble.manner)
		notes = append(notes, r.whileRelay(t, p, trouble.words))
		if p.office.troubled() == before {
			t.Errorf("no mail met a relay that %s: nothing was tested", trouble.words)
		}
	}
	p.office.close()
	notes = append(notes, r.whileRelay(t, p, "is down"))
	p.office.open(t)
	if p.books.waiting() == 0 {
		t.Error("no mail waits for the relay: nothing was tested")
	}
	notes = append(notes, fmt.Sprintf("%d recipients waited in the end", p.books.waiting()))
	p.awaitEnds(t, func() { p.hurry(t, clock) })
	r.awaitDelivered(t, r.books, r.follower, 0)
	dead := p.collect(t)
	finish(t, r.server, r.books, inTheAir)
	p.settle(t, dead, notes...)
	r.books.wantNoRefusals(t)
	if p.books.refused > 0 {
		t.Errorf("%d requests were refused, the last with %s", p.books.refused, p.books.refusal)
	}
}

// whileRelay sends mail and calls for a while, waits until all is done that needs no relay,
// and describes how long that took.
func (r *rig) whileRelay(t testing.TB, p *postRig, words string) string {
	t.Helper()
	r.load.during(t, func() {
		p.load.during(t, func() { pause(t, length(time.Second, time.Minute)) })
	})
	r.awaitHealthy(t)
	left := 0
	await(t, r.server, "mail to simulated mailboxes while the relay "+words, func() bool {
		p.follower.read(t)
		left = p.books.waiting(simulated)
		return left == 0
	}, func() string { return fmt.Sprintf("%d wait", left) })
	return fmt.Sprintf("while the relay %s: requests %s; simulated mailboxes %s; webhooks of calls %s", words, p.load.latencies.describe(), p.books.delay(),
		r.books.ledger(wellTopics[0]).delay())
}
