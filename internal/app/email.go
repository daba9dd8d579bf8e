package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"tidings/internal/account"
	"tidings/internal/admin"
	"tidings/internal/configset"
	"tidings/internal/dkim"
	"tidings/internal/email"
	"tidings/internal/lifecycle"
	"tidings/internal/mailsim"
	"tidings/internal/mailstore"
	"tidings/internal/natsstore"
	"tidings/internal/quota"
	"tidings/internal/returnpath"
	"tidings/internal/smtpin"
	"tidings/internal/smtpout"
	"tidings/internal/tracking"
	"tidings/internal/virus"
)

// mail is the e-mail channel.
type mail struct {
	store     *mailstore.Store
	mailboxes *mailsim.Mailboxes
	smtp      *smtpout.Transport // nil = no mail leaves
	paths     *returnpath.Paths
	runner    *email.Runner
	service   *email.Service
	intake    *email.Intake
	sets      *email.Sets
	host      string // our name
	words     string // how mail leaves, for people

	visits      *tracking.Handler // nil = nothing is tracked
	visitsPath  string            // of the URLs that it serves, without the slash at the end
	visitsOn    *listener         // nil = the API listener serves them
	smtpIn      []*smtpin.Listener
	smtpInNames []string
}

// openEmail builds the e-mail channel: what is kept, how mail leaves, the life of mails, and what comes back.
func (a *App) openEmail(ctx context.Context) (err error) {
	cfg := &a.cfg.Email
	a.mail.host = cmp.Or(cfg.Hello, hostname())
	a.mail.store, err = mailstore.Open(mailstore.Options{
		Path: a.dir.Path("mail.db"), MaxBytes: int64(cfg.MaxBytes), MemoryBytes: int64(cfg.CacheBytes),
		KeepHeads: cfg.KeepHeads, KeepHeadsBytes: int64(cfg.KeepHeadsBytes),
		Log: a.log.With("room", "mails"), Registerer: a.metrics,
	})
	if err != nil {
		return err
	}
	transport, err := a.openTransport()
	if err != nil {
		return err
	}
	signer, err := a.openSigner()
	if err != nil {
		return err
	}
	if err := virus.Check(cfg.Virus.Clamd); err != nil {
		return fmt.Errorf("email.virus.clamd: %w", err)
	}
	secret, err := a.store.Secret(ctx, "return-paths")
	if err != nil {
		return fmt.Errorf("secret of return paths: %w", err)
	}
	a.mail.paths = returnpath.New(secret, cfg.Bounces.Domain)
	metrics, log := email.NewMetrics(a.metrics), a.log.With("room", "email")
	records := email.Recorder{Host: a.mail.host}
	sets := a.store.ConfigurationSets()
	a.mail.runner = &email.Runner{
		Spool: a.mail.store, Publisher: a.store.Events(), Registry: a.mail.store, Transport: transport, Sets: sets,
		Scanner: virus.New(virus.Options{Address: cfg.Virus.Clamd, Timeout: cfg.Virus.Timeout}), Signer: signer, Records: records,
		Concurrency: cfg.Concurrency, Drain: cfg.Drain, MaxAge: cfg.GiveUp,
		Personal: a.cfg.Log.PersonalData, Log: log, Metrics: metrics,
	}
	if cfg.Bounces.Domain != "" {
		a.mail.runner.ReturnPaths = a.mail.paths
	}
	a.mail.intake = &email.Intake{
		Spool: a.mail.store, Publisher: a.store.Events(), Registry: a.mail.store, Sets: sets, Records: records,
		Forward: a.forward, Personal: a.cfg.Log.PersonalData, Log: log, Metrics: metrics,
	}
	a.mail.service = &email.Service{
		Spool: a.mail.store, Registry: a.mail.store, Sets: sets, Accounts: a.accounts, Windows: quota.NewWindows(),
		Senders: email.Senders(cfg.Senders), VerifyAtOnce: cfg.VerifyAtOnce, Verified: lower(cfg.Identities), MessageDomain: a.messageDomain(),
		Log: log, Metrics: email.NewServiceMetrics(a.metrics),
	}
	a.sets = &configset.Service{Store: sets, Limits: a.limits, Check: a.reachable}
	a.mail.sets = email.NewSets(a.sets, a.store.Events())
	return a.openSMTP()
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return name
}

func lower(all []string) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = strings.ToLower(s)
	}
	return out
}

// messageDomain stands in Message-IDs: the domain that bounces come back to, or our name.
func (a *App) messageDomain() string {
	if d := a.cfg.Email.Bounces.Domain; d != "" {
		return d
	}
	if strings.Contains(a.mail.host, ".") {
		return a.mail.host
	}
	return "email.invalid" // RFC 2606 section 2
}

// openSigner reads the keys that sign mail.
func (a *App) openSigner() (email.Signer, error) {
	keys := make([]dkim.Key, len(a.cfg.Email.DKIM))
	for i, k := range a.cfg.Email.DKIM {
		keys[i] = dkim.Key{Domain: k.Domain, Selector: k.Selector, Private: []byte(k.Key)}
	}
	signer, err := dkim.New(dkim.Settings{Keys: keys, Identities: a.mail.store})
	if err != nil {
		return nil, fmt.Errorf("email.dkim: %w", err)
	}
	return signer, nil
}

// forward sends what came back on to where the client of a mail asked for copies. It has no configuration set, no return path and no
// client, so that what becomes of it concerns nobody.
func (a *App) forward(ctx context.Context, m email.Message, original []byte) error {
	now := time.Now().UTC().Truncate(time.Millisecond)
	postmaster := "mailer-daemon@" + a.messageDomain()
	return a.mail.store.Put(ctx, email.Letter{Raw: original, Message: email.Message{
		ID: email.NewID(now), Tenant: m.Tenant, Accepted: now, Source: postmaster, Sender: postmaster,
		Recipients: []string{m.ReturnPath}, Size: len(original),
	}})
}

// DNS returns what the DNS should have for mail of a domain. See admin.Mails.
func (a *App) DNS(ctx context.Context, domain string) ([]admin.DNSRecord, error) {
	var all []admin.DNSRecord
	add := func(k dkim.Key, why string) error {
		name, value, err := dkim.Record(k)
		if err == nil {
			all = append(all, admin.DNSRecord{Name: name, Type: "TXT", Value: value, Why: why})
		}
		return err
	}
	for _, k := range a.cfg.Email.DKIM {
		if k.Domain != domain {
			continue
		}
		if err := add(dkim.Key{Domain: k.Domain, Selector: k.Selector, Private: []byte(k.Key)}, "DKIM, the key of the configuration"); err != nil {
			return nil, err
		}
	}
	owners, err := a.mail.store.Owners(ctx, domain)
	if err != nil {
		return nil, err
	}
	for _, t := range owners {
		id, ok, err := a.mail.store.Identity(ctx, t, domain)
		if err != nil {
			return nil, err
		}
		if !ok || id.Selector == "" {
			continue
		}
		why := fmt.Sprintf("DKIM, the key of the identity in account %s, region %s", t.Account, t.Region)
		if err := add(dkim.Key{Domain: domain, Selector: id.Selector, Private: id.Key}, why); err != nil {
			return nil, err
		}
	}
	return append(all, a.hostRecords(domain)...), nil
}

// hostRecords are about this server, not about keys.
func (a *App) hostRecords(domain string) []admin.DNSRecord {
	spf := "v=spf1 a:" + a.mail.host + " ~all"
	if a.cfg.Email.Relays() {
		spf = "v=spf1 include:RELAY ~all"
	}
	why := "SPF, who may send for this domain; in a record that exists already only the part in the middle is missing"
	bounces := a.cfg.Email.Bounces.Domain
	if bounces == "" {
		return []admin.DNSRecord{{Name: domain, Type: "TXT", Value: spf, Why: why}}
	}
	return []admin.DNSRecord{
		{Name: bounces, Type: "TXT", Value: spf, Why: "SPF, who may send with return paths of this domain"},
		{Name: bounces, Type: "MX", Value: "10 " + a.mail.host + ".", Why: "where bounce messages and complaints go"},
	}
}

// services run the e-mail channel: those below the listeners of others, and the listeners.
func (m *mail) services(drain time.Duration) (below, above []lifecycle.Service) {
	below = append(below, lifecycle.Service{Name: "mails", Grace: drain + grace, Run: m.runner.Run})
	if m.visitsOn != nil {
		above = append(above, lifecycle.Service{Name: "tracking", Grace: grace, Run: m.visitsOn.serve})
	}
	for i, l := range m.smtpIn {
		above = append(above, lifecycle.Service{Name: m.smtpInNames[i], Grace: grace, Run: l.Run})
	}
	return below, above
}

func (m *mail) close() error {
	var errs []error
	if m.visitsOn != nil {
		_ = m.visitsOn.ln.Close() // closed already after Run
	}
	for _, l := range m.smtpIn {
		_ = l.Close() // closed already after Run
	}
	if m.visits != nil {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		errs = append(errs, m.visits.Close(ctx))
	}
	if m.smtp != nil {
		m.smtp.Close()
	}
	if m.store != nil {
		errs = append(errs, m.store.Close())
	}
	return errors.Join(errs...)
}

// mailbag lets operators look at simulated mail.
type mailbag struct{ app *App }

func (b mailbag) List(limit int, match string) ([]admin.Mail, error) {
	mails, err := b.app.mail.mailboxes.List(limit, match)
	all := make([]admin.Mail, len(mails))
	for i := range mails {
		m := &mails[i]
		all[i] = admin.Mail{
			ID: m.ID, Message: m.Message, At: m.At.UTC(), From: m.From, To: m.To, Outcomes: m.Outcomes, Subject: m.Subject, Size: m.Size,
		}
	}
	return all, err
}

func (b mailbag) Read(id string) ([]byte, error) { return b.app.mail.mailboxes.Read(id) }

func (b mailbag) Queue(ctx context.Context, after string, limit int) ([]admin.QueuedMail, error) {
	waiting, err := b.app.mail.store.Waiting(ctx, after, limit)
	all := make([]admin.QueuedMail, len(waiting))
	for i := range waiting {
		m, s := &waiting[i].Message, &waiting[i].State
		all[i] = admin.QueuedMail{
			ID: m.ID, Account: m.Tenant.Account, Region: m.Tenant.Region, Set: m.Set, Accepted: m.Accepted, From: m.Sender, To: []string{},
			Size: m.Size, Attempts: s.Attempts, LastReply: s.Last.Text, Host: s.Last.Host,
		}
		for _, n := range s.Open {
			all[i].To = append(all[i].To, m.Recipients[n])
		}
		if s.Due.After(time.Now()) {
			all[i].Due = new(s.Due.UTC())
		}
	}
	return all, err
}

func (b mailbag) Wake(ids ...string) int { return b.app.mail.store.Wake(ids...) }

func (b mailbag) DNS(ctx context.Context, domain string) ([]admin.DNSRecord, error) {
	return b.app.DNS(ctx, domain)
}

var (
	_ email.Spool     = (*mailstore.Store)(nil)
	_ email.Registry  = (*mailstore.Store)(nil)
	_ email.Publisher = (*natsstore.Events)(nil)
	_ email.Accounts  = (*account.Directory)(nil)
	_ smtpin.Intake   = (*email.Intake)(nil)
	_ tracking.Intake = (*email.Intake)(nil)
	_ admin.Mails     = mailbag{}
)
