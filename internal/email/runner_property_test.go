package email

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tidings/internal/configset"
	"tidings/internal/event"
)

// runScenario is what befalls a few messages, drawn before anything runs.
type runScenario struct {
	messages []runPlan
	fates    []runFate // of writes, one after the other; then all succeed
	lives    []runEnd  // how lives of the process end; then one runs until all is done
	lazy     bool
}

// runPlan is what becomes of a message.
type runPlan struct {
	failure  bool
	threat   bool
	listed   bool         // the first recipient is on the suppression list
	slow     int          // seconds that an attempt takes
	verdicts [][]runReply // of each recipient at one attempt after the other; then it is delivered
}

type runReply int

const (
	replyTaken runReply = iota
	replyLater
	replyRefused
	replyComplained
	replyNone  // the transport forgets the recipient
	replyPanic // the attempt breaks down
)

type runFate int

const (
	fateStored   runFate = iota
	fateRefused          // not stored, and the caller is told
	fateDoubtful         // stored, and the caller is told that it was not
	fateCrash            // not stored: the process dies at it
	fateLastWord         // stored, and then the process dies
)

type runEnd struct {
	after, drain time.Duration
	crash        bool
}

func drawRunScenario(t *rapid.T) runScenario {
	s := runScenario{lazy: rapid.Bool().Draw(t, "lazy")}
	for range rapid.IntRange(1, 3).Draw(t, "messages") {
		p := runPlan{
			failure: rapid.IntRange(0, 9).Draw(t, "failure") == 0, threat: rapid.IntRange(0, 9).Draw(t, "threat") == 0,
			listed: rapid.IntRange(0, 4).Draw(t, "listed") == 0, slow: rapid.IntRange(0, 5).Draw(t, "slow"),
		}
		for range rapid.IntRange(1, 4).Draw(t, "recipients") {
			p.verdicts = append(p.verdicts, rapid.SliceOfN(rapid.SampledFrom([]runReply{
				replyTaken, replyLater, replyLater, replyRefused, replyComplained, replyNone, replyPanic,
			}), 0, 20).Draw(t, "verdicts"))
		}
		s.messages = append(s.messages, p)
	}
	s.fates = rapid.SliceOfN(rapid.SampledFrom([]runFate{
		fateStored, fateStored, fateRefused, fateDoubtful, fateCrash, fateLastWord,
	}), 0, 20).Draw(t, "fates")
	for range rapid.IntRange(0, 4).Draw(t, "lives") {
		s.lives = append(s.lives, runEnd{
			after: time.Duration(rapid.SampledFrom([]int{0, 1, 3, 10, 90, 600, 5000}).Draw(t, "after")) * time.Second,
			drain: time.Duration(rapid.IntRange(0, 4).Draw(t, "drain")) * time.Second,
			crash: rapid.Bool().Draw(t, "crash"),
		})
	}
	return s
}

// runWorld plays a scenario.
type runWorld struct {
	runScenario
	*runDisk
	mu       sync.Mutex
	attempts map[string]int // by address
	handed   map[string]int // how often a server took the message, by address
	writes   int
	broken   atomic.Int64 // crashes, and attempts that broke off
}

// runAddress is the recipient i of the message m.
func runAddress(m, i int) string { return fmt.Sprintf("r%d@m%d.example", i, m) }

func (w *runWorld) plan(address string) (p *runPlan, recipient int) {
	var m int
	_, _ = fmt.Sscanf(address, "r%d@m%d.example", &recipient, &m)
	return &w.messages[m], recipient
}

// Deliver implements Transport.
func (w *runWorld) Deliver(ctx context.Context, p Parcel) []Reply {
	plan, _ := w.plan(p.Recipients[0])
	timer := time.NewTimer(time.Duration(plan.slow) * time.Second)
	defer timer.Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	if plan.slow > 0 {
		w.mu.Unlock()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		w.mu.Lock()
		if ctx.Err() != nil {
			w.broken.Add(1)
			return []Reply{{Recipients: p.Indexes, Verdict: Deferred, Text: "broken off"}}
		}
	}
	var replies []Reply
	for i, address := range p.Recipients {
		_, recipient := w.plan(address)
		verdict := replyTaken
		if n := w.attempts[address]; n < len(plan.verdicts[recipient]) {
			verdict = plan.verdicts[recipient][n]
		}
		w.attempts[address]++
		reply := runTaken
		switch verdict {
		case replyLater:
			reply = runLater
		case replyRefused:
			reply = runRefused
		case replyComplained:
			reply.Complaint = &Complaint{Type: "abuse"}
		case replyNone:
			continue
		case replyPanic:
			w.broken.Add(1) // who was served before in this attempt is served again
			panic("the transport broke down")
		case replyTaken:
		}
		if reply.Verdict == Delivered {
			w.handed[address]++
		}
		reply.Recipients = p.Indexes[i : i+1]
		replies = append(replies, reply)
	}
	return replies
}

// threat reports whether the message must not be sent.
func (w *runWorld) threat(m *Message) bool {
	plan, _ := w.plan(m.Recipients[0])
	return plan.threat
}

// decideFate is the disk's fate. The disk's lock is held.
func (w *runWorld) decideFate(string) (bool, error) {
	w.writes++
	if w.writes > len(w.fates) {
		return true, nil
	}
	switch w.fates[w.writes-1] {
	case fateRefused:
		return false, errors.New("disk full")
	case fateDoubtful:
		return true, errors.New("no answer")
	case fateCrash:
		w.life++
		w.broken.Add(1)
		return false, errRunDead
	case fateLastWord:
		w.life++
		w.broken.Add(1)
		return true, errRunDead
	case fateStored:
	}
	return true, nil
}

// runScans has each message's own threat found: its content is its ID.
type runScans struct{ *runWorld }

func (s runScans) Scan(_ context.Context, raw []byte) (string, error) {
	for i := range s.mails {
		if s.mails[i].message.ID == string(raw) && s.threat(&s.mails[i].message) {
			return "EICAR", nil
		}
	}
	return "", nil
}

// runSpool gives each message its ID for content.
type runSpool struct{ runLife }

func (s runSpool) Next(ctx context.Context) (Job, error) {
	j, err := s.runLife.Next(ctx)
	j.Content = func(context.Context) ([]byte, error) { return []byte(j.Message.ID), nil }
	return j, err
}

func (w *runWorld) live(ctx context.Context, end runEnd, quiet bool) {
	l := w.crash()
	r := &Runner{
		Spool: runSpool{l}, Publisher: l, Registry: l, Sets: l, Transport: w, Scanner: runScans{w},
		Concurrency: 2, Drain: end.drain,
	}
	ctx, stop := context.WithCancel(ctx)
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		_ = r.Run(ctx)
	}()
	for step := end.after / 100; end.after > 0 && !w.dead(l); end.after -= step {
		if quiet && w.quiet() {
			break
		}
		time.Sleep(step)
		synctest.Wait()
	}
	if end.crash {
		w.mu.Lock()
		w.broken.Add(1)
		w.mu.Unlock()
		w.crash() // nothing of this life reaches the disk any more
	}
	stop()
	<-returned
}

// dead reports whether the process has died at a write.
func (w *runWorld) dead(l runLife) bool {
	w.runDisk.mu.Lock()
	defer w.runDisk.mu.Unlock()
	return l.n != w.life
}

// play lives through all lives and returns what is wrong afterwards.
func (w *runWorld) play(ctx context.Context) error {
	w.fate = w.decideFate
	for _, end := range w.lives {
		w.live(ctx, end, false)
	}
	// A write at which the process dies ends a life early, so there are as many more as there may be such writes.
	for range len(w.fates) + 1 {
		w.live(ctx, runEnd{after: 20 * time.Hour}, true)
	}
	if !w.quiet() {
		return errors.New("not all messages are done")
	}
	for i := range w.mails {
		if err := w.check(&w.mails[i].message); err != nil {
			return fmt.Errorf("message %s: %w", w.mails[i].message.ID, err)
		}
	}
	if w.broken.Load() > 0 {
		return nil
	}
	for address, n := range w.handed {
		if n > 1 {
			return fmt.Errorf("%s got the message %d times, and nothing crashed", address, n)
		}
	}
	return nil
}

// check holds the events of one message to the promises.
func (w *runWorld) check(m *Message) error {
	seen := map[string]*event.Event{}
	ends := map[string]int{}
	first, twins := true, 0
	for i := range w.log {
		e := &w.log[i]
		if e.Message != m.ID {
			continue
		}
		if before := seen[e.ID]; before != nil {
			if !bytes.Equal(before.Record, e.Record) || !before.Time.Equal(e.Time) || before.Type != e.Type {
				return fmt.Errorf("%s is not the same each time:\n%s\n%s", e.ID, before.Record, e.Record)
			}
			continue
		}
		seen[e.ID] = e
		if e.Type == event.AppEvent {
			twins++
			if seen[strings.Split(e.ID, "/app/")[0]] == nil {
				return fmt.Errorf("%s comes before what it doubles", e.ID)
			}
			continue
		}
		begins := e.Type == event.EmailSend || e.Type == event.EmailReject || e.Type == event.EmailRenderingFailure
		if begins != first {
			return fmt.Errorf("%s is the event %d", e.ID, len(seen))
		}
		first = false
		whose, err := runEnded(m, e)
		if err != nil {
			return err
		}
		for _, address := range whose {
			ends[address]++
		}
	}
	for _, address := range m.Recipients {
		if ends[address] != 1 {
			return fmt.Errorf("%s has %d final events", address, ends[address])
		}
	}
	if twins*2 != len(seen) {
		return fmt.Errorf("%d of %d events are for the app, want half of them", twins, len(seen))
	}
	return nil
}

// runEnded returns whose final event e is.
func runEnded(m *Message, e *event.Event) ([]string, error) {
	var record struct {
		Delivery struct{ Recipients []string }
		Bounce   struct {
			BouncedRecipients []struct{ EmailAddress string }
		}
	}
	if err := json.Unmarshal(e.Record, &record); err != nil {
		return nil, fmt.Errorf("%s: %w", e.ID, err)
	}
	if e.Type == event.EmailReject || e.Type == event.EmailRenderingFailure {
		return m.Recipients, nil
	}
	whose := record.Delivery.Recipients
	for _, r := range record.Bounce.BouncedRecipients {
		whose = append(whose, r.EmailAddress)
	}
	return whose, nil
}

// TestEachRecipientHasOneEnd is the promise that everything else hangs on: whatever servers, disks and crashes do, every
// recipient gets exactly one final event, whose bytes are the same each time, after the event of the sending.
func TestEachRecipientHasOneEnd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := drawRunScenario(rt)
		var err error
		synctest.Test(t, func(t *testing.T) {
			w := &runWorld{runScenario: s, attempts: map[string]int{}, handed: map[string]int{}, runDisk: newRunDisk()}
			w.runDisk.lazy = s.lazy
			for i, plan := range s.messages {
				m := runMessage(fmt.Sprintf("m%d", i))
				for r := range plan.verdicts {
					m.Recipients = append(m.Recipients, runAddress(i, r))
				}
				if plan.failure {
					m.Failure = "no such attribute"
				}
				if plan.listed {
					w.suppressed[m.Recipients[0]] = &Suppressed{Reason: suppressedForBounce}
				}
				w.mails = append(w.mails, &runMail{message: m})
			}
			w.sets["cs"].Destinations = []configset.EventDestination{{
				Name: "app", Enabled: true, Destination: configset.Destination{Kind: configset.Pinpoint, ARN: runApp},
				Types: []event.Type{
					event.EmailSend, event.EmailReject, event.EmailBounce, event.EmailComplaint, event.EmailDelivery, event.EmailRenderingFailure,
				},
			}}
			err = w.play(t.Context())
		})
		if err != nil {
			rt.Fatalf("%v", err)
		}
	})
}
