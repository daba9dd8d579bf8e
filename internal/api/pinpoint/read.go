package pinpoint

import (
	"strings"

	"tidings/internal/pinpoint"
)

// What is read of an event is part of the text of the whole request, which goes when the
// events have their records. An endpoint stays: its strings are copies.

// readBatch reads an EventsRequest.
func readBatch(r *reader) []pinpoint.Item {
	var items []pinpoint.Item
	for name := range r.object() {
		if name != "BatchItem" {
			r.skip()
			continue
		}
		items = nil
		if r.null() {
			continue
		}
		var seen index
		for id := range r.object() {
			item := readItem(r, strings.Clone(id))
			if i, twice := seen.find(id, len(items)); twice {
				items[i] = item
			} else {
				items = append(items, item)
			}
		}
	}
	return items
}

// index finds what is there twice. The zero value is ready.
type index map[string]int

// find returns where the name was found first, or notes that it is found now, at n.
func (x *index) find(name string, n int) (at int, twice bool) {
	if *x == nil {
		*x = index{}
	}
	if at, twice = (*x)[name]; !twice {
		(*x)[name] = n
	}
	return at, twice
}

// readItem reads an EventsBatch.
func readItem(r *reader, id string) pinpoint.Item {
	item := pinpoint.Item{Endpoint: id}
	if r.null() {
		return item
	}
	for name := range r.object() {
		switch name {
		case "Endpoint":
			item.Change = readEndpoint(r)
		case "Events":
			item.Events = readEvents(r)
		default:
			r.skip()
		}
	}
	return item
}

func readEvents(r *reader) []pinpoint.Event {
	if r.null() {
		return nil
	}
	events := make([]pinpoint.Event, 0, 4)
	var seen index
	for id := range r.object() {
		e := readEvent(r, id)
		if i, twice := seen.find(id, len(events)); twice {
			events[i] = e
		} else {
			events = append(events, e)
		}
	}
	return events
}

func readEvent(r *reader, id string) pinpoint.Event {
	e := pinpoint.Event{ID: id}
	if r.null() {
		return e
	}
	for name := range r.object() {
		switch name {
		case "AppPackageName":
			e.AppPackageName = r.said()
		case "AppTitle":
			e.AppTitle = r.said()
		case "AppVersionCode":
			e.AppVersionCode = r.said()
		case "Attributes":
			e.Attributes = r.strings()
		case "ClientSdkVersion":
			e.ClientSDKVersion = r.said()
		case "EventType":
			e.Type = r.string()
		case "Metrics":
			e.Metrics = r.numbers()
		case "SdkName":
			e.SDKName = r.said()
		case "Session":
			e.Session = readSession(r)
		case "Timestamp":
			e.Timestamp = r.string()
		default:
			r.skip()
		}
	}
	return e
}

// readSession reads a Session. Its Duration appears in no record.
func readSession(r *reader) *pinpoint.Session {
	if r.null() {
		return nil
	}
	s := &pinpoint.Session{}
	for name := range r.object() {
		switch name {
		case "Duration":
			r.number()
		case "Id":
			s.ID = r.string()
		case "StartTimestamp":
			s.Start = r.string()
		case "StopTimestamp":
			s.Stop = r.said()
		default:
			r.skip()
		}
	}
	return s
}

// said reads a string; nil = null.
func (r *reader) said() *string {
	if r.null() {
		return nil
	}
	return new(r.string())
}

// strings reads a map of strings.
func (r *reader) strings() map[string]string {
	if r.null() {
		return nil
	}
	m := map[string]string{}
	for key := range r.object() {
		if r.null() {
			delete(m, key)
		} else {
			m[key] = r.string()
		}
	}
	return m
}

// numbers reads a map of numbers.
func (r *reader) numbers() map[string]float64 {
	if r.null() {
		return nil
	}
	m := map[string]float64{}
	for key := range r.object() {
		if r.null() {
			delete(m, key)
		} else {
			m[key] = r.number()
		}
	}
	return m
}
