package siptrunk_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tidings/internal/siptrunk"
)

// trunk is a trunk that is well described and serves these prefixes.
func trunk(name string, prefixes ...string) siptrunk.Config {
	return siptrunk.Config{Name: name, Server: name + ".example.com", Prefixes: prefixes}
}

func pool(tb testing.TB, configs ...siptrunk.Config) *siptrunk.Pool {
	tb.Helper()
	p, err := siptrunk.New(configs, siptrunk.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func lease(tb testing.TB, p *siptrunk.Pool, number string, tried ...*siptrunk.Trunk) *siptrunk.Lease {
	tb.Helper()
	l, err := p.Lease(tb.Context(), number, tried)
	if err != nil {
		tb.Fatalf("Lease(%s) = %v", number, err)
	}
	return l
}

func TestNewNamesEveryProblem(t *testing.T) {
	t.Parallel()
	bad := siptrunk.Config{
		Server: "a b", Proxy: "proxy:0", Domain: "d:1", Transport: "ws", Password: "p\r\nX-Evil: 1", Register: true, Expires: time.Second,
		Options: time.Millisecond, CallerID: "no", Plus: true, Dial: "0x", MaxCalls: -1, CallsPerSecond: math.NaN(),
		Allow: make([]netip.Prefix, 1), Prefixes: []string{"1", "+0", "+49", "+49"},
	}
	evil := trunk("evil", "+")
	evil.Username = "a\" b"
	evil.CallerID = siptrunk.CallerIDPAI
	_, err := siptrunk.New([]siptrunk.Config{bad, trunk("same", "+1"), trunk("same"), evil}, siptrunk.Options{})
	if err == nil {
		t.Fatal("New = nil, want an error")
	}
	want := strings.Split(`trunk 1: it has no name
trunk 1: its server "a b" is neither a host nor host:port
trunk 1: its proxy "proxy:0" is neither a host nor host:port
trunk 1: its domain "d:1" is not a host
trunk 1: its transport "ws" is none of udp, tcp, tls
trunk 1: it has a password, but no username
trunk 1: it is to be registered, but has no username
trunk 1: its registration lasts 1s, the shortest is 30s
trunk 1: its OPTIONS are 1ms apart, the least is 1s
trunk 1: its caller ID "no" is none of from, pai, both
trunk 1: what is dialled before the number, "0x", is not digits, * and #
trunk 1: numbers cannot both be sent with a plus and have "0x" put in front
trunk 1: it cannot have -1 calls at once
trunk 1: it cannot begin NaN calls a second; the most is 10000
trunk 1: one of its allowed networks is not a network
trunk 1: its password has a control character
trunk 1: its prefix "1" is not a plus and the first digits of numbers, like "+1" or "+4930"
trunk 1: its prefix "+0" is not a plus and the first digits of numbers, like "+1" or "+4930"
trunk 1: its prefix "+49" is there twice
trunk "same": it has no prefixes, so it would serve no number; "+" serves every number
trunk "same": another trunk has the same name
trunk "evil": its username has a character that cannot stand in a SIP header`, "\n")
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("New: problems (-want +got):\n%s", diff)
	}
}

func TestNewAcceptsServers(t *testing.T) {
	t.Parallel()
	for server, ok := range map[string]bool{
		"sip.example.com": true, "sip.example.com:5061": true, "192.0.2.1": true, "192.0.2.1:5060": true,
		"2001:db8::1": true, "[2001:db8::1]": true, "[2001:db8::1]:5060": true, "pbx": true, "my_pbx.local": true,
		"": false, "sip:example.com": false, "example.com:": false, "example.com:65536": false, "-x": false, "exa mple": false, "a\r\nb": false,
	} {
		c := trunk("t", "+1")
		c.Server = server
		if _, err := siptrunk.New([]siptrunk.Config{c}, siptrunk.Options{}); (err == nil) != ok {
			t.Errorf("New with server %q = %v, want ok = %v", server, err, ok)
		}
	}
}

func TestNewWarnsOfKeysInTheClear(t *testing.T) {
	t.Parallel()
	for transport, want := range map[siptrunk.Transport]bool{siptrunk.UDP: true, siptrunk.TLS: false} {
		var out strings.Builder
		c := trunk("secret", "+1")
		c.Transport, c.SRTP = transport, true
		_, err := siptrunk.New([]siptrunk.Config{c}, siptrunk.Options{Log: slog.New(slog.NewTextHandler(&out, nil))})
		if got := strings.Contains(out.String(), "level=WARN"); err != nil || got != want {
			t.Errorf("New with srtp over %s = %v, logs %q, want a warning = %v", transport, err, &out, want)
		}
	}
}

func TestLeaseChoosesTheBestTrunk(t *testing.T) {
	t.Parallel()
	world, germany, berlin, second := trunk("world", "+"), trunk("germany", "+49", "+43"), trunk("berlin", "+4930"), trunk("second", "+49")
	second.Priority = 1
	p := pool(t, world, second, germany, berlin)
	for number, want := range map[string]string{
		"+12065550100": "world", "+493012345": "berlin", "+498912345": "germany", "+4312345": "germany",
	} {
		l := lease(t, p, number)
		if l.Trunk.String() != want {
			t.Errorf("Lease(%s) = %v, want %s", number, l.Trunk, want)
		}
		l.Release()
	}
	// What is left when one after the other was tried.
	var tried []*siptrunk.Trunk
	for _, want := range []string{"berlin", "germany", "second", "world"} {
		l := lease(t, p, "+493012345", tried...)
		if l.Trunk.String() != want {
			t.Errorf("Lease after %v = %v, want %s", tried, l.Trunk, want)
		}
		tried = append(tried, l.Trunk)
		l.Release()
	}
	_, err := p.Lease(t.Context(), "+493012345", tried)
	if !errors.Is(err, siptrunk.ErrNoTrunk) || !strings.Contains(err.Error(), "berlin, germany") {
		t.Errorf("Lease after all = %v, want ErrNoTrunk and who was tried", err)
	}
	if _, err := pool(t, berlin).Lease(t.Context(), "+1", nil); !errors.Is(err, siptrunk.ErrNoRoute) {
		t.Errorf("Lease of a number that nobody serves = %v, want ErrNoRoute", err)
	}
}

func TestLeaseSharesCallsAmongEquals(t *testing.T) {
	t.Parallel()
	p := pool(t, trunk("a", "+1"), trunk("b", "+1"), trunk("c", "+1"))
	var got []string
	for range 6 {
		got = append(got, lease(t, p, "+1").Trunk.String())
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "a", "b", "c"}, got); diff != "" {
		t.Errorf("six calls (-want +got):\n%s", diff)
	}
	// Without calls in progress, the one that had none for the longest time is next.
	p = pool(t, trunk("a", "+1"), trunk("b", "+1"))
	for _, want := range []string{"a", "b", "a"} {
		l := lease(t, p, "+1")
		if l.Trunk.String() != want {
			t.Errorf("Lease = %v, want %s", l.Trunk, want)
		}
		l.Release()
	}
}

func TestATrunkThatIsDownIsTheLastResort(t *testing.T) {
	t.Parallel()
	good, spare := trunk("good", "+1"), trunk("spare", "+")
	good.MaxCalls = 1
	p := pool(t, good, spare)
	p.Trunks()[0].Failed("SIP 503", 0)
	if l := lease(t, p, "+1"); l.Trunk.String() != "spare" {
		t.Errorf("Lease = %v, want the one that is not down", l.Trunk)
	}
	p.Trunks()[1].Failed("SIP 503", 0)
	if l := lease(t, p, "+1"); l.Trunk.String() != "good" {
		t.Errorf("Lease = %v, want the best of those that are down", l.Trunk)
	}
	p.Trunks()[0].Answered()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Lease(ctx, "+1", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Lease with a context that ended = %v", err)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	for asked, want := range map[time.Duration]time.Duration{7 * time.Second: 7 * time.Second, time.Hour: time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			p := pool(t, trunk("a", "+1"))
			p.Trunks()[0].Failed("SIP 503", asked)
			p.Trunks()[0].Answered() // of a call that was under way
			begun := time.Now()
			lease(t, p, "+1").Release()
			if got := time.Since(begun); got != want {
				t.Errorf("after Retry-After: %v a call began after %v, want %v", asked, got, want)
			}
		})
	}
}

func TestWithoutOptionsATrunkIsTrustedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		main, spare := trunk("main", "+1"), trunk("spare", "+")
		main.Options, spare.MaxCalls = -1, 1
		p := pool(t, main, spare)
		p.Trunks()[0].Failed("no answer", 0)
		held := lease(t, p, "+1") // takes the only line of the spare one
		begun := time.Now()
		l := lease(t, p, "+1")
		if got := time.Since(begun); l.Trunk.String() != "main" || got != 30*time.Second {
			t.Errorf("Lease = %v after %v, want main after 30s", l.Trunk, got)
		}
		if s := p.Status()[0]; s.State != siptrunk.Unknown || s.LastError != "no answer" || s.Calls != 1 {
			t.Errorf("Status = %+v, want unknown with one call", s)
		}
		held.Release()
	})
}

func TestLeaseWaitsForALineInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := trunk("a", "+1")
		c.MaxCalls = 1
		p := pool(t, c)
		first := lease(t, p, "+1")
		got := make(chan int, 3)
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 3 {
			go func() {
				use := t.Context()
				if i == 1 {
					use = ctx
				}
				l, err := p.Lease(use, "+1", nil)
				if err != nil {
					got <- -i
					return
				}
				got <- i
				l.Release()
			}()
			synctest.Wait()
		}
		if s := p.Status()[0]; s.Waiting != 3 || s.Calls != 1 {
			t.Errorf("Status = %+v, want 1 call and 3 waiting", s)
		}
		cancel()
		if n := <-got; n != -1 {
			t.Errorf("the first to return is %d, want the one whose context ended", n)
		}
		first.Release()
		first.Release() // counts once
		for _, want := range []int{0, 2} {
			if n := <-got; n != want {
				t.Errorf("served %d, want %d", n, want)
			}
		}
		synctest.Wait()
		if s := p.Status()[0]; s.Calls != 0 || s.Waiting != 0 {
			t.Errorf("Status at the end = %+v, want nothing in use", s)
		}
	})
}

func TestCallsPerSecond(t *testing.T) {
	t.Parallel()
	for rate, want := range map[float64]time.Duration{10: 9900 * time.Millisecond, 0.5: 198 * time.Second, 1.5: 66 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			c := trunk("a", "+1")
			c.CallsPerSecond = rate
			p := pool(t, c)
			begun := time.Now()
			for range 100 {
				lease(t, p, "+1").Release()
			}
			// What timers are late may be made good, a little.
			if got := time.Since(begun); got < want-25*time.Millisecond || got > want+time.Millisecond {
				t.Errorf("100 calls at %v a second took %v, want about %v", rate, got, want)
			}
		})
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	c := trunk("a", "+1")
	c.MaxCalls = 1
	p, err := siptrunk.New([]siptrunk.Config{c, trunk("b", "+2")}, siptrunk.Options{Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	lease(t, p, "+1")
	p.Trunks()[1].Failed("gone", 0)
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP tidings_trunk_calls Calls in progress on the trunk.
# TYPE tidings_trunk_calls gauge
tidings_trunk_calls{trunk="a"} 1
tidings_trunk_calls{trunk="b"} 0
# HELP tidings_trunk_up 1 unless the trunk is down: it does not answer, refuses the registration, or has turned calls away.
# TYPE tidings_trunk_up gauge
tidings_trunk_up{trunk="a"} 1
tidings_trunk_up{trunk="b"} 0
# HELP tidings_trunk_waiting Calls that would go to this trunk first and wait for a line or for the calls per second.
# TYPE tidings_trunk_waiting gauge
tidings_trunk_waiting{trunk="a"} 0
tidings_trunk_waiting{trunk="b"} 0
`)); err != nil {
		t.Error(err)
	}
	if _, err := siptrunk.New(nil, siptrunk.Options{Registerer: reg}); err == nil {
		t.Error("New with metrics that are registered already = nil, want an error")
	}
}

// BenchmarkLease is a call through one of three trunks, with limits that are not reached;
// or with a thousand calls that wait for another trunk.
func BenchmarkLease(b *testing.B) {
	for _, waiting := range []int{0, 1000} {
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			full, first, second := trunk("full", "+49"), trunk("first", "+1"), trunk("second", "+1")
			full.MaxCalls, first.MaxCalls, first.CallsPerSecond = 1, 1000, 0
			p := pool(b, full, first, second)
			ctx, cancel := context.WithCancel(b.Context())
			var all sync.WaitGroup
			defer all.Wait()
			defer cancel()
			lease(b, p, "+49")
			for range waiting {
				all.Go(func() { _, _ = p.Lease(ctx, "+49", nil) })
			}
			for p.Status()[0].Waiting < waiting {
				runtime.Gosched()
			}
			b.ReportAllocs()
			for b.Loop() {
				lease(b, p, "+12065550100").Release()
			}
		})
	}
}
