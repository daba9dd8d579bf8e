package admin

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"tidings/internal/event"
)

// Entry is one event of the log, as /v1/events prints it.
type Entry struct {
	Committed time.Time       `json:"committed"` // when it was safe on disk
	ID        string          `json:"id"`
	Type      event.Type      `json:"type"`
	Account   string          `json:"account"`
	Region    string          `json:"region"`
	Set       string          `json:"configurationSet,omitempty"`
	Message   string          `json:"messageId"`
	Record    json.RawMessage `json:"record"`
}

// events streams the log as one JSON object a line.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	since, ok := sinceOf(r)
	if !ok {
		refuse(w, http.StatusBadRequest, "since is a duration such as 10m, or a time such as 2026-11-21T10:00:00Z.")
		return
	}
	follow, err := strconv.ParseBool(r.FormValue("follow"))
	if err != nil && r.FormValue("follow") != "" {
		refuse(w, http.StatusBadRequest, "follow is true or false.")
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	out, flush := json.NewEncoder(w), http.NewResponseController(w)
	_ = flush.Flush()
	err = s.Events.Tail(r.Context(), since, follow, func(committed time.Time, e event.Event) error {
		if err := out.Encode(Entry{committed, e.ID, e.Type, e.Tenant.Account, e.Tenant.Region, e.Set, e.Message, e.Record}); err != nil {
			return err
		}
		if follow {
			return flush.Flush()
		}
		return nil
	})
	if err != nil && r.Context().Err() == nil {
		s.Log.Error("event log could not be read to its end", "error", err)
	}
}

// sinceOf reads the query parameter since; without it, the zero time.
func sinceOf(r *http.Request) (time.Time, bool) {
	return parseWhen(r.FormValue("since"))
}

// parseWhen reads a duration before now or a time; "" = the zero time.
func parseWhen(text string) (time.Time, bool) {
	if text == "" {
		return time.Time{}, true
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return time.Now().Add(-ago), true
	}
	t, err := time.Parse(time.RFC3339, text)
	return t, err == nil
}

// Letter is one dead letter, as /v1/deadletters prints it.
type Letter struct {
	ID          string          `json:"id"`
	Died        time.Time       `json:"died"`
	Destination string          `json:"destination"` // account/region/scope/set/name
	Reason      string          `json:"reason"`
	Attempts    int             `json:"attempts"`
	Event       string          `json:"event"`
	Type        event.Type      `json:"type"`
	Record      json.RawMessage `json:"record"`
}

// lettersPerPage bounds one page of dead letters.
const lettersPerPage = 1000

func (s *Server) deadLetters(w http.ResponseWriter, r *http.Request) {
	limit := lettersPerPage
	if text := r.FormValue("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > lettersPerPage {
			refuse(w, http.StatusBadRequest, "limit is a number from 1 to 1000.")
			return
		}
		limit = n
	}
	dead, err := s.Letters.List(r.Context(), r.FormValue("after"), limit)
	if err != nil {
		s.fail(w, "list dead letters", err)
		return
	}
	letters := make([]Letter, len(dead))
	for i, d := range dead {
		e := d.Delivery.Event
		letters[i] = Letter{d.ID, d.Died, d.Subscriber.String(), d.Reason, d.Delivery.Attempts, e.ID, e.Type, e.Record}
	}
	reply(w, http.StatusOK, struct {
		DeadLetters []Letter `json:"deadLetters"`
	}{letters})
}

// maxRetryBody bounds the body of a retry request.
const maxRetryBody = 1 << 20

func (s *Server) retry(w http.ResponseWriter, r *http.Request) {
	ids, ok := idsOf(w, r)
	if !ok {
		return
	}
	if err := s.Deliveries.Retry(r.Context(), ids...); err != nil {
		s.fail(w, "retry dead letters", err)
		return
	}
	reply(w, http.StatusOK, map[string]int{"retried": len(ids)})
}

func (s *Server) forget(w http.ResponseWriter, r *http.Request) {
	ids, ok := idsOf(w, r)
	if !ok {
		return
	}
	if err := s.Letters.Remove(r.Context(), ids...); err != nil {
		s.fail(w, "delete dead letters", err)
		return
	}
	s.Log.Warn("dead letters deleted", "letters", ids)
	reply(w, http.StatusOK, map[string]int{"deleted": len(ids)})
}

// idsOf reads the IDs of dead letters, or refuses the request.
func idsOf(w http.ResponseWriter, r *http.Request) ([]string, bool) {
	var in struct {
		IDs []string `json:"ids"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRetryBody)).Decode(&in); err != nil || len(in.IDs) == 0 {
		refuse(w, http.StatusBadRequest, `Send {"ids":["…"]} with the IDs of dead letters.`)
		return nil, false
	}
	return in.IDs, true
}

func (s *Server) fail(w http.ResponseWriter, what string, err error) {
	s.Log.Error(what, "error", err)
	refuse(w, http.StatusInternalServerError, what+": "+err.Error()) // an operator may see the cause
}
