package mailstore

import (
	"context"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"tidings/internal/email"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

type templateRecord struct {
	Version int               `cbor:"0,keyasint"`
	Created int64             `cbor:"1,keyasint"` // Unix milliseconds
	Tags    map[string]string `cbor:"2,keyasint,omitempty"`
}

// partsRecord is apart, so that a list of templates need not read what may be 500 KB each.
// Source: SES Developer Guide, "Service quotas in Amazon SES", size of a template.
type partsRecord struct {
	Version int    `cbor:"0,keyasint"`
	Subject string `cbor:"1,keyasint,omitempty"`
	Text    string `cbor:"2,keyasint,omitempty"`
	HTML    string `cbor:"3,keyasint,omitempty"`
}

func decodeTemplate(name string, value []byte) (*email.Template, error) {
	var r templateRecord
	if err := unmarshal("a template", value, &r, &r.Version); err != nil {
		return nil, err
	}
	return &email.Template{Name: name, Created: time.UnixMilli(r.Created).UTC(), Tags: r.Tags}, nil
}

// Template returns a template. It is shared and must not be changed.
func (s *Store) Template(_ context.Context, t tenant.Tenant, name string) (*email.Template, bool, error) {
	key := ownerKey(t, name)
	one, era := s.templates.get(string(key))
	if one != nil {
		return one, true, nil
	}
	err := s.db.Read(func(tx *bbolt.Tx) (err error) {
		value := tx.Bucket(bucketTemplates).Get(key)
		if value == nil {
			return nil
		}
		if one, err = decodeTemplate(name, value); err != nil {
			return err
		}
		var parts partsRecord
		err = unmarshal("the parts of a template", tx.Bucket(bucketParts).Get(key), &parts, &parts.Version)
		one.Subject, one.Text, one.HTML = parts.Subject, parts.Text, parts.HTML
		return err
	})
	if err != nil || one == nil {
		return nil, false, err
	}
	s.templates.fill(string(key), one, era)
	return one, true, nil
}

// Templates returns up to limit templates without their parts, in the order of names, beginning behind after.
func (s *Store) Templates(ctx context.Context, t tenant.Tenant, after string, limit int) (all []*email.Template, more bool, err error) {
	more, err = s.page(ctx, bucketTemplates, t, after, limit, func(_ *bbolt.Tx, name string, value []byte) (bool, error) {
		one, err := decodeTemplate(name, value)
		all = append(all, one)
		return true, err
	})
	return all, more, err
}

// CountTemplates returns how many templates there are.
func (s *Store) CountTemplates(ctx context.Context, t tenant.Tenant) (n int, err error) {
	_, err = s.page(ctx, bucketTemplates, t, "", 1, func(*bbolt.Tx, string, []byte) (bool, error) {
		n++
		return false, nil
	})
	return n, err
}

// PutTemplate stores a template. With fresh it fails with fault.Exists if there is one of the name, without with fault.NotFound if there
// is none; and with fault.Unavailable when there is no room.
func (s *Store) PutTemplate(ctx context.Context, t tenant.Tenant, one *email.Template, fresh bool) error {
	if err := checkName(fault.EmailTemplate, one.Name); err != nil {
		return err
	}
	head, err := marshal("a template", &templateRecord{Version: recordVersion, Created: one.Created.UnixMilli(), Tags: one.Tags})
	if err != nil {
		return err
	}
	parts, err := marshal("the parts of a template", &partsRecord{Version: recordVersion, Subject: one.Subject, Text: one.Text, HTML: one.HTML})
	if err != nil {
		return err
	}
	key := ownerKey(t, one.Name)
	return s.commit(ctx, &change{
		grows: true,
		edit: func(b *batch, c *change) error {
			switch there := b.tx.Bucket(bucketTemplates).Get(key) != nil; {
			case there && fresh:
				c.refusal = fault.New(fault.Exists, fault.EmailTemplate, "Template %s already exists.", one.Name)
				return nil
			case !there && !fresh:
				c.refusal = fault.New(fault.NotFound, fault.EmailTemplate, "Template %s does not exist.", one.Name)
				return nil
			}
			if err := b.put(bucketTemplates, key, head); err != nil {
				return err
			}
			return b.put(bucketParts, key, parts)
		},
		after: s.templates.clear,
	})
}

// DeleteTemplate removes a template and reports whether there was one.
func (s *Store) DeleteTemplate(ctx context.Context, t tenant.Tenant, name string) (had bool, err error) {
	key := ownerKey(t, name)
	c := &change{
		edit: func(b *batch, c *change) error {
			if c.had = b.tx.Bucket(bucketTemplates).Get(key) != nil; !c.had {
				return nil
			}
			if err := b.remove(bucketTemplates, key); err != nil {
				return err
			}
			return b.remove(bucketParts, key)
		},
		after: s.templates.clear,
	}
	if err := s.commit(ctx, c); err != nil {
		return false, err
	}
	return c.had, nil
}

// templateCache holds templates that were read lately. They change seldom, so that it is emptied when one does.
type templateCache struct {
	mu    sync.RWMutex
	all   map[string]*email.Template // by key
	bytes int
	era   uint64 // counts how often it was emptied: what was read before must not come in
}

// maxTemplateBytes bounds the memory for templates.
const maxTemplateBytes = 16 << 20

func newTemplateCache() *templateCache { return &templateCache{all: map[string]*email.Template{}} }

func (c *templateCache) get(key string) (one *email.Template, era uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.all[key], c.era
}

func (c *templateCache) fill(key string, one *email.Template, era uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.era != era || c.all[key] != nil {
		return
	}
	size := len(key) + len(one.Subject) + len(one.Text) + len(one.HTML) + overhead
	if c.bytes += size; c.bytes > maxTemplateBytes {
		clear(c.all)
		c.bytes = size
	}
	c.all[key] = one
}

func (c *templateCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.all)
	c.bytes = 0
	c.era++
}
