package natsstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"tidings/internal/configset"
	"tidings/internal/fanout"
	"tidings/internal/tenant"
)

// Parking keeps the deliveries of subscribers in trouble: a stream with one subject per
// subscriber. It implements fanout.Lot and is safe for concurrent use.
type Parking struct {
	store *Store
}

// Park stores deliveries behind all that are parked for sub. Deliveries that do not fit
// into one pack are stored in several, so after an error the first of them may be parked.
func (p *Parking) Park(ctx context.Context, sub fanout.Subscriber, ds []fanout.Delivery) error {
	subject, err := parkedSubject(sub)
	if err != nil {
		return err
	}
	return inPacks(ds, recordOfDelivery, func(body []byte, count, _ int) error {
		_, err := p.store.publish(ctx, newPack(subject, body, count), urgent)
		return unavailable(err)
	})
}

// inPacks encodes records and calls write with packs within the bounds, and the index of
// the first record of each.
func inPacks[S, R any](all []S, record func(*S) R, write func(body []byte, count, first int) error) error {
	var body []byte
	first := 0
	for i := range all {
		one, err := appendRecords(nil, all[i:i+1], record)
		if err != nil {
			return err
		}
		if i > first && (len(body)+len(one) > maxPackBytes || i-first >= maxPackRecords) {
			if err := write(body, i-first, first); err != nil {
				return err
			}
			body, first = nil, i
		}
		body = append(body, one...)
	}
	if first == len(all) {
		return nil
	}
	return write(body, len(all)-first, first)
}

// Next returns the first pack parked for sub with a sequence above after, or nil.
func (p *Parking) Next(ctx context.Context, sub fanout.Subscriber, after uint64) (*fanout.ParkedPack, error) {
	subject, err := parkedSubject(sub)
	if err != nil {
		return nil, err
	}
	sess, err := p.store.session()
	if err != nil {
		return nil, err
	}
	ctx, cancel := sess.within(ctx)
	defer cancel()
	m, err := sess.streams[streamParked].GetMsg(ctx, after+1, jetstream.WithGetMsgSubject(subject))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read parked deliveries of %s: %w", sub, sess.explain(err))
	}
	pack := &fanout.ParkedPack{Seq: m.Sequence}
	err = decodePack(m.Header, m.Data, func(_ int, r *deliveryRecord) { pack.Deliveries = append(pack.Deliveries, r.delivery()) })
	if err != nil {
		return nil, fmt.Errorf("read parked deliveries of %s, pack %d: %w", sub, m.Sequence, err)
	}
	return pack, nil
}

// Remove forgets packs. Removing one that is gone is no error.
func (p *Parking) Remove(ctx context.Context, seqs ...uint64) error {
	return p.store.remove(ctx, streamParked, seqs...)
}

// remove deletes messages from a stream.
func (s *Store) remove(ctx context.Context, stream string, seqs ...uint64) error {
	sess, err := s.session()
	if err != nil {
		return err
	}
	ctx, cancel := sess.within(ctx)
	defer cancel()
	st := sess.streams[stream]
	for _, seq := range seqs {
		err := st.DeleteMsg(ctx, seq)
		if err == nil {
			continue
		}
		// The server has one error for all that can go wrong with a deletion.
		if _, gone := st.GetMsg(ctx, seq); errors.Is(gone, jetstream.ErrMsgNotFound) {
			continue
		}
		s.doubt()
		return fmt.Errorf("remove %d from %s: %w", seq, stream, sess.explain(err))
	}
	return nil
}

// Backlogs returns what is parked, by subscriber. It reads the headers of all packs.
func (p *Parking) Backlogs(ctx context.Context) (map[fanout.Subscriber]fanout.Backlog, error) {
	sess, err := p.store.session()
	if err != nil {
		return nil, err
	}
	all := map[fanout.Subscriber]fanout.Backlog{}
	err = p.store.scan(ctx, sess, scanRange{stream: streamParked, headers: true}, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
		sub, err := parseParkedSubject(msg.Subject())
		if err != nil {
			return err
		}
		n, err := countOf(msg.Headers())
		if err != nil {
			return err
		}
		b := all[sub]
		if b.Oldest.IsZero() {
			b.Oldest = meta.Timestamp.UTC()
		}
		b.Deliveries += n
		all[sub] = b
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count parked deliveries: %w", sess.explain(err))
	}
	return all, nil
}

// parkedSubject prints the subscriber as parked.account.region.scope.set.name.
func parkedSubject(sub fanout.Subscriber) (string, error) {
	parts := []string{sub.Tenant.Account, sub.Tenant.Region, string(sub.Scope), sub.Set, sub.Name}
	for _, part := range parts {
		if !isToken(part) {
			return "", fmt.Errorf("%q of subscriber %s cannot be part of a subject", part, sub)
		}
	}
	return prefixParked + strings.Join(parts, "."), nil
}

func parseParkedSubject(subject string) (fanout.Subscriber, error) {
	parts := strings.Split(strings.TrimPrefix(subject, prefixParked), ".")
	if len(parts) != 5 {
		return fanout.Subscriber{}, fmt.Errorf("%q names no subscriber", subject)
	}
	return fanout.Subscriber{
		Tenant: tenant.Tenant{Account: parts[0], Region: parts[1]}, Scope: configset.Scope(parts[2]), Set: parts[3], Name: parts[4],
	}, nil
}
