// Package restjson speaks AWS's REST-JSON protocol for a family of operations: it finds
// the operation by method and path, fills its input from path, query and body, and writes
// the output or an exception as JSON.
//
// It follows the Smithy documentation, "AWS restJson1 protocol", as far as our families
// need it: no streams. Blobs and times are of the types Blob and Time. It knows no service.
package restjson

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"tidings/internal/awsapi"
	"tidings/internal/fault"
)

// Config describes a family that speaks REST-JSON.
type Config struct {
	Name    string // in logs and metrics: "smsvoice"
	Service string // in signatures and actions: "sms-voice"
	// Prefixes are what paths of the family begin with: "/v1/sms-voice/".
	Prefixes  []string
	BodyLimit int64 // bytes; 0 = the handler's limit
	Routes    []Route
	// Exception turns a fault of the operation into what the client is told.
	Exception func(operation string, f *fault.Error) awsapi.Exception
	// TooLarge is the exception for a body beyond the limit; "" = the name that AWS's
	// gateways have for it.
	TooLarge string
	// ErrorRequestID repeats the request's ID in the body of every error, as the member
	// RequestID.
	ErrorRequestID bool
	// LowerMessage writes the text of an error as the member message, for APIs whose
	// exceptions have no member of their own; else it is Message.
	LowerMessage bool
	// ResourceRoot is cut from the path for the name of the resource in refusals; "" =
	// refusals name none.
	ResourceRoot string
}

// Route says which requests are for an operation.
type Route struct {
	Method string
	// Path has segments in braces, each of which fills the input's field with that uri
	// tag: "/v1/sms-voice/configuration-sets/{ConfigurationSetName}".
	Path      string
	Operation awsapi.Operation
	Rate      int // requests per second that an account may make; 0 = as many as it likes
	Status    int // of a success; 0 = 200; with 204 there is no body
}

// Family is an awsapi.Family that speaks REST-JSON.
type Family struct {
	config    Config
	resources []*resource
	plain     map[string]*resource // those without braces in their path, by path
}

// resource is one path and what can be done with it.
type resource struct {
	path     string
	segments []string
	allow    []string // methods
	actions  map[string]action
}

type action struct {
	Route
	binding *binding
}

// New makes a Family. It panics if a path names something that the operation's input has
// no field for: like http.ServeMux, it takes that for a mistake in the program.
func New(c Config) *Family {
	f := &Family{config: c, plain: map[string]*resource{}}
	for _, route := range c.Routes {
		res := f.resource(route.Path)
		res.actions[route.Method] = action{Route: route, binding: bind(route)}
		res.allow = append(res.allow, route.Method)
	}
	for _, res := range f.resources {
		res.allow = append(res.allow, http.MethodOptions)
		slices.Sort(res.allow)
		if !strings.Contains(res.path, "{") {
			f.plain[res.path] = res
		}
	}
	return f
}

func (f *Family) resource(path string) *resource {
	i := slices.IndexFunc(f.resources, func(r *resource) bool { return r.path == path })
	if i >= 0 {
		return f.resources[i]
	}
	res := &resource{path: path, segments: strings.Split(path, "/"), actions: map[string]action{}}
	f.resources = append(f.resources, res)
	return res
}

// Name is the family in logs and metrics.
func (f *Family) Name() string { return f.config.Name }

// Service is what signatures and actions of the family name.
func (f *Family) Service() string { return f.config.Service }

// BodyLimit is how many bytes a body may have; 0 = the handler's limit.
func (f *Family) BodyLimit() int64 { return f.config.BodyLimit }

// Owns reports whether the path begins as those of the family do.
func (f *Family) Owns(r *http.Request) bool {
	path := awsapi.RawPath(r)
	return slices.ContainsFunc(f.config.Prefixes, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
}

// Operations returns the names of the family's operations in alphabetical order.
func (f *Family) Operations() []string {
	var names []string
	for _, route := range f.config.Routes {
		names = append(names, route.Operation.Name)
	}
	slices.Sort(names)
	return slices.Compact(names) // an operation may be at two paths
}

// Resolve finds the operation by path and method. OPTIONS is open on every path that has
// an operation.
func (f *Family) Resolve(r *http.Request, body []byte) (awsapi.Call, error) {
	res, values := f.match(awsapi.RawPath(r))
	if res == nil {
		return awsapi.Call{}, &awsapi.RefusedError{Reason: awsapi.UnknownOperation, Msg: "There is no operation at this path. Paths are taken as they come: no slash more or less."}
	}
	if r.Method == http.MethodOptions {
		return awsapi.Call{Operation: "Options", Open: true, Serve: res.options}, nil
	}
	a, ok := res.actions[r.Method]
	if !ok {
		return awsapi.Call{}, &awsapi.RefusedError{
			Reason: awsapi.WrongMethod, Allow: res.allow,
			Msg: "There is no operation of this method at this path; there is one for: " + strings.Join(res.allow, ", ") + ".",
		}
	}
	return awsapi.Call{
		Operation: a.Operation.Name,
		Rate:      a.Rate,
		Resource:  f.resourceName(r),
		Serve: func(ctx context.Context, w http.ResponseWriter) error {
			input := a.Operation.NewInput()
			if err := a.binding.fill(input, values, r.URL.Query(), body); err != nil {
				return err
			}
			output, err := a.Operation.Invoke(ctx, input)
			if err != nil {
				return err
			}
			return writeOutput(w, cmp.Or(a.Status, http.StatusOK), output)
		},
	}, nil
}

// resourceName is the end of the ARN of what a request works on; "" = not named.
func (f *Family) resourceName(r *http.Request) string {
	if f.config.ResourceRoot == "" {
		return ""
	}
	return strings.TrimPrefix(awsapi.RawPath(r), f.config.ResourceRoot)
}

// match finds the resource of a path and the values of its segments in braces. Segments
// are decoded one by one, after the path was split: an encoded slash is part of a name.
func (f *Family) match(rawPath string) (*resource, map[string]string) {
	if res, ok := f.plain[rawPath]; ok { // most requests, such as those that send
		return res, nil
	}
	segments := strings.Split(rawPath, "/")
	for i, raw := range segments {
		decoded, err := url.PathUnescape(raw)
		if err != nil || raw == "." || raw == ".." {
			return nil, nil
		}
		segments[i] = decoded
	}
	for _, res := range f.resources {
		if values, ok := res.match(segments); ok {
			return res, values
		}
	}
	return nil, nil
}

func (res *resource) match(segments []string) (map[string]string, bool) {
	if len(segments) != len(res.segments) {
		return nil, false
	}
	for i, want := range res.segments {
		_, isValue := wildcard(want)
		if isValue && segments[i] == "" || !isValue && segments[i] != want {
			return nil, false
		}
	}
	values := map[string]string{}
	for i, want := range res.segments {
		if name, isValue := wildcard(want); isValue {
			values[name] = segments[i]
		}
	}
	return values, true
}

// wildcard returns the name in a segment in braces.
func wildcard(segment string) (name string, ok bool) {
	name, ok = strings.CutPrefix(segment, "{")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(name, "}")
}

// options answers what can be done with a resource, to browsers above all.
// Source: SMS and Voice API Reference, OPTIONS of each resource; WHATWG Fetch, "CORS
// preflight". The headers are those that the AWS SDK for JavaScript sends.
func (res *resource) options(_ context.Context, w http.ResponseWriter) error {
	methods := strings.Join(res.allow, ", ")
	h := w.Header()
	h.Set("Allow", methods)
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", "content-type, x-amz-date, authorization, x-amz-security-token, x-amz-user-agent, x-amz-content-sha256, amz-sdk-invocation-id, amz-sdk-request")
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}
