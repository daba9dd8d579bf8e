package awsapi

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/account"
	"tidings/internal/fault"
)

// defaultBodyLimit is far above the largest request of the SMS and Voice API: 6,000
// characters, at most 6 bytes of JSON each.
const defaultBodyLimit = 1 << 20

// Options are what a Handler is made of.
type Options struct {
	// Families share the listener; the first that owns a request gets it. A request that
	// none owns is refused in the dialect of the first.
	Families  []Family
	Verifier  Verifier
	BodyLimit int64        // bytes; 0 = 1 MiB
	Log       *slog.Logger // nil = none
	Metrics   *Metrics     // nil = none
	// CORSOrigin is sent as Access-Control-Allow-Origin with every reply; "" = not sent,
	// so that browsers keep pages of other origins from reading replies.
	CORSOrigin string
	Now        func() time.Time // nil = time.Now
}

// Handler answers all requests of the API listener. It is safe for concurrent use.
type Handler struct {
	Options
	limiter limiter
}

// NewHandler makes a Handler. It needs at least one family and a verifier.
func NewHandler(opts Options) *Handler {
	if opts.BodyLimit == 0 {
		opts.BodyLimit = defaultBodyLimit
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Metrics == nil {
		opts.Metrics = NewMetrics(prometheus.NewRegistry())
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Handler{Options: opts}
}

// ServeHTTP answers one request. The steps stand in the order in which they are taken:
// request ID, recovery from panics, the line in the log, the limit of the body, the
// signature, the permission, the rate, and at last the operation.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := newRequestID()
	rec := &recorder{ResponseWriter: w}
	rec.Header().Set(RequestIDHeader, id)
	h.allowOrigin(rec.Header())
	family, owned := h.family(r)
	a := &access{id: id, method: r.Method, began: h.Now()}
	if owned {
		a.family = family.Name()
	}
	defer h.report(r, rec, a)
	defer h.recover(rec, family, a)

	ctx := withOrigin(context.WithValue(r.Context(), requestIDKey{}, id), r)
	err := h.serve(ctx, rec, r, family, owned, a)
	switch {
	case err == nil:
	case rec.status == 0 && r.Context().Err() != nil:
		a.abandoned = true
	default:
		h.fail(rec, family, a, err)
	}
}

// serve answers the request, or returns why it cannot be answered with a success.
func (h *Handler) serve(ctx context.Context, w http.ResponseWriter, r *http.Request, family Family, owned bool, a *access) error {
	body, err := h.readBody(w, r, cmp.Or(family.BodyLimit(), h.BodyLimit))
	if err != nil {
		return err
	}
	if !owned {
		return &RefusedError{Reason: UnknownOperation, Msg: "This server has no such API: check the path of the endpoint URL."}
	}
	call, err := family.Resolve(r, body)
	if err != nil {
		return err
	}
	a.operation = call.Operation
	if call.Open {
		return call.Serve(ctx, w)
	}
	p, err := h.Verifier.Verify(r, family.Service(), body)
	if err != nil {
		return err
	}
	a.signed(p)
	if err := permit(p, family.Service(), call); err != nil {
		return err
	}
	if err := h.limiter.take(p.Key.Account.ID, family.Name()+"/"+call.Operation, call.Rate, h.Now()); err != nil {
		return err
	}
	return call.Serve(account.NewContext(ctx, p), w)
}

// family returns the family the request is for, and whether it really is one of its.
func (h *Handler) family(r *http.Request) (f Family, owned bool) {
	for _, f := range h.Families {
		if f.Owns(r) {
			return f, true
		}
	}
	return h.Families[0], false
}

// readBody reads the whole body: its hash is part of the signature.
func (h *Handler) readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength == 0 || r.Body == nil {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		buf.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	_, err := io.Copy(&buf, http.MaxBytesReader(w, r.Body, limit))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, tooLarge(limit)
	}
	if err != nil {
		return nil, &RefusedError{Reason: BadRequest, Msg: "The request body did not arrive whole.", Err: err}
	}
	return buf.Bytes(), nil
}

func tooLarge(limit int64) error {
	return &RefusedError{Reason: TooLarge, Msg: fmt.Sprintf("The request body must be at most %d bytes.", limit)}
}

// permit fails unless the key of p may be used for the operation.
func permit(p account.Principal, service string, call Call) error {
	action := service + ":" + call.Operation
	if p.Key.Allows(action) {
		return nil
	}
	// The form of AWS's own text, with an access key where AWS names the IAM user.
	msg := fmt.Sprintf("User: arn:aws:iam::%s:access-key/%s is not authorized to perform: %s", p.Key.Account.ID, p.Key.ID, action)
	if call.Resource != "" {
		msg += fmt.Sprintf(" on resource: arn:aws:%s:%s:%s:%s", service, p.Region, p.Key.Account.ID, call.Resource)
	}
	return &RefusedError{Reason: Forbidden, Key: p.Key.ID, Msg: msg}
}

// allowOrigin lets pages of the configured origin read the reply.
// Source: WHATWG Fetch, "CORS protocol".
func (h *Handler) allowOrigin(header http.Header) {
	if h.CORSOrigin == "" {
		return
	}
	header.Set("Access-Control-Allow-Origin", h.CORSOrigin)
	header.Set("Access-Control-Expose-Headers", "x-amzn-RequestId, x-amzn-ErrorType")
	if h.CORSOrigin != "*" {
		header.Set("Vary", "Origin")
	}
}

// fail answers with err, and keeps for the log what no client is shown.
func (h *Handler) fail(rec *recorder, family Family, a *access, err error) {
	if rec.status != 0 { // the operation has answered and then failed: nothing can be said any more
		a.cause = err
		return
	}
	e := family.WriteError(rec, a.operation, err)
	a.exception = e.Code
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		a.cause = refused.Err
		a.key = cmp.Or(a.key, refused.Key)
		return
	}
	if e.Status >= http.StatusInternalServerError { // below that, the cause is the client's own words
		a.cause = fault.From(err).Err
	}
}

// recover answers a request whose operation panicked as one that met an internal error.
func (h *Handler) recover(rec *recorder, family Family, a *access) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares the panic value, so must we
		panic(p)
	}
	h.fail(rec, family, a, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
}
