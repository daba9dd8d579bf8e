package mailmsg

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// lineLen is how long lines of encoded content are at most. Source: RFC 2045 sections 6.7 (5) and 6.8.
const lineLen = 76

// Transfer encodings. Source: RFC 2045 section 6.
const (
	sevenBit        = "7bit"
	quotedPrintable = "quoted-printable"
	base64Encoding  = "base64"
)

// chooseTransfer returns the transfer encoding that text is best sent in.
func chooseTransfer(text string) string {
	switch {
	case isASCII(text) && fitsLines(text):
		return sevenBit
	case countHigh(text)*3 > len(text):
		return base64Encoding
	}
	return quotedPrintable
}

// countHigh returns how many bytes of s are not ASCII.
func countHigh(s string) int {
	n := 0
	for i := range len(s) {
		n += int(s[i] >> 7)
	}
	return n
}

// fitsLines reports whether text can be sent as it is by a server that takes eight bits: its lines are short enough, and there is
// no CR, LF or NUL alone.
func fitsLines(text string) bool {
	if strings.IndexByte(text, 0) >= 0 || strings.Count(text, "\r") != strings.Count(text, "\n") {
		return false
	}
	for {
		n := strings.IndexByte(text, '\n')
		if n < 0 {
			return len(text) <= MaxLine // as many CR as LF, and each LF has its own
		}
		if n == 0 || text[n-1] != '\r' || n-1 > MaxLine {
			return false
		}
		text = text[n+1:]
	}
}

// appendTransfer appends text or data in the transfer encoding. It adds no line end that the text does not have.
func appendTransfer(dst []byte, transfer, text string) []byte {
	switch transfer {
	case quotedPrintable:
		return appendQuoted(dst, text)
	case base64Encoding:
		return appendBase64(dst, text)
	}
	return append(dst, text...)
}

func appendBase64(dst []byte, data string) []byte {
	const chunk = lineLen / 4 * 3
	for len(data) > chunk {
		dst = base64.StdEncoding.AppendEncode(dst, []byte(data[:chunk]))
		dst = append(dst, "\r\n"...)
		data = data[chunk:]
	}
	return base64.StdEncoding.AppendEncode(dst, []byte(data))
}

// appendQuoted appends text whose lines end with CRLF as quoted-printable. Any other CR or LF is encoded, and so are a dot at the
// beginning of a line, and "From ", which careless servers change. Source: RFC 2045 section 6.7, RFC 2049 section 3.
func appendQuoted(dst []byte, text string) []byte {
	for col := 0; len(text) > 0; {
		if rest, ok := strings.CutPrefix(text, "\r\n"); ok {
			dst, text, col = append(dst, "\r\n"...), rest, 0
			continue
		}
		room := lineLen - 1 - col // for the = of a soft line break
		switch n := plainRun(text, col, room); {
		case n > 0:
			dst, text, col = append(dst, text[:n]...), text[n:], col+n
		case room < len("=XX"):
			dst, col = append(dst, "=\r\n"...), 0
		default:
			dst, text, col = append(dst, '=', hexDigits[text[0]>>4], hexDigits[text[0]&15]), text[1:], col+3
		}
	}
	return dst
}

// plainRun returns how many bytes at the beginning of text may stand as they are in a line that has col bytes already, room at
// most.
func plainRun(text string, col, room int) int {
	if col == 0 && (strings.HasPrefix(text, ".") || strings.HasPrefix(text, "From ")) {
		return 0
	}
	n := 0
	for n < min(room, len(text)) {
		c := text[n]
		blank := c == ' ' || c == '\t' // must not end a line
		if blank && (n+1 == len(text) || text[n+1] == '\r' || text[n+1] == '\n') || !blank && (c <= ' ' || c >= 0x7f || c == '=') {
			break
		}
		n++
	}
	return n
}

// decodeQuoted undoes quoted-printable. Source: RFC 2045 section 6.7.
func decodeQuoted(body []byte) ([]byte, error) {
	out := make([]byte, 0, len(body))
	for len(body) > 0 {
		n := bytes.IndexByte(body, '\n') + 1
		if n == 0 {
			n = len(body)
		}
		line, ending := body[:n], []byte(nil)
		for _, end := range []string{"\r\n", "\n"} {
			if cut, ok := bytes.CutSuffix(line, []byte(end)); ok {
				line, ending = cut, body[len(cut):n]
				break
			}
		}
		line = bytes.TrimRight(line, " \t") // added on the way
		line, soft := bytes.CutSuffix(line, []byte("="))
		var err error
		if out, err = appendUnquoted(out, line); err != nil {
			return nil, err
		}
		if !soft {
			out = append(out, ending...)
		}
		body = body[n:]
	}
	return out, nil
}

// appendUnquoted undoes the quoting within a line.
func appendUnquoted(out, line []byte) ([]byte, error) {
	for {
		n := bytes.IndexByte(line, '=')
		if n < 0 {
			return append(out, line...), nil
		}
		var c [1]byte
		if n+3 > len(line) {
			return nil, failf("The content is not quoted-printable")
		}
		if _, err := hex.Decode(c[:], line[n+1:n+3]); err != nil {
			return nil, failf("The content is not quoted-printable")
		}
		out = append(append(out, line[:n]...), c[0])
		line = line[n+3:]
	}
}

// decodeTransfer undoes a transfer encoding. What cannot be decoded is an error.
func decodeTransfer(transfer string, body []byte) ([]byte, error) {
	switch strings.ToLower(strings.TrimSpace(transfer)) {
	case "", sevenBit, "8bit", "binary":
		return body, nil
	case quotedPrintable:
		return decodeQuoted(body)
	case base64Encoding:
		if bytes.ContainsAny(body, " \t") {
			body = bytes.ReplaceAll(bytes.ReplaceAll(body, []byte(" "), nil), []byte("\t"), nil)
		}
		out, err := base64.StdEncoding.AppendDecode(nil, body) // skips line ends itself
		if err != nil {
			return nil, failf("The content is not base64: %v", err)
		}
		return out, nil
	}
	return nil, failf("Content-Transfer-Encoding %q is not known", shorten(transfer))
}

// crlf returns text with every line end as CRLF, be it written as LF, CR or CRLF.
func crlf(s string) string {
	if !strings.Contains(s, "\r") {
		return strings.ReplaceAll(s, "\n", "\r\n")
	}
	whole := strings.Count(s, "\r\n")
	bare := strings.Count(s, "\r") + strings.Count(s, "\n") - 2*whole
	if bare == 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + bare)
	for i := range len(s) {
		switch {
		case s[i] == '\r' && i+1 < len(s) && s[i+1] == '\n':
		case s[i] == '\r' || s[i] == '\n':
			b.WriteString("\r\n")
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
