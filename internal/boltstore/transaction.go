package boltstore

import (
	"slices"

	"tidings/internal/pinpoint"
)

// transaction is what one edit sees and changes. It implements pinpoint.EndpointTx. What the
// edit does is kept apart until it succeeds.
type transaction struct {
	batch   *batch
	app     pinpoint.AppKey
	number  number                        // 0 = the app has none yet
	changed map[string]*pinpoint.Endpoint // by ID; nil = removed
	order   []string                      // of changed
	words   []pinpoint.Word
	adds    bool // there is more than removals
}

// Endpoint returns the endpoint; nil = there is none.
func (t *transaction) Endpoint(id string) (*pinpoint.Endpoint, error) {
	if e, ok := t.changed[id]; ok {
		return e, nil
	}
	return t.before(id)
}

// before returns the endpoint as it was before the edit.
func (t *transaction) before(id string) (*pinpoint.Endpoint, error) {
	if t.number == 0 {
		return nil, nil
	}
	key := cacheKey{t.number, id}
	if c, ok := t.batch.changed[key]; ok {
		return c.endpoint, nil
	}
	if e, _ := t.batch.store.cache.get(key); e != nil {
		return e, nil
	}
	return decodeEndpoint(t.app.App, id, t.batch.tx.Bucket(bucketEndpoints).Get(endpointKey(t.number, id)))
}

// OfUser returns the user's endpoints in the order of their IDs, at most limit.
func (t *transaction) OfUser(user string, limit int) ([]*pinpoint.Endpoint, error) {
	return t.find(indexUser, user, limit)
}

// ActiveAt returns the endpoints that are active and have this address, at most limit.
func (t *transaction) ActiveAt(address string, limit int) ([]*pinpoint.Endpoint, error) {
	return t.find(indexAddress, address, limit)
}

func (t *transaction) find(kind byte, text string, limit int) ([]*pinpoint.Endpoint, error) {
	var ids []string
	if t.number != 0 {
		// As many more as the edit may have taken away.
		ids = indexed(t.batch.tx, t.number, kind, text, limit+len(t.changed))
	}
	for _, id := range t.order {
		if indexText(t.changed[id], kind) == text {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	var all []*pinpoint.Endpoint
	for _, id := range slices.Compact(ids) {
		e, err := t.Endpoint(id)
		if err != nil {
			return nil, err
		}
		if indexText(e, kind) == text && len(all) < limit {
			all = append(all, e)
		}
	}
	return all, nil
}

// maxIndexed bounds in bytes what endpoints are found by: a key of bbolt has at most 32 KiB.
// The rules of pinpoint allow less.
const maxIndexed = 16 << 10

// indexText is what the endpoint is found by; "" = nothing.
func indexText(e *pinpoint.Endpoint, kind byte) (text string) {
	switch {
	case e == nil:
	case kind == indexUser && e.UserID != nil:
		text = *e.UserID
	case kind == indexAddress && e.Address != nil && e.Status == pinpoint.StatusActive:
		text = *e.Address
	}
	if len(text) > maxIndexed {
		return ""
	}
	return text
}

// Put stores the endpoint. It is shared from then on.
func (t *transaction) Put(e *pinpoint.Endpoint) {
	t.adds = true
	t.set(e.ID, e)
}

// Delete removes the endpoint with this ID, if there is one.
func (t *transaction) Delete(id string) { t.set(id, nil) }

func (t *transaction) set(id string, e *pinpoint.Endpoint) {
	if _, ok := t.changed[id]; !ok {
		t.order = append(t.order, id)
	}
	t.changed[id] = e
}

// AddWord notes that the app has used a word.
func (t *transaction) AddWord(w pinpoint.Word) {
	t.adds = true
	t.words = append(t.words, w)
}

// flush hands over what the edit has done. It fails only with the file.
func (t *transaction) flush() (err error) {
	if t.number == 0 {
		if !t.adds {
			return nil
		}
		if t.number, err = t.batch.give(t.app); err != nil {
			return err
		}
	}
	t.batch.dirty = t.batch.dirty || len(t.order) > 0 || len(t.words) > 0
	for _, id := range t.order {
		if err := t.flushOne(id, t.changed[id]); err != nil {
			return err
		}
	}
	words := t.batch.tx.Bucket(bucketWords)
	for _, w := range t.words {
		if err := words.Put(wordKey(t.number, w), nil); err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) flushOne(id string, e *pinpoint.Endpoint) error {
	before, err := t.before(id)
	if err != nil {
		return err
	}
	for _, kind := range []byte{indexUser, indexAddress} {
		if err := t.reindex(id, kind, indexText(before, kind), indexText(e, kind)); err != nil {
			return err
		}
	}
	endpoints, key := t.batch.tx.Bucket(bucketEndpoints), endpointKey(t.number, id)
	if e == nil {
		t.batch.changed[cacheKey{t.number, id}] = changed{}
		return endpoints.Delete(key)
	}
	value, err := encodeEndpoint(e)
	if err != nil {
		return err
	}
	t.batch.changed[cacheKey{t.number, id}] = changed{e, len(value)}
	return endpoints.Put(key, value)
}

func (t *transaction) reindex(id string, kind byte, from, to string) error {
	if from == to {
		return nil
	}
	index := t.batch.tx.Bucket(bucketIndex)
	if from != "" {
		if err := index.Delete(append(indexPrefix(t.number, kind, from), id...)); err != nil {
			return err
		}
	}
	if to == "" {
		return nil
	}
	return index.Put(append(indexPrefix(t.number, kind, to), id...), nil)
}
