package faults

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The secrets of all webhooks, as during an exchange: receivers know the old one.
var (
	newSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("the new secret of the fault runs"))
	oldSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("the old secret of the fault runs"))
)

// mood answers the requests of a sink. It calls take if it takes the deliveries, before it
// says so.
type mood func(w http.ResponseWriter, r *http.Request, l *ledger, parcels []parcel)

// obliging takes everything.
func obliging(_ http.ResponseWriter, _ *http.Request, l *ledger, parcels []parcel) {
	l.received(parcels)
}

// sink is an HTTP server that receives webhooks. Its paths are names of event
// destinations. It can be closed and opened again at the same address.
type sink struct {
	address string // that it listens on
	host    string // by which it is known; "" = address
	books   *books
	webhook *webhooks.Webhook
	dates   func() []time.Time // that a signature may be from just now
	mood    atomic.Pointer[mood]
	asked   atomic.Int64 // requests, whatever the answer was

	mu     sync.Mutex
	server *http.Server // nil = closed
	served chan struct{}

	storing bool // letters are kept as they came, to be opened later
	letters []letter
}

// letter is a request that was not looked at yet.
type letter struct {
	path    string
	header  http.Header
	body    []byte
	arrived time.Time
}

// newSink opens a sink at a loopback address of its own.
func newSink(t testing.TB, b *books) *sink {
	t.Helper()
	wh, err := webhooks.NewWebhook(oldSecret)
	if err != nil {
		t.Fatalf("read the secret: %v", err)
	}
	// Among 16 million addresses nobody else will take the port while the sink is closed.
	ip := net.IPv4(127, byte(1+rand.IntN(250)), byte(rand.IntN(256)), byte(1+rand.IntN(250)))
	s := &sink{address: net.JoinHostPort(ip.String(), "0"), books: b, webhook: wh, dates: func() []time.Time { return []time.Time{time.Now()} }}
	s.behave(obliging)
	s.open(t)
	t.Cleanup(s.close)
	return s
}

func (s *sink) behave(m mood) { s.mood.Store(&m) }

// open listens.
func (s *sink) open(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		t.Fatalf("open a sink: %v", err)
	}
	s.address = listener.Addr().String()
	server := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	served := make(chan struct{})
	s.server, s.served = server, served
	go func() {
		defer close(served)
		_ = server.Serve(listener) // it ends when the sink is closed
	}()
}

// close stops listening and breaks all connections.
func (s *sink) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return
	}
	_ = s.server.Close() // whatever it broke, it is gone
	<-s.served
	s.server = nil
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender is gone
	}
	if s.storing {
		s.mu.Lock()
		s.letters = append(s.letters, letter{r.URL.Path, r.Header, body, time.Now()})
		s.mu.Unlock()
		return
	}
	if l, parcels := s.read(r.URL.Path, r.Header, body, s.dates()); l != nil {
		(*s.mood.Load())(w, r, l, parcels)
	}
}

// read opens a request as a careful consumer does. It returns nil, and has complained, if
// it is not as it must be; such a request is answered with 200 all the same, so that it is
// not sent for ever.
func (s *sink) read(path string, header http.Header, body []byte, dates []time.Time) (*ledger, []parcel) {
	name := strings.TrimPrefix(path, "/")
	l := s.books.ledger(name)
	if l == nil {
		s.books.complainf("a request for %s, which is nobody's path", path)
		return nil, nil
	}
	if err := s.verify(header, body, dates); err != nil {
		s.books.complainf("%s: %v", name, err)
		return nil, nil
	}
	id := header.Get(webhooks.HeaderWebhookID)
	if len(body) > 0 && body[0] != '[' {
		p, ok := l.open(body)
		if !ok {
			return nil, nil
		}
		if p.id != id {
			s.books.complainf("%s: the header webhook-id is %s and the body says %s", name, id, p.id)
		}
		return l, []parcel{p}
	}
	var all []json.RawMessage
	if err := json.Unmarshal(body, &all); err != nil || len(all) == 0 {
		s.books.complainf("%s: %v: the body is no batch: %.200s", name, err, body)
		return nil, nil
	}
	parcels := make([]parcel, 0, len(all))
	for _, text := range all {
		if p, ok := l.open(text); ok {
			parcels = append(parcels, p)
		}
	}
	return l, parcels
}

// verify checks the signature, and that the request was signed just before one of the
// dates.
func (s *sink) verify(header http.Header, body []byte, dates []time.Time) error {
	if err := s.webhook.VerifyIgnoringTimestamp(body, header); err != nil {
		return err
	}
	var seconds int64
	if _, err := fmt.Sscan(header.Get(webhooks.HeaderWebhookTimestamp), &seconds); err != nil {
		return fmt.Errorf("webhook-timestamp: %w", err)
	}
	const tolerance = 5 * time.Minute // that of the libraries of Standard Webhooks
	for _, now := range dates {
		if now.Sub(time.Unix(seconds, 0)).Abs() <= tolerance {
			return nil
		}
	}
	return fmt.Errorf("webhook-timestamp %v is not near %v: every attempt is to be signed anew", time.Unix(seconds, 0), dates)
}

// binding binds the topics whose names begin with a prefix to the sink.
func (s *sink) binding(prefix string, batch int) map[string]any {
	host := s.host
	if host == "" {
		host = s.address
	} else {
		_, port, _ := net.SplitHostPort(s.address)
		host = net.JoinHostPort(host, port)
	}
	return map[string]any{
		"match": topicARN(prefix + "*"),
		"webhook": map[string]any{
			"url": "http://" + host + "/{name}", "allow_private": true, "batch": batch,
			"secrets": []string{newSecret, oldSecret},
		},
	}
}

// hanging reads requests and never answers.
func hanging(_ http.ResponseWriter, r *http.Request, _ *ledger, _ []parcel) { <-r.Context().Done() }

// hijack takes the connection from the HTTP server; nil = it is gone.
func hijack(w http.ResponseWriter) net.Conn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil
	}
	return conn
}

// reset breaks the connection with a TCP reset.
func reset(w http.ResponseWriter) {
	conn := hijack(w)
	if conn == nil {
		return
	}
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0) // without it, it would be an orderly end
	}
	conn.Close()
}

// trickle answers 200 byte by byte within d.
func trickle(ctx context.Context, w http.ResponseWriter, d time.Duration) {
	conn := hijack(w)
	if conn == nil {
		return
	}
	defer conn.Close()
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK"
	for i := range len(answer) {
		if _, err := io.WriteString(conn, answer[i:i+1]); err != nil {
			return
		}
		wait(ctx, d/time.Duration(len(answer)))
	}
}
