package natsstore

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings/internal/event"
	"tidings/internal/voice"
)

// Messages is the queue of accepted voice messages. It implements voice.Queue and is safe
// for concurrent use.
type Messages struct {
	store     *Store
	committer *committer
	inbox     *inbox
	jobs      *queue[voice.Job]
	// calls is what former lives have done to the messages of recovered packs; nil when
	// none is left of them.
	calls atomic.Pointer[callLog]
	floor atomic.Uint64 // packs up to this sequence are finished, whatever the consumer says
}

func newMessages(s *Store) *Messages {
	m := &Messages{store: s, inbox: newInbox(s, streamMessages)}
	m.committer = newCommitter(m.write)
	m.jobs = newQueue[voice.Job](s.life.Done(), m.inbox.hasMoved)
	m.inbox.begin, m.inbox.open, m.inbox.waiting = m.begin, m.open, m.jobs.len
	return m
}

// Put stores the message. When it returns nil, the message survives any crash. It fails
// with fault.Unavailable when there is no room, while the storage is being mended, and at
// shutdown. After any other error, ctx's included, the message may be stored.
func (m *Messages) Put(ctx context.Context, msg voice.Message) error {
	if err := m.store.space.refuses(); err != nil {
		return err
	}
	body, err := appendRecords(nil, []voice.Message{msg}, recordOfMessage)
	if err != nil {
		return err
	}
	return m.committer.commit(ctx, body, 1)
}

func (m *Messages) write(ctx context.Context, body []byte, count int) (uint64, error) {
	pack := newPack(subjectMessages, body, count)
	// Read before the write: the events of these messages can only come later.
	pack.Header.Set(headerMark, strconv.FormatUint(m.store.lastEvent.Load(), 10))
	seq, err := m.store.publish(context.WithoutCancel(ctx), pack, ordinary)
	return seq, unavailable(err)
}

// Next waits for a message whose call has not ended. It fails with ctx's error, or with
// fault.Unavailable once the store is closed; while the storage is being mended it waits.
func (m *Messages) Next(ctx context.Context) (voice.Job, error) {
	m.inbox.wanted()
	return m.jobs.take(ctx)
}

// begin finds out what former lives have done, before the first pack of a session.
func (m *Messages) begin(ctx context.Context, sess *session) error {
	floor, err := m.store.readFloor(ctx, sess)
	if err != nil {
		return err
	}
	m.floor.Store(floor)
	calls, err := m.store.readCalls(ctx, sess, floor)
	if err != nil {
		return err
	}
	m.calls.Store(calls)
	return nil
}

// open makes a job of each message of the pack whose call has not ended.
func (m *Messages) open(p *held, msg jetstream.Msg) {
	if p.seq <= m.floor.Load() {
		p.expect(0)
		return
	}
	calls := m.calls.Load()
	if calls != nil && p.seq > calls.through {
		calls = nil
	}
	var jobs []voice.Job
	err := decodePack(msg.Headers(), msg.Data(), func(_ int, r *messageRecord) {
		begun, ended := calls.of(r.ID)
		if !ended {
			jobs = append(jobs, m.job(p, r.message(), begun))
		}
	})
	if err != nil {
		// It stays in hand and on disk: nothing is lost, and a program that knows better
		// can still read it.
		m.store.log.Error("a pack of messages cannot be read and is left alone", "seq", p.seq, "err", err)
		return
	}
	p.expect(len(jobs))
	m.jobs.push(jobs...)
}

func (m *Messages) job(p *held, msg voice.Message, begun []event.Type) voice.Job {
	var once sync.Once
	return voice.Job{
		Message: msg,
		Begun:   begun,
		Done:    func() { once.Do(p.finish) },
		Release: func() { once.Do(func() { m.jobs.push(m.job(p, msg, begun)) }) },
	}
}

// Accepted calls each with every stored message that was accepted at since or later, in
// the order in which they were stored, and stops at each's error. It sees what was stored
// when it was called; how far back it can see, Options.KeepMessages says.
func (m *Messages) Accepted(ctx context.Context, since time.Time, each func(voice.Message) error) error {
	sess, err := m.store.session()
	if err != nil {
		return err
	}
	r := scanRange{stream: streamMessages, time: since}
	err = m.store.scan(ctx, sess, r, func(msg jetstream.Msg, _ *jetstream.MsgMetadata) error {
		var all []voice.Message
		err := decodePack(msg.Headers(), msg.Data(), func(_ int, r *messageRecord) { all = append(all, r.message()) })
		if err != nil {
			return err
		}
		for _, one := range all {
			if one.Accepted.Before(since) {
				continue
			}
			if err := each(one); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read accepted messages: %w", sess.explain(err))
	}
	return nil
}
