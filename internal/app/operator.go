package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tidings/internal/admin"
	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fanout"
	"tidings/internal/natsstore"
	"tidings/internal/sink"
	"tidings/internal/tenant"
)

// operator is what the admin listener offers beside the event log and dead letters.
type operator struct{ app *App }

// List returns every event destination: those that the courier knows with how they are
// doing, the others as they are configured.
func (o operator) List() ([]fanout.SubscriberStatus, []string) {
	all := o.app.courier.Status()
	known := make(map[fanout.Subscriber]bool, len(all))
	for i := range all {
		known[all[i].Subscriber] = true
	}
	for key, set := range o.app.store.ConfigurationSets().All() {
		for i := range set.Destinations {
			d := &set.Destinations[i]
			s := fanout.Subscriber{Tenant: key.Tenant, Scope: key.Scope, Set: key.Name, Name: d.Name}
			if known[s] {
				continue
			}
			status := fanout.SubscriberStatus{Subscriber: s, Destination: s.String(), Target: d.Destination.ARN, State: fanout.OK}
			if !d.Enabled {
				status.State = fanout.Disabled
			}
			if t, err := sink.NewTarget(key.Tenant, d.Destination); err == nil {
				status.Driver = o.app.sinks.Name(t)
			}
			all = append(all, status)
		}
	}
	slices.SortFunc(all, func(a, b fanout.SubscriberStatus) int { return cmp.Compare(a.Destination, b.Destination) })
	return all, o.app.Bindings()
}

// trialRecord has the members that consumers of voice events look for first.
type trialRecord struct {
	EventType      string `json:"eventType"`
	EventVersion   string `json:"eventVersion"`
	EventTimestamp int64  `json:"eventTimestamp"`
	IsFinal        bool   `json:"isFinal"`
	MessageID      string `json:"messageId"`
	Description    string `json:"messageStatusDescription"`
}

// Test delivers one made-up event to an ARN. Its error is for who asked wrongly; what the
// destination says is in the result.
func (o operator) Test(ctx context.Context, trial admin.Trial) (admin.TrialResult, error) {
	target, err := o.target(trial)
	if err != nil {
		return admin.TrialResult{}, err
	}
	now := time.Now().UTC()
	id := "test-" + strings.ToLower(rand.Text())
	record, err := json.Marshal(trialRecord{"TEST", "1.0", now.UnixMilli(), true, id, "tidings destinations test"})
	if err != nil {
		return admin.TrialResult{}, err
	}
	result := admin.TrialResult{Driver: o.app.sinks.Name(target), Message: id, Record: record}
	e := event.Event{ID: id + "/test", Type: "test.event", Time: now, Tenant: target.Tenant, Set: "test", Message: id, Record: record}
	if target.Kind == configset.CloudWatch { // which counts mails, and takes nothing else
		e.Type = event.EmailSend
	}
	err = o.deliver(ctx, target, e)
	result.Took = time.Since(now).Seconds()
	if err != nil {
		result.Error, result.Final = err.Error(), errors.Is(err, sink.ErrPermanent)
	}
	return result, nil
}

// target finds what the trial is about: an event destination with the ARN if there is one,
// for its owner and its role.
func (o operator) target(trial admin.Trial) (sink.Target, error) {
	want, err := sink.NewTarget(tenant.Tenant{}, configset.Destination{ARN: trial.ARN, Role: trial.Role})
	if err != nil {
		return sink.Target{}, fmt.Errorf("arn: %w", err)
	}
	want.Tenant = tenant.Tenant{Account: want.ARN.Account, Region: want.ARN.Region}
	if want.ARN.Service == "cloudwatch" {
		want.Kind = configset.CloudWatch
	}
	for key, set := range o.app.store.ConfigurationSets().All() {
		for i := range set.Destinations {
			t, err := sink.NewTarget(key.Tenant, set.Destinations[i].Destination, set.Destinations[i].Dimensions...)
			if err == nil && t.ARN == want.ARN && (want.Role == "" || t.Role == want.Role) {
				return t, nil
			}
		}
	}
	return want, nil
}

func (o operator) deliver(ctx context.Context, t sink.Target, e event.Event) (err error) {
	s, err := o.app.sinks.Open(t)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, o.app.cfg.Delivery.Timeout)
	defer cancel()
	return s.Deliver(ctx, []sink.Delivery{{ID: e.ID + "/test", Event: e, Set: "test", Destination: "test"}})
}

// The bounds of what is replayed together.
const (
	replayCount = 5_000
	replayBytes = 4 << 20
)

// Replay sends events of the log again to who wants them now. After an error, what is
// counted in the result is on its way.
func (o operator) Replay(ctx context.Context, r admin.Replay) (admin.Replayed, error) {
	var done admin.Replayed
	var batch []event.Event
	size := 0
	send := func() error {
		if len(batch) == 0 {
			return nil
		}
		n, err := o.app.courier.Replay(ctx, batch, func(s fanout.Subscriber) bool { return matches(r.Destination, s.String()) })
		done.Deliveries += n
		if err == nil {
			done.Events += len(batch)
		}
		batch, size = nil, 0
		return err
	}
	errBeyond := errors.New("beyond the end")
	err := o.app.store.Events().Read(ctx, natsstore.Position{Time: r.Since}, false, func(_ uint64, committed time.Time, events []event.Event) error {
		if committed.After(r.Until) {
			return errBeyond
		}
		for i := range events {
			if wantedBy(&r, &events[i]) {
				batch = append(batch, events[i])
				size += len(events[i].Record)
			}
		}
		if len(batch) >= replayCount || size >= replayBytes {
			if err := send(); err != nil {
				return err
			}
		}
		done.Through = committed
		return nil
	})
	if err == nil || errors.Is(err, errBeyond) {
		err = send()
	}
	return done, err
}

func wantedBy(r *admin.Replay, e *event.Event) bool {
	if r.Message != "" && r.Message != e.Message {
		return false
	}
	return len(r.Types) == 0 || slices.ContainsFunc(r.Types, func(pattern string) bool { return matches(pattern, string(e.Type)) })
}

// matches reports whether s is what the pattern says: "" for anything, a beginning and a
// star, or the whole.
func matches(pattern, s string) bool {
	if beginning, star := strings.CutSuffix(pattern, "*"); star {
		return strings.HasPrefix(s, beginning)
	}
	return pattern == "" || pattern == s
}
