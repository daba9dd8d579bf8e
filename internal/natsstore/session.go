package natsstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// session is one life of the embedded server, with our connection to it. A store has one
// after the other when it must heal. Once published, only its context changes.
type session struct {
	srv     *server.Server
	log     *serverLog
	nc      *nats.Conn
	js      jetstream.JetStream
	streams map[string]jetstream.Stream
	last    map[string]uint64 // last sequence of each stream when the session began
	sets    jetstream.KeyValue
	meta    jetstream.KeyValue

	// ctx ends with the session, and its cause says why.
	ctx context.Context
	end context.CancelCauseFunc
}

// startupPoll is how often a starting server is looked at.
const startupPoll = 50 * time.Millisecond

// openSession starts the server on the directory and provides all streams.
func (s *Store) openSession(ctx context.Context) (*session, error) {
	sess := &session{
		streams: map[string]jetstream.Stream{},
		last:    map[string]uint64{},
		log:     &serverLog{log: s.log.With("part", "jetstream"), onError: s.doubt},
	}
	sess.ctx, sess.end = context.WithCancelCause(context.Background())
	if err := sess.start(ctx, s.opts); err != nil {
		sess.close(s.tune.stuck)
		return nil, err
	}
	if err := s.provide(ctx, sess); err != nil {
		sess.close(s.tune.stuck)
		return nil, err
	}
	sess.nc.SetClosedHandler(func(*nats.Conn) {
		sess.end(errConnectionLost)
		s.doubt()
	})
	return sess, nil
}

func (sess *session) start(ctx context.Context, opts Options) error {
	srv, err := server.NewServer(&server.Options{
		ServerName:         "tidings",
		DontListen:         true,
		NoSigs:             true,
		JetStream:          true,
		StoreDir:           opts.Dir,
		SyncAlways:         true,
		MaxPayload:         maxPayload,
		JetStreamMaxMemory: 1 << 20, // nothing is kept in memory only
		JetStreamMaxStore:  opts.MaxBytes * storageParts,
	})
	if err != nil {
		return fmt.Errorf("make embedded server: %w", err)
	}
	srv.SetLoggerV2(sess.log, false, false, false)
	sess.srv = srv
	srv.Start()
	for !srv.ReadyForConnections(startupPoll) || !srv.JetStreamEnabled() {
		if why := sess.log.refusal(); why != "" {
			return fmt.Errorf("start embedded server: %s", why)
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("start embedded server: %w", err)
		}
	}
	sess.nc, err = nats.Connect("", nats.InProcessServer(srv), nats.Name("tidings"), nats.NoReconnect(),
		nats.CustomInboxPrefix("_INBOX.tidings"))
	if err != nil {
		return fmt.Errorf("connect to embedded server: %w", err)
	}
	sess.js, err = jetstream.New(sess.nc, jetstream.WithDefaultTimeout(requestTimeout))
	if err != nil {
		return fmt.Errorf("connect to embedded server: %w", err)
	}
	return nil
}

// over returns why the session can serve no longer as far as that costs nothing to know,
// or nil.
func (sess *session) over() error {
	switch {
	case sess.ctx.Err() != nil:
		return context.Cause(sess.ctx)
	case sess.nc.IsClosed():
		return errConnectionLost
	case !sess.srv.JetStreamEnabled():
		return errDisabled
	}
	return nil
}

// unhealthy returns why the session can serve no longer, or nil; errStuck if it does not
// answer.
func (sess *session) unhealthy(patience time.Duration) error {
	if err := sess.over(); err != nil {
		return err
	}
	// It reports the write errors that a stream keeps once it has met one.
	h, ok := inTime(patience, func() *server.HealthStatus { return sess.srv.Healthz(&server.HealthzOptions{}) })
	switch {
	case !ok:
		return errStuck
	case h.Error != "":
		return errors.New(h.Error)
	}
	return nil
}

// explain turns a failure that the end of the session has caused into a fault.
func (sess *session) explain(err error) error {
	if sess.over() != nil {
		return reopeningFault(err)
	}
	return err
}

// close stops the server and waits until all its files are closed, or until it is taken to
// be stuck, which it reports. What was acknowledged stays. It may be called on a session that
// has started only in part.
func (sess *session) close(patience time.Duration) (closed bool) {
	sess.end(errSessionClosed)
	if sess.nc != nil {
		sess.nc.SetClosedHandler(nil)
		sess.nc.Close()
	}
	if sess.srv == nil {
		return true
	}
	_, closed = inTime(patience, func() struct{} {
		sess.srv.Shutdown()
		sess.srv.WaitForShutdown()
		return struct{}{}
	})
	return closed
}

// inTime calls f and reports whether it returns in time. If not, it is left running: some
// calls of the embedded server take locks that a broken stream may never give back.
func inTime[T any](patience time.Duration, f func() T) (result T, ok bool) {
	done := make(chan T, 1)
	go func() { done <- f() }()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case result = <-done:
		return result, true
	case <-timer.C:
		return result, false
	}
}

// within returns a context that ends with ctx and with the session, whichever is first.
func (sess *session) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(sess.ctx, func() { cancel(context.Cause(sess.ctx)) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}
