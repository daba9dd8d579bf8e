package natsstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// scanBytes bounds what a reader has in memory ahead of its caller.
const scanBytes = maxPayload + 1<<20

// scanRange says what to read of a stream. It begins at from, or at time, or with
// neither at the first message.
type scanRange struct {
	stream  string
	from    uint64
	time    time.Time
	headers bool // no bodies
	follow  bool // go on behind what was there at first
}

func (r *scanRange) config() jetstream.OrderedConsumerConfig {
	cfg := jetstream.OrderedConsumerConfig{HeadersOnly: r.headers, DeliverPolicy: jetstream.DeliverAllPolicy}
	switch {
	case r.from > 0:
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, r.from
	case !r.time.IsZero():
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &r.time
	}
	return cfg
}

// scan reads a stream in order and calls each with its messages, until each fails, ctx or
// the session ends or, unless it shall follow, all is read that was there when it began.
func (s *Store) scan(ctx context.Context, sess *session, r scanRange, each func(jetstream.Msg, *jetstream.MsgMetadata) error) error {
	ctx, cancel := sess.within(ctx)
	defer cancel()
	until := uint64(0)
	if !r.follow {
		info, err := sess.streams[r.stream].Info(ctx)
		if err != nil {
			return fmt.Errorf("look up stream: %w", err)
		}
		if until = info.State.LastSeq; info.State.Msgs == 0 || r.from > until {
			return nil
		}
	}
	c, err := sess.js.OrderedConsumer(ctx, r.stream, r.config())
	if err != nil {
		return fmt.Errorf("read stream: %w", err)
	}
	if !r.follow && c.CachedInfo().NumPending == 0 {
		return nil
	}
	it, err := c.Messages(jetstream.PullMaxBytes(scanBytes))
	if err != nil {
		return fmt.Errorf("read stream: %w", err)
	}
	defer it.Stop()
	for {
		msg, err := it.Next(jetstream.NextContext(ctx))
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("read stream: %w", err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("read metadata: %w", err)
		}
		if until > 0 && meta.Sequence.Stream > until {
			return nil
		}
		if err := each(msg, meta); err != nil {
			return err
		}
		if until > 0 && (meta.Sequence.Stream == until || meta.NumPending == 0) {
			return nil
		}
	}
}

// directGet is a request for the first message stored at a time or later.
// Source: NATS ADR-31, "JetStream Direct Get".
type directGet struct {
	StartTime time.Time `json:"start_time"`
	NextFor   string    `json:"next_by_subj"`
}

// seqAt returns the sequence of the first message of the stream that was stored at t or
// later; 0 = there is none.
func (sess *session) seqAt(ctx context.Context, stream string, t time.Time) (uint64, error) {
	req, err := json.Marshal(directGet{StartTime: t, NextFor: ">"})
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := sess.nc.RequestWithContext(ctx, "$JS.API.DIRECT.GET."+stream, req)
	if err != nil {
		return 0, fmt.Errorf("find time in stream: %w", err)
	}
	switch status := resp.Header.Get("Status"); status {
	case "":
	case "404":
		return 0, nil
	default:
		return 0, fmt.Errorf("find time in stream: status %s %s", status, resp.Header.Get("Description"))
	}
	seq, err := strconv.ParseUint(resp.Header.Get(nats.JSSequence), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("find time in stream: %w", err)
	}
	return seq, nil
}
