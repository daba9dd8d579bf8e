package natsstore

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ageSlack is the part of a retention by age that is waited for beyond it, so that a
// purge, which costs several writes, takes away a good deal at once.
const ageSlack = 64

// sweep purges what need not be kept any longer, and notes how large the streams are.
func (s *Store) sweep(ctx context.Context, now time.Time) {
	sess, err := s.session()
	if err != nil {
		return // the guard sees to it
	}
	if !s.roomToOpen() {
		return // a purge that meets a full disk can leave the server stuck; see errStuck
	}
	ctx, cancel := sess.within(ctx)
	defer cancel()
	if err := s.sweepSession(ctx, sess, now); err != nil && ctx.Err() == nil {
		s.log.Error("purging has failed", "err", err)
		s.doubt()
	}
}

func (s *Store) sweepSession(ctx context.Context, sess *session, now time.Time) error {
	// Read before all else: what a pack of messages that we do not see yet has for a
	// mark may be lower, but its events are higher.
	lastEvent := s.lastEvent.Load()
	states, err := s.measureStreams(ctx, sess)
	if err != nil {
		return err
	}
	finished, err := s.ackFloor(ctx, sess, streamMessages)
	if err != nil {
		return err
	}
	fannedOut, err := s.ackFloor(ctx, sess, streamEvents)
	if err != nil {
		return err
	}
	s.messages.inbox.finishedTo(finished)
	s.events.inbox.finishedTo(fannedOut)
	if calls := s.messages.calls.Load(); calls != nil && finished >= calls.through {
		s.messages.calls.CompareAndSwap(calls, nil)
	}
	f := floors{finished: finished, fannedOut: fannedOut, lastEvent: lastEvent}
	if err := s.sweepEvents(ctx, sess, now, states[streamEvents], f); err != nil {
		return err
	}
	return s.sweepMessages(ctx, sess, now, states[streamMessages], finished)
}

// floors are the sequences up to which something holds.
type floors struct {
	finished  uint64 // of messages: their calls have ended
	fannedOut uint64 // of events
	lastEvent uint64 // the end of the event log, known before the others
}

// ackFloor returns the sequence up to which the stream's consumer has everything
// acknowledged.
func (s *Store) ackFloor(ctx context.Context, sess *session, stream string) (uint64, error) {
	c, err := sess.js.Consumer(ctx, stream, consumerOf(stream))
	if err != nil {
		return 0, fmt.Errorf("look up consumer of %s: %w", stream, err)
	}
	return c.CachedInfo().AckFloor.Stream, nil
}

// sweepMessages purges finished packs that are too old for Accepted.
func (s *Store) sweepMessages(ctx context.Context, sess *session, now time.Time, st jetstream.StreamState, finished uint64) error {
	upTo := finished
	if keep := s.opts.KeepMessages; keep > 0 {
		old, err := s.olderThan(ctx, sess, streamMessages, st, now, keep)
		if err != nil {
			return err
		}
		upTo = min(upTo, old)
	}
	return purge(ctx, sess, streamMessages, st, upTo)
}

// sweepEvents purges packs of events that are too old or too many, but never one that was
// not fanned out yet, nor one of a call that has not ended.
func (s *Store) sweepEvents(ctx context.Context, sess *session, now time.Time, st jetstream.StreamState, f floors) error {
	upTo, err := s.olderThan(ctx, sess, streamEvents, st, now, s.opts.KeepEvents)
	if err != nil {
		return err
	}
	upTo = max(upTo, beyond(st, s.opts.KeepEventsBytes))
	if upTo < st.FirstSeq || st.Msgs == 0 {
		return nil
	}
	oldest, mark, err := s.markAfter(ctx, sess, f.finished)
	if err != nil {
		return err
	}
	if oldest == 0 {
		mark = f.lastEvent
	}
	upTo = min(upTo, f.fannedOut, mark)
	if upTo < st.FirstSeq {
		return nil
	}
	if f.finished > s.messages.floor.Load() {
		if err := s.writeFloor(ctx, sess, f.finished); err != nil {
			return err
		}
		s.messages.floor.Store(f.finished)
	}
	return purge(ctx, sess, streamEvents, st, upTo)
}

// olderThan returns the sequence up to which a stream is older than keep; 0 = nothing is,
// or too little to be worth a purge.
func (s *Store) olderThan(ctx context.Context, sess *session, stream string, st jetstream.StreamState, now time.Time, keep time.Duration) (uint64, error) {
	if st.Msgs == 0 || now.Sub(st.FirstTime) < keep+keep/ageSlack {
		return 0, nil
	}
	seq, err := sess.seqAt(ctx, stream, now.Add(-keep))
	if err != nil {
		return 0, err
	}
	if seq == 0 {
		return st.LastSeq, nil
	}
	return seq - 1, nil
}

// beyond returns the sequence up to which a stream has more than keep bytes, by the
// average size of its messages; 0 = it has not.
func beyond(st jetstream.StreamState, keep int64) uint64 {
	if keep <= 0 || st.Msgs == 0 || st.Bytes <= uint64(keep) {
		return 0
	}
	share := float64(st.Bytes-uint64(keep)) / float64(st.Bytes)
	return st.FirstSeq + uint64(share*float64(st.LastSeq-st.FirstSeq))
}

// purge removes a stream's messages up to a sequence. The last message always stays: an
// emptied stream is moved aside by the file store with renames that it does not sync.
func purge(ctx context.Context, sess *session, stream string, st jetstream.StreamState, upTo uint64) error {
	upTo = min(upTo+1, st.LastSeq)
	if st.Msgs == 0 || upTo <= st.FirstSeq {
		return nil
	}
	if err := sess.streams[stream].Purge(ctx, jetstream.WithPurgeSequence(upTo)); err != nil {
		return fmt.Errorf("purge %s below %d: %w", stream, upTo, err)
	}
	return nil
}
