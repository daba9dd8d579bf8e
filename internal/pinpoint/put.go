package pinpoint

import (
	"context"
	"fmt"
	"unicode/utf8"

	"tidings/internal/event"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

// The limits of events, lengths in characters.
// Source: Amazon Pinpoint Developer Guide, "Amazon Pinpoint quotas", Event ingestion quotas.
const (
	maxEvents         = 100        // in a request
	maxRequestBytes   = 4 << 20    // of a request
	maxEventBytes     = 1000 << 10 // of one event: of its record, which is what has to travel
	maxEventKeys      = 40         // attributes and metrics of one event together
	maxAttributeKey   = 50
	maxAttributeValue = 200
)

// maxTypeLength bounds the type of an event, and the ID of its session, in characters. It is
// ours.
const maxTypeLength = 256

// The statuses of results. Source: Amazon Pinpoint API Reference, "Events", EventItemResponse.
const (
	statusAccepted = 202
	statusRefused  = 400
)

// accepted is the result of what was accepted.
func accepted() Result { return Result{Status: statusAccepted, Message: "Accepted"} }

func refused(text string) Result { return Result{Status: statusRefused, Message: text} }

func say(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// PutEvents updates endpoints and accepts events, each by itself: what is refused does not
// keep others from being accepted. When it returns, what it calls accepted is on disk. The
// results stand in the order of the items and their events.
//
// An event is about the endpoint as it is after the update, or, if the update is refused, as
// it was. Events of a client that is no endpoint yet make it one.
//
// It fails as a whole with fault.Invalid if the request has too many events or bytes, and
// with fault.NotFound if there is no such app. After another failure, some of the endpoints
// may be updated and the events may be in the log; the client should send them again.
func (s *Service) PutEvents(ctx context.Context, t tenant.Tenant, app string, b Batch) ([]ItemResult, error) {
	results, err := s.putEvents(ctx, t, app, b)
	s.Metrics.put(results, err)
	return results, err
}

func (s *Service) putEvents(ctx context.Context, t tenant.Tenant, app string, b Batch) ([]ItemResult, error) {
	gate := s.gate(app)
	gate.RLock()
	defer gate.RUnlock()
	a, err := s.app(t, app)
	if err != nil {
		return nil, err
	}
	if err := checkBatch(&b); err != nil {
		return nil, err
	}
	if err := s.room(); err != nil {
		return nil, err
	}
	if b.Request == "" {
		b.Request = newID()
	}
	p := newPut(s, a, &b)
	if err := p.count(ctx); err != nil {
		return nil, err
	}
	if err := p.update(ctx); err != nil {
		return nil, err
	}
	if events := p.events(); len(events) > 0 {
		if err := s.Publisher.Publish(ctx, events...); err != nil {
			return nil, fmt.Errorf("publish events of app %s: %w", app, err)
		}
	}
	return p.results, nil
}

// checkBatch looks at the limits of the request as a whole.
func checkBatch(b *Batch) error {
	if b.Size > maxRequestBytes {
		return fault.New(fault.Invalid, fault.App, "The request has %d bytes. At most %d are allowed.", b.Size, maxRequestBytes)
	}
	events := 0
	for i := range b.Items {
		events += len(b.Items[i].Events)
	}
	if events > maxEvents {
		return fault.New(fault.Invalid, fault.App, "The request has %d events. At most %d are allowed.", events, maxEvents)
	}
	if len(b.Items) > maxEndpointsInCall {
		return fault.New(fault.Invalid, fault.App, "The request has %d endpoints. At most %d are allowed.", len(b.Items), maxEndpointsInCall)
	}
	if len(b.Items) == 0 {
		return fault.New(fault.Invalid, fault.App, "BatchItem is missing or empty.")
	}
	return nil
}

// put is one request under way.
type put struct {
	service   *Service
	app       *App
	batch     *Batch
	scene     scene
	results   []ItemResult
	endpoints []*Endpoint // by item
	all       []happening // the events that are in order so far
	words     []Word      // that are new
}

// newPut checks all that can be checked without looking anything up.
func newPut(s *Service, a *App, b *Batch) *put {
	n := 0
	for i := range b.Items {
		n += len(b.Items[i].Events)
	}
	p := &put{
		service: s, app: a, batch: b, scene: scene{app: a, arrived: s.now()},
		results: make([]ItemResult, len(b.Items)), endpoints: make([]*Endpoint, len(b.Items)), all: make([]happening, 0, n),
	}
	flat := make([]Result, n)
	for i := range b.Items {
		item, r := &b.Items[i], &p.results[i]
		r.Events, flat = flat[:len(item.Events):len(item.Events)], flat[len(item.Events):]
		badID := checkEndpointID(item.Endpoint)
		r.Endpoint = p.checkItem(item, badID)
		for j := range item.Events {
			h := happening{Event: &item.Events[j], item: i, place: j}
			text := badID
			if text == "" {
				text = h.check()
			}
			if text != "" {
				r.Events[j] = refused(text)
				continue
			}
			r.Events[j] = accepted()
			p.all = append(p.all, h)
		}
	}
	return p
}

func (p *put) checkItem(item *Item, badID string) Result {
	if badID != "" {
		return refused(badID)
	}
	if item.Change == nil {
		return refused("Endpoint is missing.")
	}
	if text := item.Change.check(); text != "" {
		return refused(text)
	}
	return accepted()
}

// count counts the words of the events, and refuses the events that are beyond a limit.
func (p *put) count(ctx context.Context) error {
	s, key := p.service, p.key()
	voc, err := s.words.get(ctx, s.Endpoints, key)
	if err != nil {
		return err
	}
	limits := newWordLimits(s.limits(p.app.Tenant.Account))
	if voc.knows(p.all, &limits) {
		return nil
	}
	kept := p.all[:0]
	for _, h := range p.all {
		fresh, text := voc.learn(h.Event, &limits)
		if text != "" {
			p.results[h.item].Events[h.place] = refused(text)
			continue
		}
		p.words = append(p.words, fresh...)
		kept = append(kept, h)
	}
	p.all = kept
	return nil
}

func (p *put) key() AppKey { return AppKey{Tenant: p.app.Tenant, App: p.app.ID} }

// update brings the endpoints up to date. It writes only if something changes.
func (p *put) update(ctx context.Context) error {
	s, write := p.service, len(p.words) > 0
	for i := range p.batch.Items {
		if checkEndpointID(p.batch.Items[i].Endpoint) != "" {
			continue
		}
		u := p.updateOf(i)
		e, err := s.Endpoints.Endpoint(ctx, p.key(), u.id)
		if err != nil {
			return fmt.Errorf("look up an endpoint of app %s: %w", p.app.ID, err)
		}
		p.endpoints[i] = e
		write = write || u.changes(e)
	}
	if !write {
		return nil
	}
	err := s.Endpoints.Change(ctx, p.key(), p.edit)
	if err != nil {
		s.words.forget(p.key()) // some may not be on disk
		return fmt.Errorf("update endpoints of app %s: %w", p.app.ID, err)
	}
	return nil
}

// updateOf returns what the item asks for. An update that was refused changes nothing, but
// the client is an endpoint from now on.
func (p *put) updateOf(i int) update {
	item := &p.batch.Items[i]
	u := update{app: p.app.ID, id: item.Endpoint, change: item.Change, request: p.batch.Request, now: p.scene.arrived}
	if p.results[i].Endpoint.Status != statusAccepted {
		u.change = &EndpointChange{}
	}
	return u
}

func (p *put) edit(tx EndpointTx) error {
	limits := p.service.limits(p.app.Tenant.Account)
	for i := range p.batch.Items {
		if checkEndpointID(p.batch.Items[i].Endpoint) != "" {
			continue
		}
		u := p.updateOf(i)
		e, text, err := u.write(tx, limits)
		if err == nil && text != "" {
			p.results[i].Endpoint = refused(text)
			u = p.updateOf(i)
			e, _, err = u.write(tx, limits)
		}
		if err != nil {
			return err
		}
		p.endpoints[i] = e
	}
	for _, w := range p.words {
		tx.AddWord(w)
	}
	return nil
}

// recordRoom is about what a record takes beside its endpoint.
const recordRoom = 768

// events makes the events that are in order, their records in one piece of memory. Their time
// is when they came: what a client says of it, days ago perhaps, stands in the record alone and
// does not make a destination look late.
func (p *put) events() []event.Event {
	room := 0
	for i := range p.all {
		room += recordRoom + p.endpoints[p.all[i].item].fragments().size()
	}
	ids := p.ids()
	events := make([]event.Event, 0, len(p.all))
	buf := make([]byte, 0, room)
	for i := range p.all {
		h := &p.all[i]
		p.scene.endpoint = p.endpoints[h.item]
		from := len(buf)
		buf = p.scene.appendRecord(buf, h)
		if n := len(buf) - from; n > maxEventBytes {
			p.results[h.item].Events[h.place] = refused(say("The event has %d bytes as a record. At most %d are allowed.", n, maxEventBytes))
			buf = buf[:from]
			continue
		}
		events = append(events, event.Event{
			ID: ids[i*len(ids)/len(p.all) : (i+1)*len(ids)/len(p.all)], Type: event.AppEvent, Time: p.scene.arrived,
			Tenant: p.app.Tenant, Set: p.app.ID, Message: p.batch.Request, Key: p.scene.endpoint.ID, Record: buf[from:len(buf):len(buf)],
		})
	}
	return events
}

// ids returns the IDs of all events one behind the other, each of the same length: that of the
// request, a slash, and two digits of the place in the request.
func (p *put) ids() string {
	const tens = 10
	buf := make([]byte, 0, len(p.all)*(len(p.batch.Request)+len("/00")))
	for i := range p.all {
		buf = append(buf, p.batch.Request...)
		buf = append(buf, '/', byte('0'+i/tens), byte('0'+i%tens))
	}
	return string(buf)
}

// check returns what is wrong with the event as a sentence for the client, or "". It reads
// the times.
func (h *happening) check() string {
	if text := h.checkTimes(); text != "" {
		return text
	}
	switch n := utf8.RuneCountInString(h.Type); {
	case n == 0:
		return "EventType is missing."
	case n > maxTypeLength:
		return say("EventType has %d characters. At most %d are allowed.", n, maxTypeLength)
	}
	if n := len(h.Attributes) + len(h.Metrics); n > maxEventKeys {
		return say("The event has %d attributes and metrics. At most %d are allowed.", n, maxEventKeys)
	}
	for key, value := range h.Attributes {
		if text := checkKey("attribute", key); text != "" {
			return text
		}
		if len(value) > maxAttributeValue {
			if n := utf8.RuneCountInString(value); n > maxAttributeValue {
				return say("The value of the attribute %q has %d characters. At most %d are allowed.", shorten(key), n, maxAttributeValue)
			}
		}
	}
	for key, value := range h.Metrics {
		if text := checkKey("metric", key); text != "" {
			return text
		}
		if !isNumber(value) {
			return say("The metric %q is no number.", shorten(key))
		}
	}
	return ""
}

func checkKey(what, key string) string {
	if key != "" && len(key) <= maxAttributeKey {
		return ""
	}
	if n := utf8.RuneCountInString(key); n < 1 || n > maxAttributeKey {
		return say("The key of the %s %q has %d characters. It must have 1 to %d.", what, shorten(key), n, maxAttributeKey)
	}
	return ""
}

func (h *happening) checkTimes() string {
	var ok bool
	if h.at, ok = parseTime(h.Timestamp); !ok {
		return badTime("Timestamp", h.Timestamp)
	}
	if h.Session == nil {
		return ""
	}
	if n := utf8.RuneCountInString(h.Session.ID); n < 1 || n > maxTypeLength {
		return say("The Id of the session has %d characters. It must have 1 to %d.", n, maxTypeLength)
	}
	start, ok := parseTime(h.Session.Start)
	if !ok {
		return badTime("StartTimestamp of the session", h.Session.Start)
	}
	h.start = start.UnixMilli()
	if h.Session.Stop != nil && *h.Session.Stop != "" {
		stop, ok := parseTime(*h.Session.Stop)
		if !ok {
			return badTime("StopTimestamp of the session", *h.Session.Stop)
		}
		h.stop, h.stopped = stop.UnixMilli(), true
	}
	return ""
}

func badTime(member, given string) string {
	if given == "" {
		return member + " is missing."
	}
	return say("%s must be a date and time of ISO 8601, such as 2026-01-01T00:00:00.000Z, not %q.", member, shorten(given))
}
