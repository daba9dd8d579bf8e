package natsstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/internal/configset"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

// What a bucket looks like on the wire. Source: NATS ADR-8, "JetStream based Key-Value
// Stores".
const (
	setSubjects     = "$KV." + bucketSets + "."
	headerOperation = "KV-Operation" // not on a put
)

// ConfigurationSets keeps configuration sets in a bucket and, for reading, in memory. It
// implements configset.Store and is safe for concurrent use.
type ConfigurationSets struct {
	store *Store
	index *setIndex
}

func newConfigurationSets(s *Store) *ConfigurationSets {
	return &ConfigurationSets{store: s, index: newSetIndex()}
}

// Get returns the set, or false. The set is shared and must not be changed.
func (c *ConfigurationSets) Get(key configset.Key) (*configset.Set, bool) { return c.index.get(key) }

// List returns up to limit names in order, beginning behind after, and whether more follow.
func (c *ConfigurationSets) List(t tenant.Tenant, scope configset.Scope, after string, limit int) (names []string, more bool) {
	return c.index.list(t, scope, after, limit)
}

// All returns every set of every tenant with its key. The sets are shared and must not be
// changed.
func (c *ConfigurationSets) All() map[configset.Key]*configset.Set { return c.index.all() }

// Count returns how many sets the tenant has.
func (c *ConfigurationSets) Count(t tenant.Tenant, scope configset.Scope) int {
	return c.index.count(t, scope)
}

// Create stores a new set. It fails with fault.Exists if the key is taken, and with
// fault.Unavailable when there is no room.
func (c *ConfigurationSets) Create(ctx context.Context, key configset.Key, s *configset.Set) error {
	exists := fault.New(fault.Exists, fault.ConfigurationSet, "A configuration set with the name %q exists already.", key.Name)
	if _, ok := c.index.get(key); ok {
		return exists
	}
	// A deleted set has left a marker, whose revision is then the one to replace.
	err := c.put(ctx, key, s, c.index.marker(key))
	if !errors.Is(err, configset.ErrChanged) {
		return err
	}
	revision, taken, err := c.lastOf(ctx, key)
	if err != nil {
		return err
	}
	if taken {
		return exists
	}
	if err := c.put(ctx, key, s, revision); !errors.Is(err, configset.ErrChanged) {
		return err
	}
	return exists
}

// lastOf returns the revision of what the bucket has under the key, 0 if nothing, and
// whether it is a set and not the marker of a deleted one.
func (c *ConfigurationSets) lastOf(ctx context.Context, key configset.Key) (revision uint64, taken bool, err error) {
	k, err := setKey(key)
	if err != nil {
		return 0, false, err
	}
	sess, err := c.store.session()
	if err != nil {
		return 0, false, err
	}
	st, err := sess.js.Stream(ctx, "KV_"+bucketSets)
	if err != nil {
		return 0, false, unavailable(err)
	}
	m, err := st.GetLastMsgForSubject(ctx, setSubjects+k)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, unavailable(err)
	}
	return m.Sequence, m.Header.Get(headerOperation) == "", nil
}

// Update replaces the set whose Revision s carries. It fails with configset.ErrChanged if
// another writer was faster, and with fault.NotFound if the set is gone.
func (c *ConfigurationSets) Update(ctx context.Context, key configset.Key, s *configset.Set) error {
	have, ok := c.index.get(key)
	if !ok {
		return missing(key)
	}
	if have.Revision != s.Revision {
		return configset.ErrChanged
	}
	return c.put(ctx, key, s, s.Revision)
}

// Delete removes the set. It fails with fault.NotFound if there is none.
func (c *ConfigurationSets) Delete(ctx context.Context, key configset.Key) error {
	for {
		have, ok := c.index.get(key)
		if !ok {
			return missing(key)
		}
		m, err := setMessage(key, nil, have.Revision)
		if err != nil {
			return err
		}
		m.Header.Set(headerOperation, "PURGE")
		m.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
		m.Header.Set(jetstream.MsgTTLHeader, strconv.Itoa(int(markerTTL/time.Second)))
		// Deleting makes room, so it is never refused for lack of it.
		revision, err := c.write(ctx, m, urgent)
		if errors.Is(err, configset.ErrChanged) {
			if now, ok := c.index.get(key); ok && now == have {
				return err // somebody else writes into the bucket faster than we hear of it
			}
			continue
		}
		if err != nil {
			return err
		}
		c.index.remove(key, revision)
		return nil
	}
}

func missing(key configset.Key) error {
	return fault.New(fault.NotFound, fault.ConfigurationSet, "There is no configuration set with the name %q.", key.Name)
}

// put writes the set if the key's revision in the bucket is still the given one.
func (c *ConfigurationSets) put(ctx context.Context, key configset.Key, s *configset.Set, revision uint64) error {
	value, err := encodeSet(s)
	if err != nil {
		return err
	}
	m, err := setMessage(key, value, revision)
	if err != nil {
		return err
	}
	written, err := c.write(ctx, m, ordinary)
	if err != nil {
		return err
	}
	// What is handed out is what a restart would read, and shares nothing with s.
	kept, err := decodeSet(key.Name, written, value)
	if err != nil {
		return err
	}
	c.index.put(key, kept)
	return nil
}

// write publishes into the bucket as a key-value client would; done here, so that a
// delete, too, tells its revision.
func (c *ConfigurationSets) write(ctx context.Context, m *nats.Msg, u urgency) (uint64, error) {
	revision, err := c.store.publish(ctx, m, u)
	if refused, ok := errors.AsType[*jetstream.APIError](err); ok && refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return 0, configset.ErrChanged
	}
	return revision, unavailable(err)
}

func setMessage(key configset.Key, value []byte, revision uint64) (*nats.Msg, error) {
	k, err := setKey(key)
	if err != nil {
		return nil, err
	}
	m := nats.NewMsg(setSubjects + k)
	m.Data = value
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(revision, 10))
	return m, nil
}

// setKey prints the key as account.region.scope.name.
func setKey(key configset.Key) (string, error) {
	parts := []string{key.Tenant.Account, key.Tenant.Region, string(key.Scope), key.Name}
	for _, p := range parts {
		if !isToken(p) {
			return "", fmt.Errorf("%q cannot be part of a key", p)
		}
	}
	return strings.Join(parts, "."), nil
}

func parseSetKey(s string) (configset.Key, error) {
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return configset.Key{}, fmt.Errorf("%q is no key of a configuration set", s)
	}
	return configset.Key{
		Tenant: tenant.Tenant{Account: parts[0], Region: parts[1]}, Scope: configset.Scope(parts[2]), Name: parts[3],
	}, nil
}

// isToken reports whether s can stand between the dots of a subject. The rules of accounts,
// regions and names allow less.
func isToken(s string) bool {
	for _, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && r != '-' && r != '_' {
			return false
		}
	}
	return s != ""
}

// watch fills the index from the session's bucket, returns when it is complete, and
// follows changes until the session ends.
func (c *ConfigurationSets) watch(ctx context.Context, sess *session) error {
	w, err := sess.sets.WatchAll(sess.ctx)
	if err != nil {
		return fmt.Errorf("watch configuration sets: %w", err)
	}
	m := mirror{store: c.store, apply: c.apply, unreadable: func(key string, err error) {
		c.store.log.Error("a configuration set cannot be read", "key", key, "err", err)
	}}
	return m.watch(ctx, sess, w)
}

func (c *ConfigurationSets) apply(entry jetstream.KeyValueEntry) error {
	key, err := parseSetKey(entry.Key())
	if err != nil {
		return err
	}
	if entry.Operation() != jetstream.KeyValuePut {
		c.index.remove(key, entry.Revision())
		return nil
	}
	s, err := decodeSet(key.Name, entry.Revision(), entry.Value())
	if err != nil {
		return err
	}
	c.index.put(key, s)
	return nil
}
