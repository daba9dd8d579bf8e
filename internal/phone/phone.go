// Package phone is a telephone made of software, for trying calls without a trunk. It is
// called over SIP, does what the number dialled says, as the phones of package simulator do,
// and keeps what it hears.
//
// It is a callee after RFC 3261 and calls nobody. It speaks G.711 over plain RTP.
package phone

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"tidings/internal/simulator"
	"tidings/internal/tts/wav"
)

// DefaultHangUp is after how long the phone that hangs up in the middle does so.
const DefaultHangUp = 3 * time.Second

// Options say where the phone is and how it behaves. The zero value listens on a free port
// of all addresses and keeps nothing.
type Options struct {
	Listen    string      // host:port for UDP and TCP; port 0, or "" = any
	ListenTLS string      // host:port for TLS; "" = none
	TLS       *tls.Config // with the certificate, for ListenTLS

	Username, Password string // that callers and registrants must know; "" = nobody is asked

	Ring       time.Duration // how long phones ring that are picked up or declined; 0 = as the simulator's
	HangUp     time.Duration // 0 = DefaultHangUp
	Recordings string        // folder for one WAV file per answered call; "" = none

	Say   func(Happening) // is told what happens, one at a time; nil = nobody is
	Ended func(Call)      // is told of each call that is over, before Run returns; may be called concurrently
	Log   *slog.Logger    // of what goes wrong; nil = nothing is logged
}

// Happening is something that people want to see.
type Happening struct {
	At     time.Time
	Number string // that was dialled
	What   string // "rings", "answered", …
}

// Call is a call that is over.
type Call struct {
	Number string // that was dialled, as it came
	From   string // user part of the caller's URI
	Phone  *simulator.Phone
	Code   int           // the final response; 0 if the caller gave up before
	ByUs   bool          // we hung up
	Talk   time.Duration // from the caller's ACK to the end; 0 if nobody answered
	Heard  wav.Sound     // at 8 kHz, from the first packet on; gaps are silent
	Digits string        // keys that the caller pressed (RFC 4733)
	Lost   int           // packets that did not come
	File   string        // the recording; "" = there is none
}

// Phone is the telephone.
type Phone struct {
	opts   Options
	log    *slog.Logger
	udp    *net.UDPConn
	tcp    net.Listener
	tls    net.Listener // nil = none
	ua     *sipgo.UserAgent
	server *sipgo.Server
	client *sipgo.Client
	nonce  string

	over context.Context // ends when Run's does
	stop context.CancelFunc

	saying sync.Mutex
	mu     sync.Mutex
	closed bool             // no new calls
	calls  map[string]*call // by dialog
	living sync.WaitGroup   // calls, and the requests that are worked on
}

// New makes a phone whose sockets are open, so that Addr is known. Run closes them.
func New(opts Options) (*Phone, error) {
	p := &Phone{opts: opts, log: opts.Log, calls: map[string]*call{}, nonce: rand.Text()}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.opts.HangUp == 0 {
		p.opts.HangUp = DefaultHangUp
	}
	p.over, p.stop = context.WithCancel(context.Background())
	if err := errors.Join(p.listen(), p.build()); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// listen opens the sockets.
func (p *Phone) listen() error {
	address := p.opts.Listen
	if address == "" {
		address = ":0"
	}
	const attempts = 20 // a port that is free for UDP may be taken for TCP
	var err error
	for range attempts {
		if err = p.listenBoth(address); err == nil {
			break
		}
		if _, port, bad := net.SplitHostPort(address); bad != nil || port != "0" {
			break
		}
	}
	if err != nil {
		return err
	}
	if p.opts.ListenTLS == "" {
		return nil
	}
	if p.opts.TLS == nil {
		return errors.New("listening for TLS needs a certificate")
	}
	p.tls, err = tls.Listen("tcp", p.opts.ListenTLS, p.opts.TLS)
	return err
}

// listenBoth opens the same port for UDP and TCP.
func (p *Phone) listenBoth(address string) error {
	at, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return err
	}
	if p.udp, err = net.ListenUDP("udp", at); err != nil {
		return err
	}
	if p.tcp, err = net.Listen("tcp", p.udp.LocalAddr().String()); err != nil {
		_ = p.udp.Close()
		p.udp = nil
	}
	return err
}

// build makes the SIP side.
func (p *Phone) build() (err error) {
	p.ua, err = sipgo.NewUA(
		sipgo.WithUserAgent("tidings-phone"),
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(p.log)),
		sipgo.WithUserAgentTransactionLayerOptions(
			sip.WithTransactionLayerLogger(p.log),
			// Repeated responses to a BYE of ours are nothing to tell anybody.
			sip.WithTransactionLayerUnhandledResponseHandler(func(*sip.Response) {}),
		),
	)
	if err != nil {
		return err
	}
	if p.server, err = sipgo.NewServer(p.ua, sipgo.WithServerLogger(p.log)); err != nil {
		return err
	}
	if p.client, err = sipgo.NewClient(p.ua, sipgo.WithClientLogger(p.log)); err != nil {
		return err
	}
	p.handle()
	return nil
}

// close closes what is open.
func (p *Phone) close() {
	p.stop()
	if p.udp != nil {
		_ = p.udp.Close()
	}
	for _, l := range []net.Listener{p.tcp, p.tls} {
		if l != nil {
			_ = l.Close()
		}
	}
	if p.ua != nil {
		_ = p.ua.Close()
	}
}

// Addr is where the phone listens for UDP and TCP.
func (p *Phone) Addr() string { return p.udp.LocalAddr().String() }

// AddrTLS is where the phone listens for TLS; "" = nowhere.
func (p *Phone) AddrTLS() string {
	if p.tls == nil {
		return ""
	}
	return p.tls.Addr().String()
}

// Run answers calls until ctx ends. Then it hangs up, keeps the recordings, and returns the
// error of ctx. It must be called once.
func (p *Phone) Run(ctx context.Context) error {
	failed := make(chan error, 3)
	var serving sync.WaitGroup
	serving.Go(func() { failed <- p.server.ServeUDP(p.udp) })
	serving.Go(func() { failed <- p.server.ServeTCP(p.tcp) })
	if p.tls != nil {
		serving.Go(func() { failed <- p.server.ServeTLS(p.tls) })
	}
	var err error
	select {
	case <-ctx.Done():
		err = ctx.Err()
	case err = <-failed:
		err = fmt.Errorf("phone: stopped listening: %w", err)
	}
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.stop()
	p.living.Wait()
	p.close()
	serving.Wait()
	return err
}

// begin counts a request that is worked on, so that Run waits for it. It reports false when
// the phone is being put away.
func (p *Phone) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.living.Add(1)
	return true
}

// say tells people what happens.
func (p *Phone) say(number, format string, args ...any) {
	if p.opts.Say == nil {
		return
	}
	p.saying.Lock()
	defer p.saying.Unlock()
	p.opts.Say(Happening{At: time.Now(), Number: number, What: fmt.Sprintf(format, args...)})
}
