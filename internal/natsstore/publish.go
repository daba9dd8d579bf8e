package natsstore

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/internal/fault"
)

const (
	// publishTimeout is how long one attempt waits for its acknowledgement. A sync takes
	// a fraction of a millisecond on a good disk, and seconds on one in trouble.
	publishTimeout = 4 * time.Second
	// publishAttempts is how often a pack is sent. All attempts together must stay
	// within the dedupe window.
	publishAttempts = 3
)

// The error codes of the JetStream API that say a stream is at its limit.
// Source: nats-server, server/errors.json.
const (
	codeInsufficientResources jetstream.ErrorCode = 10023
	codeStorageExceeded       jetstream.ErrorCode = 10047
	codeStoreFailed           jetstream.ErrorCode = 10077
)

// errMaxBytes is the text of the server's error behind codeStoreFailed when a stream is at
// its bound.
const errMaxBytes = "maximum bytes exceeded"

// packIDs makes the IDs by which the server knows a pack that is sent again.
type packIDs struct {
	life string // differs from that of every other life of the program
	n    *atomic.Uint64
}

func newPackIDs() packIDs { return packIDs{life: rand.Text()[:10], n: new(atomic.Uint64)} }

func (p packIDs) next() string { return p.life + strconv.FormatUint(p.n.Add(1), 36) }

// urgency says whether a write may use the last of the disk.
type urgency bool

const (
	ordinary urgency = false // something new: refused once the reserve is touched
	urgent   urgency = true  // belongs to what was accepted: may use the reserve
)

// publish writes m durably and returns its sequence. After a timeout it sends m again,
// which the server then stores only once. When it fails for any other reason than a
// refusal, m may have been stored nevertheless.
func (s *Store) publish(ctx context.Context, m *nats.Msg, u urgency) (uint64, error) {
	m.Header[jetstream.MsgIDHeader] = []string{s.packs.next()}
	if err := s.space.admit(u, len(m.Data)); err != nil {
		return 0, err
	}
	attempts := publishAttempts
	if m.Header[jetstream.ExpectedLastSubjSeqHeader] != nil {
		attempts = 1 // the server compares revisions before it looks for duplicates
	}
	var last error
	for range attempts {
		sess, err := s.session()
		if err != nil {
			return 0, err
		}
		seq, err := sess.publish(ctx, m)
		if err == nil {
			s.space.stored(len(m.Data))
			return seq, nil
		}
		if refused, ok := errors.AsType[*jetstream.APIError](err); ok && !errors.Is(err, jetstream.ErrJetStreamNotEnabled) {
			return 0, s.refusal(refused)
		}
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case s.life.Err() != nil:
			return 0, closedFault()
		}
		s.doubt()
		last = err
	}
	return 0, reopeningFault(last)
}

// publish makes one attempt.
func (sess *session) publish(ctx context.Context, m *nats.Msg) (uint64, error) {
	ctx, cancel := sess.within(ctx)
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, publishTimeout)
	defer stop()
	ack, err := sess.js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0))
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// refusal turns what the server says against a write into what the caller may know.
func (s *Store) refusal(err *jetstream.APIError) error {
	full := err.ErrorCode == codeInsufficientResources || err.ErrorCode == codeStorageExceeded
	if full || err.ErrorCode == codeStoreFailed && err.Description == errMaxBytes {
		return fullFault(err)
	}
	if err.ErrorCode == codeStoreFailed {
		s.doubt()
		return reopeningFault(err)
	}
	return err
}

// unavailable makes sure that a failure of the storage is told as one.
func unavailable(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	return reopeningFault(err)
}
