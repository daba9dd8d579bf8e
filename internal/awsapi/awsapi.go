// Package awsapi serves AWS-like APIs on one listener. A Handler gives each request its
// ID, bounds its body, demands a signature and a permission, lets the Family it is for
// answer it, and writes one line about it to the log.
//
// It knows neither JSON nor XML nor any service: a protocol lives in a folder below, a
// family in internal/api.
package awsapi

import (
	"context"
	"net/http"
	"time"

	"tidings/internal/account"
	"tidings/internal/tenant"
)

// Operation is one operation of a family, without its protocol. Make one with Op or TenantOp.
type Operation struct {
	Name string // as AWS calls it: "SendVoiceMessage"
	// NewInput returns a pointer to an empty input, for the protocol to fill.
	NewInput func() any
	// Invoke works on such an input and returns a pointer to the output.
	Invoke func(ctx context.Context, input any) (any, error)
}

// Op makes an Operation from a typed method. A nil output is answered as an empty one.
func Op[In, Out any](name string, do func(context.Context, *In) (*Out, error)) Operation {
	return Operation{
		Name:     name,
		NewInput: func() any { return new(In) },
		Invoke: func(ctx context.Context, input any) (any, error) {
			out, err := do(ctx, input.(*In))
			if err != nil {
				return nil, err
			}
			if out == nil {
				out = new(Out)
			}
			return out, nil
		},
	}
}

// TenantOp makes an Operation from a typed method that works for whoever signed the request. It
// fails with ErrNoCaller if nobody did.
func TenantOp[In, Out any](name string, do func(context.Context, tenant.Tenant, *In) (*Out, error)) Operation {
	return Op(name, func(ctx context.Context, in *In) (*Out, error) {
		t, err := Caller(ctx)
		if err != nil {
			return nil, err
		}
		return do(ctx, t, in)
	})
}

// Family is one API with its protocol: SMS and Voice over REST-JSON, SES over Query. All
// methods are safe for concurrent use.
type Family interface {
	// Name is the family in logs and metrics: "smsvoice".
	Name() string
	// Service is what the credential scope of a signature names, and what the actions of
	// the family begin with: "sms-voice".
	Service() string
	// BodyLimit is how many bytes the body of a request may have; 0 = the handler's limit.
	BodyLimit() int64
	// Owns reports whether the request belongs to this family, even if only to be told
	// that it has no such operation.
	Owns(r *http.Request) bool
	// Resolve finds out what the request is for. It fails with a RefusedError.
	Resolve(r *http.Request, body []byte) (Call, error)
	// WriteError answers the request with err in the family's dialect and returns what
	// it told the client. operation is empty if none was found.
	WriteError(w http.ResponseWriter, operation string, err error) Exception
}

// Call is a request whose operation was found.
type Call struct {
	Operation string // never from the client's own words: it is a label of metrics
	Open      bool   // needs neither a signature nor a permission
	Resource  string // what it works on, as the end of an ARN: "apps/ID/events"; "" = refusals do not name it
	Rate      int    // how many a second an account may make; 0 = as many as it likes
	// Serve decodes, works and answers. If it returns an error, it has written nothing.
	Serve func(ctx context.Context, w http.ResponseWriter) error
}

// Exception is what a client is told when its request fails.
type Exception struct {
	Status     int
	Code       string // "NotFoundException"
	Message    string
	RetryAfter time.Duration // 0 = not known
}

// Verifier finds out who signed a request.
type Verifier interface {
	// Verify checks the signature of a request to service, whose body was read already.
	// It fails with a RefusedError. It is safe for concurrent use.
	Verify(r *http.Request, service string, body []byte) (account.Principal, error)
}

// Reason is why a request was refused before any operation saw it. Each protocol has its
// own name for it.
type Reason int

// The reasons.
const (
	UnknownOperation    Reason = iota + 1 // the path, or the action, is nothing we know
	WrongMethod                           // the path is known, the method is not
	TooLarge                              // the body is beyond the limit
	BadRequest                            // the request is no proper HTTP: a broken query, a body cut off
	NotSigned                             // there is no signature
	IncompleteSignature                   // there is something like a signature, but it cannot be read
	WrongSignature                        // the signature is not that of this request
	WrongTime                             // signed too long ago, or in the future
	UnknownKey                            // no such access key, or a session token that is not its own
	ExpiredKey                            // the temporary key has ended
	Forbidden                             // the key may not be used for this
)

// RefusedError is why a request was refused before any operation saw it.
type RefusedError struct {
	Reason Reason
	Msg    string   // a sentence for the client: what is wrong and what to change
	Key    string   // the access key ID the request named, verified or not; "" = none
	Allow  []string // the methods that a path knows, for WrongMethod
	Err    error    // the cause, not shown
}

// Error returns the message for the client.
func (e *RefusedError) Error() string { return e.Msg }

// Unwrap returns the cause.
func (e *RefusedError) Unwrap() error { return e.Err }
