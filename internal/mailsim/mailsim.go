// Package mailsim has mailboxes that exist only here: mail to them goes nowhere, is kept as a file for people to look at, and
// meets what its address says, so that every outcome can be tried without sending anything.
package mailsim

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"tidings/internal/email"
)

// AmazonDomain is the domain of SES's mailbox simulator. Mail to it never leaves this server.
const AmazonDomain = email.SimulatorDomain

// Host is the name that the simulated servers call themselves.
const Host = "mailboxes.tidings.invalid"

// Options are what Mailboxes are made of.
type Options struct {
	// Domains have mailboxes that behave by their names, beside AmazonDomain. Lower case.
	Domains []string
	// Next takes mail to all other domains. nil = there it is delivered, too, and kept here.
	Next email.Transport
	// Dir keeps the mails; "" = they are not kept. It is created when it is needed.
	Dir      string
	Keep     time.Duration    // how long; 0 = as long as there is room
	MaxBytes int64            // how much; the oldest go first. 0 = 1 GiB
	Now      func() time.Time // nil = time.Now
	Log      *slog.Logger     // nil = none
}

// Mailboxes is an email.Transport. It is safe for concurrent use.
type Mailboxes struct {
	opts  Options
	store *store

	mu   sync.Mutex
	seen map[string]time.Time // message and address of those that are asked to come again
}

// New makes Mailboxes. It touches no file.
func New(o Options) *Mailboxes {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	m := &Mailboxes{opts: o, seen: map[string]time.Time{}}
	if o.Dir != "" {
		m.store = newStore(o)
	}
	return m
}

// Behavior is what a mailbox does with mail.
type Behavior struct {
	Name  string // the part of the address before the @, or before a + and a label
	Words string // for people
	Own   bool   // only of our own domains; SES's simulator does not have it

	reply email.Reply
	again bool // the first attempt is deferred, later ones are not
}

// delivered is what a mailbox says that takes a mail.
var delivered = email.Reply{Verdict: email.Delivered, Code: 250, Enhanced: "2.6.0", Text: "250 2.6.0 Message received"}

// Behaviors are all that there are. What is not listed takes mail.
// Source of those that are not our own: SES Developer Guide, "Using the mailbox simulator manually".
func Behaviors() []Behavior {
	refuse := func(code int, enhanced, text string) email.Reply {
		return email.Reply{Verdict: email.Refused, Code: code, Enhanced: enhanced, Text: fmt.Sprintf("%d %s %s", code, enhanced, text)}
	}
	later := func(code int, enhanced, text string) email.Reply {
		r := refuse(code, enhanced, text)
		r.Verdict = email.Deferred
		return r
	}
	suppressed := email.Reply{
		Verdict: email.Refused, Text: "Amazon SES did not send the message to this address because it is on the suppression list.",
		Bounce: email.BounceType{Type: "Permanent", SubType: "Suppressed"},
	}
	complained := delivered
	complained.Complaint = &email.Complaint{UserAgent: "Tidings Mailbox Simulator", Type: "abuse"}
	return []Behavior{
		{Name: "success", Words: "takes the mail", reply: delivered},
		{Name: "bounce", Words: "does not exist: 550 5.1.1, a hard bounce", reply: refuse(550, "5.1.1", "user unknown")},
		{Name: "ooto", Words: "takes the mail, and answers that nobody is in the office", reply: delivered},
		{Name: "complaint", Words: "takes the mail, and complains of it", reply: complained},
		{Name: "suppressionlist", Words: "is on the suppression list: a hard bounce", reply: suppressed},
		{Name: "mailboxfull", Words: "is full at every attempt: a soft bounce when time is up", Own: true, reply: later(452, "4.2.2", "mailbox full")},
		{Name: "greylist", Words: "takes the mail at the second attempt", Own: true, reply: later(451, "4.7.1", "greylisted, try again"), again: true},
		{Name: "toolarge", Words: "refuses the mail for its size", Own: true, reply: refuse(552, "5.3.4", "message too big for this host")},
		{Name: "content", Words: "refuses the mail for its content", Own: true, reply: refuse(554, "5.6.0", "message content rejected")},
	}
}

// Deliver hands mail to the mailboxes, and what is for others to Next.
func (m *Mailboxes) Deliver(ctx context.Context, p email.Parcel) []email.Reply {
	here, there := p, p
	here.Recipients, here.Indexes, there.Recipients, there.Indexes = nil, nil, nil, nil
	for i, address := range p.Recipients {
		to := &here
		if _, domain := split(address); m.opts.Next != nil && !m.simulates(domain) {
			to = &there
		}
		to.Recipients, to.Indexes = append(to.Recipients, address), append(to.Indexes, p.Indexes[i])
	}
	var replies []email.Reply
	if len(here.Recipients) > 0 {
		replies = m.receive(here)
	}
	if len(there.Recipients) > 0 {
		replies = append(replies, m.opts.Next.Deliver(ctx, there)...)
	}
	return replies
}

// simulates reports whether mailboxes of the domain behave by their names.
func (m *Mailboxes) simulates(domain string) bool {
	return domain == AmazonDomain || slices.Contains(m.opts.Domains, domain)
}

// receive finds out what becomes of each recipient, and keeps the mail.
func (m *Mailboxes) receive(p email.Parcel) []email.Reply {
	var replies []email.Reply
	var names []string // of the behavior that each reply is of
	for i, address := range p.Recipients {
		b := m.behavior(p.ID, address)
		at := slices.Index(names, b.Name)
		if at < 0 {
			at = len(replies)
			replies, names = append(replies, b.reply), append(names, b.Name)
			replies[at].Host, replies[at].RemoteIP, replies[at].LocalIP = Host, "127.0.0.1", "127.0.0.1"
		}
		r := &replies[at]
		r.Recipients = append(r.Recipients, p.Indexes[i])
		if r.Complaint != nil {
			one := *r.Complaint
			one.Recipients, one.Arrived = append(slices.Clone(one.Recipients), address), m.opts.Now()
			r.Complaint = &one
		}
	}
	m.keep(p, replies, names)
	return replies
}

// behavior returns what the mailbox does with the message.
func (m *Mailboxes) behavior(id, address string) Behavior {
	takes := Behavior{Name: "success", reply: delivered}
	local, domain := split(address)
	if !m.simulates(domain) {
		return takes
	}
	name, _, _ := strings.Cut(local, "+")
	for _, b := range Behaviors() {
		if b.Name != name || b.Own && domain == AmazonDomain {
			continue
		}
		if b.again && !m.first(id, address) {
			return takes
		}
		return b
	}
	return takes
}

// asked is how many mails are remembered that were asked to come again.
const asked = 10_000

// first reports whether this is the first attempt, as far as is remembered.
func (m *Mailboxes) first(id, address string) bool {
	key := id + " " + address
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.seen[key]; ok {
		delete(m.seen, key)
		return false
	}
	if len(m.seen) >= asked {
		clear(m.seen)
	}
	m.seen[key] = m.opts.Now()
	return true
}

// keep writes the mail down, and the answers that mailboxes give. That it cannot be kept is no fault of the mail.
func (m *Mailboxes) keep(p email.Parcel, replies []email.Reply, names []string) {
	if m.store == nil {
		return
	}
	err := m.store.put(p.ID, letter(p, replies))
	for i, r := range replies {
		if names[i] != "ooto" || p.From == "" || err != nil {
			continue
		}
		for _, at := range r.Recipients {
			address := p.Recipients[slices.Index(p.Indexes, at)]
			err = cmp.Or(err, m.store.put(fmt.Sprintf("%s-reply-%d", p.ID, at), m.answer(p, address)))
		}
	}
	if err != nil {
		m.opts.Log.Warn("a simulated mail was not kept", "message", p.ID, "error", err)
	}
}

// letter is the mail as it lies in a mailbox, with what became of it above its own header.
func letter(p email.Parcel, replies []email.Reply) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "Return-Path: <%s>\r\n", p.From)
	for _, r := range replies {
		for _, at := range r.Recipients {
			fmt.Fprintf(&b, "Delivered-To: %s\r\n%s: %s\r\n", p.Recipients[slices.Index(p.Indexes, at)], headerOutcome, outcome(r))
		}
	}
	fmt.Fprintf(&b, "%s: %s\r\n", headerMessage, p.ID)
	return append([]byte(b.String()), p.Data...)
}

// outcome is what became of a recipient, in words.
func outcome(r email.Reply) string {
	word := map[email.Verdict]string{email.Delivered: "delivered", email.Deferred: "deferred", email.Refused: "bounced"}[r.Verdict]
	if r.Complaint != nil {
		word = "complained"
	}
	return word + "; " + r.Text
}

// answer is the automatic reply of a mailbox whose owner is away.
// Source: RFC 3834, sections 2 and 3.
func (m *Mailboxes) answer(p email.Parcel, from string) []byte {
	return fmt.Appendf(nil, "Return-Path: <>\r\nDelivered-To: %s\r\n%s: delivered; %s\r\n%s: %s\r\n"+
		"From: %s\r\nTo: %s\r\nSubject: Out of office\r\nDate: %s\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: text/plain; charset=us-ascii\r\n\r\nNobody is in the office. This mailbox exists only here.\r\n",
		p.From, headerOutcome, delivered.Text, headerMessage, p.ID, from, p.From, m.opts.Now().UTC().Format(time.RFC1123Z))
}

// split cuts an address at its last @, into lower case.
func split(address string) (local, domain string) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return strings.ToLower(address), ""
	}
	return strings.ToLower(address[:at]), strings.ToLower(address[at+1:])
}
