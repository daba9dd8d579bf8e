package awssink

import (
	"fmt"
	"slices"
	"testing"
)

// TestFastAnswersAreRead delivers full batches to a far end that answers at once: the SDK
// closes the request's body when the answer begins, which must not break the connection.
func TestFastAnswersAreRead(t *testing.T) {
	t.Parallel()
	driver := newDriver(t, Settings{Endpoint: newQuickDouble(t), AccessKeyID: ownKey, SecretAccessKey: ownSecret})
	for _, service := range []string{"firehose", "kinesis"} {
		s := openSink(t, driver, targets()[service])
		batch := batchOf(slices.Repeat([]string{fmt.Sprintf(`{"text":"%0400d"}`, 1)}, s.Limits().Count)...)
		const often = 100
		for i := range often {
			if err := s.Deliver(t.Context(), batch); err != nil {
				t.Fatalf("%s: Deliver %d of %d = %v, want nil", service, i+1, often, err)
			}
		}
	}
}
