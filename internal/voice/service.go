package voice

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"tidings/internal/account"
	"tidings/internal/configset"
	"tidings/internal/crew"
	"tidings/internal/fault"
	"tidings/internal/quota"
	"tidings/internal/tenant"
)

// SandboxCountries are the only countries that an account in the sandbox may call.
// Source: SMS and Voice API Reference, "Amazon Pinpoint Voice Sandbox" (April 2019).
var SandboxCountries = []string{"AU", "CA", "CN", "DE", "HK", "IL", "JP", "MX", "SG", "SE", "US", "GB"}

// longestMessage cuts speech off where no limit does. It is ours.
const longestMessage = time.Hour

// speakInstructions is the value of Service.CallInstructions that speaks them.
const speakInstructions = "plain"

// Sets looks configuration sets up. It is safe for concurrent use and does not block.
type Sets interface {
	// Get returns the set, or false.
	Get(key configset.Key) (*configset.Set, bool)
}

// Accounts looks accounts up. It is safe for concurrent use and does not block.
type Accounts interface {
	// Account returns the account with this ID.
	Account(id string) (*account.Account, bool)
}

// Service accepts voice messages. It is safe for concurrent use and must not be copied.
//
// Wrong input is fault.Invalid, a configuration set that does not exist fault.NotFound,
// and one message too many fault.Throttled.
type Service struct {
	Queue    Queue          // required
	Sets     Sets           // required
	Accounts Accounts       // required
	Windows  *quota.Windows // required
	// Check asks whether content that is otherwise in order can be spoken here. It fails
	// with a fault for the client. nil = everything can.
	Check func(c Content) error
	// CallInstructions says what happens to a CallInstructionsMessage, which AWS offers to
	// few customers and does not describe: "" or "refuse" refuses it, "plain" speaks its
	// text as it is.
	CallInstructions string
	Guards           Guards
	Now              func() time.Time // nil = time.Now
	Log              *slog.Logger     // nil = none
	Metrics          *Metrics         // nil = none

	unheard crew.Seldom // for warnUnheard
}

// Send checks the message, accepts it, and returns its ID. When it returns, the message is
// on disk and its call will be placed, once.
func (s *Service) Send(ctx context.Context, t tenant.Tenant, r Request) (string, error) {
	id, err := s.send(ctx, t, r)
	s.Metrics.sent(err, r.Set)
	if err == nil && r.Set == "" {
		s.warnUnheard(t)
	}
	return id, err
}

func (s *Service) send(ctx context.Context, t tenant.Tenant, r Request) (string, error) {
	acc, ok := s.Accounts.Account(t.Account)
	if !ok {
		return "", fault.New(fault.Denied, "", "Account %s does not exist here.", t.Account)
	}
	m, err := s.check(t, acc, r)
	if err != nil {
		return "", err
	}
	undo, err := s.Windows.Take(m.Accepted, s.uses(acc, &m)...)
	if err != nil {
		return "", err
	}
	if err := s.Queue.Put(ctx, m); err != nil {
		// A client that hangs up leaves it open whether the message was stored. If it was,
		// its call counts; otherwise hanging up in time would be a way around the limits.
		if ctx.Err() == nil {
			undo()
		}
		return "", fmt.Errorf("accept voice message: %w", err)
	}
	return m.ID, nil
}

// Recount counts a message that was accepted before a restart towards the limits of its
// account. Messages older than a day may be left out.
func (s *Service) Recount(m Message) {
	acc, ok := s.Accounts.Account(m.Tenant.Account)
	if !ok {
		return // the account was removed from the configuration
	}
	if err := s.Windows.Record(m.Accepted, s.uses(acc, &m)...); err != nil {
		s.logger().Error("message not counted towards its account's limits", "message", m.ID, "error", err)
	}
}

// check turns a request into a message, if it is in order. It does not ask the rates.
func (s *Service) check(t tenant.Tenant, acc *account.Account, r Request) (Message, error) {
	m := Message{Tenant: t, Accepted: s.now(), Set: r.Set}
	if err := checkPhones(&m, acc, r); err != nil {
		return Message{}, err
	}
	if err := s.Guards.admit(m.Destination); err != nil {
		return Message{}, err
	}
	var err error
	m.Content, err = checkContent(r.Content, acc.Limits, s.CallInstructions == speakInstructions)
	if err != nil {
		return Message{}, err
	}
	if s.Check != nil {
		if err := s.Check(m.Content); err != nil {
			return Message{}, err
		}
	}
	if m.Set != "" {
		if _, ok := s.Sets.Get(configset.Key{Tenant: t, Scope: configset.Voice, Name: m.Set}); !ok {
			return Message{}, fault.New(fault.NotFound, fault.ConfigurationSet, "Configuration set <%s> does not exist.", clip(m.Set))
		}
	}
	m.MaxLength = longestMessage
	if n := acc.Limits.Of(quota.VoiceSeconds); n > quota.Unlimited {
		m.MaxLength = min(m.MaxLength, time.Duration(min(n, int64(longestMessage/time.Second)))*time.Second)
	}
	m.ID = newID()
	return m, nil
}

// checkPhones fills in who calls whom, if this account may.
func checkPhones(m *Message, acc *account.Account, r Request) (err error) {
	if m.Destination, err = parsePhone("DestinationPhoneNumber", r.Destination); err != nil {
		return err
	}
	if m.Origination, err = parsePhone("OriginationPhoneNumber", r.Origination); err != nil {
		return err
	}
	if r.CallerID != "" {
		if m.CallerID, err = parsePhone("CallerId", r.CallerID); err != nil {
			return err
		}
		if acc.Sandbox {
			return fault.New(fault.Invalid, fault.VoiceMessage, "CallerId cannot be used while the account is in the sandbox.")
		}
	}
	if m.Destination.emergency() {
		return fault.New(fault.Invalid, fault.VoiceMessage, "DestinationPhoneNumber is an emergency number. Those are never called.")
	}
	if !acc.Owns(string(m.Origination)) {
		return fault.New(fault.Invalid, fault.OriginationNumber, "OriginationPhoneNumber is not a number of account %s.", acc.ID)
	}
	m.Country = m.Destination.country()
	if acc.Limits.Of(quota.VoiceSandboxCountries) > quota.Unlimited && !slices.Contains(SandboxCountries, m.Country) {
		where := "a country that is not known"
		if m.Country != "" {
			where = "country " + m.Country
		}
		return fault.New(fault.Invalid, fault.VoiceMessage,
			"DestinationPhoneNumber is in %s. While the account is in the sandbox it can call %s.", where, strings.Join(SandboxCountries, ", "))
	}
	return nil
}

// uses are the limits that the message counts towards.
func (s *Service) uses(acc *account.Account, m *Message) []quota.Use {
	key := m.Tenant.String()
	use := func(name quota.Name, key string) quota.Use {
		return quota.Use{Name: name, Key: key, Limit: acc.Limits.Of(name)}
	}
	return []quota.Use{
		use(quota.VoicePerDay, key),
		use(quota.VoicePerRecipient, key+"/"+m.Destination.Digits()),
		use(quota.VoicePerMinute, key),
		use(quota.VoicePerOrigination, key+"/"+m.Origination.Digits()),
		s.Guards.use(),
	}
}

// unheardPause is how often the warning about messages without a set is repeated.
const unheardPause = time.Minute

// warnUnheard warns, now and then, about what AWS's customers stumble over most: without
// a configuration set the call is placed, and its events reach nobody.
func (s *Service) warnUnheard(t tenant.Tenant) {
	if s.unheard.Due(unheardPause) {
		s.logger().Warn("a voice message names no configuration set: its events reach nobody; this is said at most once a minute",
			"account", t.Account, "region", t.Region)
	}
}

func (s *Service) logger() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

// now returns the time in the precision of the API's events.
func (s *Service) now() time.Time {
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	return now().UTC().Truncate(time.Millisecond)
}

// newID returns a random UUID, version 4 (RFC 9562, section 5.4).
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// clip cuts a name that cannot exist to a length that leaves a message readable.
func clip(name string) string {
	const most = 64 // characters in a name that can exist
	n := 0
	for i := range name {
		if n++; n > most {
			return name[:i] + "…"
		}
	}
	return name
}
