package rtpaudio

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// TestPorts uses up a small range. Each of these tests has an address of its own, so that
// nobody else takes its ports.
func TestPorts(t *testing.T) {
	t.Parallel()
	at := netip.MustParseAddr("127.1.1.1")
	w := turning(t, Options{Address: at, FirstPort: 20001, LastPort: 20008})
	var got []int
	var all []*Stream
	for range 3 {
		s := open(t, w)
		got, all = append(got, s.Port()), append(all, s)
	}
	if want := []int{20002, 20004, 20006}; !slices.Equal(got, want) {
		t.Errorf("ports are %v, want %v", got, want)
	}
	_, err := w.Open()
	if !errors.Is(err, ErrNoPort) || !strings.Contains(err.Error(), "20002 to 20008: all 3") {
		t.Errorf("Open() = %v, want %v and the range", err, ErrNoPort)
	}
	all[1].Close()
	all[0].Close()
	if got := open(t, w).Port(); got != 20004 {
		t.Errorf("Port() = %d, want 20004, which was free longest", got)
	}
	if got := open(t, w).Port(); got != 20002 {
		t.Errorf("Port() = %d, want 20002", got)
	}
}

// TestPortsOfOthers leaves out what other programs use, the port of reports too.
func TestPortsOfOthers(t *testing.T) {
	t.Parallel()
	at := netip.MustParseAddr("127.1.1.2")
	taken, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 20001)))
	if err != nil {
		t.Fatalf("ListenUDP() = %v, want nil", err)
	}
	w := turning(t, Options{Address: at, FirstPort: 20000, LastPort: 20003})
	if got := open(t, w).Port(); got != 20002 {
		t.Errorf("Port() = %d, want 20002", got)
	}
	if _, err := w.Open(); !errors.Is(err, ErrNoPort) {
		t.Errorf("Open() = %v, want %v", err, ErrNoPort)
	}
	taken.Close()
	if got := open(t, w).Port(); got != 20000 {
		t.Errorf("Port() = %d, want 20000, which is free now", got)
	}
}

func TestPortsThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ first, last uint16 }{
		{0, 5}, {5, 0}, {20000, 20000}, {20001, 20002}, {20002, 20001}, {65535, 65535},
	} {
		if _, err := New(Options{FirstPort: tt.first, LastPort: tt.last}); err == nil {
			t.Errorf("New() with ports %d to %d = nil, want an error", tt.first, tt.last)
		}
	}
	for _, tt := range []struct {
		first, last uint16
		pairs       int
	}{{65534, 65535, 1}, {10000, 19999, 5000}, {1, 65535, 32767}} {
		w, err := New(Options{FirstPort: tt.first, LastPort: tt.last})
		if err != nil || len(w.ports.free) != tt.pairs {
			t.Errorf("New() with ports %d to %d = %v, want %d pairs", tt.first, tt.last, err, tt.pairs)
		}
	}
	w := turning(t, Options{Address: netip.MustParseAddr("192.0.2.1")}) // of nobody: RFC 5737
	if _, err := w.Open(); err == nil || errors.Is(err, ErrNoPort) {
		t.Errorf("Open() = %v, want that the address is not ours", err)
	}
}
