package interop

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"tidings/internal/phone"
	"tidings/internal/sipcall"
)

// desk is our own phone, which says how each call was for it.
type desk struct {
	*phone.Phone
	ended chan phone.Call
}

func newDesk(tb testing.TB, opts phone.Options) *desk {
	tb.Helper()
	d := &desk{ended: make(chan phone.Call, 16)}
	opts.Listen, opts.Ended = "127.0.0.1:0", func(c phone.Call) { d.ended <- c }
	if opts.Ring == 0 {
		opts.Ring = 200 * time.Millisecond
	}
	if opts.HangUp == 0 {
		opts.HangUp = 1500 * time.Millisecond
	}
	p, err := phone.New(opts)
	if err != nil {
		tb.Fatal(err)
	}
	d.Phone = p
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := p.Run(ctx); !errors.Is(err, context.Canceled) {
			tb.Errorf("Phone.Run = %v", err)
		}
	})
	tb.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return d
}

func (d *desk) port() int { return int(netip.MustParseAddrPort(d.Addr()).Port()) }

// next returns how the next call was for the phone.
func (d *desk) next(tb testing.TB) phone.Call {
	tb.Helper()
	select {
	case c := <-d.ended:
		return c
	case <-time.After(patience):
		tb.Fatal("for the phone the call has not ended")
		return phone.Call{}
	}
}

const (
	answers  = "+12065550100"
	busy     = "+12065550101"
	noAnswer = "+12065550102"
	declines = "+12065550103"
	hangsUp  = "+12065550107"
	atOnce   = "+12065550110"
)

// TestPacketsGetLost loses, repeats and swaps packets of SIP one by one.
func TestPacketsGetLost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		number, want string
		fates        map[string]string
	}{
		{answers, "RAC", map[string]string{"INVITE": "x"}},
		{answers, "RAC", map[string]string{"INVITE": "dd", "180 INVITE": "d", "200 INVITE": "dd", "ACK": "dd", "BYE": "dd", "200 BYE": "dd"}},
		{answers, "AC", map[string]string{"180 INVITE": "xxxx", "100 INVITE": "x"}},
		{answers, "RAC", map[string]string{"200 INVITE": "x"}},
		{answers, "RAC", map[string]string{"ACK": "xx"}},
		{answers, "RAC", map[string]string{"BYE": "xx"}},
		{answers, "RAC", map[string]string{"200 BYE": "xx"}},
		{answers, "RAC", map[string]string{"100 INVITE": "h", "ACK": "h"}},
		{atOnce, "AC", map[string]string{"100 INVITE": "h", "200 INVITE": "x", "ACK": "x"}},
		{busy, "B", map[string]string{"486 INVITE": "x", "ACK": "xd"}},
		{noAnswer, "RN", map[string]string{"CANCEL": "x", "200 CANCEL": "x", "487 INVITE": "x", "ACK": "x"}},
		{noAnswer, "RN", map[string]string{"200 CANCEL": "h", "CANCEL": "d"}},
		{hangsUp, "RAC", map[string]string{"BYE": "x", "200 BYE": "x"}},
		{hangsUp, "RAC", map[string]string{"BYE": "dd", "200 BYE": "dd"}},
	} {
		t.Run(fmt.Sprint(c.number[8:], c.fates), func(t *testing.T) {
			t.Parallel()
			through(t, c.number, c.want, script(c.fates), nil)
		})
	}
}

// TestBadWeather loses, repeats and swaps packets by chance, with nonsense between them.
func TestBadWeather(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			through(t, answers, "", weather(seed), babble(seed))
		})
	}
}

// through calls our phone over a bad network. Whatever happens, the call must end as it
// should for both sides, and the message be heard whole if it was. An empty want is an
// answered call; it need not have been heard ringing.
func through(t *testing.T, number, want string, decide func(string) fate, noise func() [][]byte) {
	t.Helper()
	phone := newDesk(t, phone.Options{})
	network := newRelay(t, phone.port(), decide)
	network.mu.Lock()
	network.noise = noise
	network.mu.Unlock()
	opts := sipcall.Options{FirstAnswer: 20 * time.Second, RingTimeout: 20 * time.Second, CancelTimeout: 20 * time.Second, ByeTimeout: 20 * time.Second}
	if number == noAnswer {
		opts.RingTimeout = time.Second
	}
	d := dialer(t, opts, trunk("+", network.port()))
	length := 700 * time.Millisecond
	if number == hangsUp {
		length = 4 * time.Second
	}
	speech, pcm := message(t, length)
	h := call(t, d, number, speech)
	if want == "" {
		want = "AC"
		if len(h.events) == 3 {
			want = "RAC"
		}
	}
	h.want(t, want)
	got := phone.next(t)
	code := map[byte]int{'C': 200, 'B': 486}[want[len(want)-1]]
	if got.Code != code || got.ByUs != (number == hangsUp) {
		t.Errorf("for the phone the call was: code %d, hung up by it = %v; want code %d, %v", got.Code, got.ByUs, code, number == hangsUp)
	}
	if code == 200 && number != hangsUp {
		sounds(t, got.Heard.Int16(), pcm)
	}
}
