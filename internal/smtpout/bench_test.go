package smtpout

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"tidings/internal/email"
)

// sinkOn takes all mail as fast as it can, and answers after the delay, as a server that is far away.
func sinkOn(tb testing.TB, l net.Listener, pipelining bool, delay time.Duration) {
	tb.Helper()
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				sink(c, pipelining, delay)
			})
		}
	})
	tb.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
}

func sink(c net.Conn, pipelining bool, delay time.Duration) {
	r, w := bufio.NewReader(c), bufio.NewWriter(c)
	_, _ = w.WriteString("220 sink\r\n")
	content := false
	for {
		if r.Buffered() == 0 {
			if delay > 0 {
				<-time.After(delay)
			}
			if w.Flush() != nil {
				return
			}
		}
		line, err := r.ReadSlice('\n')
		switch {
		case err != nil:
			return
		case content:
			if content = !bytes.Equal(line, []byte(".\r\n")); !content {
				_, _ = w.WriteString("250 2.0.0 taken\r\n")
			}
		case bytes.HasPrefix(line, []byte("EHLO")) && pipelining:
			_, _ = w.WriteString("250-sink\r\n250 PIPELINING\r\n")
		case bytes.HasPrefix(line, []byte("DATA")):
			_, _ = w.WriteString("354 go\r\n")
			content = true
		case bytes.HasPrefix(line, []byte("QUIT")):
			_, _ = w.WriteString("221 bye\r\n")
			_ = w.Flush()
			return
		default:
			_, _ = w.WriteString("250 2.0.0 ok\r\n")
		}
	}
}

// BenchmarkRelay hands mails of 4 KB to a sink on loopback.
func BenchmarkRelay(b *testing.B) {
	body := content + strings.Repeat("The quick brown fox jumps over the lazy dog, again and again.\r\n", 64)
	for _, delay := range []time.Duration{0, 10 * time.Millisecond} {
		for _, pipelining := range []bool{true, false} {
			for _, senders := range []int{1, 50} {
				b.Run(fmt.Sprintf("delay=%v/pipelining=%v/senders=%d", delay, pipelining, senders), func(b *testing.B) {
					_, l := listenOn(b, "127.0.0.1")
					sinkOn(b, l[0], pipelining, delay)
					tr := transport(b, Settings{Relay: l[0].Addr().String()})
					p := parcel("x@example.org")
					p.Data = []byte(body)
					mails := make(chan struct{})
					var sending sync.WaitGroup
					for range senders {
						sending.Go(func() {
							for range mails {
								if r := tr.Deliver(b.Context(), p); r[0].Verdict != email.Delivered {
									b.Errorf("reply = %+v", r)
								}
							}
						})
					}
					b.ReportAllocs()
					for b.Loop() {
						mails <- struct{}{}
					}
					close(mails)
					sending.Wait()
					b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
				})
			}
		}
	}
}

// BenchmarkLibrary does the same with the client of go-smtp, which sends command by command.
func BenchmarkLibrary(b *testing.B) {
	body := content + strings.Repeat("The quick brown fox jumps over the lazy dog, again and again.\r\n", 64)
	_, l := listenOn(b, "127.0.0.1")
	sinkOn(b, l[0], true, 0)
	c, err := smtp.Dial(l[0].Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	b.ReportAllocs()
	for b.Loop() {
		if err := c.SendMail("bounce@example.com", []string{"x@example.org"}, strings.NewReader(body)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
}
