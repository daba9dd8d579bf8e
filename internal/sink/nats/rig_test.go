package natssink

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"tidings/internal/arn"
	"tidings/internal/event"
	"tidings/internal/sink"
	"tidings/internal/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	theSubject = "events.123456789012.alerts"
	theStream  = "EVENTS"
)

// far is a real server, behind a proxy that can break off.
type far struct {
	server *server.Server
	proxy  *proxy
	own    *nats.Conn // not by the proxy
	js     jetstream.JetStream
	sub    *nats.Subscription // of the core messages
}

// startServer starts a server. It ends with the test.
func startServer(tb testing.TB, change func(*server.Options)) *server.Server {
	tb.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true, JetStream: true, StoreDir: tb.TempDir()}
	if change != nil {
		change(o)
	}
	s, err := server.NewServer(o)
	if err != nil {
		tb.Fatalf("NewServer = %v", err)
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		tb.Fatal("the server is not ready")
	}
	tb.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	return s
}

// newFar starts a server with a stream behind events.>, and listens to it.
func newFar(tb testing.TB) *far {
	tb.Helper()
	f := &far{server: startServer(tb, nil)}
	f.proxy = newProxy(tb, f.server.Addr().String())
	var err error
	if f.own, err = nats.Connect(f.server.ClientURL()); err != nil {
		tb.Fatalf("Connect = %v", err)
	}
	tb.Cleanup(f.own.Close)
	if f.js, err = jetstream.New(f.own); err != nil {
		tb.Fatal(err)
	}
	f.addStream(tb, jetstream.StreamConfig{Name: theStream, Subjects: []string{"events.>"}})
	if f.sub, err = f.own.SubscribeSync("core.>"); err == nil {
		err = f.sub.SetPendingLimits(-1, -1)
	}
	if err == nil {
		err = f.own.Flush()
	}
	if err != nil {
		tb.Fatalf("subscribe = %v", err)
	}
	return f
}

func (f *far) addStream(tb testing.TB, c jetstream.StreamConfig) {
	tb.Helper()
	c.Storage = jetstream.MemoryStorage
	if _, err := f.js.CreateOrUpdateStream(tb.Context(), c); err != nil {
		tb.Fatalf("CreateOrUpdateStream = %v", err)
	}
}

// stored reads all that a stream has.
func (f *far) stored(tb testing.TB, stream string) []*jetstream.RawStreamMsg {
	tb.Helper()
	s, err := f.js.Stream(tb.Context(), stream)
	if err != nil {
		tb.Fatalf("Stream = %v", err)
	}
	state := s.CachedInfo().State
	var all []*jetstream.RawStreamMsg
	for n := state.FirstSeq; n <= state.LastSeq; n++ {
		m, err := s.GetMsg(tb.Context(), n)
		if err != nil {
			tb.Fatalf("GetMsg(%d) = %v", n, err)
		}
		all = append(all, m)
	}
	return all
}

func (f *far) received(tb testing.TB) [][]byte {
	tb.Helper()
	var records [][]byte
	for _, m := range f.stored(tb, theStream) {
		records = append(records, m.Data)
	}
	return records
}

// heard takes what has been published to core.>.
type heard struct {
	f   *far
	all [][]byte
}

func (h *heard) received(tb testing.TB) [][]byte {
	tb.Helper()
	if err := h.f.own.Flush(); err != nil { // what the server has got, we have
		tb.Fatalf("Flush = %v", err)
	}
	for {
		if n, _, err := h.f.sub.Pending(); err != nil || n == 0 {
			return h.all
		}
		m, err := h.f.sub.NextMsg(time.Minute)
		if err != nil {
			tb.Fatalf("NextMsg = %v", err)
		}
		h.all = append(h.all, m.Data)
	}
}

func (f *far) settings() Settings {
	return Settings{URL: "nats://" + f.proxy.address(), Subject: "events.{account}.{name}"}
}

// proxy stands between the driver and the server.
type proxy struct {
	ln     net.Listener
	target string
	wg     sync.WaitGroup

	mu       sync.Mutex
	refusing bool
	held     chan struct{} // nil = bytes flow
	reached  chan struct{} // closed when bytes are held
	contacts int
	conns    map[net.Conn]bool
}

func newProxy(tb testing.TB, target string) *proxy {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &proxy{ln: ln, target: target, conns: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	tb.Cleanup(func() {
		ln.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) address() string { return p.ln.Addr().String() }

func (p *proxy) accept() {
	for {
		c, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.contacts++
		refusing := p.refusing
		p.mu.Unlock()
		if refusing {
			c.Close()
			continue
		}
		behind, err := net.Dial("tcp", p.target)
		if err != nil {
			c.Close()
			continue
		}
		p.mu.Lock()
		p.conns[c], p.conns[behind] = true, true
		p.mu.Unlock()
		p.wg.Go(func() { p.pump(behind, c, true) })
		p.wg.Go(func() { p.pump(c, behind, false) })
	}
}

// pump moves bytes until an end is closed. Those of the client wait while they are held.
func (p *proxy) pump(to, from net.Conn, ofClient bool) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		held := p.held
		if held != nil && ofClient && p.reached != nil && n > 0 {
			close(p.reached)
			p.reached = nil
		}
		p.mu.Unlock()
		if held != nil && ofClient {
			<-held
		}
		if _, failed := to.Write(buffer[:n]); err != nil || failed != nil {
			return
		}
	}
}

// cut breaks all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

// refuse breaks all connections, and new ones, until mend is called.
func (p *proxy) refuse(testing.TB) (mend func()) {
	set := func(refusing bool) {
		p.mu.Lock()
		p.refusing = refusing
		p.mu.Unlock()
	}
	set(true)
	p.cut()
	return func() { set(false) }
}

// hang lets nothing of the client through until release is called.
func (p *proxy) hang(testing.TB) (<-chan struct{}, func()) {
	reached, held := make(chan struct{}), make(chan struct{})
	p.mu.Lock()
	p.reached, p.held = reached, held
	p.mu.Unlock()
	return reached, func() {
		p.mu.Lock()
		p.held = nil
		p.mu.Unlock()
		close(held)
	}
}

func (p *proxy) count(testing.TB) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.contacts
}

func newDriver(tb testing.TB, s Settings) *Driver {
	tb.Helper()
	d, err := New(s)
	if err != nil {
		tb.Fatalf("New = %v", err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Errorf("Close = %v", err)
		}
	})
	return d
}

func openSink(tb testing.TB, d *Driver, name string) sink.Sink {
	tb.Helper()
	s, err := d.Open(target(name))
	if err != nil {
		tb.Fatalf("Open(%q) = %v", name, err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("Close = %v", err)
		}
	})
	return s
}

func target(name string) sink.Target {
	return sink.Target{
		Tenant: tenant.Tenant{Account: "123456789012", Region: "us-east-1"},
		ARN:    arn.ARN{Partition: "aws", Service: "sns", Region: "us-east-1", Account: "123456789012", Resource: name},
	}
}

// batchOf makes deliveries of records.
func batchOf(records ...string) []sink.Delivery {
	batch := make([]sink.Delivery, len(records))
	for i, r := range records {
		message := fmt.Sprintf("message-%d", i)
		batch[i] = sink.Delivery{
			ID: message + "/answered/" + r[:min(len(r), 40)], Set: "set", Destination: "d",
			Event: event.Event{
				ID: message + "/answered", Type: event.VoiceAnswered, Time: time.Now().UTC(),
				Tenant: tenant.Tenant{Account: "123456789012", Region: "us-east-1"},
				Set:    "set", Message: message, Record: []byte(r),
			},
		}
	}
	return batch
}

// soon bounds a delivery in tests that would hang otherwise.
func soon(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	tb.Cleanup(cancel)
	return ctx
}

var _ io.Closer = (*Driver)(nil)
