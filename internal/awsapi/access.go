package awsapi

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"tidings/internal/account"
)

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int // 0 = nothing yet
	bytes  int
}

// WriteHeader remembers the status and passes it on.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes and passes them on.
func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.bytes += n
	return n, err
}

// Unwrap lets http.ResponseController reach the writer below.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// access is what the log's line about a request says. It holds nothing that a client
// wrote but the method and the ID of the key: no path, no number, no text, no signature.
type access struct {
	id        string
	method    string
	family    string
	operation string
	account   string
	region    string
	key       string
	exception string
	cause     error // what the client was not shown
	abandoned bool  // the client hung up before there was an answer
	began     time.Time
}

func (a *access) signed(p account.Principal) {
	a.account, a.region, a.key = p.Key.Account.ID, p.Region, p.Key.ID
}

// maxLoggedKey is how much of a key ID that nobody verified is logged.
// Source: IAM API Reference, "AccessKey": at most 128 characters.
const maxLoggedKey = 128

// statusAbandoned stands in logs and metrics for the answer that nobody waited for. No
// client ever sees it. Source: nginx, "Log format", status 499.
const statusAbandoned = 499

// report writes the line about a request and counts it.
func (h *Handler) report(r *http.Request, rec *recorder, a *access) {
	took := h.Now().Sub(a.began)
	if a.abandoned {
		rec.status, a.exception = statusAbandoned, "Abandoned"
	}
	h.Metrics.observe(a.family, a.operation, rec.status, a.exception, took)
	level := slog.LevelInfo
	if rec.status >= http.StatusInternalServerError || rec.status < http.StatusBadRequest && a.cause != nil {
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("request", a.id),
		slog.String("method", a.method[:min(len(a.method), 16)]),
		slog.String("family", a.family),
		slog.String("operation", cmp.Or(a.operation, unknown)),
		slog.String("account", a.account),
		slog.String("region", a.region),
		slog.String("key", a.key[:min(len(a.key), maxLoggedKey)]),
		slog.Int("status", rec.status),
		slog.Int("bytes", rec.bytes),
		slog.Duration("duration", took),
	}
	if a.exception != "" {
		attrs = append(attrs, slog.String("exception", a.exception))
	}
	if a.cause != nil {
		attrs = append(attrs, slog.Any("error", a.cause))
	}
	h.Log.LogAttrs(r.Context(), level, "request", attrs...)
}
