package interop

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait of these tests. Nothing should take nearly as long.
const patience = 40 * time.Second

// ports hands out ports below those that the system gives to clients, each once.
var ports = struct {
	sync.Mutex
	given map[int]bool
}{given: map[int]bool{}}

// freePort returns an even port that is free for UDP and TCP, with the next one free for
// UDP. The two after them are nobody's: sipp takes more than it says. Other runs of these
// tests at the same time look in other places.
func freePort(tb testing.TB) int {
	tb.Helper()
	const first, places, each, apart = 20000, 8, 375, 4
	ports.Lock()
	defer ports.Unlock()
	for range 10 * each {
		port := first + apart*(each*(os.Getpid()%places)+rand.IntN(each))
		if ports.given[port] || !free("udp", port) || !free("udp", port+1) || !free("tcp", port) {
			continue
		}
		ports.given[port] = true
		return port
	}
	tb.Fatal("no free port")
	return 0
}

// listenUDP opens so many ports in a row, the first one even.
func listenUDP(tb testing.TB, n int) []*net.UDPConn {
	tb.Helper()
	for range 100 {
		port := freePort(tb)
		var all []*net.UDPConn
		for i := range n {
			c, err := net.ListenUDP("udp", &net.UDPAddr{IP: loopback.AsSlice(), Port: port + i})
			if err != nil {
				break // somebody was faster
			}
			all = append(all, c)
		}
		if len(all) == n {
			return all
		}
		for _, c := range all {
			_ = c.Close()
		}
	}
	tb.Fatal("no free ports")
	return nil
}

func free(network string, port int) bool {
	at := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	var c io.Closer
	var err error
	if network == "udp" {
		c, err = net.ListenPacket(network, at)
	} else {
		c, err = net.Listen(network, at)
	}
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// process is a program that runs for a test.
type process struct {
	cmd   *exec.Cmd
	out   output
	ended chan struct{} // closed when it has
	err   error         // then
}

// run starts a program in a folder of its own. It is killed, with what it has started, at
// the end of the test. Its output is shown if the test fails.
func run(tb testing.TB, dir, program string, args ...string) *process {
	tb.Helper()
	p := &process{cmd: exec.Command(program, args...), ended: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + dir, "TERM=dumb", "LC_ALL=C"}
	alone(p.cmd)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	tb.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.ended
		if tb.Failed() {
			tb.Logf("%s said:\n%s", filepath.Base(program), p.out.tail())
		}
	})
	return p
}

// signal tells the program and what it has started.
func (p *process) signal(s syscall.Signal) { signalAll(p.cmd, s) }

// wait waits for the program to end and returns how.
func (p *process) wait(tb testing.TB) error {
	tb.Helper()
	select {
	case <-p.ended:
		return p.err
	case <-time.After(patience):
		tb.Errorf("%s does not end", p.cmd.Path)
		return errors.New("killed")
	}
}

// await waits until a line of the output matches.
func (p *process) await(tb testing.TB, form string) {
	tb.Helper()
	match := regexp.MustCompile(form)
	limit := time.After(patience)
	for {
		text, more := p.out.look()
		for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
			if match.Match(s.Bytes()) {
				return
			}
		}
		select {
		case <-more:
		case <-p.ended:
			tb.Fatalf("%s ended before it said %q: %v", p.cmd.Path, form, p.err)
		case <-limit:
			tb.Fatalf("%s did not say %q", p.cmd.Path, form)
		}
	}
}

// output collects what a program writes.
type output struct {
	mu   sync.Mutex
	text []byte
	more chan struct{} // closed when there is more; nil = nobody waits
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, b...)
	if o.more != nil {
		close(o.more)
		o.more = nil
	}
	return len(b), nil
}

// look returns what there is, and a channel that is closed when there is more.
func (o *output) look() ([]byte, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more == nil {
		o.more = make(chan struct{})
	}
	return o.text, o.more
}

// tail returns the end of the output.
func (o *output) tail() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text[max(0, len(o.text)-6000):]
}

// awaitPort waits until the program has the UDP port. Only the list of the system is looked
// at: a socket of ours, or a packet, would be in the way.
func awaitPort(tb testing.TB, p *process, port int) {
	tb.Helper()
	form := regexp.MustCompile(fmt.Sprintf(`(?m)^ *\d+: [0-9A-F]+:%04X `, port))
	limit := time.After(patience)
	for again := time.NewTicker(5 * time.Millisecond); ; {
		list, err := os.ReadFile("/proc/net/udp")
		if err != nil || form.Match(list) {
			again.Stop()
			return // where there is no list, the first request is repeated in time
		}
		select {
		case <-again.C:
		case <-p.ended:
			tb.Fatalf("%s ended before it listened: %v", p.cmd.Path, p.err)
		case <-limit:
			tb.Fatalf("%s does not listen", p.cmd.Path)
		}
	}
}
