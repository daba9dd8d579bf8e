package app

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"tidings/internal/admin"
	"tidings/internal/event"
	"tidings/internal/fanout"
	"tidings/internal/natsstore"
)

// adminHandler builds the handler of the admin listener.
func (a *App) adminHandler() http.Handler {
	server := &admin.Server{
		Version: a.version, Token: string(a.cfg.AdminToken), Gatherer: a.metrics, Log: a.log.With("room", "admin"),
		Events: eventLog{a.store.Events()}, Deliveries: a.courier, Letters: a.store.DeadLetters(),
		Destinations: operator{a}, Replayer: operator{a}, Carrier: a.carrier, Migrator: a, Mails: mailbag{a},
		Parts: []admin.Part{
			{Name: "store", Check: a.storeStatus},
			{Name: "deliveries", Check: a.deliveryStatus},
			{Name: "speech", Check: func() admin.PartStatus {
				return admin.PartStatus{Ready: true, State: "ok", Detail: a.speech}
			}},
			{Name: "carrier", Check: a.carrier.status},
			{Name: "mail", Check: func() admin.PartStatus {
				return admin.PartStatus{Ready: true, State: "ok", Detail: a.mail.words}
			}},
		},
	}
	return server.Handler()
}

func (a *App) storeStatus() admin.PartStatus {
	s := a.store.Status()
	return admin.PartStatus{Ready: s.State == natsstore.StateOK, State: s.State, Detail: s.Sentence}
}

// maxNamedAlarms bounds how many alarms /readyz spells out.
const maxNamedAlarms = 10

// deliveryStatus is always ready: a destination in trouble is its operator's matter, and a
// load balancer that took the server out for it would make it everybody's.
func (a *App) deliveryStatus() admin.PartStatus {
	var failing, pending int
	var lag float64
	for _, s := range a.courier.Status() {
		pending += s.Pending + s.Parked
		lag = max(lag, s.Lag)
		if s.State == fanout.Failing {
			failing++
		}
	}
	part := admin.PartStatus{Ready: true, State: "ok", Detail: fmt.Sprintf("%d deliveries waiting", pending)}
	if failing > 0 {
		part.State = "failing"
		part.Detail = fmt.Sprintf("%d event destinations are failing; %d deliveries waiting, the oldest for %.0f s; see /v1/destinations", failing, pending, lag)
	}
	raised := a.alarms.Raised()
	if len(raised) == 0 {
		return part
	}
	part.State = "alarm"
	for _, r := range raised[:min(len(raised), maxNamedAlarms)] {
		part.Detail += fmt.Sprintf("; alarm %s since %s: %s %s", r.Kind, r.Since.Format(time.RFC3339), r.Destination, r.Detail)
	}
	if more := len(raised) - maxNamedAlarms; more > 0 {
		part.Detail += fmt.Sprintf("; and %d more alarms", more)
	}
	return part
}

// eventLog lets operators read the event log.
type eventLog struct{ events *natsstore.Events }

// Tail reads the log event by event. See admin.Events.
func (l eventLog) Tail(ctx context.Context, since time.Time, follow bool, each func(time.Time, event.Event) error) error {
	from := natsstore.Position{Time: since, New: since.IsZero()}
	return l.events.Read(ctx, from, follow, func(_ uint64, committed time.Time, events []event.Event) error {
		for _, e := range events {
			if err := each(committed, e); err != nil {
				return err
			}
		}
		return nil
	})
}
