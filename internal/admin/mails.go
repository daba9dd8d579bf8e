package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Mail is a mail that went to a simulated mailbox.
type Mail struct {
	ID       string    `json:"id"`
	Message  string    `json:"messageId"` // differs from ID for automatic replies
	At       time.Time `json:"at"`
	From     string    `json:"from"` // envelope sender
	To       []string  `json:"to"`
	Outcomes []string  `json:"outcomes"` // of each of To
	Subject  string    `json:"subject"`
	Size     int64     `json:"size"` // bytes
}

// QueuedMail is a mail of which not every recipient has an outcome.
type QueuedMail struct {
	ID        string     `json:"id"`
	Account   string     `json:"account"`
	Region    string     `json:"region"`
	Set       string     `json:"set,omitempty"`
	Accepted  time.Time  `json:"accepted"`
	From      string     `json:"from"`
	To        []string   `json:"to"` // those without an outcome
	Size      int        `json:"size"`
	Attempts  int        `json:"attempts"`
	Due       *time.Time `json:"due,omitempty"` // when the next attempt is; absent = now
	LastReply string     `json:"lastReply,omitempty"`
	Host      string     `json:"host,omitempty"` // who said that
}

// DNSRecord is what the DNS should have for mail of a domain.
type DNSRecord struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
	Why   string `json:"why"`
}

// Mails is mail, as operators see it.
type Mails interface {
	// List returns up to limit simulated mails, the newest first, that have match in an address or the subject; "" = all.
	List(limit int, match string) ([]Mail, error)
	// Read returns a simulated mail as it lies in the mailbox. It fails with fs.ErrNotExist if there is none of this ID.
	Read(id string) ([]byte, error)
	// Queue returns up to limit mails that wait or are in progress, the oldest first, beginning behind the one with the ID after.
	Queue(ctx context.Context, after string, limit int) ([]QueuedMail, error)
	// Wake has mails tried now that wait for their next attempt: those with the IDs, or all without any. It returns how many.
	Wake(ids ...string) int
	// DNS returns what the DNS should have for the domain.
	DNS(ctx context.Context, domain string) ([]DNSRecord, error)
}

// MailList is the body of /v1/mails.
type MailList struct {
	Mails []Mail `json:"mails"`
}

// maxMails is how many mails are listed at most.
const maxMails = 10_000

// mailLimit reads how many mails are asked for; false = it has refused.
func mailLimit(w http.ResponseWriter, r *http.Request) (limit int, ok bool) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return 100, true
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxMails {
		refuse(w, http.StatusBadRequest, "limit must be a number from 1 to "+strconv.Itoa(maxMails)+".")
		return 0, false
	}
	return n, true
}

func (s *Server) mailQueue(w http.ResponseWriter, r *http.Request) {
	limit, ok := mailLimit(w, r)
	if !ok {
		return
	}
	all, err := s.Mails.Queue(r.Context(), r.URL.Query().Get("after"), limit)
	if err != nil {
		s.fail(w, "mails that wait not listed", err)
		return
	}
	reply(w, http.StatusOK, QueuedMails{append([]QueuedMail{}, all...)})
}

// QueuedMails is the body of /v1/mailqueue.
type QueuedMails struct {
	Mails []QueuedMail `json:"mails"`
}

// wakeMails is the body of POST /v1/mailqueue/retry; without IDs all are meant.
type wakeMails struct {
	IDs []string `json:"ids"`
	All bool     `json:"all"`
}

func (s *Server) wakeMails(w http.ResponseWriter, r *http.Request) {
	var in wakeMails
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&in); err != nil || in.All == (len(in.IDs) > 0) {
		refuse(w, http.StatusBadRequest, `Send {"ids":[...]} or {"all":true}.`)
		return
	}
	n := s.Mails.Wake(in.IDs...)
	s.Log.Info("mails are tried now", "asked", len(in.IDs), "all", in.All, "mails", n)
	reply(w, http.StatusOK, map[string]int{"mails": n})
}

func (s *Server) mails(w http.ResponseWriter, r *http.Request) {
	limit, ok := mailLimit(w, r)
	if !ok {
		return
	}
	all, err := s.Mails.List(limit, r.URL.Query().Get("match"))
	if err != nil {
		s.fail(w, "mails not listed", err)
		return
	}
	reply(w, http.StatusOK, MailList{append([]Mail{}, all...)}) // [] and not null when empty
}

func (s *Server) mail(w http.ResponseWriter, r *http.Request) {
	raw, err := s.Mails.Read(r.PathValue("id"))
	if errors.Is(err, fs.ErrNotExist) {
		refuse(w, http.StatusNotFound, "There is no simulated mail with this ID: see tidings mail list.")
		return
	}
	if err != nil {
		s.fail(w, "mail not read", err)
		return
	}
	// Never as HTML: it is somebody else's.
	w.Header().Set("Content-Type", "message/rfc822")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(raw)
}

func (s *Server) mailDNS(w http.ResponseWriter, r *http.Request) {
	records, err := s.Mails.DNS(r.Context(), r.PathValue("domain"))
	if err != nil {
		s.fail(w, "DNS records not made", err)
		return
	}
	reply(w, http.StatusOK, map[string][]DNSRecord{"records": append([]DNSRecord{}, records...)})
}

// Mails lists simulated mails.
func (c *Client) Mails(ctx context.Context, limit int, match string) ([]Mail, error) {
	var out MailList
	q := url.Values{"limit": {strconv.Itoa(limit)}, "match": {match}}
	err := c.call(ctx, http.MethodGet, "/v1/mails?"+q.Encode(), nil, &out)
	return out.Mails, err
}

// Mail returns a simulated mail.
func (c *Client) Mail(ctx context.Context, id string) ([]byte, error) {
	resp, err := c.do(ctx, http.MethodGet, "/v1/mails/"+url.PathEscape(id), nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	return io.ReadAll(resp.Body)
}

// MailQueue lists mails that wait or are in progress, beginning behind the one with the ID after.
func (c *Client) MailQueue(ctx context.Context, after string, limit int) ([]QueuedMail, error) {
	var out QueuedMails
	q := url.Values{"after": {after}, "limit": {strconv.Itoa(limit)}}
	err := c.call(ctx, http.MethodGet, "/v1/mailqueue?"+q.Encode(), nil, &out)
	return out.Mails, err
}

// RetryMails has mails tried now: those with the IDs, or all without any. It returns how many.
func (c *Client) RetryMails(ctx context.Context, ids ...string) (int, error) {
	var out struct{ Mails int }
	err := c.call(ctx, http.MethodPost, "/v1/mailqueue/retry", wakeMails{IDs: ids, All: len(ids) == 0}, &out)
	return out.Mails, err
}

// MailDNS returns what the DNS should have for mail of the domain.
func (c *Client) MailDNS(ctx context.Context, domain string) ([]DNSRecord, error) {
	var out struct {
		Records []DNSRecord `json:"records"`
	}
	err := c.call(ctx, http.MethodGet, "/v1/maildns/"+url.PathEscape(domain), nil, &out)
	return out.Records, err
}
