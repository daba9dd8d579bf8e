package awssink

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// wholeBody is a body that would rather write itself than be read.
type wholeBody struct {
	io.Reader
	written bool
}

func (b *wholeBody) WriteTo(io.Writer) (int64, error) {
	b.written = true
	return 0, errors.New("closed")
}

func (b *wholeBody) Close() error { return nil }

// TestBodiesAreOnlyRead holds the transport to reading bodies: the SDK closes them as soon
// as an answer begins, and a closed body that is asked to write itself breaks the connection
// of an answer that came fast.
func TestBodiesAreOnlyRead(t *testing.T) {
	t.Parallel()
	url := newQuickDouble(t)
	const text = `{"Records":[{"PartitionKey":"k"}]}`
	body := &wholeBody{Reader: strings.NewReader(text)}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = int64(len(text)) // what is left behind it is looked for
	answer, err := newHTTPClient(new(atomic.Bool)).Transport.RoundTrip(r)
	if err != nil {
		t.Fatalf("RoundTrip = %v", err)
	}
	got, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil || !strings.Contains(string(got), `"FailedRecordCount":0`) {
		t.Errorf("answer = %q, %v, want that of one record", got, err)
	}
	if body.written {
		t.Error("the body was asked to write itself")
	}
}
