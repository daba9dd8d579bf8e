package app

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tidings/internal/api/ses"
	"tidings/internal/api/smsvoice"
	"tidings/internal/awscli"
	"tidings/internal/configset"
	"tidings/internal/event"
	"tidings/internal/fault"
	"tidings/internal/pinpoint"
	"tidings/internal/tenant"
)

// Export returns what the owner has. See admin.Migrator.
func (a *App) Export(ctx context.Context, service awscli.Service, owner awscli.Owner) (awscli.Batch, error) {
	b := awscli.Batch{Service: service}
	scope, err := scopeOf(service)
	if err != nil {
		return b, err
	}
	t, found, err := a.onlyOwner(service, scope, owner)
	if err != nil || !found {
		return b, err
	}
	if service != awscli.Pinpoint {
		b.Sets = a.exportSets(t, service, scope)
		return b, nil
	}
	return b, a.exportApps(ctx, t, &b)
}

// maxNamedOwners bounds how many owners an error names.
const maxNamedOwners = 5

// onlyOwner finds whose things are meant, and whether there are any.
func (a *App) onlyOwner(service awscli.Service, scope configset.Scope, owner awscli.Owner) (_ tenant.Tenant, found bool, err error) {
	have := a.store.Apps().Tenants()
	if service != awscli.Pinpoint {
		owners := map[tenant.Tenant]bool{}
		for key := range a.store.ConfigurationSets().All() {
			if key.Scope == scope {
				owners[key.Tenant] = true
			}
		}
		have = slices.SortedFunc(maps.Keys(owners), func(x, y tenant.Tenant) int { return cmp.Compare(x.String(), y.String()) })
	}
	have = slices.DeleteFunc(have, func(t tenant.Tenant) bool {
		return owner.Account != "" && owner.Account != t.Account || owner.Region != "" && owner.Region != t.Region
	})
	switch len(have) {
	case 0:
		return tenant.Tenant{}, false, nil
	case 1:
		return have[0], true, nil
	}
	var names []string
	for _, t := range have[:min(len(have), maxNamedOwners)] {
		names = append(names, t.String())
	}
	more := ""
	if n := len(have) - maxNamedOwners; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return tenant.Tenant{}, false, fault.New(fault.Invalid, "", "Use --account and --region: there is something of %s%s.", strings.Join(names, ", "), more)
}

func (a *App) exportSets(t tenant.Tenant, service awscli.Service, scope configset.Scope) []awscli.Set {
	var all []awscli.Set
	for key, set := range a.store.ConfigurationSets().All() {
		if key.Tenant != t || key.Scope != scope {
			continue
		}
		s := awscli.Set{Owner: ownerOf(t), Name: set.Name, Whole: true}
		for _, d := range set.Destinations {
			s.Destinations = append(s.Destinations, savedDestination(service, d))
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(x, y awscli.Set) int { return cmp.Compare(x.Name, y.Name) })
	return all
}

// appsPerPage is how many apps are read at a time.
const appsPerPage = 1000

func (a *App) exportApps(ctx context.Context, t tenant.Tenant, b *awscli.Batch) error {
	var after pinpoint.Position
	for more := true; more; {
		var page []*pinpoint.App
		var err error
		if page, more, err = a.apps.Apps(ctx, t, after, appsPerPage); err != nil {
			return err
		}
		for _, app := range page {
			after = app.Position()
			b.Apps = append(b.Apps, savedApp(app))
			s, err := a.apps.Stream(ctx, t, app.ID)
			if fault.Is(err, fault.NotFound) { // it has none
				continue
			}
			if err != nil {
				return err
			}
			b.Streams = append(b.Streams, savedStream(t, app.ID, s))
		}
	}
	return nil
}

func ownerOf(t tenant.Tenant) awscli.Owner { return awscli.Owner{Account: t.Account, Region: t.Region} }

// savedApp is the app as it is saved.
func savedApp(a *pinpoint.App) awscli.App {
	tags := map[string]string{} // not nil, which would say nothing
	maps.Copy(tags, a.Tags)
	return awscli.App{Owner: ownerOf(a.Tenant), ARN: a.ARN(), ID: a.ID, Name: a.Name, Tags: tags, Created: a.Created}
}

// savedStream is the event stream of an app as it is saved.
func savedStream(t tenant.Tenant, app string, s *pinpoint.Stream) awscli.Stream {
	return awscli.Stream{Owner: ownerOf(t), App: app, ARN: s.ARN, Role: s.Role, Modified: s.Modified, By: s.By}
}

// savedDestination is the event destination as it is saved.
func savedDestination(service awscli.Service, d configset.EventDestination) awscli.Destination {
	out := awscli.Destination{
		Name: d.Name, Enabled: d.Enabled, Kind: d.Destination.Kind, ARN: d.Destination.ARN, Role: d.Destination.Role, Dimensions: d.Dimensions,
	}
	for _, t := range d.Types {
		out.Types = append(out.Types, eventWord(service, t))
	}
	return out
}

// eventDestinationOf is the event destination that was saved. It fails with fault.Invalid if
// it names an event type that does not exist; all else the rules of sets look at.
func eventDestinationOf(service awscli.Service, d awscli.Destination) (configset.EventDestination, error) {
	out := configset.EventDestination{
		Name: d.Name, Enabled: d.Enabled, Dimensions: d.Dimensions,
		Destination: configset.Destination{Kind: d.Kind, ARN: d.ARN, Role: d.Role},
	}
	for _, word := range d.Types {
		t, err := eventType(service, word)
		if err != nil {
			return out, err
		}
		out.Types = append(out.Types, t)
	}
	return out, nil
}

func eventType(service awscli.Service, word string) (event.Type, error) {
	if service == awscli.SES {
		return ses.EventType(word)
	}
	return smsvoice.EventType(word)
}

func eventWord(service awscli.Service, t event.Type) string {
	if service == awscli.SES {
		return ses.EventWord(t)
	}
	return smsvoice.EventWord(t)
}
