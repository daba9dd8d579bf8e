package natsstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/internal/pinpoint"
	"tidings/internal/tenant"
)

// Apps lie in the bucket of notes, under keys of their own.
const (
	appPrefix   = "app."
	appSubjects = "$KV." + bucketMeta + "." + appPrefix
)

// Apps keeps apps in a bucket and, for reading, in memory. It implements
// pinpoint.AppStore and is safe for concurrent use.
type Apps struct {
	store *Store
	index appIndex
}

func newApps(s *Store) *Apps {
	return &Apps{store: s, index: appIndex{of: map[tenant.Tenant]*tenantApps{}, gone: map[pinpoint.AppKey]uint64{}}}
}

// Apps returns the store of apps.
func (s *Store) Apps() *Apps { return s.apps }

// Room fails with fault.Unavailable while nothing new is accepted. As long as there was room
// at the last look it costs nothing.
func (s *Store) Room() error { return s.space.refuses() }

// App returns the app, or false. It is shared and must not be changed.
func (a *Apps) App(t tenant.Tenant, id string) (*pinpoint.App, bool) { return a.index.get(t, id) }

// Apps returns up to limit apps in the order of their creation, beginning behind the
// position, and whether more follow. They are shared and must not be changed.
func (a *Apps) Apps(t tenant.Tenant, after pinpoint.Position, limit int) (apps []*pinpoint.App, more bool) {
	return a.index.list(t, after, limit)
}

// Count returns how many apps the tenant has.
func (a *Apps) Count(t tenant.Tenant) int { return a.index.count(t) }

// Put stores the app, in place of the one with its tenant and ID. It fails with
// fault.Unavailable when there is no room.
func (a *Apps) Put(ctx context.Context, app *pinpoint.App) error {
	value, err := encodeApp(app)
	if err != nil {
		return err
	}
	m, err := appMessage(app.Tenant, app.ID)
	if err != nil {
		return err
	}
	m.Data = value
	revision, err := a.store.publish(ctx, m, ordinary)
	if err != nil {
		return unavailable(err)
	}
	// What is handed out is what a restart would read, and shares nothing with app.
	kept, err := decodeApp(app.Tenant, app.ID, value)
	if err != nil {
		return err
	}
	a.index.put(kept, revision)
	return nil
}

// Remove removes the app if there is one.
func (a *Apps) Remove(ctx context.Context, t tenant.Tenant, id string) error {
	if _, ok := a.index.get(t, id); !ok {
		return nil
	}
	m, err := appMessage(t, id)
	if err != nil {
		return err
	}
	m.Header.Set(headerOperation, "PURGE")
	m.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	m.Header.Set(jetstream.MsgTTLHeader, strconv.Itoa(int(markerTTL/time.Second)))
	revision, err := a.store.publish(ctx, m, urgent) // removing makes room
	if err != nil {
		return unavailable(err)
	}
	a.index.remove(t, id, revision)
	return nil
}

func appMessage(t tenant.Tenant, id string) (*nats.Msg, error) {
	for _, part := range []string{t.Account, t.Region, id} {
		if !isToken(part) {
			return nil, fmt.Errorf("%q cannot be part of a key", part)
		}
	}
	return nats.NewMsg(appSubjects + t.Account + "." + t.Region + "." + id), nil
}

// watch fills the index from the session's bucket, returns when it is complete, and follows
// changes until the session ends.
func (a *Apps) watch(ctx context.Context, sess *session) error {
	w, err := sess.meta.Watch(sess.ctx, appPrefix+">")
	if err != nil {
		return fmt.Errorf("watch apps: %w", err)
	}
	m := mirror{store: a.store, apply: a.apply, unreadable: func(key string, err error) {
		a.store.log.Error("an app cannot be read", "key", key, "err", err)
	}}
	return m.watch(ctx, sess, w)
}

func (a *Apps) apply(entry jetstream.KeyValueEntry) error {
	parts := strings.Split(strings.TrimPrefix(entry.Key(), appPrefix), ".")
	if len(parts) != 3 {
		return fmt.Errorf("%q is no key of an app", entry.Key())
	}
	t, id := tenant.Tenant{Account: parts[0], Region: parts[1]}, parts[2]
	if entry.Operation() != jetstream.KeyValuePut {
		a.index.remove(t, id, entry.Revision())
		return nil
	}
	app, err := decodeApp(t, id, entry.Value())
	if err != nil {
		return err
	}
	a.index.put(app, entry.Revision())
	return nil
}

// appVersion is the version of appRecord. An app of a later version is refused.
const appVersion = 1

// appRecord is what lies on the disk; see records.go.
type appRecord struct {
	Version        int               `cbor:"0,keyasint"`
	Name           string            `cbor:"1,keyasint"`
	Created        int64             `cbor:"2,keyasint"` // Unix milliseconds
	Tags           map[string]string `cbor:"3,keyasint,omitempty"`
	StreamModified int64             `cbor:"4,keyasint,omitempty"` // Unix milliseconds; 0 = never
	StreamBy       string            `cbor:"5,keyasint,omitempty"`
	Settings       []byte            `cbor:"6,keyasint,omitempty"`
}

func encodeApp(a *pinpoint.App) ([]byte, error) {
	r := appRecord{Version: appVersion, Name: a.Name, Created: a.Created.UnixMilli(), Tags: a.Tags, StreamBy: a.StreamBy, Settings: a.Settings}
	if !a.StreamModified.IsZero() {
		r.StreamModified = a.StreamModified.UnixMilli()
	}
	b, err := cbor.Marshal(&r)
	if err != nil {
		return nil, fmt.Errorf("encode app: %w", err)
	}
	return b, nil
}

func decodeApp(t tenant.Tenant, id string, value []byte) (*pinpoint.App, error) {
	var r appRecord
	if err := cbor.Unmarshal(value, &r); err != nil {
		return nil, fmt.Errorf("decode app %s: %w", id, err)
	}
	if r.Version != appVersion {
		return nil, fmt.Errorf("decode app %s: its record has version %d, this program knows %d", id, r.Version, appVersion)
	}
	a := &pinpoint.App{ID: id, Name: r.Name, Tenant: t, Created: time.UnixMilli(r.Created).UTC(), Tags: r.Tags, StreamBy: r.StreamBy, Settings: r.Settings}
	if r.StreamModified != 0 {
		a.StreamModified = time.UnixMilli(r.StreamModified).UTC()
	}
	return a, nil
}

// appIndex is all apps in memory. News come twice, from the writer and from the bucket, and
// in any order: the higher revision of a key wins.
type appIndex struct {
	mu   sync.RWMutex
	of   map[tenant.Tenant]*tenantApps
	gone map[pinpoint.AppKey]uint64 // as setIndex has it
}

type tenantApps struct {
	byID  map[string]keptApp
	order []*pinpoint.App // in the order of creation
}

type keptApp struct {
	app      *pinpoint.App
	revision uint64
}

func (x *appIndex) get(t tenant.Tenant, id string) (*pinpoint.App, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	in := x.of[t]
	if in == nil {
		return nil, false
	}
	kept, ok := in.byID[id]
	return kept.app, ok
}

func (x *appIndex) count(t tenant.Tenant) int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if in := x.of[t]; in != nil {
		return len(in.order)
	}
	return 0
}

func (x *appIndex) list(t tenant.Tenant, after pinpoint.Position, limit int) (apps []*pinpoint.App, more bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	in := x.of[t]
	if in == nil {
		return nil, false
	}
	i, found := in.find(after)
	if found {
		i++
	}
	end := min(i+max(limit, 0), len(in.order))
	return slices.Clone(in.order[i:end]), end < len(in.order)
}

func (in *tenantApps) find(p pinpoint.Position) (int, bool) {
	return slices.BinarySearchFunc(in.order, p, func(a *pinpoint.App, p pinpoint.Position) int { return a.Position().Compare(p) })
}

func (x *appIndex) put(a *pinpoint.App, revision uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	key := pinpoint.AppKey{Tenant: a.Tenant, App: a.ID}
	in := x.of[a.Tenant]
	if in == nil {
		in = &tenantApps{byID: map[string]keptApp{}}
		x.of[a.Tenant] = in
	}
	if x.gone[key] > revision || in.byID[a.ID].revision >= revision {
		return
	}
	delete(x.gone, key)
	in.drop(a.ID)
	in.byID[a.ID] = keptApp{a, revision}
	i, _ := in.find(a.Position())
	in.order = slices.Insert(in.order, i, a)
}

func (x *appIndex) remove(t tenant.Tenant, id string, revision uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	in := x.of[t]
	if in != nil && in.byID[id].revision > revision {
		return
	}
	key := pinpoint.AppKey{Tenant: t, App: id}
	if len(x.gone) >= maxMarkers {
		for k := range x.gone {
			delete(x.gone, k)
			break
		}
	}
	x.gone[key] = max(x.gone[key], revision)
	if in == nil {
		return
	}
	in.drop(id)
	if len(in.byID) == 0 {
		delete(x.of, t)
	}
}

// drop takes the app out, if it is there.
func (in *tenantApps) drop(id string) {
	had, ok := in.byID[id]
	if !ok {
		return
	}
	delete(in.byID, id)
	if i, found := in.find(had.app.Position()); found {
		in.order = slices.Delete(in.order, i, i+1)
	}
}
