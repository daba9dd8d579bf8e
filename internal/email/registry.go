package email

import (
	"context"
	"time"

	"tidings/internal/tenant"
)

// Template is a text with places to be filled.
type Template struct {
	Name                string
	Subject, Text, HTML string
	Created             time.Time // UTC, milliseconds
	Tags                map[string]string
}

// Identity is an address or a domain that mail is sent from.
type Identity struct {
	Name     string    // "sender@example.com" or "example.com", lower case
	Created  time.Time // UTC, milliseconds
	Verified bool
	Token    string // of the verification of a domain
	// DKIM
	DKIM     bool   // signing is on
	Selector string // of the key; "" = none was made
	Key      []byte // private key, PKCS #8; nil = none
	// What the client has set; kept and shown.
	MailFrom, MailFromOnFailure string            // own return path domain, and what to do without its MX
	Forwarding                  bool              // of bounces and complaints to the return path
	Topics                      map[string]string // notification type ("Bounce") to topic ARN
	HeadersIn                   map[string]bool   // notification types that show headers
	Policies                    map[string]string
	Set                         string // default configuration set
	Tags                        map[string]string
}

// Suppressed is an address that is not sent to.
type Suppressed struct {
	Address string // lower case
	Reason  string // BOUNCE or COMPLAINT
	Updated time.Time
	Message string // ID of the message that led to it; "" = a client said so
	Feed    string // feedback ID; "" = none
}

// Settings are the switches of an account in a region.
type Settings struct {
	Paused bool // nothing can be sent
	// Suppression are the reasons for which addresses are suppressed; nil = both; empty = none.
	Suppression []string
	Details     []byte // of the account, as the client wrote them; nil = none
}

// Counts are what became of mails in one span of 15 minutes.
type Counts struct {
	From                                      time.Time
	Attempts, Bounces, Complaints, Rejections int64
}

// Registry keeps what accounts have told of themselves. Writes return once they are on disk. It holds no rules, and it is safe for
// concurrent use.
type Registry interface {
	Template(ctx context.Context, t tenant.Tenant, name string) (*Template, bool, error)
	// Templates returns up to limit templates without their parts, in the order of names, beginning behind after.
	Templates(ctx context.Context, t tenant.Tenant, after string, limit int) (all []*Template, more bool, err error)
	CountTemplates(ctx context.Context, t tenant.Tenant) (int, error)
	// PutTemplate stores a template. With fresh it fails with fault.Exists if there is one of the name, without with
	// fault.NotFound if there is none.
	PutTemplate(ctx context.Context, t tenant.Tenant, one *Template, fresh bool) error
	DeleteTemplate(ctx context.Context, t tenant.Tenant, name string) (had bool, err error)

	Identity(ctx context.Context, t tenant.Tenant, name string) (*Identity, bool, error)
	Identities(ctx context.Context, t tenant.Tenant, after string, limit int) (all []*Identity, more bool, err error)
	// ChangeIdentity calls edit with the identity, nil if there is none, and stores what it returns; nil = it is removed.
	ChangeIdentity(ctx context.Context, t tenant.Tenant, name string, edit func(*Identity) (*Identity, error)) error

	Suppressed(ctx context.Context, t tenant.Tenant, address string) (*Suppressed, bool, error)
	// SuppressedList returns those of the reasons (none = all) that were updated in [since, until), zero = not bounded.
	SuppressedList(ctx context.Context, t tenant.Tenant, reasons []string, since, until time.Time, after string, limit int) (all []*Suppressed, more bool, err error)
	PutSuppressed(ctx context.Context, t tenant.Tenant, s *Suppressed) error
	DeleteSuppressed(ctx context.Context, t tenant.Tenant, address string) (had bool, err error)

	// Settings and SetSettings need not wait for the disk to be read; they are asked with every mail.
	Settings(ctx context.Context, t tenant.Tenant) (Settings, error)
	ChangeSettings(ctx context.Context, t tenant.Tenant, edit func(*Settings) error) error

	// Count adds to the counts of the span that at lies in. It need not be on disk at once: a crash may lose a minute.
	Count(t tenant.Tenant, at time.Time, add Counts)
	// Statistics returns the spans of the last two weeks that have any counts, oldest first.
	Statistics(ctx context.Context, t tenant.Tenant) ([]Counts, error)
}
