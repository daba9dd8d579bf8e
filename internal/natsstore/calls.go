package natsstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/internal/event"
)

// callLog tells what the event log says of the calls of former lives.
type callLog struct {
	through uint64 // packs of messages up to this sequence are of former lives
	types   []event.Type
	calls   map[callKey]callState
}

// callKey stands for a message ID: there can be very many, and a digest is short.
type callKey [16]byte

func keyOfCall(id string) callKey {
	sum := sha256.Sum256([]byte(id))
	return callKey(sum[:len(callKey{})])
}

// callState lists the types of a call's events, each once, as one-based indexes into
// callLog.types. A call has at most four of them.
type callState [7]uint8

// final are the types of the events that end a call.
var final = []event.Type{event.VoiceCompleted, event.VoiceBusy, event.VoiceFailed, event.VoiceNoAnswer}

func (l *callLog) add(id string, t event.Type) error {
	i := slices.Index(l.types, t)
	if i < 0 {
		if len(l.types) == 255 {
			return errors.New("the event log has more types of voice events than can be")
		}
		l.types = append(l.types, t)
		i = len(l.types) - 1
	}
	key := keyOfCall(id)
	state := l.calls[key]
	for k := range state {
		switch state[k] {
		case 0:
			state[k] = uint8(i + 1)
			l.calls[key] = state
			return nil
		case uint8(i + 1):
			return nil
		}
	}
	return nil
}

// of returns what has begun of a call, in the order of the log, and whether it has ended.
// A nil callLog knows of nothing.
func (l *callLog) of(id string) (begun []event.Type, ended bool) {
	if l == nil {
		return nil, false
	}
	for _, i := range l.calls[keyOfCall(id)] {
		if i == 0 {
			break
		}
		t := l.types[i-1]
		ended = ended || slices.Contains(final, t)
		begun = append(begun, t)
	}
	return begun, ended
}

// readCalls reads the event log from the mark of the oldest unfinished pack of messages to
// its end. It returns nil when no former life has left anything.
func (s *Store) readCalls(ctx context.Context, sess *session, floor uint64) (*callLog, error) {
	c, err := sess.js.Consumer(ctx, streamMessages, consumerVoice)
	if err != nil {
		return nil, fmt.Errorf("read the state of calls: %w", err)
	}
	through := sess.last[streamMessages]
	oldest, mark, err := s.markAfter(ctx, sess, max(floor, c.CachedInfo().AckFloor.Stream))
	if err != nil {
		return nil, fmt.Errorf("read the state of calls: %w", err)
	}
	if oldest == 0 || oldest > through {
		return nil, nil
	}
	l := &callLog{through: through, calls: map[callKey]callState{}}
	r := scanRange{stream: streamEvents, from: mark + 1}
	err = s.scan(ctx, sess, r, func(msg jetstream.Msg, _ *jetstream.MsgMetadata) error {
		var failed error
		err := decodePack(msg.Headers(), msg.Data(), func(_ int, m *eventMark) {
			if t := event.Type(m.Type); t.Channel() == "voice" && failed == nil {
				failed = l.add(m.Message, t)
			}
		})
		return errors.Join(err, failed)
	})
	if err != nil {
		return nil, fmt.Errorf("read the state of calls: %w", err)
	}
	return l, nil
}

// markAfter returns the sequence and the mark of the first pack of messages behind floor;
// 0 = there is none.
func (s *Store) markAfter(ctx context.Context, sess *session, floor uint64) (seq, mark uint64, err error) {
	msg, err := sess.streams[streamMessages].GetMsg(ctx, floor+1, jetstream.WithGetMsgSubject(subjectMessages))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read the pack behind %d: %w", floor, err)
	}
	mark, err = markOf(msg.Header)
	return msg.Sequence, mark, err
}

func markOf(h nats.Header) (uint64, error) {
	mark, err := strconv.ParseUint(h.Get(headerMark), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("pack of messages has the mark %q", h.Get(headerMark))
	}
	return mark, nil
}
