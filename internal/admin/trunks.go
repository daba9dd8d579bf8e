package admin

import (
	"context"
	"net/http"
	"time"
)

// Trunk is a way into the telephone network and how it is doing.
type Trunk struct {
	Name       string     `json:"name"`
	Server     string     `json:"server"`
	Transport  string     `json:"transport"`
	Prefixes   []string   `json:"prefixes"`             // of the numbers it serves
	State      string     `json:"state"`                // up, down, or unknown while it was not asked yet
	Since      *time.Time `json:"since,omitempty"`      // it is so
	Calls      int        `json:"calls"`                // in progress
	MaxCalls   int        `json:"maxCalls,omitempty"`   // 0 = no limit
	Waiting    int        `json:"waiting"`              // calls that wait for a line
	Registered *time.Time `json:"registered,omitempty"` // until when
	RoundTrip  float64    `json:"roundTripSeconds,omitempty"`
	LastError  string     `json:"lastError,omitempty"`
}

// Carrier is who places the calls, as operators see it.
type Carrier interface {
	// Trunks returns all trunks, in the order of the configuration; none with simulated
	// phones.
	Trunks() []Trunk
}

// TrunkList is the body of /v1/trunks.
type TrunkList struct {
	Trunks []Trunk `json:"trunks"`
}

func (s *Server) trunks(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, TrunkList{append([]Trunk{}, s.Carrier.Trunks()...)}) // [] and not null when empty
}

// Trunks lists the trunks.
func (c *Client) Trunks(ctx context.Context) ([]Trunk, error) {
	var out TrunkList
	err := c.call(ctx, http.MethodGet, "/v1/trunks", nil, &out)
	return out.Trunks, err
}
