package sipcall_test

import (
	"cmp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"pgregory.net/rapid"

	"tidings/internal/event"
)

// moves are what a callee may do with an INVITE, one after the other and in any order.
var moves = []string{"100", "180", "182", "183", "reliable", "200 a", "200 b", "200 a", "200 without sound", "486", "503", "302", "hang up", "give up"}

// puppet plays a script and otherwise does what it has to: it answers CANCEL, BYE and PRACK.
type puppet struct {
	*callee
	invite *sip.Request
	final  int // the first final response that was sent; 0 = none

	mu       sync.Mutex
	accepted map[string]bool // tags that have sent a 2xx
	acked    map[string]bool
	ended    map[string]bool // by a BYE of either side
	changed  sync.Cond
	late     bool
}

// settles waits until nobody is left on the line.
func (p *puppet) settles(script []string) {
	timer := time.AfterFunc(patience, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.late = true
		p.changed.Broadcast()
	})
	defer timer.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for tag := range p.accepted {
		for !p.late && (!p.acked[tag] || !p.ended[tag]) {
			p.changed.Wait()
		}
		if !p.acked[tag] || !p.ended[tag] {
			p.Errorf("script %q: the callee %s, who answered, was acknowledged: %v, hung up: %v", script, tag, p.acked[tag], p.ended[tag])
		}
	}
}

// react reads until done is closed.
func (p *puppet) react(done <-chan struct{}) {
	for {
		select {
		case m := <-p.in:
			if r, ok := m.(*sip.Request); ok {
				p.handle(r)
			}
		case <-done:
			return
		}
	}
}

func (p *puppet) handle(r *sip.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.changed.Broadcast()
	to, _ := r.To().Params.Get("tag")
	switch string(r.Method) {
	case "ACK":
		p.acked[to] = true
	case "BYE":
		p.ended[to] = true
		p.answers(r, 200, "OK")
	case "PRACK":
		p.answers(r, 200, "OK")
	case "CANCEL":
		p.answers(r, 200, "OK")
		p.finish(487)
	}
}

// finish sends a final response, unless one was sent. p.mu must be held.
func (p *puppet) finish(status int) {
	if p.final == 0 {
		p.final = status
		p.answers(p.invite, status, "Final")
	}
}

// accept sends a 2xx of a fork. p.mu must be held.
func (p *puppet) accept(tag string, edit ...func(*sip.Response)) {
	if p.final != 0 && p.final != 200 {
		return
	}
	p.final = 200
	p.accepted[tag] = true
	named := func(res *sip.Response) { res.To().Params = sip.HeaderParams{{K: "tag", V: tag}} }
	p.answers(p.invite, 200, "OK", append(edit, named)...)
}

func (p *puppet) move(move string, c *placed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch move {
	case "100", "180", "182", "183":
		if p.final == 0 {
			p.answers(p.invite, int(move[0]-'0')*100+int(move[1]-'0')*10+int(move[2]-'0'), "Provisional")
		}
	case "reliable":
		if p.final == 0 {
			p.answers(p.invite, 183, "Session Progress", with("Require", "100rel"), with("RSeq", "1"), p.describes())
		}
	case "200 a":
		p.accept("a", p.describes())
	case "200 b":
		p.accept("b", p.describes())
	case "200 without sound":
		p.accept("c")
	case "486":
		p.finish(486)
	case "503":
		p.finish(503)
	case "302":
		p.finish(302)
	case "hang up":
		for tag := range p.accepted {
			if p.acked[tag] && !p.ended[tag] {
				p.ended[tag] = true
				bye := p.request(p.invite, sip.BYE, 1, nil)
				bye.From().Params = sip.HeaderParams{{K: "tag", V: tag}}
				p.asks(bye)
			}
		}
	case "give up":
		c.cancel()
	}
}

// TestAnyOrder plays callees that respond in any order and number. Whatever they do, there
// is one outcome, it follows from the events before, and no callee is left on the line:
// each 2xx is acknowledged, and ended by one of the two sides.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		script := rapid.SliceOfN(rapid.SampledFrom(moves), 0, 8).Draw(rt, "script")
		ok := t.Run("", func(t *testing.T) { playAnyOrder(t, script) })
		if !ok {
			rt.Fatalf("script %q fails", script)
		}
	})
}

func playAnyOrder(t *testing.T, script []string) {
	r := newRig(t, func(s *setUp) {
		s.RingTimeout, s.FirstAnswer, s.length = 60*time.Millisecond, 60*time.Millisecond, 20*time.Millisecond
	})
	c := r.call()
	p := &puppet{callee: r.callee, accepted: map[string]bool{}, acked: map[string]bool{}, ended: map[string]bool{}}
	p.invite = p.takes(sip.INVITE)
	done := make(chan struct{})
	var reacting sync.WaitGroup
	reacting.Go(func() { p.react(done) })
	p.changed.L = &p.mu
	for _, m := range script {
		p.move(m, c)
	}
	<-c.over
	p.mu.Lock()
	p.finish(487) // whoever still waits for it need not
	p.mu.Unlock()
	p.settles(script)
	close(done)
	reacting.Wait()
	r.stop()
	close(c.events)
	var events []event.Type
	for e := range c.events {
		events = append(events, e)
	}
	if c.err != nil || !consistent(events, c.Type) {
		t.Errorf("script %q: events %q, outcome %+v, error %v", script, events, c.Outcome, c.err)
	}
}

// consistent reports whether the events are in order, each once, and lead to the outcome.
func consistent(events []event.Type, outcome event.Type) bool {
	rank := map[event.Type]int{event.VoiceRinging: 1, event.VoiceAnswered: 2}
	increasing := slices.IsSortedFunc(events, func(a, b event.Type) int { return cmp.Compare(rank[a], rank[b]) })
	if !increasing || len(slices.Compact(slices.Clone(events))) != len(events) {
		return false
	}
	if slices.Contains(events, event.VoiceAnswered) {
		return outcome == event.VoiceCompleted || outcome == event.VoiceFailed
	}
	return outcome == event.VoiceBusy || outcome == event.VoiceNoAnswer || outcome == event.VoiceFailed
}
