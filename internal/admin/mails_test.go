package admin_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/admin"
)

// post is simulated mails.
type post []admin.Mail

func (p post) List(limit int, match string) ([]admin.Mail, error) {
	var all []admin.Mail
	for _, m := range p {
		if strings.Contains(m.Subject, match) && len(all) < limit {
			all = append(all, m)
		}
	}
	return all, nil
}

func (p post) Read(id string) ([]byte, error) {
	for _, m := range p {
		if m.ID == id {
			return []byte("Subject: " + m.Subject + "\r\n\r\n<b>"), nil
		}
	}
	return nil, fs.ErrNotExist
}

// Queue has one mail more than is asked for.
func (post) Queue(_ context.Context, after string, limit int) (all []admin.QueuedMail, _ error) {
	due := time.Unix(60, 0).UTC()
	for _, id := range []string{"1", "2", "3"} {
		if id > after && len(all) < limit {
			all = append(all, admin.QueuedMail{ID: id, Account: "1", From: "a@b", To: []string{"c@d"}, Attempts: 1, Due: &due, LastReply: "451 later", Host: "mx"})
		}
	}
	return all, nil
}

func (post) Wake(ids ...string) int {
	if len(ids) == 0 {
		return 3
	}
	return len(ids)
}

func (post) DNS(_ context.Context, domain string) ([]admin.DNSRecord, error) {
	if domain == "broken" {
		return nil, errors.New("no")
	}
	return []admin.DNSRecord{{Name: "s._domainkey." + domain, Type: "TXT", Value: "v=DKIM1", Why: "DKIM"}}, nil
}

func TestMails(t *testing.T) {
	t.Parallel()
	all := post{
		{ID: "0100-2", Message: "0100-2", At: time.Unix(2, 0).UTC(), From: "a@b", To: []string{"c@d"}, Outcomes: []string{"delivered; 250"}, Subject: "two", Size: 3},
		{ID: "0100-1", Subject: "one"},
	}
	server := httptest.NewServer((&admin.Server{Mails: all}).Handler())
	t.Cleanup(server.Close)
	client := &admin.Client{URL: server.URL}
	for _, test := range []struct {
		limit int
		match string
		want  []admin.Mail
	}{{10, "", all}, {1, "", all[:1]}, {10, "one", all[1:]}, {10, "three", []admin.Mail{}}} {
		got, err := client.Mails(t.Context(), test.limit, test.match)
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("Mails(%d, %q): %v (-want +got):\n%s", test.limit, test.match, err, diff)
		}
	}
	if _, err := client.Mails(t.Context(), 0, ""); err == nil {
		t.Error("Mails(0) = nil error")
	}
	raw, err := client.Mail(t.Context(), "0100-1")
	if err != nil || string(raw) != "Subject: one\r\n\r\n<b>" {
		t.Errorf("Mail = %q, %v", raw, err)
	}
	if _, err := client.Mail(t.Context(), "0100-3"); err == nil || !strings.Contains(err.Error(), "no simulated mail") {
		t.Errorf("Mail of nothing = %v", err)
	}
	records, err := client.MailDNS(t.Context(), "example.com")
	if err != nil || len(records) != 1 || records[0].Name != "s._domainkey.example.com" {
		t.Errorf("MailDNS = %v, %v", records, err)
	}
}

// TestMailsAreNoPages has mail that is HTML: a browser must not take it for a page of this server.
func TestMailsAreNoPages(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "http://localhost/v1/mails/x", http.NoBody)
	(&admin.Server{Mails: post{{ID: "x"}}}).Handler().ServeHTTP(w, r)
	if got := w.Header().Get("Content-Type") + " " + w.Header().Get("X-Content-Type-Options"); got != "message/rfc822 nosniff" {
		t.Errorf("served as %q", got)
	}
}

func TestMailQueue(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer((&admin.Server{Mails: post{}, Log: slog.New(slog.DiscardHandler)}).Handler())
	t.Cleanup(server.Close)
	client := &admin.Client{URL: server.URL}
	want, _ := post{}.Queue(t.Context(), "1", 1)
	got, err := client.MailQueue(t.Context(), "1", 1)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("MailQueue: %v (-want +got):\n%s", err, diff)
	}
	if _, err := client.MailQueue(t.Context(), "", 10_001); err == nil {
		t.Error("MailQueue of 10,001 = nil error")
	}
	for _, ids := range [][]string{{"1", "2"}, nil} {
		if n, err := client.RetryMails(t.Context(), ids...); err != nil || n != (post{}).Wake(ids...) {
			t.Errorf("RetryMails(%q) = %d, %v", ids, n, err)
		}
	}
	for _, body := range []string{"", "{}", `{"ids":["1"],"all":true}`} {
		resp, err := http.Post(server.URL+"/v1/mailqueue/retry", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("retry with %q = %d, want 400", body, resp.StatusCode)
		}
	}
}
