// Package sipcall is the carrier that calls real phones: it implements voice.Dialer with
// SIP (RFC 3261) over the trunks of siptrunk, with sound from rtpaudio.
//
// sipgo parses, transports and runs the transactions. The dialog is here, since a call that
// rings must be cancelled whatever comes, and a phone that was answered must never be left
// on a dead line: every 2xx is acknowledged and, sooner or later, ended with BYE.
//
// A call that was sent to a trunk is sent to another one only while nobody can have rung
// (docs/adr/0012). The package answers no calls.
package sipcall

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/rtpaudio"
	"tidings/internal/siptrunk"
)

// What Options say when they say nothing.
const (
	defaultListen      = ":5060" // RFC 3261 section 19.1.2
	defaultRing        = 45 * time.Second
	defaultFirstAnswer = 6 * time.Second
	defaultCancel      = 32 * time.Second // 64*T1, RFC 3261 section 9.1
	defaultBye         = 8 * time.Second
	defaultGreeting    = 300 * time.Millisecond
	defaultTail        = 400 * time.Millisecond
	defaultMaxCall     = 5*time.Minute + 10*time.Second
	defaultSoundMemory = 64 << 20
	defaultUserAgent   = "tidings"

	// overtime is how much longer than its message a call may take.
	overtime = 5 * time.Second

	// hangUpWait is how long a call that the service ends waits for its CANCEL to be
	// answered. What comes later is seen to in the background.
	hangUpWait = 2 * time.Second
)

// Options are what a Dialer needs. Trunks and Media have to be set.
type Options struct {
	// Listen is the host:port that requests leave from and arrive at, UDP, and TCP if a
	// trunk uses it; "" = ":5060".
	Listen string
	// PublicAddress is what the far side is told to send to, in Contact and in SDP; the
	// zero value is the address of the interface that leads to the trunk.
	PublicAddress netip.Addr
	Trunks        *siptrunk.Pool
	Media         *rtpaudio.Wheel
	Resolver      Resolver // nil = the system's
	Opening       Opening  // when the message begins; nil = after GreetingDelay

	RingTimeout   time.Duration // how long a phone may ring; 0 = 45 s
	FirstAnswer   time.Duration // how long a trunk may take to say anything; 0 = 6 s
	CancelTimeout time.Duration // how long a cancelled call may take to end; 0 = 32 s
	ByeTimeout    time.Duration // how long a BYE is repeated; 0 = 8 s
	GreetingDelay time.Duration // silence before the first word; 0 = 300 ms; negative = none
	Tail          time.Duration // silence after the last word; 0 = 400 ms; negative = none
	MaxCall       time.Duration // how long any call may last from its answer; 0 = 5 min 10 s

	SoundMemory int64  // bytes of encoded sound that are kept for calls to come; 0 = 64 MiB
	UserAgent   string // "" = "tidings"
	Log         *slog.Logger
	Registerer  prometheus.Registerer // nil = nothing is counted
}

// complete fills in what was not said and refuses what cannot be.
func (o *Options) complete() error {
	if o.Trunks == nil || o.Media == nil {
		return errors.New("sipcall: Trunks and Media have to be set")
	}
	if o.UserAgent == "" {
		o.UserAgent = defaultUserAgent
	}
	if !isText(o.UserAgent) {
		return fmt.Errorf("user agent %q has a character that cannot stand in a header", o.UserAgent)
	}
	if o.Listen == "" {
		o.Listen = defaultListen
	}
	if o.SoundMemory == 0 {
		o.SoundMemory = defaultSoundMemory
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for _, t := range []struct {
		d        *time.Duration
		standard time.Duration
	}{
		{&o.RingTimeout, defaultRing},
		{&o.FirstAnswer, defaultFirstAnswer},
		{&o.CancelTimeout, defaultCancel},
		{&o.ByeTimeout, defaultBye},
		{&o.GreetingDelay, defaultGreeting},
		{&o.Tail, defaultTail},
		{&o.MaxCall, defaultMaxCall},
	} {
		if *t.d == 0 {
			*t.d = t.standard
		}
		*t.d = max(*t.d, 0)
	}
	if o.Opening == nil {
		o.Opening = Delay(o.GreetingDelay)
	}
	return nil
}

// Dialer places calls through SIP trunks. It implements voice.Dialer, and
// siptrunk.Transactor for the trunks' registrations. It is safe for concurrent use.
type Dialer struct {
	Options
	agent   *agent
	sounds  *sounds
	names   *names
	acl     *acl
	metrics *metrics

	serving chan struct{}   // closed when Run has begun
	life    context.Context // ends when Run is told to stop: calls hang up
	die     context.CancelFunc
	force   context.Context // ends when hanging up has taken too long
	drop    context.CancelFunc

	mu    sync.Mutex
	legs  map[string]*leg // by Call-ID
	work  int             // calls, and what is seen to after them
	ended bool            // nothing may begin any more
	idle  chan struct{}   // closed when ended and work is 0
}

// New makes the Dialer and opens its sockets. Run has to be called, also to close them.
func New(o Options) (*Dialer, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	d := &Dialer{
		Options: o,
		sounds:  newSounds(o.SoundMemory),
		names:   newNames(o.Resolver),
		acl:     newACL(o.Trunks.Trunks()),
		metrics: newMetrics(o.Registerer),
		serving: make(chan struct{}),
		idle:    make(chan struct{}),
		legs:    make(map[string]*leg),
	}
	d.life, d.die = context.WithCancel(context.Background())
	d.force, d.drop = context.WithCancel(context.Background())
	d.acl.stranger = d.metrics.strangers.Inc
	var err error
	if d.agent, err = newAgent(d); err != nil {
		return nil, err
	}
	return d, nil
}

// Addr is the address of the UDP socket, with the real port.
func (d *Dialer) Addr() netip.AddrPort { return d.agent.local }

// Trunks says how the trunks are doing.
func (d *Dialer) Trunks() []siptrunk.Status { return d.Options.Trunks.Status() }

// Run receives, and keeps the trunks' registrations alive, until ctx ends. Then calls in
// progress are hung up, which takes at most as long as BYE may take and some seconds, and
// the sockets are closed. Run may be called once.
func (d *Dialer) Run(ctx context.Context) error {
	var served sync.WaitGroup
	failed := d.agent.serve(&served)
	close(d.serving)
	keeping, stopKeeping := context.WithCancel(ctx)
	defer stopKeeping()
	var kept sync.WaitGroup
	kept.Go(func() { _ = d.Options.Trunks.Run(keeping, d) }) // it only ends with keeping
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		err = fmt.Errorf("receive SIP: %w", err)
	}
	stopKeeping()
	kept.Wait()
	d.hangUpAll()
	d.agent.close()
	served.Wait()
	return errors.Join(err, ctx.Err())
}

// hangUpAll ends all calls and waits for them.
func (d *Dialer) hangUpAll() {
	d.die()
	d.mu.Lock()
	d.ended = true
	if d.work == 0 {
		close(d.idle)
	}
	d.mu.Unlock()
	patience := time.NewTimer(d.ByeTimeout + hangUpWait/2)
	defer patience.Stop()
	select {
	case <-d.idle:
	case <-patience.C:
		d.Log.Warn("calls were dropped without being hung up in time", "calls", d.working())
	}
	d.drop()
	<-d.idle
}

func (d *Dialer) working() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.work
}

// begin notes that something has begun which the end has to wait for. It reports false if
// nothing may begin any more.
func (d *Dialer) begin() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return false
	}
	d.work++
	return true
}

func (d *Dialer) done() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.work--
	if d.ended && d.work == 0 {
		close(d.idle)
	}
}

// spawn does f in the background, as part of what has begun: the caller has not called
// done yet.
func (d *Dialer) spawn(f func()) {
	d.mu.Lock()
	d.work++
	d.mu.Unlock()
	go func() {
		defer d.done()
		f()
	}()
}
