package smtpout

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strings"

	"tidings/internal/email"
)

const (
	// maxReplyLine is four times what RFC 5321 4.5.3.1.5 allows; servers are not that strict.
	maxReplyLine = 2048

	// maxReplyLines bounds a reply. The longest of ordinary servers, that to EHLO, has about 20.
	maxReplyLines = 128

	// maxText bounds what is kept of a reply. It goes into events and stays on disk.
	maxText = 2048
)

var (
	errReplyLong = errors.New("the reply is too long")
	errReplyForm = errors.New("what came is not an SMTP reply")
)

// said is what became of a recipient and who said so. It is comparable: recipients with the same one share a reply.
type said struct {
	verdict  email.Verdict
	code     int
	enhanced string
	text     string
	place
}

// place is the far end of a connection, and ours.
type place struct{ host, remote, local, tls string }

// ours is a verdict that nobody at the far end gave.
func ours(v email.Verdict, enhanced, format string, args ...any) said {
	return said{verdict: v, enhanced: enhanced, text: fmt.Sprintf(format, args...)}
}

// at returns the same, with the place where it happened.
func (s said) at(p place) said {
	s.place = p
	return s
}

// reply is one reply of a server.
type reply struct {
	code  int
	lines []string // what stands behind the code
}

// readReply reads a reply of one or more lines. Source: RFC 5321 4.2.1.
func readReply(r *bufio.Reader) (reply, error) {
	var got reply
	for range maxReplyLines {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) || len(line) > maxReplyLine {
			return reply{}, errReplyLong
		}
		if err != nil {
			return reply{}, err
		}
		line = bytes.TrimRight(line, "\r\n")
		code, last, rest, ok := parseLine(line)
		if !ok || got.code != 0 && code != got.code {
			return reply{}, errReplyForm
		}
		got.code = code
		got.lines = append(got.lines, clean(rest))
		if last {
			return got, nil
		}
	}
	return reply{}, errReplyLong
}

// parseLine parses "250-text", "250 text" and "250".
func parseLine(line []byte) (code int, last bool, rest []byte, ok bool) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' {
		return 0, false, nil, false
	}
	for _, c := range line[:3] {
		if c < '0' || c > '9' {
			return 0, false, nil, false
		}
		code = 10*code + int(c-'0')
	}
	if len(line) == 3 {
		return code, true, nil, true
	}
	if line[3] != ' ' && line[3] != '-' {
		return 0, false, nil, false
	}
	return code, line[3] == ' ', line[4:], true
}

// clean makes text of what came: valid UTF-8 without control characters.
func clean(b []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(b), "\uFFFD"))
}

// said returns what the reply says of a recipient.
func (r reply) said() said {
	s := said{verdict: email.Deferred, code: r.code, enhanced: r.enhanced(), text: r.text()}
	switch r.code / 100 {
	case 2:
		s.verdict = email.Delivered
	case 5:
		s.verdict = email.Refused
	}
	return s
}

// text returns the reply as it came, its lines parted by a line feed.
func (r reply) text() string {
	var b strings.Builder
	for i, line := range r.lines {
		mark := byte('-')
		if i == len(r.lines)-1 {
			mark = ' '
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%d%c%s", r.code, mark, line)
	}
	text := strings.TrimRight(b.String(), " ")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	return text
}

// enhanced returns the status code that the reply begins with; "" = there is none. Source: RFC 2034 4: its class must be that of
// the reply code.
func (r reply) enhanced() string {
	if len(r.lines) == 0 {
		return ""
	}
	word, _, _ := strings.Cut(r.lines[0], " ")
	class, rest, _ := strings.Cut(word, ".")
	subject, detail, ok := strings.Cut(rest, ".")
	if !ok || class != fmt.Sprint(r.code/100) || class == "3" || !digits(subject) || !digits(detail) {
		return ""
	}
	return word
}

// digits reports whether s is one to three digits. Source: RFC 3463 2.
func digits(s string) bool {
	return len(s) >= 1 && len(s) <= 3 && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// group makes replies of what became of each recipient: one for all that were told the same, in the order in which they come first.
func group(indexes []int, all []said) []email.Reply {
	var replies []email.Reply
	known := map[said]int{}
	for i, s := range all {
		at, ok := known[s]
		if !ok {
			at = len(replies)
			known[s] = at
			replies = append(replies, email.Reply{
				Verdict: s.verdict, Code: s.code, Enhanced: s.enhanced, Text: s.text,
				Host: s.host, RemoteIP: s.remote, LocalIP: s.local, TLS: s.tls,
			})
		}
		replies[at].Recipients = append(replies[at].Recipients, indexes[i])
	}
	return replies
}
