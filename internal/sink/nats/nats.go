// Package natssink delivers events to subjects of NATS, each as one message.
//
// With a stream behind the subject, a message counts as delivered when JetStream says that
// it is stored. It carries the delivery's ID as Nats-Msg-Id, so a stream drops a delivery
// that is repeated within its window for duplicates. Without one it counts as delivered
// when the server has it; who does not listen just then never gets it.
//
// A connection that breaks is not mended but replaced by the next delivery: nothing waits
// in a buffer for the server to come back, and nothing is sent after Deliver has returned
// but what had been handed to the connection by then.
package natssink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"

	"tidings/internal/arn"
	"tidings/internal/sink"
)

// Settings are the choices of a Driver. URL and Subject must be set; of the credentials, at
// most one kind.
type Settings struct {
	// URL is nats://host:port or tls://host:port; several of one cluster with commas between.
	URL string
	// Subject is where the messages go. {service}, {region}, {account} and {name} stand for those
	// of the ARN, each as one token: what is neither a letter nor a digit nor - becomes _.
	Subject string
	// Core says that there is no stream behind the subject.
	Core bool

	Credentials        string // path of a file that nsc wrote; it is read with every connection
	Token              string
	Username, Password string

	// TLS is how to speak TLS; nil = as the URL and the server want it, with the system's roots.
	TLS *tls.Config
}

// Driver opens subjects of one server or cluster, which share one connection. It is safe
// for concurrent use.
type Driver struct {
	settings Settings
	subject  sink.Template

	life       context.Context // of what runs in the background
	end        context.CancelFunc
	background sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	open    int         // sinks
	current *connection // nil = none, or not yet
	dialing *dialing    // nil = nobody does
}

var errClosed = errors.New("closed")

// New makes a Driver. Its error has everything that cannot work about the settings. It
// touches neither the network nor the disk, but for looking whether there are credentials.
func New(s Settings) (*Driver, error) {
	subject, err := sink.ParseTemplate(s.Subject)
	if err == nil {
		_, err = expand(subject, arn.ARN{Service: "x", Region: "x", Account: "x", Resource: "x"})
	}
	if err != nil {
		err = fmt.Errorf("subject: %w", err)
	}
	if err := errors.Join(checkURL(s.URL), err, s.checkCredentials()); err != nil {
		return nil, err
	}
	d := &Driver{settings: s, subject: subject}
	d.life, d.end = context.WithCancel(context.Background())
	return d, nil
}

// checkURL does not repeat the URL, which may hold a password.
func checkURL(list string) error {
	for text := range strings.SplitSeq(list, ",") {
		u, err := url.Parse(strings.TrimSpace(text))
		switch {
		case err != nil || u.Scheme != "nats" && u.Scheme != "tls" || u.Hostname() == "":
			return errors.New("url: write it as nats://host:port or tls://host:port")
		case u.User != nil:
			return errors.New("url: must not hold a user or a password, which have keys of their own")
		case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
			return errors.New("url: nothing stands behind host:port")
		}
	}
	return nil
}

func (s *Settings) checkCredentials() error {
	kinds := 0
	for _, given := range []bool{s.Credentials != "", s.Token != "", s.Username != "" || s.Password != ""} {
		if given {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		return errors.New("give credentials, or a token, or a user and a password: the server takes one")
	case (s.Username == "") != (s.Password == ""):
		return errors.New("give both a user and a password")
	}
	if s.Credentials != "" {
		if _, err := os.Stat(s.Credentials); err != nil {
			return fmt.Errorf("credentials: %w", err)
		}
	}
	return nil
}

// foreign matches what would end a token, or what not every client takes in one.
// Source: NATS documentation, "Subject-Based Messaging", characters allowed for names.
var foreign = regexp.MustCompile(`[^a-zA-Z0-9-]`)

// subjectForm is a subject to publish to: tokens without wildcards and white space.
var subjectForm = regexp.MustCompile(`^[^\s.*>\x00-\x1f]+(\.[^\s.*>\x00-\x1f]+)*$`)

// maxSubject bounds a subject in bytes. Servers take less than 4 KiB for a whole line of
// control. Source: NATS documentation, "Server Configuration", max_control_line.
const maxSubject = 1_024

func expand(t sink.Template, a arn.ARN) (string, error) {
	subject, err := t.Expand(a, func(s string) string { return foreign.ReplaceAllString(s, "_") })
	switch {
	case err != nil:
		return "", err
	case len(subject) > maxSubject || !subjectForm.MatchString(subject):
		return "", fmt.Errorf("%.100q is no subject to publish to: tokens with dots between, without spaces, * and >", subject)
	case strings.HasPrefix(subject, "$") || strings.HasPrefix(subject, "_INBOX."):
		return "", fmt.Errorf("%.100q belongs to the server", subject)
	}
	return subject, nil
}

// Check reports whether the ARN makes a subject.
func (d *Driver) Check(t sink.Target) error {
	_, err := expand(d.subject, t.ARN)
	return err
}

// Open returns a sink of the target. It touches no network.
func (d *Driver) Open(t sink.Target) (sink.Sink, error) {
	name, err := expand(d.subject, t.ARN)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errClosed
	}
	d.open++
	return &subject{driver: d, name: name}, nil
}

// leave is called once by each sink that is closed.
func (d *Driver) leave() {
	d.mu.Lock()
	d.open--
	d.mu.Unlock()
	d.closeUnused()
}

// Close closes the connection as soon as no sink is open any more. Those that are work on.
func (d *Driver) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.closeUnused()
	return nil
}

// closeUnused closes the connection if nobody can need it any more, and waits for what
// runs in the background.
func (d *Driver) closeUnused() {
	d.mu.Lock()
	unused := d.closed && d.open == 0
	d.mu.Unlock()
	if !unused {
		return
	}
	d.end()
	d.background.Wait()
	d.mu.Lock()
	c := d.current
	d.current = nil
	d.mu.Unlock()
	if c != nil {
		c.retire()
		<-c.gone
	}
}
