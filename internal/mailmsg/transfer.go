package mailmsg

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/quotedprintable"
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
	high, line, long := 0, 0, 0
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\n':
			line = 0
			continue
		case c >= 0x80:
			high++
		case c == 0, c == '\r' && (i+1 == len(text) || text[i+1] != '\n'):
			long = MaxLine + 1 // not in a line that is sent as it is
		}
		line++
		long = max(long, line)
	}
	switch {
	case high == 0 && long <= MaxLine: // line counts its CR
		return sevenBit
	case high*3 > len(text):
		return base64Encoding
	}
	return quotedPrintable
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
	col := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\r' && i+1 < len(text) && text[i+1] == '\n' {
			dst = append(dst, "\r\n"...)
			col = 0
			i++
			continue
		}
		plain := c > ' ' && c < 0x7f && c != '='
		switch {
		case c == ' ' || c == '\t': // not at the end of a line
			plain = i+1 < len(text) && text[i+1] != '\r' && text[i+1] != '\n'
		case col == 0 && (c == '.' || c == 'F' && strings.HasPrefix(text[i:], "From ")):
			plain = false
		}
		width := 3
		if plain {
			width = 1
		}
		if col+width > lineLen-1 { // there has to be room for the = of a soft line break
			dst = append(dst, "=\r\n"...)
			col = 0
			plain, width = plain && c != '.' && c != ' ' && c != '\t', 1
			if !plain {
				width = 3
			}
		}
		if plain {
			dst = append(dst, c)
		} else {
			dst = append(dst, '=', hexDigits[c>>4], hexDigits[c&15])
		}
		col += width
	}
	return dst
}

// decodeTransfer undoes a transfer encoding. What cannot be decoded is an error.
func decodeTransfer(transfer string, body []byte) ([]byte, error) {
	switch strings.ToLower(strings.TrimSpace(transfer)) {
	case "", sevenBit, "8bit", "binary":
		return body, nil
	case quotedPrintable:
		out, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(body)))
		if err != nil {
			return nil, failf("The content is not quoted-printable: %v", err)
		}
		return out, nil
	case base64Encoding:
		out := make([]byte, base64.StdEncoding.DecodedLen(len(body)))
		clean := bytes.Map(func(r rune) rune {
			if r == '\r' || r == '\n' || r == ' ' || r == '\t' {
				return -1
			}
			return r
		}, body)
		n, err := base64.StdEncoding.Decode(out, clean)
		if err != nil {
			return nil, failf("The content is not base64: %v", err)
		}
		return out[:n], nil
	}
	return nil, failf("Content-Transfer-Encoding %q is not known", shorten(transfer))
}

// crlf returns text with every line end as CRLF, be it written as LF, CR or CRLF.
func crlf(s string) string {
	bare := 0
	for i := range len(s) {
		switch {
		case s[i] == '\n' && (i == 0 || s[i-1] != '\r'), s[i] == '\r' && (i+1 == len(s) || s[i+1] != '\n'):
			bare++
		}
	}
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
