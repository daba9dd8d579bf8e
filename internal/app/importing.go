package app

import (
	"context"
	"fmt"
	"slices"

	"tidings/internal/admin"
	"tidings/internal/arn"
	"tidings/internal/awscli"
	"tidings/internal/configset"
	"tidings/internal/fault"
	"tidings/internal/pinpoint"
	"tidings/internal/tenant"
)

// stage is the features that an import works on: the real ones, or those of a rehearsal.
type stage struct {
	apps *pinpoint.Service
	sets *configset.Service
}

// importer does one import, thing by thing.
type importer struct {
	app       *App
	service   awscli.Service
	scope     configset.Scope // of sets
	play      stage           // where things are made
	rehearsal stage           // where it is tried what would be changed
	dry       bool
	replace   bool
	done      admin.Imported
}

// Import makes what the batch has. See admin.Migrator.
func (a *App) Import(ctx context.Context, in admin.Import) (admin.Imported, error) {
	b := in.Batch
	im := &importer{
		app: a, service: b.Service, play: stage{a.apps, a.sets}, rehearsal: a.rehearse(), dry: in.DryRun, replace: in.Replace,
	}
	if in.DryRun {
		im.play = im.rehearsal
	}
	var err error
	if im.scope, err = scopeOf(b.Service); err != nil {
		return im.done, err
	}
	if isPinpoint := b.Service == awscli.Pinpoint; isPinpoint && len(b.Sets) > 0 || !isPinpoint && len(b.Apps)+len(b.Streams) > 0 {
		return im.done, fault.New(fault.Invalid, "", "Apps and event streams are of pinpoint, configuration sets are not.")
	}
	for i := 0; i < len(b.Apps) && err == nil; i++ {
		err = im.takeApp(ctx, b.Apps[i])
	}
	for i := 0; i < len(b.Streams) && err == nil; i++ {
		err = im.takeStream(ctx, b.Streams[i])
	}
	for i := 0; i < len(b.Sets) && err == nil; i++ {
		err = im.takeSet(ctx, b.Sets[i])
	}
	return im.done, err
}

// scopeOf is where the sets of a service are; "" = it has none.
func scopeOf(service awscli.Service) (configset.Scope, error) {
	switch service {
	case awscli.Pinpoint:
		return "", nil
	case awscli.SMSVoice:
		return configset.Voice, nil
	case awscli.SES:
		return configset.Email, nil
	}
	return "", fault.New(fault.Invalid, "", "The service must be %s, %s or %s, not %q.", awscli.Pinpoint, awscli.SMSVoice, awscli.SES, service)
}

func (im *importer) warn(format string, args ...any) {
	if w := fmt.Sprintf(format, args...); !slices.Contains(im.done.Warnings, w) {
		im.done.Warnings = append(im.done.Warnings, w)
	}
}

// owner is whose the thing becomes.
func (im *importer) owner(o awscli.Owner) (tenant.Tenant, error) {
	if !arn.IsAccount(o.Account) {
		return tenant.Tenant{}, fault.New(fault.Invalid, "", "%q is no account: an account has 12 digits.", o.Account)
	}
	if !tenant.IsRegion(o.Region) {
		return tenant.Tenant{}, fault.New(fault.Invalid, "", "%q is no region.", o.Region)
	}
	if _, ok := im.app.accounts.Account(o.Account); !ok {
		im.warn("account %s is not among the accounts of the configuration: until it is, nobody can use what is imported for it", o.Account)
	}
	return tenant.Tenant{Account: o.Account, Region: o.Region}, nil
}

// finish notes what became of a thing. It returns an error that is not about the thing: the
// import must end.
func (im *importer) finish(item admin.ImportedItem, result admin.ImportResult, err error) error {
	item.Result = result
	if err != nil {
		f := fault.From(err)
		if f.Kind == fault.Internal || f.Kind == fault.Unavailable {
			return err
		}
		item.Result, item.Reason, item.Changes = admin.ImportRefused, f.Msg, nil
	}
	im.done.Items = append(im.done.Items, item)
	return nil
}

// create notes what became of a thing that did not exist.
func (im *importer) create(item admin.ImportedItem, err error) error {
	if im.dry {
		return im.finish(item, admin.ImportWouldCreate, err)
	}
	return im.finish(item, admin.ImportCreated, err)
}

// change changes a thing that exists and differs in item.Changes, or tries whether it could
// be changed.
func (im *importer) change(item admin.ImportedItem, do func(stage) error) error {
	switch {
	case len(item.Changes) == 0:
		return im.finish(item, admin.ImportUnchanged, nil)
	case im.dry || !im.replace:
		return im.finish(item, admin.ImportWouldChange, do(im.rehearsal))
	}
	return im.finish(item, admin.ImportChanged, do(im.play))
}

func (im *importer) takeApp(ctx context.Context, a awscli.App) error {
	item := admin.ImportedItem{Owner: a.Owner, Kind: admin.KindApp, Name: a.ID}
	t, err := im.owner(a.Owner)
	if err != nil {
		return im.finish(item, "", err)
	}
	had, err := im.play.apps.App(ctx, t, a.ID)
	if fault.Is(err, fault.NotFound) {
		return im.create(item, im.play.apps.ImportApp(ctx, appOf(t, a)))
	}
	if err != nil {
		return im.finish(item, "", err)
	}
	old := savedApp(had)
	item.Changes = a.DiffersFrom(old)
	return im.change(item, func(s stage) error { return s.apps.ReplaceApp(ctx, appOf(t, a.Over(old))) })
}

func appOf(t tenant.Tenant, a awscli.App) *pinpoint.App {
	return &pinpoint.App{ID: a.ID, Name: a.Name, Tenant: t, Created: a.Created, Tags: a.Tags}
}

func (im *importer) takeStream(ctx context.Context, s awscli.Stream) error {
	item := admin.ImportedItem{Owner: s.Owner, Kind: admin.KindStream, Name: s.App}
	t, err := im.owner(s.Owner)
	if err != nil {
		return im.finish(item, "", err)
	}
	_, err = im.play.apps.App(ctx, t, s.App)
	if fault.Is(err, fault.NotFound) {
		return im.finish(item, "", fault.New(fault.NotFound, fault.App, "There is no app with this ID; import it first, or with its event stream."))
	}
	if err != nil {
		return im.finish(item, "", err)
	}
	had, err := im.play.apps.Stream(ctx, t, s.App)
	if fault.Is(err, fault.NotFound) {
		return im.create(item, im.play.apps.ImportStream(ctx, t, s.App, streamOf(s)))
	}
	if err != nil {
		return im.finish(item, "", err)
	}
	old := savedStream(t, s.App, had)
	item.Changes = s.DiffersFrom(old)
	return im.change(item, func(at stage) error { return at.apps.ImportStream(ctx, t, s.App, streamOf(s.Over(old))) })
}

func streamOf(s awscli.Stream) pinpoint.Stream {
	return pinpoint.Stream{ARN: s.ARN, Role: s.Role, Modified: s.Modified, By: s.By}
}

// takeSet makes a set with all its new event destinations in one write, and then looks at
// those that it had.
func (im *importer) takeSet(ctx context.Context, s awscli.Set) error {
	item := admin.ImportedItem{Owner: s.Owner, Kind: admin.KindSet, Name: s.Name}
	t, err := im.owner(s.Owner)
	if err != nil {
		return im.refuseSet(item, s, err)
	}
	had, err := im.play.sets.Destinations(ctx, t, im.scope, s.Name)
	missing := fault.Is(err, fault.NotFound)
	if err != nil && !missing {
		return im.refuseSet(item, s, err)
	}
	one := setImport{im, t, s.Name, had}
	refused, err := one.add(ctx, s.Destinations, missing)
	if err != nil {
		return im.refuseSet(item, s, err)
	}
	if missing {
		err = im.create(item, nil)
	} else {
		err = im.finish(item, admin.ImportUnchanged, nil)
	}
	for i := 0; i < len(s.Destinations) && err == nil; i++ {
		err = one.take(ctx, s.Destinations[i], refused[i])
	}
	if s.Whole {
		one.warnOfMore(s.Destinations)
	}
	return err
}

// refuseSet notes a set that was refused, and its event destinations with it.
func (im *importer) refuseSet(item admin.ImportedItem, s awscli.Set, why error) error {
	err := im.finish(item, "", why)
	for i := 0; i < len(s.Destinations) && err == nil; i++ {
		item.Kind, item.Name = admin.KindDestination, s.Name+"/"+s.Destinations[i].Name
		err = im.finish(item, "", why)
	}
	return err
}

// setImport is the import of the event destinations of one set.
type setImport struct {
	*importer

	tenant tenant.Tenant
	set    string
	had    []configset.EventDestination
}

// find returns the event destination that the set had before.
func (one *setImport) find(name string) (configset.EventDestination, bool) {
	i := slices.IndexFunc(one.had, func(d configset.EventDestination) bool { return d.Name == name })
	if i < 0 {
		return configset.EventDestination{}, false
	}
	return one.had[i], true
}

// add makes the set if it is missing, and adds the event destinations that it did not have.
// It returns, for each that is given, why it was not added.
func (one *setImport) add(ctx context.Context, all []awscli.Destination, missing bool) ([]error, error) {
	refused := make([]error, len(all))
	var fresh []configset.EventDestination
	var from []int // their places among all
	for i, d := range all {
		if _, ok := one.find(d.Name); ok {
			continue
		}
		made, err := eventDestinationOf(one.service, d)
		if err != nil {
			refused[i] = err
			continue
		}
		fresh, from = append(fresh, made), append(from, i)
	}
	if !missing && len(fresh) == 0 {
		return refused, nil
	}
	why, err := one.play.sets.Import(ctx, one.tenant, one.scope, one.set, fresh)
	for i, err := range why {
		refused[from[i]] = err
	}
	return refused, err
}

// take notes what became of an event destination that was added or refused, and changes one
// that the set had.
func (one *setImport) take(ctx context.Context, d awscli.Destination, refused error) error {
	item := admin.ImportedItem{
		Owner: awscli.Owner{Account: one.tenant.Account, Region: one.tenant.Region}, Kind: admin.KindDestination, Name: one.set + "/" + d.Name,
	}
	had, ok := one.find(d.Name)
	if !ok {
		return one.create(item, refused)
	}
	item.Changes = d.DiffersFrom(savedDestination(one.service, had), one.service)
	return one.change(item, func(s stage) error {
		made, err := eventDestinationOf(one.service, d)
		if err != nil {
			return err
		}
		return s.sets.UpdateDestination(ctx, one.tenant, one.scope, one.set, made)
	})
}

// warnOfMore warns of event destinations that the set has and the files do not: an import
// removes nothing.
func (one *setImport) warnOfMore(all []awscli.Destination) {
	for _, d := range one.had {
		if !slices.ContainsFunc(all, func(given awscli.Destination) bool { return given.Name == d.Name }) {
			one.warn("configuration set %q has an event destination %q here that it does not have in the files; it stays", one.set, d.Name)
		}
	}
}

var _ admin.Migrator = (*App)(nil)
