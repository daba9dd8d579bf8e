// Package query speaks AWS's Query protocol for a family of operations: it finds the operation by the
// parameter Action of a form, fills its input from the other parameters, and writes the output or an
// exception as XML.
//
// It follows the Smithy documentation, "AWS Query protocol". It knows no service.
package query

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"tidings/internal/awsapi"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

// Config describes a family that speaks the Query protocol.
type Config struct {
	Name       string // in logs and metrics: "ses"
	Service    string // in signatures and actions: "ses"
	Version    string // of the API: "2010-12-01"; requests may leave it out
	Namespace  string // of the elements of replies: "http://ses.amazonaws.com/doc/2010-12-01/"
	BodyLimit  int64  // bytes; 0 = the handler's limit
	Operations []Operation
	// Absent are operations of the API that this family knows of and does not have: why not, as a sentence, by name.
	Absent map[string]string
	// Exception turns a fault of the operation into what the client is told. input is what the operation was
	// called with, nil if it was not called.
	Exception func(operation string, input any, f *fault.Error) Exception
}

// Exception is what a client is told when its request fails.
type Exception struct {
	awsapi.Exception

	Members []Member // that the exception has beside its message
}

// Member is an element of a reply.
type Member struct{ Name, Value string }

// Operation is one operation of a family. Make one with Op or TenantOp.
type Operation struct {
	awsapi.Operation

	Rate   int // requests per second that an account may make; 0 = as many as it likes
	input  *shape
	output *printer // nil = replies have no result element
}

// NoResult is the output of an operation whose replies have no result element.
type NoResult struct{}

// Op makes an Operation from a typed method. A nil output is answered as an empty one.
//
// A parameter is looked for under the name of the input's field. Fields are strings, bools, ints, float64,
// time.Time, []byte in Base64, structs of such, slices, maps of strings to such, and pointers to all but slices and maps,
// nil where nothing was given. In outputs, nil pointers, slices and maps, empty strings and zero times
// are left out. Op panics over any other type: like http.ServeMux, it takes that for a mistake in the program.
func Op[In, Out any](name string, do func(context.Context, *In) (*Out, error)) Operation {
	return operation[In, Out](awsapi.Op(name, do))
}

// TenantOp makes an Operation as Op does, from a method that works for whoever signed the request; see awsapi.TenantOp.
func TenantOp[In, Out any](name string, do func(context.Context, tenant.Tenant, *In) (*Out, error)) Operation {
	return operation[In, Out](awsapi.TenantOp(name, do))
}

func operation[In, Out any](o awsapi.Operation) Operation {
	return Operation{Operation: o, input: bindInput[In](), output: bindOutput[Out]()}
}

// Family is an awsapi.Family that speaks the Query protocol. It is safe for concurrent use.
type Family struct {
	config     Config
	operations map[string]*Operation
}

// New makes a Family.
func New(c Config) *Family {
	f := &Family{config: c, operations: make(map[string]*Operation, len(c.Operations))}
	for i := range c.Operations {
		f.operations[c.Operations[i].Name] = &c.Operations[i]
	}
	return f
}

// Name is the family in logs and metrics.
func (f *Family) Name() string { return f.config.Name }

// Service is what signatures and actions of the family name.
func (f *Family) Service() string { return f.config.Service }

// BodyLimit is how many bytes a body may have; 0 = the handler's limit.
func (f *Family) BodyLimit() int64 { return f.config.BodyLimit }

// Owns reports whether the request is for the root, where all operations are.
func (f *Family) Owns(r *http.Request) bool { return awsapi.RawPath(r) == "/" }

// Operations returns the names of the family's operations in alphabetical order.
func (f *Family) Operations() []string {
	var names []string
	for _, o := range f.config.Operations {
		names = append(names, o.Name)
	}
	slices.Sort(names)
	return names
}

// allowed are the methods of all operations.
var allowed = []string{http.MethodGet, http.MethodPost}

// Resolve finds the operation by the parameter Action. A form may stand in the query, in the body of a POST, or in both; what
// stands in the body counts for more.
func (f *Family) Resolve(r *http.Request, body []byte) (awsapi.Call, error) {
	if !slices.Contains(allowed, r.Method) {
		return awsapi.Call{}, &awsapi.RefusedError{
			Reason: awsapi.WrongMethod, Allow: allowed,
			Msg: "Requests of this API are made by " + strings.Join(allowed, " and ") + ".",
		}
	}
	if r.Method != http.MethodPost {
		body = nil
	}
	form := form{[]byte(r.URL.RawQuery), body}
	action, version := form.last("Action"), form.last("Version")
	if action == "" {
		return awsapi.Call{}, &awsapi.RefusedError{Reason: awsapi.UnknownOperation, Msg: "The request has no parameter Action.", Err: errNoAction}
	}
	o, ok := f.operations[action]
	if !ok || version != "" && version != f.config.Version {
		return awsapi.Call{}, &awsapi.RefusedError{Reason: awsapi.UnknownOperation, Msg: f.noSuch(action, cmp.Or(version, f.config.Version))}
	}
	return awsapi.Call{Operation: o.Name, Rate: o.Rate, Serve: func(ctx context.Context, w http.ResponseWriter) error {
		return f.serve(ctx, w, o, form)
	}}, nil
}

// errNoAction marks a request without an action, which has an exception of its own.
var errNoAction = errors.New("no action")

// noSuch says that there is no such operation. The first sentence is what AWS says.
func (f *Family) noSuch(action, version string) string {
	text := fmt.Sprintf("Could not find operation %s for version %s", shorten(action), shorten(version))
	if why, ok := f.config.Absent[action]; ok && version == f.config.Version {
		return text + ". This server does not offer it: " + why
	}
	return text
}

func (f *Family) serve(ctx context.Context, w http.ResponseWriter, o *Operation, form form) error {
	input := o.NewInput()
	if err := o.input.fill(input, form); err != nil {
		return &callError{input: input, err: err}
	}
	output, err := o.Invoke(ctx, input)
	if err != nil {
		return &callError{input: input, err: err}
	}
	f.writeOutput(w, o, output, awsapi.RequestID(ctx))
	return nil
}

// callError remembers what an operation failed with, for the members of the exception.
type callError struct {
	input any
	err   error
}

func (e *callError) Error() string { return e.err.Error() }
func (e *callError) Unwrap() error { return e.err }

// shorten keeps what a client sent from filling an error text, and from being no XML.
func shorten(s string) string { return fault.Shorten(strings.ToValidUTF8(s, "\uFFFD")) }
