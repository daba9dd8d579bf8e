package pinpoint

import (
	"context"
	"encoding/json"
	"strconv"

	"tidings/internal/awsapi"
	"tidings/internal/pinpoint"
	"tidings/internal/tenant"
)

func (a *API) putEvents(ctx context.Context, t tenant.Tenant, in *putEventsInput) (*eventsResponse, error) {
	results, err := a.config.Apps.PutEvents(ctx, t, in.ID, pinpoint.Batch{Request: awsapi.RequestID(ctx), Size: in.Size, Items: in.Items})
	if err != nil {
		return nil, err
	}
	return &eventsResponse{items: in.Items, results: results}, nil
}

// eventsResponse is an EventsResponse. It writes itself in the order of the request, because
// there are many of them and a map would have to be sorted.
type eventsResponse struct {
	items   []pinpoint.Item
	results []pinpoint.ItemResult
}

// AppendBody appends the response. See restjson.BodyAppender.
func (o *eventsResponse) AppendBody(b []byte) []byte {
	b = append(b, `{"Results":{`...)
	for i, item := range o.items {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, item.Endpoint)
		b = append(b, `:{"EndpointItemResponse":`...)
		b = appendResult(b, o.results[i].Endpoint)
		b = append(b, `,"EventsItemResponse":{`...)
		for j := range item.Events {
			if j > 0 {
				b = append(b, ',')
			}
			b = appendString(b, item.Events[j].ID)
			b = append(b, ':')
			b = appendResult(b, o.results[i].Events[j])
		}
		b = append(b, "}}"...)
	}
	return append(b, "}}"...)
}

// appendResult appends an EndpointItemResponse or an EventItemResponse: they look alike.
func appendResult(b []byte, r pinpoint.Result) []byte {
	b = append(b, `{"Message":`...)
	b = appendString(b, r.Message)
	b = append(b, `,"StatusCode":`...)
	b = strconv.AppendInt(b, int64(r.Status), 10)
	return append(b, '}')
}

// appendString appends s as JSON. Most of what comes here needs no escape.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // never fails: any string is JSON
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
