package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"tidings/internal/fanout"
)

// DestinationList is the body of /v1/destinations.
type DestinationList struct {
	Destinations []fanout.SubscriberStatus `json:"destinations"`
	Bindings     []string                  `json:"bindings"` // pattern and driver, first match first
}

func (s *Server) destinations(w http.ResponseWriter, _ *http.Request) {
	all, bindings := s.Destinations.List()
	reply(w, http.StatusOK, DestinationList{append([]fanout.SubscriberStatus{}, all...), bindings}) // [] and not null when empty
}

// Trial asks for one made-up event to be delivered.
type Trial struct {
	ARN  string `json:"arn"`
	Role string `json:"role,omitempty"` // to publish with; "" = that of an event destination with the ARN, if there is one
}

// TrialResult is what became of it.
type TrialResult struct {
	Driver  string          `json:"driver"`
	Took    float64         `json:"tookSeconds"`
	Error   string          `json:"error,omitempty"`     // "" = delivered
	Final   bool            `json:"permanent,omitempty"` // a delivery that fails so becomes a dead letter at once
	Message string          `json:"messageId"`
	Record  json.RawMessage `json:"record"`
}

func (s *Server) test(w http.ResponseWriter, r *http.Request) {
	var t Trial
	if !decode(w, r, &t) {
		return
	}
	result, err := s.Destinations.Test(r.Context(), t)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	reply(w, http.StatusOK, result)
}

// Replay says which events to send again. Each field narrows the choice.
type Replay struct {
	From        string   `json:"from"`        // a duration before now, or a time
	To          string   `json:"to"`          // "" = now
	Types       []string `json:"types"`       // "voice.completed", "voice.*"; none = all
	Destination string   `json:"destination"` // account/region/scope/set/name, with a star at the end for any; "" = all
	Message     string   `json:"message"`     // ID; "" = all
	// Since and Until are From and To as times.
	Since time.Time `json:"-"`
	Until time.Time `json:"-"`
}

// Replayed is what a replay has done.
type Replayed struct {
	Events     int       `json:"events"`     // that matched
	Deliveries int       `json:"deliveries"` // of them; each is on disk
	Through    time.Time `json:"through"`    // when the last event that was read was committed
}

func (s *Server) replay(w http.ResponseWriter, r *http.Request) {
	var in Replay
	if !decode(w, r, &in) {
		return
	}
	var ok bool
	if in.Since, ok = parseWhen(in.From); !ok || in.From == "" {
		refuse(w, http.StatusBadRequest, "from is a duration before now such as 1h, or a time such as 2026-11-21T10:00:00Z.")
		return
	}
	if in.Until, ok = parseWhen(in.To); !ok {
		refuse(w, http.StatusBadRequest, "to is a duration before now such as 10m, or a time such as 2026-11-21T10:00:00Z.")
		return
	}
	if in.To == "" {
		in.Until = time.Now()
	}
	if in.Until.Before(in.Since) {
		refuse(w, http.StatusBadRequest, "to lies before from.")
		return
	}
	done, err := s.Replayer.Replay(r.Context(), in)
	if err != nil {
		s.fail(w, fmt.Sprintf("replay, after %d deliveries, through %s", done.Deliveries, done.Through.UTC().Format(time.RFC3339Nano)), err)
		return
	}
	s.Log.Info("events replayed", "from", in.Since, "to", in.Until, "types", in.Types, "destination", in.Destination,
		"message", in.Message, "events", done.Events, "deliveries", done.Deliveries)
	reply(w, http.StatusOK, done)
}

// decode reads the body of a request strictly, or refuses it.
func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRetryBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		refuse(w, http.StatusBadRequest, "Send a JSON object: "+err.Error())
		return false
	}
	return true
}

// Destinations returns every event destination and the bindings in force.
func (c *Client) Destinations(ctx context.Context) (DestinationList, error) {
	var out DestinationList
	err := c.call(ctx, http.MethodGet, "/v1/destinations", nil, &out)
	return out, err
}

// Test delivers one made-up event.
func (c *Client) Test(ctx context.Context, t Trial) (TrialResult, error) {
	var out TrialResult
	err := c.call(ctx, http.MethodPost, "/v1/destinations/test", t, &out)
	return out, err
}

// Replay sends events of the log again.
func (c *Client) Replay(ctx context.Context, r Replay) (Replayed, error) {
	var out Replayed
	err := c.call(ctx, http.MethodPost, "/v1/replay", r, &out)
	return out, err
}
