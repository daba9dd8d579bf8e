package mailsim

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// What stands above the header of a mail that is kept.
const (
	headerOutcome = "X-Tidings-Outcome" // of the recipient before it
	headerMessage = "X-Tidings-Message"
)

const (
	defaultMaxBytes = 1 << 30
	suffix          = ".eml"
	// sweepEvery is how often is looked for what is too old.
	sweepEvery = time.Hour
)

// store keeps mails as files, one each, in a directory for each day.
type store struct {
	dir      string
	keep     time.Duration
	maxBytes int64
	now      func() time.Time

	mu    sync.Mutex
	bytes int64     // of all files at the last sweep, and what came since
	swept time.Time // zero = never
}

func newStore(o Options) *store {
	s := &store{dir: o.Dir, keep: o.Keep, maxBytes: o.MaxBytes, now: o.Now}
	if s.maxBytes == 0 {
		s.maxBytes = defaultMaxBytes
	}
	return s
}

// put writes a mail, in place of a former attempt's. It is not synced: what is kept is for people to look at.
func (s *store) put(id string, raw []byte) error {
	dir := filepath.Join(s.dir, s.now().UTC().Format("2006/01/02"))
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, id+suffix), raw, 0o640); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += int64(len(raw))
	if s.bytes > s.maxBytes || s.swept.IsZero() || s.now().Sub(s.swept) > sweepEvery {
		return s.sweep()
	}
	return nil
}

// kept is a file.
type kept struct {
	path string
	size int64
	at   time.Time
}

// files returns all files, the newest first.
func (s *store) files() ([]kept, error) {
	var all []kept
	err := filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // swept meanwhile, or nothing was ever kept
			return nil
		}
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, suffix) {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		all = append(all, kept{path, info.Size(), info.ModTime()})
		return nil
	})
	// By days, then by IDs, which begin with the time; a reply stands before what it replies to.
	slices.SortFunc(all, func(a, b kept) int {
		return strings.Compare(strings.TrimSuffix(b.path, suffix), strings.TrimSuffix(a.path, suffix))
	})
	return all, err
}

// sweep removes what is too old or too much, and leaves some room, so that it is not soon called again. mu is held.
func (s *store) sweep() error {
	all, err := s.files()
	if err != nil {
		return err
	}
	s.bytes, s.swept = 0, s.now()
	most := s.maxBytes - s.maxBytes/8
	var failed []error
	for _, f := range all {
		if s.bytes+f.size <= most && (s.keep == 0 || s.now().Sub(f.at) <= s.keep) {
			s.bytes += f.size
			continue
		}
		if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
		_ = os.Remove(filepath.Dir(f.path)) // of a day that has no mails any more; otherwise it stays
	}
	return errors.Join(failed...)
}

// Mail is a mail that is kept.
type Mail struct {
	ID       string // of the file; that of the message, but for replies
	Message  string
	At       time.Time
	From     string // envelope sender
	To       []string
	Outcomes []string // of each of To: "delivered; 250 …"
	Subject  string   // decoded
	Size     int64    // bytes of the file
}

// List returns up to limit mails, the newest first, which have needle in an address or in the subject; "" = all.
func (m *Mailboxes) List(limit int, needle string) ([]Mail, error) {
	if m.store == nil {
		return nil, nil
	}
	files, err := m.store.files()
	if err != nil {
		return nil, fmt.Errorf("list kept mails: %w", err)
	}
	needle = strings.ToLower(needle)
	var all []Mail
	for _, f := range files {
		if len(all) >= limit {
			break
		}
		mail, err := read(f)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read a kept mail: %w", err)
		}
		if mail.matches(needle) {
			all = append(all, mail)
		}
	}
	return all, nil
}

func (m *Mail) matches(needle string) bool {
	return strings.Contains(strings.ToLower(strings.Join(append([]string{m.From, m.Subject, m.ID}, m.To...), "\n")), needle)
}

// maxHeader bounds what is read of a file to list it.
const maxHeader = 64 << 10

// read reads the header of a kept mail. What cannot be read is left out.
func read(f kept) (Mail, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return Mail{}, err
	}
	defer func() { _ = file.Close() }() // it was only read
	// A header that breaks off is as good as one that ends.
	h, err := textproto.NewReader(bufio.NewReader(io.LimitReader(file, maxHeader))).ReadMIMEHeader()
	if h == nil {
		return Mail{}, err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
	if err != nil {
		subject = h.Get("Subject")
	}
	return Mail{
		ID: strings.TrimSuffix(filepath.Base(f.path), suffix), Message: h.Get(headerMessage), At: f.at, Size: f.size,
		From: strings.Trim(h.Get("Return-Path"), "<>"), To: h.Values("Delivered-To"), Outcomes: h.Values(headerOutcome), Subject: subject,
	}, nil
}

// Read returns a kept mail as it lies in the mailbox. It fails with fs.ErrNotExist if there is none of this ID.
func (m *Mailboxes) Read(id string) ([]byte, error) {
	if m.store == nil || id == "" || strings.ContainsAny(id, `/\`) {
		return nil, fs.ErrNotExist
	}
	files, err := m.store.files()
	if err != nil {
		return nil, fmt.Errorf("find a kept mail: %w", err)
	}
	for _, f := range files {
		if filepath.Base(f.path) == id+suffix {
			raw, err := os.ReadFile(f.path)
			return bytes.TrimSpace(raw), err
		}
	}
	return nil, fs.ErrNotExist
}
