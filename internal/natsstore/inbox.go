package natsstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// maxMessagePacks and maxEventPacks bound the packs in hand at a time. A pack of
	// messages is in hand until the last of its calls has ended.
	maxMessagePacks = 16384
	maxEventPacks   = 1024
	// maxHandBytes bounds the packs in hand by their size, for those whose records stay
	// in memory as long as they are in hand.
	maxHandBytes = 64 << 20
	// fetchPacks and fetchBytes bound what is asked of the server at a time.
	fetchPacks = 16
	fetchBytes = 2 * maxPayload
	fetchWait  = 30 * time.Second
)

// inbox takes packs from a stream's durable consumer and keeps account of those in hand,
// so that none is handed out twice in one life of the process, whatever the server
// delivers again: after AckWait, or after a new server was started under us.
type inbox struct {
	store    *Store
	stream   string
	consumer string
	maxBytes int64 // of packs in hand; 0 = not bounded
	// begin is called when a session begins, before its first pack.
	begin func(ctx context.Context, sess *session) error
	// open is called with each pack once. It must call expect.
	open func(p *held, msg jetstream.Msg)
	// waiting tells how many packs or records nobody has taken yet.
	waiting func() int

	moved chan struct{} // something was taken or finished
	start sync.Once
	begun *session // the last one that began; of the reader alone

	mu     sync.Mutex
	held   map[uint64]*held
	bytes  int64
	reply  string // where answers to the latest delivery go
	handed seqSet // what this process has taken in hand and what may come again
	floor  uint64 // up to here everything is finished
}

// held is a pack in hand.
type held struct {
	inbox *inbox
	seq   uint64
	size  int64
	left  int           // records not finished; 0 = finished, but the server does not know
	msg   jetstream.Msg // the latest delivery, to answer
	sess  *session      // that msg belongs to
}

func newInbox(s *Store, stream string) *inbox {
	return &inbox{
		store: s, stream: stream, consumer: consumerOf(stream),
		moved: make(chan struct{}, 1), held: map[uint64]*held{}, handed: seqSet{},
	}
}

// wanted starts the reader at the first call, so that a store nobody reads from takes
// nothing in hand.
func (b *inbox) wanted() {
	b.start.Do(func() { b.store.spawn(func() { b.run(b.store.life) }) })
}

// run reads session after session until ctx ends.
func (b *inbox) run(ctx context.Context) {
	var sess *session
	for {
		next, err := b.store.await(ctx, sess)
		if err != nil {
			return
		}
		sess = next
		err = b.serve(ctx, sess)
		if ctx.Err() != nil {
			return
		}
		if sess.ctx.Err() != nil {
			continue
		}
		b.store.doubt()
		if !pause(ctx, b.store.tune.guard) {
			return
		}
		if sess.over() == nil {
			b.store.log.Error("reading a stream has failed", "stream", b.stream, "err", err)
			sess = nil // the same one may serve again
		}
	}
}

// pause waits for d; false = ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// serve reads packs of one session.
func (b *inbox) serve(ctx context.Context, sess *session) error {
	ctx, cancel := sess.within(ctx)
	defer cancel()
	if b.begun != sess {
		if err := b.begin(ctx, sess); err != nil {
			return err
		}
		if err := b.reclaim(ctx, sess); err != nil {
			return err
		}
		b.begun = sess
	}
	c, err := sess.js.Consumer(ctx, b.stream, b.consumer)
	if err != nil {
		return fmt.Errorf("look up consumer: %w", err)
	}
	for b.room(ctx) {
		if err := b.fetch(ctx, sess, c, fetchPacks, fetchWait); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// room waits until more may be taken in hand; false = ctx has ended.
func (b *inbox) room(ctx context.Context) bool {
	for {
		b.mu.Lock()
		full := b.maxBytes > 0 && b.bytes >= b.maxBytes
		b.mu.Unlock()
		if !full && b.waiting() < fetchPacks && ctx.Err() == nil {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-b.moved:
		}
	}
}

func (b *inbox) hasMoved() {
	select {
	case b.moved <- struct{}{}:
	default:
	}
}

// fetch asks for up to n packs and takes each in hand as soon as it comes, so that none
// waits where it is not claimed.
func (b *inbox) fetch(ctx context.Context, sess *session, c jetstream.Consumer, n int, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	batch, err := c.Fetch(n, jetstream.FetchContext(ctx), jetstream.FetchMaxBytes(fetchBytes))
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	for msg := range batch.Messages() {
		if err := b.take(sess, msg); err != nil {
			return err
		}
	}
	err = batch.Error()
	if err == nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, jetstream.ErrMaxBytesExceeded) {
		return nil
	}
	return fmt.Errorf("fetch: %w", err)
}

// take enters a delivered pack, and opens it if it is new.
func (b *inbox) take(sess *session, msg jetstream.Msg) error {
	meta, err := msg.Metadata()
	if err != nil {
		return fmt.Errorf("read metadata: %w", err)
	}
	seq := meta.Sequence.Stream
	b.mu.Lock()
	repeat := seq <= b.floor || !b.handed.add(seq)
	b.reply = msg.Reply()
	if p := b.held[seq]; p != nil {
		p.msg, p.sess = msg, sess
		if p.left == 0 {
			b.settle(p)
		}
		b.mu.Unlock()
		return nil
	}
	if repeat {
		// It was finished, and the acknowledgement is on its way or lost.
		err := msg.Ack()
		b.mu.Unlock()
		return err
	}
	p := &held{inbox: b, seq: seq, size: int64(len(msg.Data())), left: -1, msg: msg, sess: sess}
	b.held[seq] = p
	b.bytes += p.size
	b.mu.Unlock()
	b.open(p, msg)
	return nil
}

// finishedTo notes that everything up to floor is finished.
func (b *inbox) finishedTo(floor uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if floor > b.floor {
		b.floor = floor
		b.handed.forget(floor)
	}
}

// expect says how many records of the pack must be finished. It is called once.
func (p *held) expect(n int) {
	b := p.inbox
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.left = n; n == 0 {
		b.settle(p)
	}
}

// finish counts one record down. At zero the pack is acknowledged.
func (p *held) finish() {
	b := p.inbox
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.left--; p.left == 0 {
		b.settle(p)
	}
}

// settle acknowledges a finished pack. If that fails, the pack stays until the next server
// delivers it again. The lock is held.
func (b *inbox) settle(p *held) {
	if p.sess.ctx.Err() != nil || p.msg.Ack() != nil {
		return
	}
	delete(b.held, p.seq)
	b.bytes -= p.size
	b.hasMoved()
}

// claim tells the server that what is in hand is being worked on.
func (b *inbox) claim() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.held {
		if p.sess.ctx.Err() == nil && p.msg.InProgress() != nil {
			return // the connection is gone; the guard sees to it
		}
	}
}

// giveBack hands the server what is in hand, so that whoever comes next gets it at once.
func (b *inbox) giveBack(sess *session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.held {
		if p.sess != sess || p.left == 0 {
			continue
		}
		if p.msg.Nak() != nil {
			return // it is delivered again all the same, only later
		}
	}
	if b.reply == "" {
		return
	}
	// The server works answers off in order: when it has answered this one, which changes
	// nothing, it has seen all acknowledgements before it.
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	if _, err := sess.nc.RequestWithContext(ctx, b.reply, []byte(answerProgress)); err != nil {
		b.store.log.Warn("giving back what is in hand has failed", "stream", b.stream, "err", err)
	}
}

// reclaim makes the server deliver again what was in hand when the former session ended,
// now and not after AckWait: it refuses everything between the consumer's floor and the
// last delivery. The server ignores a refusal of what is not pending.
func (b *inbox) reclaim(ctx context.Context, sess *session) error {
	c, err := sess.js.Consumer(ctx, b.stream, b.consumer)
	if err != nil {
		return fmt.Errorf("look up consumer: %w", err)
	}
	info := c.CachedInfo()
	b.finishedTo(info.AckFloor.Stream)
	b.mu.Lock()
	b.reply = "" // of the former session
	b.mu.Unlock()
	if info.NumAckPending == 0 {
		return nil
	}
	subject := func(seq uint64) string {
		return fmt.Sprintf(answerSubject, b.stream, b.consumer, seq, info.Delivered.Consumer)
	}
	first := info.AckFloor.Stream + 1
	for seq := first; seq <= info.Delivered.Stream; seq++ {
		if err := sess.nc.Publish(subject(seq), []byte(answerNak)); err != nil {
			return fmt.Errorf("reclaim: %w", err)
		}
	}
	if _, err := sess.nc.RequestWithContext(ctx, subject(first), []byte(answerProgress)); err != nil {
		return fmt.Errorf("reclaim: %w", err)
	}
	return nil
}

// Answers to a delivery, and the subject they go to: stream, consumer, and the sequences
// of the message in the stream and of the delivery.
// Source: NATS ADR-15, "JetStream Subscribe Workflow", first format of the subject.
const (
	answerNak      = "-NAK"
	answerProgress = "+WPI" // only says that it is being worked on
	answerSubject  = "$JS.ACK.%s.%s.1.%d.%d.0.0"
)
