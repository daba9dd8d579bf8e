package virus

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

const (
	// chunk is how much of a message is sent with one length in front.
	chunk = 64 << 10
	// longestReply bounds what clamd says.
	longestReply = 4 << 10
)

// ask has clamd scan the message. Source: clamd(8), "COMMANDS", zINSTREAM: chunks with their length in front, four bytes, big-endian; a
// chunk without bytes is the end; the reply ends with a NUL.
func (s *Scanner) ask(ctx context.Context, raw []byte) (threat string, err error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, s.network, s.place)
	if err != nil {
		return "", err
	}
	defer func() {
		if closing := conn.Close(); closing != nil && err == nil {
			threat, err = "", closing
		}
	}()
	// The deadline of ctx, and its end before that, wake who reads or writes.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	sending := send(conn, raw)
	// What clamd dislikes it says at once, and hears no more: its word tells more than the broken pipe.
	reply, err := readReply(conn)
	if err != nil {
		return "", errors.Join(sending, err)
	}
	threat, err = understand(reply)
	if err == nil && threat == "" && sending != nil {
		return "", sending
	}
	return threat, err
}

// send sends the message without copying it.
func send(conn net.Conn, raw []byte) error {
	out := net.Buffers{[]byte("zINSTREAM\x00")}
	for len(raw) > 0 {
		n := min(chunk, len(raw))
		out = append(out, binary.BigEndian.AppendUint32(nil, uint32(n)), raw[:n])
		raw = raw[n:]
	}
	out = append(out, make([]byte, 4))
	_, err := out.WriteTo(conn)
	return err
}

func readReply(conn net.Conn) (string, error) {
	reply, err := bufio.NewReader(io.LimitReader(conn, longestReply)).ReadString(0)
	if err != nil {
		return "", fmt.Errorf("read the reply after %q: %w", reply, err)
	}
	return strings.TrimSuffix(reply, "\x00"), nil
}

// understand takes "stream: OK", "stream: NAME FOUND" and "TEXT ERROR" apart.
func understand(reply string) (threat string, err error) {
	word := strings.TrimSpace(strings.TrimPrefix(reply, "stream:"))
	if word == "OK" {
		return "", nil
	}
	if name, ok := strings.CutSuffix(word, " FOUND"); ok && name != "" {
		return strings.TrimSpace(name), nil
	}
	return "", fmt.Errorf("it says %q", reply)
}
