package oracle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/service/pinpointsmsvoice"
)

// books are what the writers were promised.
type books struct {
	mu         sync.Mutex
	messages   map[string]bool     // acknowledged, by ID
	unanswered int                 // messages that may have been accepted or not
	sets       map[string][]string // states that a set may be in: as acknowledged last, and as asked for since
	changes    int                 // acknowledged changes of sets
	refused    []error             // answers of the server that are no success
}

func newBooks() *books {
	return &books{messages: map[string]bool{}, sets: map[string][]string{}}
}

// ended reports whether err means that the server is gone, and takes a note if it was
// there and refused.
func (b *books) ended(err error) bool {
	if err == nil {
		return false
	}
	if _, answered := errors.AsType[awserr.RequestFailure](err); answered {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.refused = append(b.refused, err)
	}
	return true
}

func (b *books) writeMessages(ctx context.Context, c *pinpointsmsvoice.PinpointSMSVoice, phones []phone) {
	for range messagesPerRound {
		out, err := c.SendVoiceMessageWithContext(ctx, message("crash", phones[rand.IntN(len(phones))].Number))
		if b.ended(err) {
			b.mu.Lock()
			b.unanswered++
			b.mu.Unlock()
			return
		}
		b.mu.Lock()
		b.messages[*out.MessageId] = true
		b.mu.Unlock()
	}
}

// The states of a set: gone, or the list of its destinations as describe prints it.
const (
	gone  = "gone"
	bare  = "no destinations"
	first = "d enabled ANSWERED"
	then  = "d disabled BUSY FAILED"
)

// describe prints the destinations of a set as the constants above have it.
func describe(ds []*pinpointsmsvoice.EventDestination) string {
	if len(ds) == 0 {
		return bare
	}
	var all []string
	for _, d := range ds {
		enabled := "disabled"
		if aws.BoolValue(d.Enabled) {
			enabled = "enabled"
		}
		all = append(all, aws.StringValue(d.Name)+" "+enabled+" "+strings.Join(aws.StringValueSlice(d.MatchingEventTypes), " "))
	}
	return strings.Join(all, ", ")
}

func definition(enabled bool, types ...string) *pinpointsmsvoice.EventDestinationDefinition {
	return &pinpointsmsvoice.EventDestinationDefinition{
		Enabled: &enabled, MatchingEventTypes: aws.StringSlice(types),
		SnsDestination: &pinpointsmsvoice.SnsDestination{TopicArn: new("arn:aws:sns:us-east-1:123456789012:alerts")},
	}
}

// writeSets leads sets through their lives, one after the other, and notes each step as
// asked for before the call and as acknowledged after it.
func (b *books) writeSets(ctx context.Context, c *pinpointsmsvoice.PinpointSMSVoice, prefix string) {
	name := new("d")
	for n := range setsPerRound {
		set := fmt.Sprintf("%s-%d", prefix, n)
		steps := []struct {
			state string
			do    func() error
		}{
			{bare, func() error {
				_, err := c.CreateConfigurationSetWithContext(ctx, &pinpointsmsvoice.CreateConfigurationSetInput{ConfigurationSetName: &set})
				return err
			}},
			{first, func() error {
				_, err := c.CreateConfigurationSetEventDestinationWithContext(ctx, &pinpointsmsvoice.CreateConfigurationSetEventDestinationInput{
					ConfigurationSetName: &set, EventDestinationName: name, EventDestination: definition(true, "ANSWERED"),
				})
				return err
			}},
			{then, func() error {
				_, err := c.UpdateConfigurationSetEventDestinationWithContext(ctx, &pinpointsmsvoice.UpdateConfigurationSetEventDestinationInput{
					ConfigurationSetName: &set, EventDestinationName: name, EventDestination: definition(false, "BUSY", "FAILED"),
				})
				return err
			}},
			{bare, func() error {
				_, err := c.DeleteConfigurationSetEventDestinationWithContext(ctx, &pinpointsmsvoice.DeleteConfigurationSetEventDestinationInput{
					ConfigurationSetName: &set, EventDestinationName: name,
				})
				return err
			}},
			{gone, func() error {
				_, err := c.DeleteConfigurationSetWithContext(ctx, &pinpointsmsvoice.DeleteConfigurationSetInput{ConfigurationSetName: &set})
				return err
			}},
		}
		for _, step := range steps[:1+rand.IntN(len(steps))] {
			b.asked(set, step.state)
			if b.ended(step.do()) {
				return
			}
			b.acknowledged(set, step.state)
		}
	}
}

func (b *books) asked(set, state string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.sets[set]) == 0 {
		b.sets[set] = []string{gone}
	}
	b.sets[set] = append(b.sets[set], state)
}

func (b *books) acknowledged(set, state string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sets[set] = []string{state}
	b.changes++
}

// missingSets returns a sentence for each set that is not as it was acknowledged.
func (b *books) missingSets(t testing.TB, c *pinpointsmsvoice.PinpointSMSVoice) []string {
	t.Helper()
	var missing []string
	for set, want := range b.sets {
		got := gone
		out, err := c.GetConfigurationSetEventDestinationsWithContext(t.Context(), &pinpointsmsvoice.GetConfigurationSetEventDestinationsInput{ConfigurationSetName: &set})
		if _, notFound := errors.AsType[*pinpointsmsvoice.NotFoundException](err); err != nil && !notFound {
			t.Fatalf("get the set %s: %v", set, err)
		} else if err == nil {
			got = describe(out.EventDestinations)
		}
		if !slices.Contains(want, got) {
			missing = append(missing, fmt.Sprintf("the set %s is %q, want one of %q", set, got, want))
		}
	}
	return missing
}

// callRecords are the records of one message: how often each was delivered, by its bytes.
type callRecords struct {
	finals    map[string]int
	initiated map[string]int
	others    map[string]int
}

// unfinished returns the messages that were acknowledged, or of which events were seen,
// and that have no final event.
func (b *books) unfinished(calls map[string]*callRecords) []string {
	var ids []string
	for id := range b.messages {
		if c := calls[id]; c == nil || len(c.finals) == 0 {
			ids = append(ids, id)
		}
	}
	for id, c := range calls {
		if !b.messages[id] && len(c.finals) == 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// settle compares the promises with what one destination received.
func (b *books) settle(t testing.TB, service string, calls map[string]*callRecords) {
	t.Helper()
	lost, twice, dials, records, repeats, recovered := 0, 0, 0, 0, 0, 0
	for id := range b.messages {
		if c := calls[id]; c == nil || len(c.finals) == 0 {
			lost++
		}
	}
	for _, c := range calls {
		if len(c.finals) > 1 {
			twice++
		}
		if len(c.initiated) > 1 {
			dials++
		}
		for line := range c.finals {
			if strings.Contains(line, "service restarted during the call") {
				recovered++
			}
		}
		for _, kind := range []map[string]int{c.finals, c.initiated, c.others} {
			for _, n := range kind {
				records++
				repeats += n - 1
			}
		}
	}
	t.Logf("%s: %d records of %d calls, %d repeated byte by byte; %d calls were interrupted by a kill; %d acknowledged messages without an end, %d calls with two ends, %d dialled twice",
		service, records, len(calls), repeats, recovered, lost, twice, dials)
	if lost+twice+dials > 0 {
		t.Errorf("%s: %d acknowledged messages without an end, %d calls with two ends, %d dialled twice, want 0, 0, 0", service, lost, twice, dials)
	}
}

// follower reads the files of one target as they grow.
type follower struct {
	pattern string
	offsets map[string]int64
	partial map[string]string // what stands behind the last whole line
	calls   map[string]*callRecords
}

func newFollower(data, service, target string) *follower {
	return &follower{
		pattern: filepath.Join(data, "destinations", service, testRegion, testAccount, target, "*", "*", "*", "*.ndjson"),
		offsets: map[string]int64{}, partial: map[string]string{}, calls: map[string]*callRecords{},
	}
}

// read takes in what was appended since it was called last. A line that is no record is
// an error: a crash must not leave half a line for others to stumble over.
func (f *follower) read(t testing.TB) {
	t.Helper()
	files, err := filepath.Glob(f.pattern)
	if err != nil {
		t.Fatalf("find the files: %v", err)
	}
	for _, file := range files {
		text := f.appended(t, file)
		whole := text[:bytes.LastIndexByte(text, '\n')+1]
		f.offsets[file] += int64(len(whole))
		f.partial[file] = string(text[len(whole):])
		for line := range bytes.Lines(whole) {
			var r record
			if err := json.Unmarshal(line, &r); err != nil {
				t.Errorf("%s holds the line %q: %v", filepath.Base(file), line, err)
				continue
			}
			f.take(r, string(line))
		}
	}
}

// wantWhole fails if a file ends in the middle of a line. Call it once nobody writes.
func (f *follower) wantWhole(t testing.TB) {
	t.Helper()
	for file, rest := range f.partial {
		if rest != "" {
			t.Errorf("%s ends in the middle of a line: %q", filepath.Base(file), rest)
		}
	}
}

func (f *follower) appended(t testing.TB, name string) []byte {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatalf("read what was delivered: %v", err)
	}
	defer file.Close()
	if _, err := file.Seek(f.offsets[name], io.SeekStart); err != nil {
		t.Fatalf("read what was delivered: %v", err)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		t.Fatalf("read what was delivered: %v", err)
	}
	return text
}

func (f *follower) take(r record, line string) {
	c := f.calls[r.MessageID]
	if c == nil {
		c = &callRecords{finals: map[string]int{}, initiated: map[string]int{}, others: map[string]int{}}
		f.calls[r.MessageID] = c
	}
	switch {
	case r.final():
		c.finals[line]++
	case r.EventType == "INITIATED_CALL":
		c.initiated[line]++
	default:
		c.others[line]++
	}
}
