package smtpout

import (
	"bufio"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// script is what a server that we play says on a connection, turn by turn.
type script []turn

// turn waits for a line that begins so ("." = the end of the content), and then answers. A line that begins otherwise is answered with 503.
type turn struct {
	hear string // "" = nothing is waited for
	say  string
	do   func(net.Conn) // afterwards; nil = nothing
}

// hang does nothing until the client goes away.
func hang(c net.Conn) {
	_, _ = c.Read(make([]byte, 1))
}

// play starts a server that plays one script for each connection, in their order, the last one again and again. It returns its address.
func play(tb testing.TB, all ...script) string {
	tb.Helper()
	_, l := listenOn(tb, "127.0.0.1")
	playOn(tb, l[0], all...)
	return l[0].Addr().String()
}

// playOn does so on a listener.
func playOn(tb testing.TB, l net.Listener, all ...script) {
	tb.Helper()
	var serving sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			lines := all[0]
			if len(all) > 1 {
				all = all[1:]
			}
			serving.Go(func() {
				defer c.Close()
				lines.run(c)
			})
		}
	})
	tb.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		closeAll(open)
		mu.Unlock()
		serving.Wait()
	})
}

func (s script) run(c net.Conn) {
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(c)
	for _, t := range s {
		for t.hear != "" {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			line = strings.TrimRight(line, "\r\n")
			if t.hear == "." && line != "." {
				continue // content
			}
			if strings.HasPrefix(line, t.hear) {
				break
			}
			if _, err := c.Write([]byte("503 unexpected: " + line + "\r\n")); err != nil {
				return
			}
		}
		if _, err := c.Write([]byte(t.say)); err != nil {
			return
		}
		if t.do != nil {
			t.do(c)
		}
	}
}
