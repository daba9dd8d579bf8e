package awssink

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings/internal/sink"
)

// TestConnectionsBreak lets the far end reset the connection before and in the middle of
// an answer, and then not listen any more.
func TestConnectionsBreak(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *double, s sink.Sink) {
		reset := func(begin string) answer {
			return func(w http.ResponseWriter, _ *request) bool {
				c, buffered, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Errorf("Hijack = %v", err)
					return true
				}
				_, _ = buffered.WriteString(begin)
				_ = buffered.Flush()
				_ = c.(*net.TCPConn).SetLinger(0)
				_ = c.Close()
				return true
			}
		}
		for name, begin := range map[string]string{
			"reset at once": "", "reset in the header": "HTTP/1.1 200 O", "reset in the body": "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"n",
			"no HTTP": "SSH-2.0-OpenSSH_9.2\r\n",
		} {
			d.say(reset(begin))
			passing(t, name, s.Deliver(t.Context(), batchOf(`{}`)))
		}
		d.say(nil)
		if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
			t.Errorf("the next Deliver = %v", err)
		}
		d.server.Close()
		err := s.Deliver(t.Context(), batchOf(`{}`))
		passing(t, "nobody listening", err)
		if !strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), "http://") {
			t.Errorf("Deliver = %q, want few words on the refused connection", err)
		}
	})
}

// TestAStaleConnectionIsNoFailure: the far end closes what was idle, as AWS does.
func TestAStaleConnectionIsNoFailure(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *double, s sink.Sink) {
		d.then(func(w http.ResponseWriter, _ *request) bool {
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				err = c.Close()
			}
			if err != nil {
				t.Errorf("Hijack and Close = %v", err)
			}
			return true
		})
		if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
			t.Errorf("Deliver = %v, want a second attempt on a new connection", err)
		}
		if got := len(d.took()); got != 2 {
			t.Errorf("%d attempts, want 2", got)
		}
	})
}

// TestATrickleEndsWithTheContext: an answer that comes byte by byte never ends by itself.
func TestATrickleEndsWithTheContext(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *double, s sink.Sink) {
		reached, gone := make(chan struct{}), make(chan struct{})
		d.then(func(w http.ResponseWriter, _ *request) bool {
			defer close(gone)
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for n := 0; ; n++ {
				if _, err := io.WriteString(w, " "); err != nil {
					return true
				}
				if err := http.NewResponseController(w).Flush(); err != nil {
					return true
				}
				if n == 3 {
					close(reached)
				}
				<-tick.C
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Deliver(ctx, batchOf(`{}`)) }()
		<-reached
		cancel()
		passing(t, "answered by a trickle", <-done)
		<-gone
	})
}

// TestThoseThatHangHoldUpNobody: they share a host with all others.
func TestThoseThatHangHoldUpNobody(t *testing.T) {
	t.Parallel()
	const hanging = 600
	d := newDouble(t)
	driver := newDriver(t, d.settings())
	reached, hold := make(chan struct{}, hanging), make(chan struct{})
	d.say(func(_ http.ResponseWriter, r *request) bool {
		if r.service == "sns" {
			reached <- struct{}{}
			<-hold
		}
		return false
	})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(hold)
	topic := openSink(t, driver, target("sns", "alerts"))
	for range hanging {
		wg.Go(func() { _ = topic.Deliver(context.WithoutCancel(t.Context()), batchOf(`{}`)) })
	}
	for range hanging {
		<-reached
	}
	if err := openSink(t, driver, target("firehose", "deliverystream/calls")).Deliver(t.Context(), batchOf(`{}`)); err != nil {
		t.Errorf("Deliver beside %d that hang = %v", hanging, err)
	}
}

// TestHugeAnswersAreCutOff serves answers without end, announced and not.
func TestHugeAnswersAreCutOff(t *testing.T) {
	t.Parallel()
	for name, length := range map[string]string{"unannounced": "", "announced": "1099511627776"} {
		for _, status := range []int{http.StatusOK, http.StatusInternalServerError} {
			each(t, func(t *testing.T, d *double, s sink.Sink) {
				sent := make(chan int, 1)
				d.then(func(w http.ResponseWriter, _ *request) bool {
					if length != "" {
						w.Header().Set("Content-Length", length)
					}
					w.WriteHeader(status)
					block, total := bytes.Repeat([]byte(" "), 64<<10), 0
					for {
						n, err := w.Write(block)
						if total += n; err != nil {
							sent <- total
							return true
						}
					}
				})
				err := s.Deliver(t.Context(), batchOf(`{}`))
				passing(t, name, err)
				if !strings.Contains(err.Error(), "longer than 1048576 bytes") {
					t.Errorf("Deliver = %q, want it to say that the answer is too long", err)
				}
				if got := <-sent; got > 64<<20 {
					t.Errorf("%d bytes were taken before it ended", got)
				}
			})
		}
	}
}

// TestAnUnknownCertificateIsRefused, and none is taken on trust.
func TestAnUnknownCertificateIsRefused(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{}, 1)
	far := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached <- struct{}{} }))
	far.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	far.StartTLS()
	t.Cleanup(far.Close)
	for service, target := range targets() {
		s := openSink(t, newDriver(t, Settings{Endpoint: far.URL, AccessKeyID: ownKey, SecretAccessKey: ownSecret}), target)
		err := s.Deliver(t.Context(), batchOf(`{}`))
		passing(t, service, err)
		if !strings.Contains(err.Error(), "certificate") {
			t.Errorf("Deliver = %q, want it to say that it is the certificate", err)
		}
	}
	if len(reached) != 0 {
		t.Error("a request was sent to a server with an unknown certificate")
	}
}
