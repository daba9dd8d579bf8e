package cli

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
)

// smtpSink is an SMTP server that takes every mail and forgets it: the far end of a benchmark, which must cost little.
// Source: RFC 5321, and RFC 2920 for pipelining.
type smtpSink struct {
	listener net.Listener
	sessions sync.WaitGroup
	mails    atomic.Int64

	mu    sync.Mutex
	conns map[net.Conn]bool
}

func newSMTPSink() (*smtpSink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &smtpSink{listener: l, conns: map[net.Conn]bool{}}
	s.sessions.Go(s.accept)
	return s, nil
}

func (s *smtpSink) address() string { return s.listener.Addr().String() }

// close ends all sessions.
func (s *smtpSink) close() {
	_ = s.listener.Close()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.sessions.Wait()
}

func (s *smtpSink) accept() {
	for {
		c, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		s.sessions.Go(func() {
			s.serve(c)
			_ = c.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

// serve holds one session. It answers when no more commands wait, so that pipelined ones get one packet.
func (s *smtpSink) serve(c net.Conn) {
	in, out := bufio.NewReaderSize(c, 64<<10), bufio.NewWriter(c)
	say := func(text string) error {
		_, err := out.WriteString(text + "\r\n")
		if err == nil && in.Buffered() == 0 {
			err = out.Flush()
		}
		return err
	}
	err := say("220 sink.invalid ESMTP")
	for err == nil {
		var line []byte
		if line, err = in.ReadSlice('\n'); err != nil {
			return
		}
		verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimRight(string(line), "\r\n")), " ")
		switch verb {
		case "EHLO":
			err = say("250-sink.invalid\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 104857600")
		case "DATA":
			if err = say("354 go on"); err == nil {
				err = errors.Join(out.Flush(), discardData(in))
			}
			if err == nil {
				s.mails.Add(1)
				err = say("250 2.0.0 forgotten")
			}
		case "QUIT":
			_ = say("221 2.0.0 bye")
			_ = out.Flush()
			return
		default:
			err = say("250 2.0.0 ok")
		}
	}
}

// discardData reads a message up to the line that has only a dot.
func discardData(in *bufio.Reader) error {
	whole := true // the last piece ended a line
	for {
		piece, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			whole = false
			continue
		}
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		if whole && string(piece) == ".\r\n" {
			return nil
		}
		whole = true
	}
}
