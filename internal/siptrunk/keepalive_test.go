package siptrunk_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"tidings/internal/siptrunk"
)

// peer stands for the trunks: it answers what the test says.
type peer struct {
	answer func(r *sip.Request) (*sip.Response, error)

	mu   sync.Mutex
	got  []*sip.Request
	when []time.Time
}

func (p *peer) Do(ctx context.Context, _ *siptrunk.Trunk, r *sip.Request) (*sip.Response, error) {
	p.mu.Lock()
	p.got, p.when = append(p.got, r), append(p.when, time.Now())
	p.mu.Unlock()
	if p.answer == nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	r.AppendHeader(&sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: "tidings", Host: "192.0.2.7", Port: 5060}})
	return p.answer(r)
}

// pauses returns how long was between requests.
func (p *peer) pauses() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []time.Duration
	for i := 1; i < len(p.when); i++ {
		all = append(all, p.when[i].Sub(p.when[i-1]))
	}
	return all
}

// run has the pool look after its trunks for a while.
func run(tb testing.TB, p *siptrunk.Pool, tx siptrunk.Transactor, d time.Duration) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), d)
	defer cancel()
	if err := p.Run(ctx, tx); !errors.Is(err, context.DeadlineExceeded) {
		tb.Errorf("Run = %v, want the error of its context", err)
	}
}

func respond(r *sip.Request, code int, headers ...string) (*sip.Response, error) {
	resp := sip.NewResponseFromRequest(r, code, "Because", nil)
	for i := 0; i < len(headers); i += 2 {
		resp.AppendHeader(sip.NewHeader(headers[i], headers[i+1]))
	}
	return resp, nil
}

func TestOptionsTellWhoIsThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pool(t, trunk("a", "+1"))
		if s := p.Status()[0]; s.State != siptrunk.Unknown {
			t.Errorf("state before anything = %s", s.State)
		}
		tx := &peer{answer: func(r *sip.Request) (*sip.Response, error) {
			<-time.After(40 * time.Millisecond)
			return respond(r, 404)
		}}
		run(t, p, tx, 95*time.Second)
		s := p.Status()[0]
		if s.State != siptrunk.Up || s.RoundTrip != 40*time.Millisecond || s.LastError != "" {
			t.Errorf("status of a trunk that answers 404 = %+v, want up", s)
		}
		pause := 30*time.Second + 40*time.Millisecond
		if diff := cmp.Diff([]time.Duration{pause, pause, pause}, tx.pauses()); diff != "" {
			t.Errorf("pauses (-want +got):\n%s", diff)
		}
		r := tx.got[0]
		if r.Method != sip.OPTIONS || r.Recipient.String() != "sip:a.example.com" || r.From().Address.String() != "sip:tidings@a.example.com" {
			t.Errorf("the request is\n%s", r)
		}
	})
}

func TestThreeMissesAreDown(t *testing.T) {
	t.Parallel()
	for name, one := range map[string]struct {
		answer     func(r *sip.Request) (*sip.Response, error)
		two, three time.Duration // how long so many take
	}{
		"OPTIONS: context deadline exceeded": {nil, 23 * time.Second, 39 * time.Second},
		"OPTIONS: SIP 503 Because":           {func(r *sip.Request) (*sip.Response, error) { return respond(r, 503) }, 11 * time.Second, 21 * time.Second},
		"OPTIONS: connection refused":        {func(*sip.Request) (*sip.Response, error) { return nil, errors.New("connection refused") }, 11 * time.Second, 21 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := trunk("a", "+1")
			c.Options = 10 * time.Second
			p := pool(t, c)
			tx := &peer{answer: one.answer}
			run(t, p, tx, one.two)
			if s := p.Status()[0]; s.State != siptrunk.Unknown || s.LastError != name {
				t.Errorf("%s: after two misses the status is %+v, want unknown", name, s)
			}
			p.Trunks()[0].Answered()
			run(t, p, tx, one.three)
			down := p.Status()[0]
			if down.State != siptrunk.Down || down.LastError != name {
				t.Errorf("%s: after three misses the status is %+v, want down", name, down)
			}
			run(t, p, &peer{answer: func(r *sip.Request) (*sip.Response, error) { return respond(r, 200) }}, time.Second)
			if s := p.Status()[0]; s.State != siptrunk.Up || !s.Since.After(down.Since) {
				t.Errorf("%s: when it answers again the status is %+v, want up since then", name, s)
			}
		})
	}
}

// registering is a trunk that wants a registration.
func registering() siptrunk.Config {
	c := trunk("a", "+1")
	c.Username, c.Password, c.Domain = "our@name", "secret", "example.org"
	c.Register, c.Options = true, -1
	return c
}

func TestRegistrationsAreRefreshed(t *testing.T) {
	t.Parallel()
	const ours, theirs = "<sip:tidings@192.0.2.7:5060>;expires=", "<sip:other@192.0.2.7:5060>;expires=60"
	for name, c := range map[string]struct {
		asked   time.Duration
		headers []string
		want    time.Duration // between two
	}{
		"what we asked for":      {0, nil, 48 * time.Minute},
		"the Expires header":     {0, []string{"Expires", "100"}, 80 * time.Second},
		"our contact":            {0, []string{"Contact", theirs, "Contact", ours + "1000", "Expires", "5"}, 800 * time.Second},
		"the shortest of others": {0, []string{"Contact", theirs, "Contact", "<sip:x@192.0.2.7>;expires=100"}, 48 * time.Second},
		"absurdly short":         {30 * time.Second, []string{"Expires", "1"}, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			config := registering()
			config.Expires = c.asked
			p := pool(t, config)
			tx := &peer{answer: func(r *sip.Request) (*sip.Response, error) {
				resp := sip.NewResponseFromRequest(r, 200, "OK", nil)
				for i := 0; i < len(c.headers); i += 2 {
					var contact sip.ContactHeader
					if c.headers[i] != "Contact" {
						resp.AppendHeader(sip.NewHeader(c.headers[i], c.headers[i+1]))
						continue
					}
					if _, err := sip.ParseAddressValue(c.headers[i+1], &contact.Address, &contact.Params); err != nil {
						return nil, err
					}
					resp.AppendHeader(&contact)
				}
				return resp, nil
			}}
			run(t, p, tx, 2*c.want+c.want/2)
			if diff := cmp.Diff([]time.Duration{c.want, c.want}, tx.pauses()); diff != "" {
				t.Errorf("%s: pauses (-want +got):\n%s", name, diff)
			}
			if s := p.Status()[0]; s.State == siptrunk.Down || s.Registered.IsZero() {
				t.Errorf("%s: status = %+v", name, s)
			}
			first, second := tx.got[0], tx.got[1]
			if first.Recipient.String() != "sip:example.org" || first.To().Address.String() != "sip:our%40name@example.org" || first.From().Address.String() != first.To().Address.String() {
				t.Errorf("%s: the request is\n%s", name, first)
			}
			if first.CallID().Value() != second.CallID().Value() || second.CSeq().SeqNo <= first.CSeq().SeqNo {
				t.Errorf("%s: the second request is\n%s\nwant the first one's Call-ID and a higher CSeq", name, second)
			}
		})
	}
}

func TestARegistrarMayWantLongerOnes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := registering()
		config.Expires = time.Minute
		p := pool(t, config)
		tx := &peer{answer: func(r *sip.Request) (*sip.Response, error) {
			if n, err := strconv.Atoi(r.GetHeader("Expires").Value()); err != nil || n < 600 {
				return respond(r, 423, "Min-Expires", "600")
			}
			return respond(r, 200)
		}}
		run(t, p, tx, 490*time.Second)
		if diff := cmp.Diff([]time.Duration{0, 480 * time.Second}, tx.pauses()); diff != "" {
			t.Errorf("pauses (-want +got):\n%s", diff)
		}
	})
}

func TestARefusedRegistrationIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pool(t, registering())
		good := true
		tx := &peer{answer: func(r *sip.Request) (*sip.Response, error) {
			if good {
				return respond(r, 200, "Expires", "100")
			}
			return respond(r, 403)
		}}
		run(t, p, tx, time.Second)
		good = false
		tx.when = nil
		run(t, p, tx, 90*time.Second)
		if s := p.Status()[0]; s.State != siptrunk.Unknown || s.LastError != "REGISTER: SIP 403 Because" {
			t.Errorf("while the registration lasts the status is %+v, want unknown and the error", s)
		}
		want := []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second}
		if diff := cmp.Diff(want, tx.pauses()); diff != "" {
			t.Errorf("pauses (-want +got):\n%s", diff)
		}
		run(t, p, tx, 20*time.Minute)
		if all := tx.pauses(); all[len(all)-1] != 5*time.Minute {
			t.Errorf("the last pause is %v, want five minutes", all[len(all)-1])
		}
		if s := p.Status()[0]; s.State != siptrunk.Down || !s.Registered.IsZero() {
			t.Errorf("when it is over the status is %+v, want down", s)
		}
		good = true
		run(t, p, tx, time.Second)
		if s := p.Status()[0]; s.State != siptrunk.Unknown {
			t.Errorf("when it is accepted the status is %+v, want unknown", s)
		}
	})
}
