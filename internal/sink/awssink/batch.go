package awssink

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"tidings/internal/sink"
)

// tally gathers what failed of a batch.
type tally struct {
	size   int           // of the batch
	failed map[int]error // by index
	whole  error         // one request carried the whole batch, and failed
}

// fail notes the failure of one delivery.
func (t *tally) fail(i int, err error) {
	if t.failed == nil {
		t.failed = map[int]error{}
	}
	t.failed[i] = err
}

// refuse notes that a record can never be delivered.
func (t *tally) refuse(i int, d *sink.Delivery, err error) {
	t.fail(i, sink.Permanent(fmt.Errorf("event %s: %w", d.Event.ID, err)))
}

// request notes the failure of a request that carried these deliveries. When it carried
// some of the batch and one of them is to blame, nobody knows which: all are tried again,
// in other company.
func (t *tally) request(indices []int, err error) {
	if len(indices) == t.size {
		t.whole = err
		return
	}
	if f, ok := errors.AsType[*failure](err); ok && len(indices) > 1 && errors.Is(err, sink.ErrPermanent) {
		err = f
	}
	for _, i := range indices {
		t.fail(i, err)
	}
}

// error is what Deliver returns.
func (t *tally) error() error {
	switch {
	case t.whole != nil:
		return t.whole
	case len(t.failed) == 0:
		return nil
	case t.size == 1:
		return t.failed[0]
	}
	return &sink.PartialError{Failed: t.failed}
}

var (
	errEmpty = errors.New("the record is empty")
	errUTF8  = errors.New("the record is no UTF-8")
)

// checkText reports whether a record can be sent as a text of at most so many bytes.
func checkText(record []byte, most int) error {
	switch {
	case len(bytes.TrimSpace(record)) == 0:
		return errEmpty
	case len(record) > most:
		return fmt.Errorf("the record has %d bytes, at most %d can be sent", len(record), most)
	case !utf8.Valid(record):
		return errUTF8
	}
	return nil
}
