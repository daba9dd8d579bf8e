package mailstore

import (
	"context"
	"slices"
	"sync"

	"go.etcd.io/bbolt"

	"tidings/internal/email"
	"tidings/internal/tenant"
)

type settingsRecord struct {
	Version     int      `cbor:"0,keyasint"`
	Paused      bool     `cbor:"1,keyasint,omitempty"`
	Suppression []string `cbor:"2,keyasint"` // null = both reasons
	Details     []byte   `cbor:"3,keyasint,omitempty"`
}

// settings are those of all accounts, in memory.
type settings struct {
	changing sync.Mutex // held by who changes some

	mu  sync.RWMutex
	all map[tenant.Tenant]email.Settings
}

func newSettings() *settings { return &settings{all: map[tenant.Tenant]email.Settings{}} }

func (x *settings) read(tx *bbolt.Tx) error {
	return tx.Bucket(bucketSettings).ForEach(func(k, v []byte) error {
		t, _, err := parseOwner(k)
		if err != nil {
			return err
		}
		var r settingsRecord
		if err := unmarshal("settings", v, &r, &r.Version); err != nil {
			return err
		}
		x.all[t] = email.Settings{Paused: r.Paused, Suppression: r.Suppression, Details: r.Details}
		return nil
	})
}

func (x *settings) get(t tenant.Tenant) email.Settings {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.all[t]
}

func (x *settings) set(t tenant.Tenant, one email.Settings) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.all[t] = one
}

// Settings returns the settings. What they hold is shared and must not be changed.
func (s *Store) Settings(_ context.Context, t tenant.Tenant) (email.Settings, error) {
	return s.settings.get(t), nil
}

// ChangeSettings calls edit with a copy of the settings and stores what it leaves. An error of edit is returned, and then nothing has
// changed. Changes are made one after the other; what has begun to be written is waited for even if ctx ends.
func (s *Store) ChangeSettings(ctx context.Context, t tenant.Tenant, edit func(*email.Settings) error) error {
	s.settings.changing.Lock()
	defer s.settings.changing.Unlock()
	next := cloneSettings(s.settings.get(t))
	if err := edit(&next); err != nil {
		return err
	}
	next = cloneSettings(next)
	value, err := marshal("settings", &settingsRecord{
		Version: recordVersion, Paused: next.Paused, Suppression: next.Suppression, Details: next.Details,
	})
	if err != nil {
		return err
	}
	return s.commit(context.WithoutCancel(ctx), &change{
		edit:  func(b *batch, _ *change) error { return b.put(bucketSettings, ownerKey(t, ""), value) },
		after: func() { s.settings.set(t, next) },
	})
}

func cloneSettings(s email.Settings) email.Settings {
	s.Suppression, s.Details = slices.Clone(s.Suppression), slices.Clone(s.Details)
	return s
}
