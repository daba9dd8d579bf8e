package natsstore

import (
	"context"
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
		s.look()
		s.mu.Lock()
		sess := s.sess // also one that has ended
		s.mu.Unlock()
		if sess == nil {
			return // closed
		}
		cause := sess.over()
		if cause == nil && (doubt || time.Since(checkup) >= checkupInterval) {
			checkup = time.Now()
			cause = sess.unhealthy()
		}
		if cause != nil {
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
	sess.close()
	pause := s.tune.guard
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		s.look()
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
	if err := s.sets.watch(ctx, next); err != nil {
		next.close()
		return err
	}
	s.publishSession(next)
	return nil
}
