package sipcall

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/emiago/sipgo/sip"

	"tidings/internal/event"
	"tidings/internal/rtpaudio"
	"tidings/internal/siptrunk"
	"tidings/internal/voice"
)

// maxAttempts is how many addresses of one trunk are tried for one call. More would leave
// none of them the time to answer.
const maxAttempts = 3

// Why a call failed before anybody was asked.
const (
	reasonStopping = "the service is stopping"
	reasonGivenUp  = "hung up by the service"
	reasonNoRoute  = "no trunk serves this number"
	reasonNumber   = "the number cannot be dialled"
)

// call is one call, over all trunks that are tried for it.
type call struct {
	voice.Call
	progress func(event.Type) error
	number   string // who is called, digits
	caller   string // who calls, digits
	stream   *rtpaudio.Stream
	sound    *sound
	rang     bool // ringing was reported
}

// Dial implements voice.Dialer.
func (d *Dialer) Dial(ctx context.Context, c voice.Call, progress func(event.Type) error) (voice.Outcome, error) {
	if !d.begin() {
		return failed(reasonStopping), nil
	}
	defer d.done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.life, cancel)()
	select {
	case <-d.serving:
	case <-ctx.Done():
		return failed(reasonGivenUp), nil
	}
	k := &call{Call: c, progress: progress, number: c.Message.Destination.Digits(), caller: callerOf(c.Message)}
	if !isDigits(k.number) || !isDigits(k.caller) {
		return failed(reasonNumber), nil
	}
	var err error
	if k.sound, err = d.sounds.open(c.Speech); err != nil {
		return voice.Outcome{}, err
	}
	defer k.sound.close()
	if k.stream, err = d.Media.Open(); err != nil {
		return voice.Outcome{}, fmt.Errorf("open a stream: %w", err)
	}
	defer k.stream.Close()
	d.metrics.inProgress.Inc()
	defer d.metrics.inProgress.Dec()
	return d.place(ctx, k)
}

// callerOf is the number that the callee is to see, as digits.
func callerOf(m voice.Message) string {
	if m.CallerID != "" {
		return m.CallerID.Digits()
	}
	return m.Origination.Digits()
}

// place tries trunk after trunk, while nobody can have rung.
func (d *Dialer) place(ctx context.Context, k *call) (voice.Outcome, error) {
	var tried []*siptrunk.Trunk
	var last verdict
	for {
		lease, err := d.Options.Trunks.Lease(ctx, "+"+k.number, tried)
		switch {
		case errors.Is(err, siptrunk.ErrNoRoute):
			return failed(reasonNoRoute), nil
		case errors.Is(err, siptrunk.ErrNoTrunk):
			return last.outcome, nil
		case ctx.Err() != nil:
			if err == nil {
				lease.Release()
			}
			return failed(reasonGivenUp), nil
		case err != nil:
			return voice.Outcome{}, err
		}
		last, err = d.through(ctx, k, lease.Trunk)
		lease.Release()
		if err != nil || !last.next || ctx.Err() != nil {
			return last.outcome, err
		}
		tried = append(tried, lease.Trunk)
	}
}

// through places the call through one trunk: at its first address, and at the others while
// nobody can have rung.
func (d *Dialer) through(ctx context.Context, k *call, t *siptrunk.Trunk) (verdict, error) {
	targets, err := d.targets(ctx, t)
	if err != nil {
		t.Failed(err.Error(), 0)
		return verdict{outcome: failed("the trunk cannot be reached"), next: true}, nil
	}
	targets = targets[:min(len(targets), maxAttempts)]
	patience := d.FirstAnswer / time.Duration(len(targets))
	var v verdict
	for _, target := range targets {
		v, err = d.newLeg(k, t, target).run(ctx, patience)
		if err != nil || !v.next || ctx.Err() != nil {
			break
		}
	}
	if v.trouble != "" {
		t.Failed(v.trouble, v.rest)
	}
	return v, err
}

// targets are the addresses that requests to the trunk are sent to.
func (d *Dialer) targets(ctx context.Context, t *siptrunk.Trunk) ([]netip.AddrPort, error) {
	c := t.Config()
	targets, err := d.names.find(ctx, nextServer(c), c.Network())
	if err == nil {
		d.acl.resolved(t, targets)
	}
	return targets, err
}

// Do implements siptrunk.Transactor. It tries the trunk's addresses in turn until one
// answers.
func (d *Dialer) Do(ctx context.Context, t *siptrunk.Trunk, r *sip.Request) (*sip.Response, error) {
	targets, err := d.targets(ctx, t)
	if err != nil {
		return nil, err
	}
	c := t.Config()
	targets = targets[:min(len(targets), maxAttempts)]
	patience := d.FirstAnswer / time.Duration(len(targets))
	for i, target := range targets {
		h := d.agent.hop(t, c.Network(), target)
		d.fit(h, c, r)
		attempt, cancel := context.WithTimeout(ctx, patience)
		var res *sip.Response
		res, err = d.exchange(attempt, c, &h, r, func() uint32 { return r.CSeq().SeqNo + 1 })
		cancel()
		if err == nil {
			return res, nil
		}
		if ctx.Err() != nil {
			break
		}
		if i+1 < len(targets) {
			r.CSeq().SeqNo++
		}
	}
	return nil, err
}

// fit completes a request outside of calls with what depends on the way it takes.
func (d *Dialer) fit(h hop, c siptrunk.Config, r *sip.Request) {
	for _, name := range []string{"Via", "Contact", "Route", "Max-Forwards", "User-Agent"} {
		r.RemoveHeader(name)
	}
	r.PrependHeader(d.agent.newVia(h, branch()))
	if c.Proxy != "" {
		r.AppendHeader(routeTo(c))
	}
	hops := sip.MaxForwardsHeader(maxForwards)
	r.AppendHeader(&hops)
	r.AppendHeader(d.agent.contact(h))
	r.AppendHeader(sip.NewHeader("User-Agent", d.UserAgent))
	r.SetBody(r.Body())
}

// exchange sends a request other than INVITE, answers challenges to it, and returns the
// final response. It leaves in r what was sent last, and in h which way it took. next
// counts the repetitions with credentials.
func (d *Dialer) exchange(ctx context.Context, c siptrunk.Config, h *hop, r *sip.Request, next func() uint32) (*sip.Response, error) {
	var k credentials
	for {
		res, err := d.once(ctx, h, r)
		if err != nil || !challenged(res) || k.answer(c, r, res) != nil {
			return res, err
		}
		r.CSeq().SeqNo = next()
		r.ReplaceHeader(d.agent.newVia(*h, branch()))
		k.apply(r)
	}
}

// once sends a request and returns its final response.
func (d *Dialer) once(ctx context.Context, h *hop, r *sip.Request) (*sip.Response, error) {
	tx, err := d.agent.start(ctx, h, r, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Terminate() // or its timers and the response's place are kept for half a minute
	for {
		select {
		case res := <-tx.Responses():
			d.trace("receive", res)
			if !res.IsProvisional() {
				return res, nil
			}
		case <-tx.Done():
			return nil, tx.Err()
		case <-ctx.Done():
			return nil, fmt.Errorf("no answer to %s: %w", r.Method, ctx.Err())
		}
	}
}
