//go:build !portable

package rtpaudio

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkStreams has many calls speak at a time, and looks at what arrives in another
// process, which has the kernel stamp each packet. Reported are packets per second,
// our own use of the CPU in percent of one core, how far apart from 20 ms the packets of
// a stream are, and how many packets were lost on the way in percent. A machine that does other things as
// well shows in all of them. It needs two descriptors per stream (ulimit -n).
func BenchmarkStreams(b *testing.B) {
	for _, protected := range []bool{false, true} {
		name := "rtp"
		var keys *Keys
		if protected {
			name, keys = "srtp", &Keys{Local: key(1), Remote: key(2)}
		}
		b.Run(name, func(b *testing.B) {
			for _, n := range []int{1, 10, 100, 500, 1000, 2000, 3000, 4000} {
				b.Run(fmt.Sprint(n), func(b *testing.B) {
					for b.Loop() {
						measure(b, n, keys).report(b)
					}
				})
			}
		})
	}
}

// BenchmarkPacket is the cost of one packet, with and without SRTP, most of it the kernel's.
func BenchmarkPacket(b *testing.B) {
	for _, tt := range []struct {
		name string
		keys *Keys
	}{{"rtp", nil}, {"srtp", &Keys{Local: key(1), Remote: key(2)}}} {
		b.Run(tt.name, func(b *testing.B) {
			s, _ := still(b, tt.keys)
			s.follow(s.peer.RTP)
			turn := int64(0)
			b.ReportAllocs()
			for b.Loop() {
				s.at, s.hearAt, s.reportAt, s.readAt = 0, turn+1, turn+1, turn+1
				turn += s.takeTurn(turn)
			}
		})
	}
}

// How long is measured, after how long for the streams to get going.
const (
	settling  = time.Second
	measuring = 4 * time.Second
)

// measured is what a benchmark saw.
type measured struct {
	receipt
	cpu     float64 // in percent of one core
	seconds float64
	slips   int64
}

func (m measured) report(b *testing.B) {
	b.Helper()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(m.Packets)/m.seconds, "packets/s")
	b.ReportMetric(m.cpu, "%core")
	b.ReportMetric(m.Median, "ms-p50")
	b.ReportMetric(m.P99, "ms-p99")
	b.ReportMetric(float64(m.Lost)*100/float64(max(m.Lost+m.Packets, 1)), "%lost")
	b.ReportMetric(float64(m.slips), "ms-slipped")
}

// measure has n calls speak.
func measure(b *testing.B, n int, keys *Keys) (m measured) {
	b.Helper()
	r := receiving(b)
	w := turning(b, Options{})
	message := sound(int((settling+2*measuring).Seconds())*sampleRate, 0)
	for range n {
		s := open(b, w)
		start(b, s, Peer{RTP: r.at, RTCP: r.reports, Sound: message, Keys: keys}, 0, 0)
		// As if the peer had spoken already. This one never does, and a stream waits 5 s for that.
		if err := s.shard.post(func() { s.follow(r.at) }); err != nil {
			b.Fatalf("post() = %v, want nil", err)
		}
	}
	<-time.After(settling)
	r.ask(b)
	cpu, began := spent(b), time.Now()
	slips := slipped(b, w)
	<-time.After(measuring)
	m.cpu, m.seconds = spent(b).Seconds(), time.Since(began).Seconds()
	m.cpu = (m.cpu - cpu.Seconds()) * 100 / m.seconds
	m.receipt = r.ask(b)
	m.slips = slipped(b, w) - slips
	return m
}

// slipped is how many ticks the wheel is late for good.
func slipped(b *testing.B, w *Wheel) (ticks int64) {
	b.Helper()
	for _, sh := range w.shards {
		done := make(chan struct{})
		if err := sh.post(func() { ticks += sh.slipped; close(done) }); err != nil {
			b.Fatalf("post() = %v, want nil", err)
		}
		<-done
	}
	return ticks
}

// spent is the CPU time of this process.
func spent(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatalf("Getrusage() = %v, want nil", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// receiver is another process that receives.
type receiver struct {
	at, reports netip.AddrPort
	in          io.Writer
	out         *bufio.Scanner
}

// receipt is what a receiver saw since it was last asked.
type receipt struct {
	Packets, Lost int
	Median, P99   float64 // |interval - 20 ms| in ms
}

func receiving(b *testing.B) *receiver {
	b.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), receiverEnv+"=1")
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		b.Fatalf("StdinPipe() = %v, want nil", err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatalf("StdoutPipe() = %v, want nil", err)
	}
	if err := c.Start(); err != nil {
		b.Fatalf("Start() = %v, want nil", err)
	}
	b.Cleanup(func() {
		in.Close()
		if err := c.Wait(); err != nil {
			b.Errorf("Wait() = %v, want nil", err)
		}
	})
	r := &receiver{in: in, out: bufio.NewScanner(out)}
	if !r.out.Scan() {
		b.Fatalf("the receiver does not say where it is: %v", r.out.Err())
	}
	if r.at, err = netip.ParseAddrPort(r.out.Text()); err != nil {
		b.Fatalf("ParseAddrPort(%q) = %v, want nil", r.out.Text(), err)
	}
	r.reports = here(listening(b, loopback).rtcp)
	return r
}

// ask is what was received since it was last asked.
func (r *receiver) ask(b *testing.B) (got receipt) {
	b.Helper()
	if _, err := io.WriteString(r.in, "\n"); err != nil {
		b.Fatalf("WriteString() = %v, want nil", err)
	}
	if !r.out.Scan() {
		b.Fatalf("the receiver does not answer: %v", r.out.Err())
	}
	if err := json.Unmarshal(r.out.Bytes(), &got); err != nil {
		b.Fatalf("Unmarshal(%q) = %v, want nil", r.out.Text(), err)
	}
	return got
}

// receiveForBenchmarks is the other process: it says where it is, and what it has
// received as often as it is asked, until nobody can ask any more.
func receiveForBenchmarks() {
	s, err := listen(netip.AddrPortFrom(loopback, 0), 64<<20)
	if err != nil {
		panic(err)
	}
	_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
	runtime.LockOSThread()
	_ = hurry() // as the senders do, or it would lose what they send
	fmt.Println(netip.AddrPortFrom(loopback, s.port()))
	asked := make(chan bool)
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			asked <- true
		}
		close(asked)
	}()
	for l := newLedger(); ; {
		l.receive(s)
		select {
		case _, ok := <-asked:
			if !ok {
				return
			}
			b, err := json.Marshal(l.settle())
			if err != nil {
				panic(err)
			}
			fmt.Printf("%s\n", b)
		default:
		}
	}
}

// ledger is what was received.
type ledger struct {
	inbox   *inbox
	streams map[uint32]*entry
	receipt
	deviations [1 << 17]int // in microseconds; the last is all that are larger
}

// entry is the last packet of a stream.
type entry struct {
	seq uint16
	at  time.Time
}

func newLedger() *ledger { return &ledger{inbox: newInbox(), streams: map[uint32]*entry{}} }

// receive waits for packets, up to 10 ms.
func (l *ledger) receive(s *socket) {
	poll := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}
	_, _ = unix.Poll(poll, 10)
	for {
		got := s.receive(l.inbox)
		for _, a := range got {
			l.enter(binary.BigEndian.Uint32(a.data[8:]), binary.BigEndian.Uint16(a.data[2:]), a.at)
		}
		if len(got) < batch {
			return
		}
	}
}

func (l *ledger) enter(ssrc uint32, seq uint16, at time.Time) {
	l.Packets++
	last, ok := l.streams[ssrc]
	if !ok {
		l.streams[ssrc] = &entry{seq: seq, at: at}
		return
	}
	l.Lost += int(seq - last.seq - 1)
	deviation := int((at.Sub(last.at) - defaultPacketTime).Abs().Microseconds())
	l.deviations[min(deviation, len(l.deviations)-1)]++
	*last = entry{seq: seq, at: at}
}

// settle is what was received since it was last called.
func (l *ledger) settle() receipt {
	r := l.receipt
	all, sum := 0, 0
	for _, n := range l.deviations {
		all += n
	}
	for us, n := range l.deviations {
		if sum*2 < all && (sum+n)*2 >= all {
			r.Median = float64(us) / 1000
		}
		if sum*100 < all*99 && (sum+n)*100 >= all*99 {
			r.P99 = float64(us) / 1000
		}
		sum += n
	}
	l.receipt = receipt{}
	clear(l.deviations[:])
	return r
}
