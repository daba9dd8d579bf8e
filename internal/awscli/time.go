package awscli

import (
	"encoding/json"
	"time"
)

// layouts are the forms of a time: those of the services, of the AWS CLI (an offset for the
// Z), and of Python's str, which boto3's users have saved with json.dumps(default=str). A
// time without a zone is UTC. time.Parse takes a fraction of a second in all of them.
var layouts = []string{
	"2006-01-02T15:04:05Z07:00",
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05Z0700",
	"2006-01-02 15:04:05",
}

// milliseconds is from where on a number is taken for milliseconds since 1970 and not
// seconds: as seconds it is a time beyond the year 5000.
const milliseconds = 1e11

// parseTime reads a time in one of the layouts, or a Unix time, in milliseconds.
func parseTime(v any) (time.Time, bool) {
	switch v := v.(type) {
	case string:
		for _, layout := range layouts {
			t, err := time.Parse(layout, v)
			if err == nil && sane(t) {
				return t.UTC().Truncate(time.Millisecond), true
			}
		}
	case json.Number:
		f, err := v.Float64()
		if err != nil || f < 0 {
			return time.Time{}, false
		}
		if f < milliseconds {
			f *= 1000
		}
		if f > 1e14 { // beyond the year 5000
			return time.Time{}, false
		}
		return time.UnixMilli(int64(f)).UTC(), true
	}
	return time.Time{}, false
}

// sane reports whether t can be the time of something in AWS. The bounds keep it printable,
// and never the zero time.
func sane(t time.Time) bool { return t.Year() >= 1970 && t.Year() < 5000 }

// formatTime prints a time as the services do; "" for the zero time.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}
