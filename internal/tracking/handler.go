package tracking

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"tidings/internal/email"
)

// Intake is told of visits. An error means that it was not told, and that it is worth trying again.
type Intake interface {
	Opened(ctx context.Context, id string, v email.Visit) error
	Clicked(ctx context.Context, id string, v email.Visit, link string, tags map[string][]string) error
}

// Options are how a Handler works. Links and Intake must be set.
type Options struct {
	Links  *Links
	Intake Intake
	// TrustProxy says that a proxy stands before us: the last address in X-Forwarded-For, which the proxy wrote, is the visitor's.
	TrustProxy bool
	Queue      int              // visits that wait to be told of; 0 = 10,000; what does not fit is dropped
	Now        func() time.Time // nil = time.Now
	Log        *slog.Logger     // nil = nothing is logged
	Metrics    *Metrics         // nil = nothing is counted
}

// tellers is how many visits are told of at a time: the event log takes many together.
const tellers = 8

// attempts is how often telling is tried, and pause how long it waits after the first failure, then twice as long each time.
const (
	attempts = 4
	pause    = 250 * time.Millisecond
)

// Handler serves pixels and links. No visitor waits for the event that a visit makes. It is safe for concurrent use.
type Handler struct {
	Options
	visits chan visit
	wait   sync.WaitGroup
	ctx    context.Context // of telling; ends when Close gives up
	cancel context.CancelFunc

	mu     sync.RWMutex // held while a visit is put into visits
	closed bool
}

// visit is what is to be told.
type visit struct {
	email.Visit
	token
}

// NewHandler begins to tell of visits. Close must be called. The handler must be a server's own and not stand behind an
// http.ServeMux, which takes the slashes of a target for its own.
func NewHandler(o Options) *Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	h := &Handler{Options: o, visits: make(chan visit, cmp.Or(o.Queue, 10_000)), ctx: ctx, cancel: cancel}
	for range tellers {
		h.wait.Go(func() {
			for v := range h.visits {
				h.tell(v)
			}
		})
	}
	return h
}

// Close waits until all visits are told of, or until ctx ends; then the rest is dropped, and Close returns the error of ctx.
// Visitors that come later are served, and their visits dropped. It may be called more than once.
func (h *Handler) Close(ctx context.Context) error {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		close(h.visits)
	}
	h.mu.Unlock()
	defer h.cancel()
	told := make(chan struct{})
	go func() {
		h.wait.Wait()
		close(told)
	}()
	select {
	case <-told:
		return nil
	case <-ctx.Done():
	}
	h.cancel()
	<-told
	return ctx.Err()
}

// onePixel is a GIF of one transparent pixel, of 43 bytes. Source: GIF89a Specification.
var onePixel, _ = base64.StdEncoding.DecodeString("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")

// ServeHTTP serves GET and HEAD. HEAD makes no event: it is how scanners of links look where one leads.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store, no-cache, must-revalidate, private, max-age=0")
	w.Header().Set("X-Robots-Tag", "noindex, nofollow")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		h.refuse(w, http.StatusMethodNotAllowed, "This address can only be read.")
		return
	}
	path := r.URL.EscapedPath()
	if !strings.Contains(path, linkPath) && !strings.Contains(path, pixelPath) {
		h.refuse(w, http.StatusNotFound, "There is nothing here.")
		return
	}
	t, err := h.Links.read(path)
	if err != nil {
		h.refuse(w, http.StatusBadRequest, "This link is not valid. Perhaps it was cut off on its way.")
		return
	}
	h.remember(r, t)
	if t.target != "" {
		w.Header().Set("Location", t.target)
		w.WriteHeader(http.StatusFound)
		return
	}
	w.Header().Set("Content-Type", "image/gif")
	w.Header().Set("Content-Length", strconv.Itoa(len(onePixel)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(onePixel) // a visitor who is gone has opened the mail all the same
	}
}

func (h *Handler) refuse(w http.ResponseWriter, status int, text string) {
	h.Metrics.count(kindOther, resultInvalid)
	http.Error(w, text, status)
}

func (t *token) kind() string {
	if t.target != "" {
		return kindClick
	}
	return kindOpen
}

// remember puts the visit of a request into the queue.
func (h *Handler) remember(r *http.Request, t token) {
	if r.Method == http.MethodHead {
		h.Metrics.count(t.kind(), resultLooked)
		return
	}
	v := visit{token: t, Visit: email.Visit{IP: h.address(r), UserAgent: agent(r), At: h.Now()}}
	h.mu.RLock()
	defer h.mu.RUnlock()
	if !h.closed {
		select {
		case h.visits <- v:
			h.Metrics.count(t.kind(), resultAccepted)
			return
		default:
		}
	}
	h.Metrics.count(t.kind(), resultDropped)
}

// maxAgent is how much of a User-Agent is kept, in bytes.
const maxAgent = 1024

func agent(r *http.Request) string {
	s := r.UserAgent()
	return strings.ToValidUTF8(s[:min(len(s), maxAgent)], "")
}

// address returns where the request comes from.
func (h *Handler) address(r *http.Request) string {
	if h.TrustProxy {
		// Each proxy appends whom it saw: only the last entry was written by one that we know.
		// Source: RFC 7239 section 8.1, of the field that replaces it.
		if all := r.Header.Values("X-Forwarded-For"); len(all) > 0 {
			last := all[len(all)-1]
			last = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
			if ip, err := netip.ParseAddr(last); err == nil {
				return ip.Unmap().String()
			}
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// tell tells of a visit, more than once if need be.
func (h *Handler) tell(v visit) {
	var err error
	for n, delay := 0, pause; n < attempts; n, delay = n+1, delay*2 {
		if n > 0 && !h.sleep(delay/2) {
			break
		}
		if v.target != "" {
			err = h.Intake.Clicked(h.ctx, v.id, v.Visit, v.target, parseTags(v.tags))
		} else {
			err = h.Intake.Opened(h.ctx, v.id, v.Visit)
		}
		if err == nil {
			return
		}
	}
	h.Metrics.count(v.kind(), resultFailed)
	if !errors.Is(err, context.Canceled) {
		h.Log.Warn("a visit could not be told of", "kind", v.kind(), "message", v.id, "error", err)
	}
}

// sleep waits, and reports false if telling has come to its end meanwhile.
func (h *Handler) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-h.ctx.Done():
		return false
	}
}
