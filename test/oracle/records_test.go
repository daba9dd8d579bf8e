package oracle

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// record is the JSON object of a voice event.
type record struct {
	EventType               string   `json:"eventType"`
	EventVersion            string   `json:"eventVersion"`
	EventTimestamp          int64    `json:"eventTimestamp"`
	IsFinal                 *bool    `json:"isFinal"`
	OriginationPhoneNumber  string   `json:"originationPhoneNumber"`
	DestinationPhoneNumber  string   `json:"destinationPhoneNumber"`
	ISOCountryCode          string   `json:"isoCountryCode"`
	MessageID               string   `json:"messageId"`
	MessageRequestTimestamp int64    `json:"messageRequestTimestamp"`
	MessageStatus           string   `json:"messageStatus"`
	StatusDescription       string   `json:"messageStatusDescription"`
	CallDurationInSeconds   *int     `json:"callDurationInSeconds"`
	TotalDurationInMinutes  *int     `json:"totalDurationInMinutes"`
	TotalMessagePrice       *float64 `json:"totalMessagePrice"`

	line string // as delivered
}

func (r record) final() bool { return r.IsFinal != nil && *r.IsFinal }

// delivered reads what the file destination of a target holds, in the order of delivery.
// A last line that is still being written is left for the next time.
func delivered(t testing.TB, data, service, target string) []record {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data, "destinations", service, testRegion, testAccount, target, "*", "*", "*", "*.ndjson"))
	if err != nil {
		t.Fatalf("find the files of %s: %v", target, err)
	}
	var all []record
	for _, file := range files { // sorted, so by time
		all = append(all, readRecords(t, file)...)
	}
	return all
}

func readRecords(t testing.TB, file string) []record {
	t.Helper()
	var all []record
	for _, line := range readLines(t, file) {
		r := record{line: line}
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil {
			t.Errorf("%s holds the line %q: %v", filepath.Base(file), line, err)
			continue
		}
		all = append(all, r)
	}
	return all
}

// readLines reads the whole lines of a file.
func readLines(t testing.TB, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // packed meanwhile
	}
	if err != nil {
		t.Fatalf("read what was delivered: %v", err)
	}
	var all []string
	for line := range strings.Lines(string(text)) {
		if whole, complete := strings.CutSuffix(line, "\n"); complete {
			all = append(all, whole)
		}
	}
	return all
}
