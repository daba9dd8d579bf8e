package email

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"time"

	"tidings/internal/configset"
	"tidings/internal/crew"
	"tidings/internal/event"
)

// taken is one message, from being taken from the spool until it is handed back.
type taken struct {
	r     *Runner
	hours crew.Hours
	job   Job
	m     *Message
	set   *configset.Set // nil = the message names none, or it is gone
	s     State
}

// ending is how a message is handed back to the spool.
type ending int

const (
	finished ending = iota // every recipient has its outcome
	waiting                // until the next attempt
	released               // to be given out again: the process stops
)

// obstaclePause is how long a message waits that something of our own keeps from being handed over.
const obstaclePause = time.Minute

// reasonBadContent is the only reason that SES gives for a reject. Source: SES Developer Guide, "Contents of event data", Reject object.
const reasonBadContent = "Bad content"

// live does for one message what can be done now.
func (r *Runner) live(h crew.Hours, job Job) {
	if h.Taking.Err() != nil {
		job.Release()
		return
	}
	t := &taken{r: r, hours: h, job: job, m: &job.Message, s: job.State}
	if t.m.Set != "" {
		key := configset.Key{Tenant: t.m.Tenant, Scope: configset.Email, Name: t.m.Set}
		t.set, _ = r.Sets.Get(key)
	}
	switch t.run() {
	case finished:
		job.Done()
	case waiting:
		job.Wait(t.s)
	case released:
		job.Release()
	}
}

func (t *taken) run() ending {
	if len(t.s.Outcomes) > 0 {
		if end, over := t.recall(); over {
			return end
		}
	}
	if t.m.Failure != "" {
		return t.fail()
	}
	if t.s.Attempts == 0 && t.s.Serial == 0 && len(t.s.Open) == 0 { // a new message
		t.s.Open = make([]int, len(t.m.Recipients))
		for i := range t.s.Open {
			t.s.Open[i] = i
		}
	}
	return t.attempt()
}

// recall publishes what a former life of the process brought to disk and perhaps not into the event log: the same IDs, the same
// bytes. It reports whether that was all there was to do now.
func (t *taken) recall() (end ending, over bool) {
	last := t.s.Outcomes[len(t.s.Outcomes)-1].At
	if !t.tell() {
		return released, true
	}
	t.s.Outcomes = nil
	if len(t.s.Open) == 0 {
		return finished, true
	}
	t.s.Due = t.due(last)
	return waiting, t.s.Due.After(t.r.now())
}

// fail ends a message that could not be made from its template.
func (t *taken) fail() ending {
	h := unrendered(t.m)
	if !t.publish(t.hours.Taking, h) {
		return released
	}
	t.r.Metrics.ended(h.kind, len(t.m.Recipients), t.r.now().Sub(t.m.Accepted))
	t.logOutcome(h.kind, len(t.m.Recipients), nil)
	return finished
}

// attempt makes one attempt for the recipients that have no outcome yet.
func (t *taken) attempt() ending {
	raw, err := t.job.Content(t.hours.Taking)
	if err != nil {
		return t.hindered(fmt.Errorf("read the message: %w", err))
	}
	if t.s.Attempts == 0 {
		threat, err := t.scan(raw)
		if err != nil {
			return t.hindered(fmt.Errorf("scan the message: %w", err))
		}
		if threat != "" {
			return t.reject()
		}
	}
	replies, open, err := t.sift()
	if err != nil {
		return t.hindered(fmt.Errorf("ask the suppression list: %w", err))
	}
	p, err := t.parcel(raw, open)
	if err != nil {
		return t.hindered(err)
	}
	if !t.announce() {
		return released
	}
	if len(open) > 0 {
		replies = append(replies, t.deliver(p)...)
	}
	t.s.Attempts++
	return t.conclude(replies)
}

// scan looks for what must not be sent.
func (t *taken) scan(raw []byte) (threat string, err error) {
	if t.r.Scanner == nil {
		return "", nil
	}
	defer recoveredAs(&err)
	return t.r.Scanner.Scan(t.hours.Taking, raw)
}

// reject ends a message that must not be sent.
func (t *taken) reject() ending {
	o := Outcome{Serial: t.s.Serial, Type: event.EmailReject, At: t.at(), Reply: Reply{Recipients: t.s.Open}, Reason: reasonBadContent}
	t.s.Serial++
	t.s.Open = nil
	return t.settle([]Outcome{o})
}

// announce publishes, before the first attempt, that the message will be delivered. Later attempts follow a state on disk that
// says that there was a first.
func (t *taken) announce() bool {
	if t.s.Attempts > 0 {
		return true
	}
	if !t.publish(t.hours.Taking, sending(t.m)) {
		return false
	}
	t.r.Registry.Count(t.m.Tenant, t.r.now(), Counts{Attempts: int64(len(t.s.Open))})
	return true
}

// parcel makes what the transport needs: the message with what reports opens and clicks, signed.
func (t *taken) parcel(raw []byte, open []int) (p Parcel, err error) {
	defer recoveredAs(&err)
	p = Parcel{
		ID: t.m.ID, Tenant: t.m.Tenant, From: t.m.Sender, Recipients: addressesOf(t.m, open), Indexes: open,
		Data: raw, RequireTLS: t.set != nil && t.set.Options.RequireTLS,
	}
	if t.r.ReturnPaths != nil {
		if from := t.r.ReturnPaths.For(t.m.ID); from != "" {
			p.From = from
		}
	}
	if t.r.Tracker != nil {
		host := ""
		if t.set != nil {
			host = t.set.Options.RedirectDomain
		}
		p.Data, err = t.r.Tracker.Track(raw, t.m.ID, host, wantedBy(t.set, event.EmailOpen), wantedBy(t.set, event.EmailClick))
		if err != nil { // a message in a form that nobody understands is the client's to send
			t.r.logger().Info("a mail is sent without tracking", "message", t.m.ID, "error", err)
			p.Data = raw
		}
	}
	if t.r.Signer != nil {
		p.Data, err = t.r.Signer.Sign(t.hours.Taking, t.m.Tenant, t.m.Sender, p.Data)
		if err != nil {
			return Parcel{}, fmt.Errorf("sign the message: %w", err)
		}
	}
	return p, nil
}

// deliver makes the attempt. Each recipient of p is in exactly one of the replies.
func (t *taken) deliver(p Parcel) []Reply {
	replies, err := t.delivered(p)
	if err != nil {
		t.r.logger().Error("an attempt to hand a mail over broke down", "message", t.m.ID, "error", err)
	}
	replies = eachOnce(p.Indexes, replies)
	for i := range replies {
		t.r.Metrics.attempted(replies[i].Verdict, len(replies[i].Recipients))
	}
	return replies
}

func (t *taken) delivered(p Parcel) (replies []Reply, err error) {
	defer recoveredAs(&err)
	return t.r.Transport.Deliver(t.hours.Working, p), nil
}

// recoveredAs turns a panic into an error: it costs one message its attempt, not all of them.
func recoveredAs(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// eachOnce returns replies in which each of the indexes stands exactly once, whatever the transport said: who is forgotten is
// deferred, the first of two replies counts.
func eachOnce(indexes []int, replies []Reply) []Reply {
	left := make(map[int]bool, len(indexes))
	for _, i := range indexes {
		left[i] = true
	}
	kept := make([]Reply, 0, len(replies)+1)
	for _, reply := range replies {
		var recipients []int
		for _, i := range reply.Recipients {
			if left[i] {
				delete(left, i)
				recipients = append(recipients, i)
			}
		}
		if reply.Recipients = recipients; len(recipients) == 0 {
			continue
		}
		if reply.Verdict != Delivered && reply.Verdict != Refused {
			reply.Verdict = Deferred
		}
		kept = append(kept, reply)
	}
	if len(left) > 0 {
		forgotten := Reply{Verdict: Deferred, Text: "the attempt broke off"}
		for _, i := range indexes {
			if left[i] {
				forgotten.Recipients = append(forgotten.Recipients, i)
			}
		}
		kept = append(kept, forgotten)
	}
	return kept
}

// hindered puts a message off that something of our own keeps from being handed over, until its time is up.
func (t *taken) hindered(err error) ending {
	if t.hours.Taking.Err() != nil {
		return released
	}
	if t.r.obstacles.Due(warningPause) {
		t.r.logger().Warn("a mail cannot be handed over for now", "message", t.m.ID, "error", err)
	}
	now := t.r.now()
	if now.Before(t.deadline()) {
		t.s.Due = earlier(now.Add(obstaclePause-rand.N(obstaclePause/5)), t.deadline())
		return waiting
	}
	if !t.announce() {
		return released
	}
	last := t.s.Last
	if last.Text == "" {
		last.Text = "the message could not be prepared for delivery"
	}
	last.Recipients, last.Verdict = t.s.Open, Deferred
	t.s.Attempts++
	return t.conclude([]Reply{last})
}

// at returns the present time for an outcome, which never is before the message, whatever the clock does.
func (t *taken) at() time.Time {
	now := t.r.now()
	if now.Before(t.m.Accepted) {
		return t.m.Accepted
	}
	return now
}

// deadline returns when delivery is given up.
func (t *taken) deadline() time.Time {
	age, _ := t.r.lifespan(t.set)
	return t.m.Accepted.Add(age)
}

// due returns when the attempt after one at this time is. There is one at the deadline.
func (t *taken) due(last time.Time) time.Time {
	return earlier(last.Add(t.r.pauseAfter(t.s.Attempts)), t.deadline())
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// publish writes events about the message until it succeeds or until ends. It reports whether it succeeded.
func (t *taken) publish(until context.Context, all ...happening) bool {
	events := t.r.Records.events(t.m, t.set, all...)
	for part := range partsOf(events, publishBytes) {
		err := t.r.write(until, t.m.ID, func() error { return t.r.Publisher.Publish(t.hours.Writing, part...) })
		if err != nil {
			return false
		}
	}
	return true
}

// wantedBy reports whether an event destination of the set wants events of this type.
func wantedBy(set *configset.Set, kind event.Type) bool {
	if set == nil {
		return false
	}
	for i := range set.Destinations {
		if set.Destinations[i].Matches(kind) {
			return true
		}
	}
	return false
}

// SimulatorDomain is the domain of SES's mailbox simulator.
// Source: SES Developer Guide, "Using the mailbox simulator manually".
const SimulatorDomain = "simulator.amazonses.com"

// isSimulated reports whether an address is one of the mailbox simulator, which does not touch an account's reputation.
func isSimulated(address string) bool {
	const domain = "@" + SimulatorDomain
	return len(address) >= len(domain) && strings.EqualFold(address[len(address)-len(domain):], domain)
}
