package faults

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// mailKind is by which way a mail is sent, and what is special about it.
type mailKind int

const (
	byV1         mailKind = iota // SES version 1, SendEmail
	byV2                         // SES version 2, SendEmail
	rawV1                        // SendRawEmail
	templated                    // SendTemplatedEmail
	infected                     // version 2, with an attachment that is the EICAR test file
	unrenderable                 // version 2, from a template whose data lacks something
	simulated                    // version 2, to a mailbox of SES's simulator
)

// mixture is what most runs send, some kinds more often than others.
var mixture = []mailKind{byV1, byV1, byV2, byV2, byV2, rawV1, rawV1, templated, templated, infected, unrenderable}

const (
	mailSource   = "Shop <shop@example.com>"
	mailTemplate = "greeting"
	mailText     = "Your order is on its way.\r\n"
)

// The EICAR test file, in two halves so that scanners do not take this file for it.
const testVirus = `X5O!P%@AP[4\PZX54(P^)7CC)7}$` + `EICAR-STANDARD-ANTIVIRUS-TEST-FILE` + `!$H+H*`

// createMailSet makes the set of mails, whose events go to a stream that is left to the
// files, and the template.
func (c *client) createMailSet(t testing.TB) {
	t.Helper()
	for _, r := range []struct {
		path string
		in   map[string]any
	}{
		{"configuration-sets", map[string]any{"ConfigurationSetName": set}},
		{"configuration-sets/" + set + "/event-destinations", map[string]any{
			"EventDestinationName": fileTarget,
			"EventDestination": map[string]any{
				"Enabled":            true,
				"MatchingEventTypes": []string{"SEND", "REJECT", "BOUNCE", "COMPLAINT", "DELIVERY", "RENDERING_FAILURE"},
				"KinesisFirehoseDestination": map[string]string{
					"DeliveryStreamArn": "arn:aws:firehose:" + testRegion + ":" + testAccount + ":deliverystream/" + mailTarget,
					"IamRoleArn":        "arn:aws:iam::" + testAccount + ":role/tidings",
				},
			},
		}},
		{"templates", map[string]any{"TemplateName": mailTemplate, "TemplateContent": map[string]string{
			"Subject": "Hello, {{name}}", "Text": mailText,
		}}},
	} {
		body, err := json.Marshal(r.in)
		if err == nil {
			_, err = c.exchange(t.Context(), "ses", http.MethodPost, "/v2/email/"+r.path, "application/json", body)
		}
		if err != nil {
			t.Fatalf("create %s: %v", r.path, err)
		}
	}
}

// mailTarget is the name of the stream that mails' events go to.
const mailTarget = "mails"

// followMails reads the file of that stream.
func followMails(data string, b *postBooks) *follower {
	return followStream(data, mailTarget, b.take)
}

// mail asks for one mail.
func (c *client) mail(ctx context.Context, kind mailKind, serial int, to []string) (id string, err error) {
	subject := fmt.Sprintf("number %d", serial)
	switch kind {
	case byV1, rawV1, templated:
		return c.mailV1(ctx, kind, subject, to)
	case byV2, simulated:
		return c.mailV2(ctx, to, map[string]any{"Simple": map[string]any{
			"Subject": words(subject), "Body": map[string]any{"Text": words(mailText)},
		}})
	case infected:
		raw := base64.StdEncoding.EncodeToString([]byte(infectedMail(subject, to)))
		return c.mailV2(ctx, to, map[string]any{"Raw": map[string]any{"Data": raw}})
	case unrenderable:
		return c.mailV2(ctx, to, map[string]any{"Template": map[string]any{"TemplateName": mailTemplate, "TemplateData": `{"surname":"Smith"}`}})
	}
	return "", fmt.Errorf("there is no kind of mail %d", kind)
}

func words(text string) map[string]string { return map[string]string{"Data": text} }

func infectedMail(subject string, to []string) string {
	return "From: " + mailSource + "\r\nTo: " + strings.Join(to, ", ") + "\r\nSubject: " + subject +
		"\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		base64.StdEncoding.EncodeToString([]byte(testVirus)) + "\r\n"
}

func (c *client) mailV2(ctx context.Context, to []string, content map[string]any) (id string, err error) {
	body, err := json.Marshal(map[string]any{
		"ConfigurationSetName": set, "FromEmailAddress": mailSource, "Content": content,
		"Destination": map[string]any{"ToAddresses": to},
	})
	if err != nil {
		return "", err
	}
	text, err := c.exchange(ctx, "ses", http.MethodPost, "/v2/email/outbound-emails", "application/json", body)
	if err != nil {
		return "", err
	}
	var out struct{ MessageId string }
	return out.MessageId, json.Unmarshal(text, &out)
}

func (c *client) mailV1(ctx context.Context, kind mailKind, subject string, to []string) (id string, err error) {
	form := url.Values{"Version": {"2010-12-01"}, "Source": {mailSource}, "ConfigurationSetName": {set}}
	list := "Destination.ToAddresses.member"
	switch kind { //nolint:exhaustive // mail asks for others
	case rawV1:
		list = "Destinations.member"
		raw := "From: " + mailSource + "\r\nTo: " + strings.Join(to, ", ") + "\r\nSubject: " + subject + "\r\n\r\n" + mailText
		form.Set("Action", "SendRawEmail")
		form.Set("RawMessage.Data", base64.StdEncoding.EncodeToString([]byte(raw)))
	case templated:
		form.Set("Action", "SendTemplatedEmail")
		form.Set("Template", mailTemplate)
		form.Set("TemplateData", `{"name":"`+subject+`"}`)
	default:
		form.Set("Action", "SendEmail")
		form.Set("Message.Subject.Data", subject)
		form.Set("Message.Body.Text.Data", mailText)
	}
	for i, address := range to {
		form.Set(fmt.Sprintf("%s.%d", list, i+1), address)
	}
	text, err := c.exchange(ctx, "ses", http.MethodPost, "/", "application/x-www-form-urlencoded", []byte(form.Encode()))
	if err != nil {
		return "", err
	}
	var out struct {
		Parts []struct{ MessageId string } `xml:",any"` // SendEmailResult comes first
	}
	if err := xml.Unmarshal(text, &out); err != nil {
		return "", err
	}
	if len(out.Parts) == 0 || out.Parts[0].MessageId == "" {
		return "", fmt.Errorf("the answer %q names no message", text)
	}
	return out.Parts[0].MessageId, nil
}

// postLoad is an application that sends mail.
type postLoad struct {
	client  *client
	books   *postBooks
	kinds   []mailKind
	fates   []string // of recipients; one is drawn for each
	most    int      // recipients of a mail
	writers int
	pace    int // mails a second at most; 0 = as fast as it goes

	latencies *latencies // nil = they are not measured
}

// latencies are how long requests took.
type latencies struct {
	mu  sync.Mutex
	all []time.Duration
}

func (l *latencies) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, d)
}

// describe describes those since it was asked last.
func (l *latencies) describe() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() { l.all = nil }()
	return quantiles(l.all)
}

// during runs the load while do runs. Requests under way are then finished.
func (l postLoad) during(t testing.TB, do func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	limiter := rate.NewLimiter(rate.Inf, 1)
	if l.pace > 0 {
		limiter.SetLimit(rate.Limit(l.pace))
	}
	var running sync.WaitGroup
	for range l.writers {
		running.Go(func() {
			for limiter.Wait(ctx) == nil {
				if !l.one(t.Context()) {
					wait(ctx, errorPause)
				}
			}
		})
	}
	defer running.Wait()
	defer cancel()
	do()
}

// one sends one mail and enters it in the books.
func (l postLoad) one(ctx context.Context) bool {
	kind := l.kinds[rand.IntN(len(l.kinds))]
	serial, to := l.books.ask(kind, func(serial int) []string { return l.recipients(kind, serial) })
	begun := time.Now()
	id, err := l.client.mail(ctx, kind, serial, to)
	if l.latencies != nil {
		l.latencies.add(time.Since(begun))
	}
	refused, answered := errors.AsType[*refusal](err)
	switch {
	case err == nil:
		l.books.acknowledge(serial, id)
	case answered:
		l.books.refuse(refused)
	default:
		l.books.unanswered()
	}
	return err == nil
}

func (l postLoad) recipients(kind mailKind, serial int) []string {
	if kind == simulated {
		return []string{fmt.Sprintf("success+m%d.0@simulator.amazonses.com", serial)}
	}
	if kind == infected || kind == unrenderable {
		return []string{addressOf(fateRefused, serial, 0)}
	}
	to := make([]string, 1+rand.IntN(l.most))
	for i := range to {
		to[i] = addressOf(l.fates[rand.IntN(len(l.fates))], serial, i)
	}
	return to
}

// usualFates of recipients: most take their mail.
var usualFates = slices.Concat(slices.Repeat([]string{fateTaken}, 6), []string{fateBounced, fateBounced, fateLater, fateLater})
