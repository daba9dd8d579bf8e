package restjson

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// Time is a time in a body: a number of seconds since 1970, with a fraction. Write it with
// omitzero to leave the zero time out.
// Source: Smithy documentation, "AWS restJson1 protocol", Shape serialization: the default
// format of a timestamp in a document is epoch-seconds.
type Time struct{ time.Time }

// lastSecond is the end of the year 9999, the last that all clients can show.
const lastSecond = 253402300799

// UnmarshalJSON reads the number, in milliseconds.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	seconds, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.Abs(seconds) > lastSecond {
		return &json.UnmarshalTypeError{Value: kindOf(b), Type: reflect.TypeFor[Time]()}
	}
	t.Time = time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
	return nil
}

// MarshalJSON writes the number, with as many digits as milliseconds need.
func (t Time) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(t.UnixMilli())/1000, 'f', -1, 64), nil
}

// Blob is binary data in a body: a string of base64.
// Source: Smithy documentation, "AWS restJson1 protocol", Shape serialization.
type Blob []byte

// UnmarshalJSON decodes the string. The bytes are the Blob's own.
func (d *Blob) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	wrong := &json.UnmarshalTypeError{Value: kindOf(b), Type: reflect.TypeFor[Blob]()}
	if b[0] != '"' {
		return wrong
	}
	text := b[1 : len(b)-1]
	if slices.Contains(text, '\\') { // some clients escape each slash
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return wrong
		}
		text = []byte(s)
	}
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(decoded, text)
	if err != nil {
		return wrong
	}
	*d = decoded[:n]
	return nil
}

// MarshalJSON writes the string.
func (d Blob) MarshalJSON() ([]byte, error) { return json.Marshal([]byte(d)) }

// kindOf is how encoding/json calls the kind of a value, from its first byte.
func kindOf(b []byte) string {
	switch b[0] {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "bool"
	default:
		return "number"
	}
}
