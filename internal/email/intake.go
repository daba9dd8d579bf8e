package email

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"tidings/internal/configset"
	"tidings/internal/event"
)

// Intake takes in what comes back for messages after they were handed over: bounce messages, complaints, opens and clicks. It is
// safe for concurrent use. The fields must not be changed once it is in use.
//
// What comes back for a message that nobody remembers is counted and dropped. An error of a method means that nothing was
// taken in, and that it is worth trying again.
type Intake struct {
	Spool     Spool     // required
	Publisher Publisher // required
	Registry  Registry  // required
	Sets      SetFinder // required
	Records   Recorder
	// Forward sends a bounce message or complaint on to m.ReturnPath, where the client asked for copies; nil = nothing is sent on.
	Forward  func(ctx context.Context, m Message, original []byte) error
	Personal bool             // log whole addresses
	Now      func() time.Time // nil = time.Now
	Log      *slog.Logger     // nil = none
	Metrics  *Metrics         // nil = none
}

// BackBounce is what a bounce message says of one recipient. Source: RFC 3464 section 2.3.
type BackBounce struct {
	Recipient    string // as the message was sent to it; "" = the bounce message does not say
	Action       string // "failed", "delayed", "delivered", "relayed", "expanded"; "" = not said
	Status       string // RFC 3463; "" = not said
	Diagnostic   string // "smtp; 550 5.1.1 user unknown"; "" = not said
	ReportingMTA string // "dns; mx.example.com"; "" = not said
	At           time.Time
	Delayed      bool // the server goes on trying
}

// Visit is who opened a message or followed a link of it, as far as the request says.
type Visit struct {
	IP, UserAgent string
	At            time.Time // zero = now
}

// The kinds of what comes back and what is done with it, as metrics name them.
const (
	backBounce    = "bounce"
	backComplaint = "complaint"
	backOpen      = "open"
	backClick     = "click"

	backPublished = "published"
	backUnwanted  = "unwanted"
	backUnknown   = "unknown"
	backFailed    = "failed"
)

// Bounced takes in that a server which had taken the message could not deliver it. The same word on the same recipient, twice,
// is one event with one ID. Words other than that it failed are counted only.
func (in *Intake) Bounced(ctx context.Context, id string, b BackBounce) error {
	m, ok, err := in.find(ctx, backBounce, id)
	if err != nil || !ok {
		return err
	}
	if b.Delayed || b.Action != "" && !strings.EqualFold(b.Action, "failed") {
		in.Metrics.cameBack(backBounce, backUnwanted)
		return nil
	}
	recipients, certain := whom(&m, b.Recipient)
	kind := Classify(b.Status, b.Diagnostic)
	if !certain {
		kind = BounceType{undetermined, undetermined}
	}
	h := happening{
		id:   m.ID + "/bounce/dsn/" + shortHash(strings.ToLower(b.Recipient), b.Status),
		kind: event.EmailBounce, at: in.when(&m, b.At), recipients: recipients,
		bounce: &bounceNews{
			BounceType: kind, action: strings.ToLower(b.Action), status: b.Status,
			diagnostic: b.Diagnostic, reporter: bareName(b.ReportingMTA),
		},
	}
	return in.take(ctx, backBounce, &m, h)
}

// Complained takes in that a recipient called the message spam. Without recipients, whom providers like to hide, it names all of
// the message, as SES does, and then none of several is put on the suppression list.
func (in *Intake) Complained(ctx context.Context, id string, c Complaint) error {
	m, ok, err := in.find(ctx, backComplaint, id)
	if err != nil || !ok {
		return err
	}
	recipients := make([]string, 0, len(c.Recipients))
	for _, address := range c.Recipients {
		if known, certain := whom(&m, address); certain {
			recipients = append(recipients, known...)
		} else {
			recipients = append(recipients, address)
		}
	}
	if len(recipients) == 0 {
		recipients = m.Recipients
	}
	h := happening{
		id:   m.ID + "/complaint/" + shortHash(append([]string{c.Type}, recipients...)...),
		kind: event.EmailComplaint, at: in.when(&m, c.At), recipients: recipients, complaint: &c,
	}
	return in.take(ctx, backComplaint, &m, h)
}

// Opened takes in that somebody opened the message. Every open is an event.
func (in *Intake) Opened(ctx context.Context, id string, v Visit) error {
	return in.visited(ctx, backOpen, event.EmailOpen, id, visitNews{Visit: v})
}

// Clicked takes in that somebody followed a link of the message. tags are the link's. Every click is an event.
func (in *Intake) Clicked(ctx context.Context, id string, v Visit, link string, tags map[string][]string) error {
	return in.visited(ctx, backClick, event.EmailClick, id, visitNews{Visit: v, link: link, tags: tags})
}

func (in *Intake) visited(ctx context.Context, word string, kind event.Type, id string, v visitNews) error {
	m, ok, err := in.find(ctx, word, id)
	if err != nil || !ok {
		return err
	}
	if !wantedBy(in.set(&m), kind) {
		in.Metrics.cameBack(word, backUnwanted)
		return nil
	}
	h := happening{id: m.ID + "/" + wordOf(kind) + "/" + rand.Text(), kind: kind, at: in.when(&m, v.At), visit: &v}
	return in.take(ctx, word, &m, h)
}

// Return sends a bounce message or a complaint on to where the client asked for copies, if it did, and if there is a way.
func (in *Intake) Return(ctx context.Context, id string, original []byte) error {
	if in.Forward == nil {
		return nil
	}
	m, ok, err := in.Spool.Find(ctx, id)
	if err != nil {
		return fmt.Errorf("find mail %s: %w", id, err)
	}
	if !ok || m.ReturnPath == "" {
		return nil
	}
	if err := in.Forward(ctx, m, original); err != nil {
		return fmt.Errorf("forward what came back for mail %s: %w", id, err)
	}
	return nil
}

func (in *Intake) find(ctx context.Context, word, id string) (m Message, ok bool, err error) {
	m, ok, err = in.Spool.Find(ctx, id)
	switch {
	case err != nil:
		in.Metrics.cameBack(word, backFailed)
		return Message{}, false, fmt.Errorf("find mail %s: %w", id, err)
	case !ok:
		in.Metrics.cameBack(word, backUnknown)
	}
	return m, ok, nil
}

// take publishes a happening and does what follows from it.
func (in *Intake) take(ctx context.Context, word string, m *Message, h happening) error {
	set := in.set(m)
	if certainOf(m, &h) {
		if err := (suppressionList{in.Registry}).learn(ctx, m, set, &h); err != nil {
			in.Metrics.cameBack(word, backFailed)
			return fmt.Errorf("put an address on the suppression list: %w", err)
		}
	}
	if events := in.Records.events(m, set, h); len(events) > 0 {
		if err := in.Publisher.Publish(ctx, events...); err != nil {
			in.Metrics.cameBack(word, backFailed)
			return fmt.Errorf("publish a %s of mail %s: %w", word, m.ID, err)
		}
	}
	if add := countsOf(&h); add != (Counts{}) {
		in.Registry.Count(m.Tenant, h.at, add)
	}
	in.Metrics.cameBack(word, backPublished)
	in.report(word, m, &h)
	return nil
}

// report writes the line of the log that tells what came back. Opens and clicks are too many for that.
func (in *Intake) report(word string, m *Message, h *happening) {
	if in.Log == nil || h.visit != nil {
		return
	}
	const level = slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("message", m.ID), slog.String("account", m.Tenant.Account), slog.String("region", m.Tenant.Region),
		slog.String("set", m.Set), slog.String("kind", word), slog.Int("recipients", len(h.recipients)),
	}
	if h.bounce != nil {
		attrs = append(attrs, slog.String("type", h.bounce.Type), slog.String("status", h.bounce.status))
	}
	if in.Personal {
		attrs = append(attrs, slog.Any("to", h.recipients))
	}
	in.Log.LogAttrs(context.Background(), level, "mail came back", attrs...)
}

// whom returns the recipients of m that an address of a report means, in the client's spelling. It reports false if that is not
// certain: then it is the address as it stands, which may be one that a recipient forwards to, or, without one, all recipients.
func whom(m *Message, address string) (recipients []string, certain bool) {
	for _, r := range m.Recipients {
		if strings.EqualFold(r, address) {
			return []string{r}, true
		}
	}
	switch {
	case len(m.Recipients) == 1:
		return m.Recipients, true
	case address != "":
		return []string{address}, false
	default:
		return m.Recipients, false
	}
}

// certainOf reports whether h is about recipients of m that are known one by one, and not about whoever it may have been.
func certainOf(m *Message, h *happening) bool {
	if h.kind == event.EmailBounce {
		return h.bounce.Type != undetermined
	}
	if h.kind != event.EmailComplaint {
		return false
	}
	if len(h.complaint.Recipients) == 0 {
		return len(m.Recipients) == 1
	}
	for _, address := range h.recipients {
		if _, certain := whom(m, address); !certain {
			return false
		}
	}
	return true
}

func (in *Intake) set(m *Message) *configset.Set {
	if m.Set == "" {
		return nil
	}
	set, _ := in.Sets.Get(configset.Key{Tenant: m.Tenant, Scope: configset.Email, Name: m.Set})
	return set
}

// when returns the time of what came back: now if it is not said, and never before the message.
func (in *Intake) when(m *Message, at time.Time) time.Time {
	if at.IsZero() {
		at = clockNow(in.Now)
	}
	at = at.UTC().Truncate(time.Millisecond)
	if at.Before(m.Accepted) {
		return m.Accepted
	}
	return at
}

// bareName takes the type from a name of RFC 3464 section 2.2.2: "dns; mx.example.com".
func bareName(mta string) string {
	if _, name, ok := strings.Cut(mta, ";"); ok {
		mta = name
	}
	return strings.TrimSpace(mta)
}

// shortHash returns letters that are always the same for the same texts.
func shortHash(texts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(texts, "\x00")))
	return hex.EncodeToString(sum[:8])
}
