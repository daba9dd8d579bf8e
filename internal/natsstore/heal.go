package natsstore

import (
	"context"
	"errors"
	"time"
)

// checkupInterval is how often the server's health is asked for without a sign of trouble.
const checkupInterval = 5 * time.Second

// maxReopenPause bounds the growing pause between two attempts to reopen.
const maxReopenPause = 5 * time.Second

// guard watches the disk and the server until ctx ends.
//
// A JetStream file store that has met a write error once, such as ENOSPC, refuses all
// further writes until it is opened anew, without an answer to the publisher; the server
// may also disable JetStream as a whole. So the server is replaced by a new one.
func (s *Store) guard(ctx context.Context) {
	tick := time.NewTicker(s.tune.guard)
	defer tick.Stop()
	checkup := time.Now()
	for {
		doubt := false
		select {
		case <-ctx.Done():
			return
		case <-s.doubts:
			doubt = true
		case <-tick.C:
		}
		if !s.look() {
			s.fail(errStuck)
			return
		}
		s.mu.Lock()
		sess := s.sess // also one that has ended
		s.mu.Unlock()
		if sess == nil {
			return // closed
		}
		cause := sess.over()
		if cause == nil && (doubt || time.Since(checkup) >= checkupInterval) {
			checkup = time.Now()
			cause = sess.unhealthy(s.tune.stuck)
		}
		switch {
		case errors.Is(cause, errStuck):
			s.fail(errStuck)
			return
		case cause != nil:
			s.heal(ctx, sess, cause)
		}
	}
}

// heal replaces the session by a new one, once there is room to work.
func (s *Store) heal(ctx context.Context, sess *session, cause error) {
	s.log.Error("storage has failed and is being reopened", "err", cause)
	began := time.Now()
	sess.end(cause)
	s.publishSession(nil)
	if !sess.close(s.tune.stuck) {
		s.fail(errStuck)
		return
	}
	pause := s.tune.guard
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		s.look() // there is no server that could be stuck
		if !s.roomToOpen() {
			timer.Reset(s.tune.guard)
			continue
		}
		if err := s.reopen(ctx); err != nil {
			s.log.Error("storage cannot be reopened yet", "err", err, "again_in", pause)
			timer.Reset(pause)
			pause = min(2*pause, maxReopenPause)
			continue
		}
		s.log.Info("storage works again", "after", time.Since(began))
		return
	}
}

// errStuck says that the embedded server neither works nor stops. Seen with nats-server
// 2.15.2: purging a stream whose disk is full waits for a lock that it holds itself. Two
// servers cannot share a directory, so only a new process can go on; everything that was
// acknowledged is on disk.
var errStuck = errors.New("the storage engine is stuck: the process has to be started again")

// fail ends the store, and with it Run.
func (s *Store) fail(why error) {
	s.log.Error("storage cannot be mended", "err", why)
	s.mu.Lock()
	s.failed = why
	s.mu.Unlock()
	s.stop()
}

// roomToOpen reports whether a new server would find room for its own files and for the
// events of calls in progress.
func (s *Store) roomToOpen() bool {
	free, err := s.space.free()
	return err == nil && free >= 2*s.opts.ReserveBytes/urgentShare
}

func (s *Store) reopen(ctx context.Context) error {
	next, err := s.openSession(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(s.sets.watch(ctx, next), s.apps.watch(ctx, next)); err != nil {
		next.close(s.tune.stuck)
		return err
	}
	s.publishSession(next)
	return nil
}
