package awscli

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// documents splits a file into the JSON values it consists of: one, several one after the
// other, one a line, or an array of them.
func documents(name string, text []byte) ([]any, error) {
	text, err := plain(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var all []any
	in := json.NewDecoder(bytes.NewReader(text))
	in.UseNumber() // a long number stays what it is
	for {
		var v any
		err := in.Decode(&v)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, notJSON(name, text, in.InputOffset(), err)
		}
		if list, ok := v.([]any); ok {
			all = append(all, list...)
			continue
		}
		all = append(all, v)
	}
}

// plain is the text in UTF-8, without a byte order mark. A redirection in PowerShell writes
// UTF-16.
func plain(text []byte) ([]byte, error) {
	for mark, order := range map[string]binary.ByteOrder{"\xff\xfe": binary.LittleEndian, "\xfe\xff": binary.BigEndian} {
		rest, ok := bytes.CutPrefix(text, []byte(mark))
		if !ok {
			continue
		}
		if len(rest)%2 != 0 {
			return nil, errors.New("the file is UTF-16 and ends in the middle of a character")
		}
		units := make([]uint16, 0, len(rest)/2)
		for i := 0; i < len(rest); i += 2 {
			units = append(units, order.Uint16(rest[i:]))
		}
		return []byte(string(utf16.Decode(units))), nil
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(text) {
		return nil, errors.New("the file is not text in UTF-8")
	}
	return text, nil
}

// notJSON says where and why the file cannot be read. offset is where the value begins.
func notJSON(name string, text []byte, offset int64, err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = max(offset, min(syntax.Offset, int64(len(text))))
	}
	line := 1 + bytes.Count(text[:min(offset, int64(len(text)))], []byte("\n"))
	rest := bytes.TrimSpace(text)
	switch {
	case bytes.HasPrefix(rest, []byte("<")):
		return fmt.Errorf("%s: this is XML, as the service itself answers; save what the AWS CLI prints with --output json", name)
	case bytes.HasPrefix(rest, []byte("An error occurred")), bytes.HasPrefix(rest, []byte("aws: error")):
		first, _, _ := strings.Cut(string(rest), "\n")
		return fmt.Errorf("%s: this is an error of the AWS CLI and not its output: %s", name, shorten(first))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: the JSON ends before it is complete", name)
	}
	return fmt.Errorf("%s, line %d: this is not JSON: %v; save what the AWS CLI prints with --output json", name, line, trimJSON(err))
}

// trimJSON takes from an error of package json what tells its user nothing.
func trimJSON(err error) string { return strings.TrimPrefix(err.Error(), "json: ") }
