// Package admin serves operators: health, metrics, profiles, the event log, dead letters
// and the state of destinations. It is never served on the API listener. Client is the
// other end, for the command line.
package admin

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tidings/internal/event"
	"tidings/internal/fanout"
)

// Part is one part of the server with a health of its own.
type Part struct {
	Name  string
	Check func() PartStatus
}

// PartStatus is how a part is.
type PartStatus struct {
	Ready  bool   `json:"ready"`            // false makes /readyz answer 503
	State  string `json:"state"`            // one word
	Detail string `json:"detail,omitempty"` // a sentence
}

// Events reads the event log.
type Events interface {
	// Tail calls each for every event committed since the time given (zero = from now
	// on), in the order of the log, until each fails or ctx ends; without follow it
	// returns at the log's end.
	Tail(ctx context.Context, since time.Time, follow bool, each func(committed time.Time, e event.Event) error) error
}

// Deliveries is the courier, as operators see it.
type Deliveries interface {
	// Retry sends dead letters again.
	Retry(ctx context.Context, ids ...string) error
}

// Destinations is what events are delivered to, as operators see it.
type Destinations interface {
	// List returns every event destination, in order, and the bindings in force.
	List() (all []fanout.SubscriberStatus, bindings []string)
	// Test delivers one made-up event to an ARN.
	Test(ctx context.Context, t Trial) (TrialResult, error)
}

// Replayer sends events of the log again.
type Replayer interface {
	Replay(ctx context.Context, r Replay) (Replayed, error)
}

// Letters is the dead letters.
type Letters interface {
	List(ctx context.Context, after string, limit int) ([]fanout.DeadLetter, error)
	// Remove forgets letters. Removing one that is gone is no error.
	Remove(ctx context.Context, ids ...string) error
}

// Server is the admin listener's handler. Its fields are set before Handler is called.
type Server struct {
	Version    string
	Token      string // bearer token; "" = none is asked for
	Parts      []Part
	Events     Events
	Deliveries Deliveries
	Letters    Letters
	Gatherer   prometheus.Gatherer
	Log        *slog.Logger

	Destinations Destinations
	Replayer     Replayer
	Carrier      Carrier
	Migrator     Migrator
	Mails        Mails
}

// Handler returns the handler of the admin listener.
func (s *Server) Handler() http.Handler {
	open, closed := http.NewServeMux(), http.NewServeMux()
	open.HandleFunc("GET /healthz", s.health)
	open.HandleFunc("GET /readyz", s.ready)
	open.Handle("/", s.authorize(closed))

	closed.HandleFunc("GET /{$}", s.index)
	closed.Handle("GET /metrics", promhttp.HandlerFor(s.Gatherer, promhttp.HandlerOpts{}))
	closed.HandleFunc("GET /v1/events", s.events)
	closed.HandleFunc("GET /v1/destinations", s.destinations)
	closed.HandleFunc("POST /v1/destinations/test", s.test)
	closed.HandleFunc("POST /v1/replay", s.replay)
	closed.HandleFunc("GET /v1/trunks", s.trunks)
	closed.HandleFunc("GET /v1/mails", s.mails)
	closed.HandleFunc("GET /v1/mails/{id}", s.mail)
	closed.HandleFunc("GET /v1/mailqueue", s.mailQueue)
	closed.HandleFunc("POST /v1/mailqueue/retry", s.wakeMails)
	closed.HandleFunc("GET /v1/maildns/{domain}", s.mailDNS)
	closed.HandleFunc("GET /v1/deadletters", s.deadLetters)
	closed.HandleFunc("POST /v1/deadletters/retry", s.retry)
	closed.HandleFunc("POST /v1/deadletters/delete", s.forget)
	closed.HandleFunc("POST /v1/import", s.importing)
	closed.HandleFunc("GET /v1/export", s.export)
	closed.HandleFunc("/debug/pprof/", pprof.Index)
	closed.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	closed.HandleFunc("/debug/pprof/profile", pprof.Profile)
	closed.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	closed.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return http.NewCrossOriginProtection().Handler(open)
}

// authorize asks for the token, if there is one. Without one it serves only requests that
// were addressed to this machine by a loopback name, so that a web page cannot read the
// admin pages of a developer's machine by pointing a domain of its own at 127.0.0.1.
func (s *Server) authorize(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Token != "" {
			given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if subtle.ConstantTimeCompare([]byte(given), []byte(s.Token)) != 1 {
				w.Header().Set("WWW-Authenticate", "Bearer")
				refuse(w, http.StatusUnauthorized, "Send the admin_token of the configuration as Authorization: Bearer.")
				return
			}
		} else if !loopbackHost(r.Host) {
			refuse(w, http.StatusForbidden, "Without an admin_token this listener answers only to localhost, 127.0.0.1 and [::1].")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func loopbackHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (s *Server) index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("Tidings " + s.Version + `, the admin listener

/healthz               the process is alive
/readyz                the state of each part; 503 while one is not ready
/metrics               Prometheus metrics
/v1/events             the event log, one JSON object a line (?since=10m&follow=true)
/v1/destinations       what is delivered, pending and failing, per event destination
                       POST /v1/destinations/test {"arn":"..."} delivers a made-up event
/v1/replay             POST {"from":"1h"} delivers kept events again
/v1/trunks             the ways into the telephone network, and how they are doing
/v1/mails              mails in simulated mailboxes; /v1/mails/ID one of them
/v1/mailqueue          mails that wait for their next attempt; POST /v1/mailqueue/retry {"all":true}
/v1/maildns/DOMAIN     what the DNS should have for mail of the domain
/v1/deadletters        deliveries that were given up; POST /v1/deadletters/retry {"ids":[...]}, or /delete
/v1/import             POST apps and configuration sets from elsewhere: tidings import
/v1/export             those there are: tidings export (?service=pinpoint, sms-voice or ses)
/debug/pprof/          profiles
`))
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]string{"status": "alive", "version": s.Version})
}

// Readiness is the body of /readyz.
type Readiness struct {
	Ready bool                  `json:"ready"`
	Parts map[string]PartStatus `json:"parts"`
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	body := Readiness{Ready: true, Parts: make(map[string]PartStatus, len(s.Parts))}
	for _, p := range s.Parts {
		status := p.Check()
		body.Parts[p.Name] = status
		body.Ready = body.Ready && status.Ready
	}
	code := http.StatusOK
	if !body.Ready {
		code = http.StatusServiceUnavailable
	}
	reply(w, code, body)
}

func reply(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client is gone; nobody is left to tell
}

type refusal struct {
	Message string `json:"message"`
}

func refuse(w http.ResponseWriter, code int, message string) {
	reply(w, code, refusal{Message: message})
}
