package virus

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeClamd speaks the protocol as clamd(8) has it, and nothing else. What it is asked about it tells by its content.
type fakeClamd struct {
	address  string
	listener net.Listener
	limit    int           // StreamMaxLength
	held     chan struct{} // not nil: it says nothing before this is closed
	work     sync.WaitGroup

	mu       sync.Mutex
	problems []string
	streams  [][]byte
	now      int // connections that are open
	most     int
}

func startClamd(t *testing.T, network string, limit int, held chan struct{}) *fakeClamd {
	t.Helper()
	place := "127.0.0.1:0"
	if network == "unix" {
		place = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, place)
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	f := &fakeClamd{listener: l, limit: limit, held: held, address: network + ":" + l.Addr().String()}
	f.work.Go(f.serve)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close the listener: %v", err)
		}
		f.work.Wait()
		for _, p := range f.problems {
			t.Errorf("clamd was asked wrongly: %s", p)
		}
	})
	return f
}

func (f *fakeClamd) serve() {
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.work.Go(func() {
			f.count(1)
			defer f.count(-1)
			defer conn.Close()
			f.answer(conn)
		})
	}
}

func (f *fakeClamd) count(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now += n
	f.most = max(f.most, f.now)
}

func (f *fakeClamd) problem(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.problems = append(f.problems, fmt.Sprintf(format, args...))
}

func (f *fakeClamd) answer(conn net.Conn) {
	in := bufio.NewReader(conn)
	command, err := in.ReadString(0)
	if err != nil || command != "zINSTREAM\x00" {
		f.problem("command %q, %v", command, err)
		return
	}
	var stream []byte
	for {
		var length [4]byte
		if _, err := io.ReadFull(in, length[:]); err != nil {
			if f.held == nil {
				f.problem("no length after %d bytes: %v", len(stream), err)
			}
			return
		}
		n := int(binary.BigEndian.Uint32(length[:]))
		if n == 0 {
			break
		}
		if len(stream)+n > f.limit {
			f.say(conn, "INSTREAM size limit exceeded. ERROR\x00")
			return
		}
		stream = append(stream, make([]byte, n)...)
		if _, err := io.ReadFull(in, stream[len(stream)-n:]); err != nil {
			f.problem("a chunk of %d bytes is cut short: %v", n, err)
			return
		}
	}
	f.mu.Lock()
	f.streams = append(f.streams, stream)
	f.mu.Unlock()
	if f.held != nil {
		<-f.held
	}
	switch {
	case bytes.Contains(stream, []byte("worm")):
		f.say(conn, "stream: Win.Test.Worm-1 FOUND\x00")
	case bytes.Contains(stream, []byte("strange")):
		f.say(conn, "PONG\x00")
	case bytes.Contains(stream, []byte("mute")):
	case bytes.Contains(stream, []byte("chatter")):
		f.say(conn, strings.Repeat("x", 2*longestReply))
	default:
		f.say(conn, "stream: OK\x00")
	}
}

// say does not mind who has gone away: the test looks at what the scanner returns.
func (f *fakeClamd) say(conn net.Conn, text string) { _, _ = io.WriteString(conn, text) }

func TestClamd(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			f := startClamd(t, network, 4<<20, nil)
			s := New(Options{Address: f.address})
			large := "Subject: a\r\n\r\n" + strings.Repeat("0123456789", 100_000)
			for _, tt := range []struct{ name, raw, threat, err string }{
				{name: "clean", raw: "Subject: a\r\n\r\nhello"},
				{name: "empty"},
				{name: "large", raw: large},
				{name: "as large as a chunk", raw: large[:chunk]},
				{name: "infected", raw: large + "worm", threat: "Win.Test.Worm-1"},
				{name: "test file", raw: "\r\n" + testBytes, threat: testFile},
				{name: "strange word", raw: "strange", err: `it says "PONG"`},
				{name: "no word", raw: "mute", err: "EOF"},
				{name: "too many words", raw: "chatter", err: "EOF"},
				{name: "too large for clamd", raw: strings.Repeat(large, 9), err: "size limit exceeded"},
			} {
				t.Run(tt.name, func(t *testing.T) {
					t.Parallel()
					threat, err := s.Scan(t.Context(), []byte(tt.raw))
					if threat != tt.threat {
						t.Errorf("Scan = %q, want %q", threat, tt.threat)
					}
					if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
						t.Errorf("Scan fails with %v, want %q", err, tt.err)
					}
				})
			}
		})
	}
}

func TestClamdGetsTheMessageAsItIs(t *testing.T) {
	t.Parallel()
	f := startClamd(t, "tcp", 4<<20, nil)
	raw := bytes.Repeat([]byte("Subject: \x00\xff\r\n\r\n"), 20_000)
	if _, err := New(Options{Address: f.address}).Scan(t.Context(), raw); err != nil {
		t.Fatalf("Scan = %v, want nil", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.streams) != 1 || !bytes.Equal(f.streams[0], raw) {
		t.Errorf("clamd has got another message")
	}
}

func TestWithoutClamd(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	if threat, err := s.Scan(t.Context(), []byte("\r\nworm")); threat != "" || err != nil {
		t.Errorf("Scan = %q, %v, want nothing", threat, err)
	}
	if threat, err := s.Scan(t.Context(), []byte("\r\n"+testBytes)); threat != testFile || err != nil {
		t.Errorf("Scan of the test file = %q, %v, want %q", threat, err, testFile)
	}
}

func TestScanFails(t *testing.T) {
	t.Parallel()
	nobody := "unix:" + filepath.Join(t.TempDir(), "nobody")
	for _, tt := range []struct {
		name string
		opts Options
		want string
	}{
		{"nobody listens", Options{Address: nobody}, "ask clamd"},
		{"no address", Options{Address: "clamd.example.com:3310"}, "address of clamd"},
		{"too large to ask", Options{Address: nobody, MaxBytes: 4}, "has 5 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			threat, err := New(tt.opts).Scan(t.Context(), []byte("hello"))
			if threat != "" || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Scan = %q, %v, want an error with %q", threat, err, tt.want)
			}
		})
	}
}

func TestScanEndsInTime(t *testing.T) {
	t.Parallel()
	held := make(chan struct{})
	f := startClamd(t, "tcp", 1<<20, held)
	t.Cleanup(func() { close(held) })
	if _, err := New(Options{Address: f.address, Timeout: 20 * time.Millisecond}).Scan(t.Context(), []byte("hello")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Scan of a clamd that says nothing = %v, want its deadline exceeded", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(Options{Address: f.address}).Scan(ctx, []byte("hello")); !errors.Is(err, context.Canceled) {
		t.Errorf("Scan after the end of its context = %v, want canceled", err)
	}
}

func TestQuestionsAreBounded(t *testing.T) {
	t.Parallel()
	held := make(chan struct{})
	f := startClamd(t, "tcp", 1<<20, held)
	s := New(Options{Address: f.address, Together: 2})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := s.Scan(t.Context(), []byte("hello")); err != nil {
				t.Errorf("Scan = %v, want nil", err)
			}
		})
	}
	close(held)
	all.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.streams) != 8 {
		t.Errorf("clamd has got %d messages, want 8", len(f.streams))
	}
	// One that was answered may still be counted while the next has come.
	if f.most > 4 {
		t.Errorf("clamd was asked by %d at the same time, want 2", f.most)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"", "tcp:127.0.0.1:3310", "tcp:[::1]:3310", "tcp:clamd.example.com:3310", "unix:/run/clamav/clamd.ctl"} {
		if err := Check(good); err != nil {
			t.Errorf("Check(%q) = %v, want nil", good, err)
		}
	}
	for _, bad := range []string{":", "tcp:", "tcp:3310", "tcp:host:", "tcp::3310", "unix:", "/run/clamd.ctl", "localhost:3310", "udp:127.0.0.1:3310"} {
		if err := Check(bad); err == nil {
			t.Errorf("Check(%q) = nil, want an error", bad)
		}
	}
}

// TestRealClamd asks a clamd that runs beside the tests, at the address in CLAMD_SOCKET, as Options have it.
func TestRealClamd(t *testing.T) {
	t.Parallel()
	address := os.Getenv("CLAMD_SOCKET")
	if address == "" {
		t.Skip("CLAMD_SOCKET does not name a clamd")
	}
	s := New(Options{Address: address})
	if threat, err := s.Scan(t.Context(), []byte("Subject: a\r\n\r\nhello")); threat != "" || err != nil {
		t.Errorf("Scan = %q, %v, want nothing", threat, err)
	}
	// Ours looks for the test file first, so the question is asked here.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if threat, err := s.ask(ctx, []byte(testBytes)); !strings.Contains(strings.ToLower(threat), "eicar") || err != nil {
		t.Errorf("clamd says %q, %v of the test file, want its name", threat, err)
	}
}
