package natsstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings/internal/event"
	"tidings/internal/fanout"
	"tidings/internal/fault"
)

// Events is the event log. It implements voice.Publisher and fanout.Log and is safe for
// concurrent use.
type Events struct {
	store     *Store
	committer *committer
	inbox     *inbox
	ready     *queue[*fanout.Pack]
}

func newEvents(s *Store) *Events {
	e := &Events{store: s, inbox: newInbox(s, streamEvents)}
	e.inbox.maxBytes = maxHandBytes
	e.committer = newCommitter(e.write)
	e.ready = newQueue[*fanout.Pack](s.life.Done(), e.inbox.hasMoved)
	e.inbox.begin = func(context.Context, *session) error { return nil }
	e.inbox.open, e.inbox.waiting = e.open, e.ready.len
	return e
}

// recordRoom is about what an event takes beside its record.
const recordRoom = 256

// Publish appends the events, all or none of them, and returns nil once they are on disk.
// It fails with fault.Unavailable when there is no room at all, while the storage is being
// mended, and at shutdown. After an error they may be in the log.
func (e *Events) Publish(ctx context.Context, events ...event.Event) error {
	if len(events) == 0 {
		return nil
	}
	room := 0
	for i := range events {
		room += len(events[i].Record) + recordRoom
	}
	body, err := appendRecords(make([]byte, 0, room), events, recordOfEvent)
	if err != nil {
		return err
	}
	if len(body) > maxPayload-1<<16 {
		return fault.New(fault.Invalid, "", "The events have %d bytes together; the limit is %d.", len(body), maxPayload-1<<16)
	}
	return e.committer.commit(ctx, body, len(events))
}

func (e *Events) write(ctx context.Context, body []byte, count int) (uint64, error) {
	seq, err := e.store.publish(context.WithoutCancel(ctx), newPack(subjectEvents, body, count), urgent)
	if err != nil {
		return 0, unavailable(err)
	}
	e.store.lastEvent.Store(seq) // one pack is written at a time
	return seq, nil
}

// Next waits for the next pack. It fails with ctx's error, or with fault.Unavailable once
// the store is closed; while the storage is being mended it waits.
func (e *Events) Next(ctx context.Context) (*fanout.Pack, error) {
	e.inbox.wanted()
	return e.ready.take(ctx)
}

func (e *Events) open(p *held, msg jetstream.Msg) {
	events, err := decodeEvents(msg)
	if err != nil {
		e.store.log.Error("a pack of events cannot be read and is left alone", "seq", p.seq, "err", err)
		return
	}
	p.expect(1)
	e.ready.push(&fanout.Pack{Seq: p.seq, Events: events, Ack: sync.OnceFunc(p.finish)})
}

func decodeEvents(msg jetstream.Msg) ([]event.Event, error) {
	n, err := countOf(msg.Headers())
	if err != nil {
		return nil, err
	}
	events := make([]event.Event, 0, min(n, maxPackRecords))
	err = decodePack(msg.Headers(), msg.Data(), func(_ int, r *eventRecord) { events = append(events, r.event()) })
	return events, err
}

// Position says where in the event log to begin. The zero Position is the first event
// that is kept. Of several fields set, New counts before Seq, and Seq before Time.
type Position struct {
	Seq  uint64    // the pack with this sequence, or the next that is kept
	Time time.Time // the first pack committed at this time or later
	New  bool      // only what is committed from now on
}

// Read calls each with the packs of the log in order, beginning at from: the sequence of
// the pack, when it was committed, and its events. It ends with each's error, with ctx's,
// or, unless follow is set, with nil once everything was read that was there at first.
// With follow it survives the mending of the storage.
func (e *Events) Read(ctx context.Context, from Position, follow bool, each func(seq uint64, committed time.Time, events []event.Event) error) error {
	r := scanRange{stream: streamEvents, from: from.Seq, time: from.Time, follow: follow}
	var sess *session
	for {
		next, err := e.store.await(ctx, sess)
		if err != nil {
			return err
		}
		sess = next
		if from.New && r.from == 0 {
			r.from = e.store.lastEvent.Load() + 1
		}
		var refused error
		err = e.store.scan(ctx, sess, r, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
			var events []event.Event
			if events, refused = decodeEvents(msg); refused == nil {
				r.from = meta.Sequence.Stream + 1
				refused = each(meta.Sequence.Stream, meta.Timestamp.UTC(), events)
			}
			return refused
		})
		switch {
		case err == nil, refused != nil:
			return refused
		case ctx.Err() != nil:
			return ctx.Err()
		case !follow:
			return fmt.Errorf("read events: %w", sess.explain(err))
		case sess.ctx.Err() == nil:
			e.store.doubt()
			if !pause(ctx, e.store.tune.guard) {
				return ctx.Err()
			}
			sess = nil // the same one may serve again
		}
	}
}
