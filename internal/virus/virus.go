// Package virus says which messages must not be sent: those with the test file that every scanner knows, and those in which a clamd
// finds something.
package virus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"tidings/internal/email"
)

// Options say how a Scanner is to be run.
type Options struct {
	// Address is that of a clamd: "tcp:host:port" or "unix:/path"; "" = there is none, and only the test file is looked for.
	Address string
	// Timeout bounds one question to clamd. 0 = 30 s.
	Timeout time.Duration
	// MaxBytes bounds the messages that clamd is asked about; Scan fails for larger ones, since nobody can tell what is in them.
	// It should be StreamMaxLength of clamd.conf. 0 = 100 MiB, the default there since
	// ClamAV 0.105.
	MaxBytes int64
	// Together is how many questions are asked at the same time; others wait. 0 = 10, as many threads as clamd has by default
	// (clamd.conf, MaxThreads).
	Together int
}

// Scanner looks for what must not be sent. It implements email.Scanner and is safe for concurrent use.
type Scanner struct {
	opts           Options
	network, place string
	turns          chan struct{}
}

// New makes a Scanner. Nothing is asked before the first Scan; see Check for whether the address is one.
func New(o Options) *Scanner {
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 100 << 20
	}
	if o.Together <= 0 {
		o.Together = 10
	}
	s := &Scanner{opts: o, turns: make(chan struct{}, o.Together)}
	s.network, s.place, _ = strings.Cut(o.Address, ":")
	return s
}

// Check reports what is wrong with an address of Options, without asking the network.
func Check(address string) error {
	network, place, _ := strings.Cut(address, ":")
	switch network {
	case "":
		if address != "" {
			return fmt.Errorf("%q begins with neither tcp: nor unix: as it must", address)
		}
		return nil
	case "tcp":
		host, port, err := net.SplitHostPort(place)
		if err != nil {
			return fmt.Errorf("%q is no host and port: %w", place, err)
		}
		if host == "" || port == "" {
			return fmt.Errorf("%q is no host and port", place)
		}
		return nil
	case "unix":
		if place == "" {
			return errors.New("the path of the socket is missing")
		}
		return nil
	}
	return fmt.Errorf("%q begins with neither tcp: nor unix: as it must", address)
}

// testFile is what Scan says of the test file.
const testFile = "EICAR test file"

// Scan returns what is wrong with the message; "" = nothing. An error means that it could not be found out, and that it may be worth
// trying again.
func (s *Scanner) Scan(ctx context.Context, raw []byte) (threat string, err error) {
	if hasTestFile(raw) {
		return testFile, nil
	}
	if s.opts.Address == "" {
		return "", nil
	}
	if err := Check(s.opts.Address); err != nil {
		return "", fmt.Errorf("address of clamd: %w", err)
	}
	if int64(len(raw)) > s.opts.MaxBytes {
		return "", fmt.Errorf("the message has %d bytes, and clamd is asked about at most %d", len(raw), s.opts.MaxBytes)
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	select {
	case s.turns <- struct{}{}:
		defer func() { <-s.turns }()
	case <-ctx.Done():
		return "", fmt.Errorf("wait for clamd: %w", ctx.Err())
	}
	threat, err = s.ask(ctx, raw)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w (%w)", ctx.Err(), err)
	}
	if err != nil {
		return "", fmt.Errorf("ask clamd: %w", err)
	}
	return threat, nil
}

var _ email.Scanner = (*Scanner)(nil)
