package oracle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	"net/mail"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// admin reads a page of the admin listener.
func (s *server) admin(t testing.TB, path string) string {
	t.Helper()
	status, _, body := fetch(t, s.Admin+path, nil)
	if status != http.StatusOK {
		t.Fatalf("GET %s = %d %s", path, status, body)
	}
	return body
}

// fetch gets a URL as it is, without following where it leads.
func fetch(t testing.TB, url string, header http.Header) (status int, answer http.Header, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	must(t, "make the request", err)
	for name := range header {
		r.Header.Set(name, header.Get(name))
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	must(t, "GET "+url, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, "GET "+url, err)
	return resp.StatusCode, resp.Header, string(text)
}

// keptMail is an entry of "tidings mail list".
type keptMail struct {
	ID        string   `json:"id"`
	MessageID string   `json:"messageId"`
	From      string   `json:"from"`
	To        []string `json:"to"`
	Subject   string   `json:"subject"`
}

// keptMails lists simulated mails as operators do.
func (s *server) keptMails(t testing.TB) []keptMail {
	t.Helper()
	out := s.tidings(t, "mail", "list", "--json", "--limit", "1000")
	var all []keptMail
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var m keptMail
		err := d.Decode(&m)
		if errors.Is(err, io.EOF) {
			return all
		}
		must(t, "read the list of mails", err)
		all = append(all, m)
	}
}

// tidings runs a command of the binary against the server.
func (s *server) tidings(t testing.TB, args ...string) []byte {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, append(args, "--admin", s.Admin)...).Output()
	must(t, "tidings "+strings.Join(args, " "), err)
	return out
}

// keptMessage waits for the mail with that ID and returns it as it lies in the mailbox.
func (s *server) keptMessage(t testing.TB, id string) *mail.Message {
	t.Helper()
	kept := ""
	var all []keptMail
	await(t, "the mail "+id, func() bool {
		all = s.keptMails(t)
		for _, m := range all {
			if m.MessageID == id {
				kept = m.ID
			}
		}
		return kept != ""
	}, func() string { return fmt.Sprint(len(all), " mails are there") })
	m, err := mail.ReadMessage(bytes.NewReader(s.tidings(t, "mail", "show", kept)))
	must(t, "read the mail "+id, err)
	return m
}

// partOf returns the decoded part of a type of a message of several.
func partOf(t testing.TB, m *mail.Message, contentType string) string {
	t.Helper()
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	must(t, "read the type of the mail", err)
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := r.NextRawPart()
		must(t, "find the part "+contentType, err)
		if !strings.HasPrefix(part.Header.Get("Content-Type"), contentType) {
			continue
		}
		body := io.Reader(part)
		if strings.EqualFold(part.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
			body = quotedprintable.NewReader(part)
		}
		text, err := io.ReadAll(body)
		must(t, "decode the part "+contentType, err)
		return string(text)
	}
}

var (
	pixelURL = regexp.MustCompile(`<img[^>]* src="([^"]+)"`)
	linkURL  = regexp.MustCompile(`<a [^>]*href="([^"]+)"[^>]*>(\w+)</a>`)
)

// visitMail opens the mail and clicks its first link, as its reader does.
func visitMail(t *testing.T, s *server, id string) {
	t.Helper()
	page := partOf(t, s.keptMessage(t, id), "text/html")
	pixel := pixelURL.FindStringSubmatch(page)
	links := linkURL.FindAllStringSubmatch(page, -1)
	if pixel == nil || len(links) != 2 || strings.Contains(page, "ses:") {
		t.Fatalf("the mail has the pixel %q and the links %q, want one and two, and no attributes for SES:\n%s", pixel, links, page)
	}
	browser := http.Header{"User-Agent": {"Oracle/1.0 (reader)"}}
	status, header, body := fetch(t, html.UnescapeString(pixel[1]), browser)
	if status != http.StatusOK || header.Get("Content-Type") != "image/gif" || !strings.HasPrefix(body, "GIF8") {
		t.Errorf("the pixel is %d %s %q, want a GIF", status, header.Get("Content-Type"), body)
	}
	url := html.UnescapeString(links[0][1])
	status, header, _ = fetch(t, url, browser)
	if want := "https://shop.example/cart?a=1&b=%C3%BC"; status/100 != 3 || header.Get("Location") != want {
		t.Errorf("the link leads with %d to %q, want %q", status, header.Get("Location"), want)
	}
	if status, header, _ = fetch(t, url+"x", browser); status/100 != 4 || header.Get("Location") != "" {
		t.Errorf("a link that was changed leads with %d to %q, want nowhere", status, header.Get("Location"))
	}
	if links[1][1] != "https://shop.example/off" {
		t.Errorf("the link that is not to be tracked leads to %q", links[1][1])
	}
}
