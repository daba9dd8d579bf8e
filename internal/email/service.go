package email

import (
	"log/slog"
	"sync"
	"time"

	"tidings/internal/account"
	"tidings/internal/configset"
	"tidings/internal/fault"
	"tidings/internal/mailtemplate"
	"tidings/internal/quota"
	"tidings/internal/tenant"
)

// Senders says who may send from which address.
type Senders string

// The ways.
const (
	AnySender       Senders = "any"      // whoever signs a request may send from any address; the default
	VerifiedSenders Senders = "verified" // only from verified identities, and from addresses of verified domains
)

// SetFinder looks configuration sets up. It is safe for concurrent use and does not block.
type SetFinder interface {
	// Get returns the set, or false.
	Get(key configset.Key) (*configset.Set, bool)
}

// Accounts looks accounts up. It is safe for concurrent use and does not block.
type Accounts interface {
	// Account returns the account with this ID.
	Account(id string) (*account.Account, bool)
}

// Service accepts mails, and holds the rules of templates, identities, suppressed addresses and accounts. It is safe for
// concurrent use and must not be copied.
//
// Wrong input is fault.Invalid, what does not exist fault.NotFound, what exists already fault.Exists, one resource too many
// fault.LimitExceeded, one mail too many fault.Throttled, and what was switched off fault.Denied. The fault's Resource says which.
type Service struct {
	Spool    Spool          // required
	Registry Registry       // required
	Sets     SetFinder      // required
	Accounts Accounts       // required
	Windows  *quota.Windows // required
	// Senders says who may send from which address; "" = AnySender. In an account in the sandbox it is always
	// VerifiedSenders, and recipients must be verified, too.
	Senders Senders
	// VerifyAtOnce says that identities are verified when they are made.
	VerifyAtOnce bool
	// Verified are addresses and domains, in lower case, that are verified in all accounts.
	Verified []string
	// MessageDomain stands in the Message-ID of mails behind the at sign; "" = "email.invalid".
	MessageDomain string
	Now           func() time.Time // nil = time.Now
	Log           *slog.Logger     // nil = none
	Metrics       *ServiceMetrics  // nil = none

	parsed    mailtemplate.Cache
	recounted sync.Map       // tenant.Tenant to *counting
	creations [16]sync.Mutex // see creation
}

// account returns the account that the tenant belongs to.
func (s *Service) account(t tenant.Tenant) (*account.Account, error) {
	acc, ok := s.Accounts.Account(t.Account)
	if !ok {
		return nil, fault.New(fault.Denied, "", "Account %s does not exist here.", t.Account)
	}
	return acc, nil
}

// messageDomain is what stands behind the at sign of a Message-ID.
func (s *Service) messageDomain() string {
	if s.MessageDomain == "" {
		return "email.invalid" // RFC 2606 section 2: never anybody's
	}
	return s.MessageDomain
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

// clip cuts what a client sent to a length that leaves a message readable.
func clip(text string) string {
	const most = 128 // characters
	n := 0
	for i := range text {
		if n++; n > most {
			return text[:i] + "…"
		}
	}
	return text
}
