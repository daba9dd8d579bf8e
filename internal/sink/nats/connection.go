package natssink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// dialTimeout bounds making a connection to one server, with TLS and authentication.
	dialTimeout = 5 * time.Second
	// writeTimeout bounds a write to a server that reads no more.
	writeTimeout = 10 * time.Second
	// pingEvery is how often a silent server is asked whether it is there. The second time
	// without an answer ends the connection.
	pingEvery = 15 * time.Second
	// ackTimeout is how long an acknowledgement is waited for at most, if the caller has more time.
	ackTimeout = 5 * time.Minute
	// maxPending bounds the messages of a connection that are not acknowledged. The courier
	// bounds them before.
	maxPending = 1 << 20
)

// connection is one connection, until it breaks.
type connection struct {
	conn *nats.Conn
	js   jetstream.JetStream // nil = core
	gone chan struct{}       // closed when the connection is

	mu       sync.Mutex
	users    int
	retired  bool          // to be closed with its last user
	refusals []string      // what the server has said that we may not do
	changed  chan struct{} // closed when refusals grow
}

// dialing is an attempt to connect, which several deliveries may wait for.
type dialing struct {
	done chan struct{}
	made *connection
	err  error
}

// use returns the connection, and makes one if there is none. Whoever uses it must leave it.
func (d *Driver) use(ctx context.Context) (*connection, error) {
	for {
		d.mu.Lock()
		if c := d.current; c != nil && c.enter() {
			d.mu.Unlock()
			return c, nil
		}
		if d.closed && d.open == 0 {
			d.mu.Unlock()
			return nil, errClosed
		}
		attempt := d.dialing
		if attempt == nil {
			attempt = &dialing{done: make(chan struct{})}
			d.dialing = attempt
			d.background.Go(func() { d.dial(attempt) })
		}
		d.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-attempt.done:
		}
		if attempt.err != nil {
			return nil, attempt.err
		}
	}
}

func (d *Driver) dial(attempt *dialing) {
	attempt.made, attempt.err = d.connect()
	d.mu.Lock()
	d.dialing = nil
	if attempt.err == nil {
		d.current = attempt.made
	}
	d.mu.Unlock()
	close(attempt.done)
}

func (d *Driver) connect() (*connection, error) {
	c := &connection{gone: make(chan struct{}), changed: make(chan struct{})}
	conn, err := nats.Connect(d.settings.URL, append(d.options(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { c.hear(err) }),
		nats.ClosedHandler(func(*nats.Conn) { close(c.gone) }),
	)...)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	c.conn = conn
	if !d.settings.Core {
		c.js, err = jetstream.New(conn, jetstream.WithPublishAsyncMaxPending(maxPending), jetstream.WithPublishAsyncTimeout(ackTimeout))
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("use JetStream: %w", err)
	}
	return c, nil
}

func (d *Driver) options() []nats.Option {
	s := &d.settings
	all := []nats.Option{
		nats.Name("tidings"), nats.NoReconnect(), nats.Timeout(dialTimeout), nats.SetCustomDialer(dialer{d.life}),
		nats.FlusherTimeout(writeTimeout), nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(2),
	}
	if s.TLS != nil {
		all = append(all, nats.Secure(s.TLS))
	}
	switch {
	case s.Credentials != "":
		all = append(all, nats.UserCredentials(s.Credentials))
	case s.Token != "":
		all = append(all, nats.Token(s.Token))
	case s.Username != "":
		all = append(all, nats.UserInfo(s.Username, s.Password))
	}
	return all
}

// dialer gives up when the driver is closed.
type dialer struct{ life context.Context }

func (d dialer) Dial(network, address string) (net.Conn, error) {
	return (&net.Dialer{Timeout: dialTimeout}).DialContext(d.life, network, address)
}

// enter counts a user. It reports false if the connection is of no use.
func (c *connection) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.retired || c.conn.IsClosed() {
		return false
	}
	c.users++
	return true
}

func (c *connection) leave() {
	c.mu.Lock()
	c.users--
	last := c.retired && c.users == 0
	c.mu.Unlock()
	if last {
		c.conn.Close()
	}
}

// hold counts another user beside one who has entered.
func (c *connection) hold() {
	c.mu.Lock()
	c.users++
	c.mu.Unlock()
}

// retire closes the connection when its users are done with it. Nobody enters any more.
func (c *connection) retire() {
	c.mu.Lock()
	idle := !c.retired && c.users == 0
	c.retired = true
	c.mu.Unlock()
	if idle {
		c.conn.Close()
	}
}

// hear takes what the server complains about.
func (c *connection) hear(err error) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return
	}
	c.mu.Lock()
	c.refusals = append(c.refusals, err.Error())
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
	c.retire() // permissions are those of its beginning, and a connection is cheap
}

// refusal returns what the server has refused that concerns the subject, or the inbox for
// acknowledgements, and when to look again.
func (c *connection) refusal(subject string) (<-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, text := range c.refusals {
		if strings.Contains(text, `"`+subject+`"`) || strings.Contains(text, "Subscription") {
			return nil, errors.New(text)
		}
	}
	return c.changed, nil
}
