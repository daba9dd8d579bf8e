package email

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"time"

	"tidings/internal/event"
)

// publishBytes is about how many bytes of records are written to the event log at once, so that a message with many recipients
// stays far below what the log takes.
const publishBytes = 1 << 20

// partsOf cuts events into parts of at most so many bytes of records, or of one event.
func partsOf(events []event.Event, most int) iter.Seq[[]event.Event] {
	return func(yield func([]event.Event) bool) {
		begin, size := 0, 0
		for i := range events {
			if i > begin && size+len(events[i].Record) > most {
				if !yield(events[begin:i]) {
					return
				}
				begin, size = i, 0
			}
			size += len(events[i].Record)
		}
		if begin < len(events) {
			yield(events[begin:])
		}
	}
}

// conclude makes outcomes of the replies of an attempt, and looks forward to the next attempt for the recipients that are left.
func (t *taken) conclude(replies []Reply) ending {
	at := t.at()
	brokenOff := t.hours.Working.Err() != nil
	expired := !at.Before(t.deadline()) && !brokenOff
	var open []int
	var ends []Reply
	for _, reply := range replies {
		switch {
		case reply.Verdict != Deferred:
			ends = append(ends, reply)
		case expired:
			ends = append(ends, t.timeUp(reply))
		default:
			open = append(open, reply.Recipients...)
			if !brokenOff {
				t.postpone(reply)
			}
		}
	}
	slices.Sort(open)
	t.s.Open = open
	t.s.Due = t.due(at)
	if brokenOff {
		t.s.Due = time.Time{}
	}
	return t.settle(t.outcomes(ends, at))
}

// postpone remembers what a server said that may take the message later.
func (t *taken) postpone(reply Reply) {
	t.s.Last = reply
	t.s.Last.Recipients = nil
	const level = slog.LevelInfo
	attrs := append(t.logAttrs(len(reply.Recipients)), replyAttrs(&reply, t.r.Personal)...)
	t.r.logger().LogAttrs(context.Background(), level, "mail deferred", attrs...)
}

// settle brings outcomes to disk, tells of them, and says how the message is handed back. What is on disk meanwhile is due at
// once, so that after a crash the events need not wait for the next attempt.
func (t *taken) settle(outcomes []Outcome) ending {
	if len(outcomes) > 0 {
		due := t.s.Due
		t.s.Outcomes, t.s.Due = outcomes, time.Time{}
		err := t.r.write(t.hours.Writing, t.m.ID, func() error { return t.job.Save(t.hours.Writing, t.s) })
		if err != nil {
			t.r.logger().Error("what became of a mail was not written before the stop; it may be sent again", "message", t.m.ID, "error", err)
			return released
		}
		if !t.tell() {
			return released
		}
		t.s.Outcomes, t.s.Due = nil, due
	}
	if len(t.s.Open) == 0 {
		return finished
	}
	return waiting
}

// outcomes numbers the ends of recipients. Those that a server answered alike are one outcome, as SES tells of bounces of one
// attempt in one event.
func (t *taken) outcomes(ends []Reply, at time.Time) []Outcome {
	var all []Outcome
	for _, reply := range grouped(ends) {
		o := Outcome{Serial: t.s.Serial, Type: event.EmailBounce, At: at, Reply: reply}
		t.s.Serial++
		if reply.Verdict == Delivered {
			o.Type = event.EmailDelivery
		}
		all = append(all, o)
	}
	return all
}

// grouped joins replies that differ in their recipients alone.
func grouped(replies []Reply) []Reply {
	var joined []Reply
	for _, reply := range replies {
		i := slices.IndexFunc(joined, func(other Reply) bool { return alike(&reply, &other) })
		if i < 0 {
			reply.Recipients = slices.Clone(reply.Recipients)
			joined = append(joined, reply)
			continue
		}
		joined[i].Recipients = append(joined[i].Recipients, reply.Recipients...)
	}
	for i := range joined {
		slices.Sort(joined[i].Recipients)
	}
	return joined
}

func alike(a, b *Reply) bool {
	return a.Verdict == b.Verdict && a.Code == b.Code && a.Enhanced == b.Enhanced && a.Text == b.Text && a.Host == b.Host &&
		a.RemoteIP == b.RemoteIP && a.LocalIP == b.LocalIP && a.TLS == b.TLS && a.Bounce == b.Bounce &&
		a.Complaint == nil && b.Complaint == nil
}

// timeUp makes the reply for recipients whose time is up from the last that their server gave: always a soft bounce.
// Source: SES Developer Guide, "Contents of event data", bounce type Transient; RFC 3463 section 3.5, X.4.7; the text is the one that SES gives.
func (t *taken) timeUp(last Reply) Reply {
	age, custom := t.r.lifespan(t.set)
	b := BounceType{transient, "General"}
	if told := Classify(statusOf(&last), last.Text); told.SubType == "MailboxFull" || told.SubType == "MessageTooLarge" {
		b.SubType = told.SubType
	}
	if custom {
		b.SubType = "CustomTimeoutExceeded"
	}
	up := last
	up.Verdict, up.Code, up.Enhanced, up.Bounce, up.Complaint = Refused, 550, "4.4.7", b, nil
	up.Text = fmt.Sprintf("550 4.4.7 Message expired: unable to deliver in %d minutes.<%s>", int(age/time.Minute), last.Text)
	return up
}

// tell publishes the outcomes that are on disk, and does what else follows from them. It reports false if the process stops before
// they are in the event log; then the next life tells.
func (t *taken) tell() bool {
	var all []happening
	for i := range t.s.Outcomes {
		all = append(all, t.r.Records.happeningsOf(t.m, &t.s.Outcomes[i])...)
	}
	list := suppressionList{t.r.Registry}
	for i := range all {
		if err := list.learn(t.hours.Writing, t.m, t.set, &all[i]); err != nil {
			t.r.logger().Error("addresses were not put on the suppression list", "message", t.m.ID, "error", err)
		}
	}
	if !t.publish(t.hours.Writing, all...) {
		return false
	}
	for i := range all {
		t.count(&all[i])
	}
	for i := range t.s.Outcomes {
		o := &t.s.Outcomes[i]
		t.r.Metrics.ended(o.Type, len(o.Reply.Recipients), o.At.Sub(t.m.Accepted))
		t.logOutcome(o.Type, len(o.Reply.Recipients), &o.Reply)
	}
	return true
}

// count adds to the statistics of the account.
func (t *taken) count(h *happening) {
	if add := countsOf(h); add != (Counts{}) {
		t.r.Registry.Count(t.m.Tenant, h.at, add)
	}
}

// countsOf returns what h adds to the statistics of an account. Bounces of addresses that were never tried do not count.
// Source: SES API Reference, "SendDataPoint"; SES Developer Guide, "Using the Amazon SES account-level suppression list".
func countsOf(h *happening) Counts {
	n := int64(len(h.recipients))
	switch {
	case h.kind == event.EmailBounce && h.bounce.SubType != onSuppressionList:
		return Counts{Bounces: n}
	case h.kind == event.EmailComplaint:
		return Counts{Complaints: n}
	case h.kind == event.EmailReject:
		return Counts{Rejections: n}
	default:
		return Counts{}
	}
}

// logOutcome writes the line of the log that tells what became of recipients.
func (t *taken) logOutcome(kind event.Type, recipients int, reply *Reply) {
	const level = slog.LevelInfo
	attrs := append(t.logAttrs(recipients), slog.String("outcome", wordOf(kind)))
	if reply != nil {
		attrs = append(attrs, replyAttrs(reply, t.r.Personal)...)
		if t.r.Personal {
			attrs = append(attrs, slog.Any("to", addressesOf(t.m, reply.Recipients)))
		}
	}
	t.r.logger().LogAttrs(context.Background(), level, "mail", attrs...)
}

func (t *taken) logAttrs(recipients int) []slog.Attr {
	return []slog.Attr{
		slog.String("message", t.m.ID),
		slog.String("account", t.m.Tenant.Account),
		slog.String("region", t.m.Tenant.Region),
		slog.String("set", t.m.Set),
		slog.Int("recipients", recipients),
		slog.Int("attempts", t.s.Attempts),
		slog.Duration("age", t.r.now().Sub(t.m.Accepted)),
	}
}

// replyAttrs tell what a server said. Its text often repeats the address.
func replyAttrs(reply *Reply, personal bool) []slog.Attr {
	attrs := []slog.Attr{slog.String("host", reply.Host), slog.Int("code", reply.Code), slog.String("status", reply.Enhanced)}
	if personal {
		attrs = append(attrs, slog.String("text", reply.Text))
	}
	return attrs
}
