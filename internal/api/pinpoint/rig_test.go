package pinpoint

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"tidings/internal/pinpoint"
	"tidings/internal/tenant"
)

// recorder takes everything for right, notes down what it was asked, and answers with what
// it holds.
type recorder struct {
	asked     []any
	fails     error
	app       *pinpoint.App
	stream    *pinpoint.Stream
	endpoint  *pinpoint.Endpoint
	number    pinpoint.Number
	more      bool
	withNames map[string]string
}

var at = time.Date(2026, 11, 21, 10, 30, 0, 123e6, time.UTC)

func (r *recorder) note(what ...any) error {
	r.asked = append(r.asked, what...)
	return r.fails
}

func (r *recorder) CreateApp(_ context.Context, _ tenant.Tenant, name string, tags map[string]string) (*pinpoint.App, error) {
	return r.app, r.note(name, tags)
}

func (r *recorder) App(_ context.Context, _ tenant.Tenant, id string) (*pinpoint.App, error) {
	return r.app, r.note(id)
}

func (r *recorder) Apps(_ context.Context, _ tenant.Tenant, after pinpoint.Position, limit int) ([]*pinpoint.App, bool, error) {
	return []*pinpoint.App{r.app}, r.more, r.note(after, limit)
}

func (r *recorder) DeleteApp(_ context.Context, _ tenant.Tenant, id string) (*pinpoint.App, error) {
	return r.app, r.note(id)
}

func (r *recorder) UpdateSettings(_ context.Context, _ tenant.Tenant, app string, edit func([]byte, time.Time) ([]byte, error)) error {
	settings, err := edit(r.app.Settings, at)
	r.app.Settings = settings
	return errors.Join(err, r.note(app, string(settings)))
}

func (r *recorder) Tag(_ context.Context, _ tenant.Tenant, appARN string, tags map[string]string) error {
	return r.note(appARN, tags)
}

func (r *recorder) Untag(_ context.Context, _ tenant.Tenant, appARN string, keys []string) error {
	return r.note(appARN, keys)
}

func (r *recorder) Tags(_ context.Context, _ tenant.Tenant, appARN string) (map[string]string, error) {
	return r.withNames, r.note(appARN)
}

func (r *recorder) PutStream(_ context.Context, _ tenant.Tenant, app, streamARN, role, by string) (*pinpoint.Stream, error) {
	return r.stream, r.note(app, streamARN, role, by)
}

func (r *recorder) Stream(_ context.Context, _ tenant.Tenant, app string) (*pinpoint.Stream, error) {
	return r.stream, r.note(app)
}

func (r *recorder) DeleteStream(_ context.Context, _ tenant.Tenant, app string) (*pinpoint.Stream, error) {
	return r.stream, r.note(app)
}

func (r *recorder) PutEvents(_ context.Context, _ tenant.Tenant, app string, b pinpoint.Batch) ([]pinpoint.ItemResult, error) {
	var results []pinpoint.ItemResult
	for _, item := range b.Items {
		one := pinpoint.ItemResult{Endpoint: pinpoint.Result{Status: 202, Message: "Accepted"}}
		for range item.Events {
			one.Events = append(one.Events, pinpoint.Result{Status: 400, Message: `a "bad" event of Zürich`})
		}
		results = append(results, one)
	}
	return results, r.note(app, b)
}

func (r *recorder) UpdateEndpoint(_ context.Context, _ tenant.Tenant, app, id string, c pinpoint.EndpointChange, request string) error {
	return r.note(app, id, c, request)
}

func (r *recorder) UpdateEndpoints(_ context.Context, _ tenant.Tenant, app string, changes []pinpoint.NamedChange, request string) error {
	return r.note(app, changes, request)
}

func (r *recorder) Endpoint(_ context.Context, _ tenant.Tenant, app, id string) (*pinpoint.Endpoint, error) {
	return r.endpoint, r.note(app, id)
}

func (r *recorder) DeleteEndpoint(_ context.Context, _ tenant.Tenant, app, id string) (*pinpoint.Endpoint, error) {
	return r.endpoint, r.note(app, id)
}

func (r *recorder) UserEndpoints(_ context.Context, _ tenant.Tenant, app, user string) ([]*pinpoint.Endpoint, error) {
	return []*pinpoint.Endpoint{r.endpoint}, r.note(app, user)
}

func (r *recorder) DeleteUserEndpoints(_ context.Context, _ tenant.Tenant, app, user string) ([]*pinpoint.Endpoint, error) {
	return []*pinpoint.Endpoint{r.endpoint}, r.note(app, user)
}

func (r *recorder) ValidateNumber(_ context.Context, _ tenant.Tenant, number, country string) (pinpoint.Number, error) {
	return r.number, r.note(number, country)
}

// fill puts example values into the braces of a path.
func fill(path string) string {
	return strings.NewReplacer("{application-id}", "app-1", "{endpoint-id}", "endpoint-1", "{user-id}", "user-1", "{resource-arn}", "arn%3Aaws%2Fapp-1").Replace(path)
}

func unmarshal(tb testing.TB, text []byte, into any) {
	tb.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
}
