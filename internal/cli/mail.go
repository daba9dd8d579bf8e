package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"tidings/internal/admin"
	"tidings/internal/config"
	"tidings/internal/mailsim"
	"tidings/internal/smtpin"
)

type mailCmds struct {
	List        mailListCmd        `cmd:"" help:"List the mails in simulated mailboxes, the newest first."`
	Show        mailShowCmd        `cmd:"" help:"Print a simulated mail."`
	Queue       mailQueueCmd       `cmd:"" help:"List the mails that wait for their next attempt, the oldest first."`
	Retry       mailRetryCmd       `cmd:"" help:"Try mails now that wait for their next attempt."`
	Mailboxes   mailboxesCmd       `cmd:"" help:"List the simulated mailboxes and what each does."`
	DNS         mailDNSCmd         `cmd:"" name:"dns" help:"Print what the DNS should have for mail of a domain."`
	Credentials mailCredentialsCmd `cmd:"" help:"Print the SMTP credentials of an access key."`
}

type mailListCmd struct {
	remote
	JSON  bool   `name:"json" help:"Print whole entries, one JSON object a line."`
	Limit int    `default:"20" help:"How many at most (${default})."`
	Match string `arg:"" optional:"" help:"Only those that have this in an address or in the subject."`
}

func (c mailListCmd) Run(ctx context.Context, w World) error {
	mails, err := c.client(w).Mails(ctx, c.Limit, c.Match)
	if err != nil {
		return err
	}
	if c.JSON {
		return printLines(w, mails)
	}
	if len(mails) == 0 {
		_, err := fmt.Fprintln(w.Stdout, "There are no simulated mails. Mail to real recipients is not kept.")
		return err
	}
	return printMails(w, mails)
}

func printMails(w World, mails []admin.Mail) error {
	table := tabwriter.NewWriter(w.Stdout, 0, 0, 2, ' ', 0)
	_, err := fmt.Fprintln(table, "TIME\tFROM\tTO\tOUTCOME\tSUBJECT\tID")
	for i := range mails {
		m := &mails[i]
		for n, to := range m.To {
			if err != nil {
				return err
			}
			outcome := ""
			if n < len(m.Outcomes) {
				outcome, _, _ = strings.Cut(m.Outcomes[n], ";")
			}
			_, err = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n",
				m.At.UTC().Format(time.DateTime), cmp.Or(m.From, "<>"), to, outcome, clip(m.Subject), m.ID)
		}
	}
	if err == nil {
		err = table.Flush()
	}
	return err
}

// clip keeps a subject from filling the line, or the terminal with what is no text.
func clip(s string) string {
	const most = 60
	runes := []rune(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s))
	if len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return string(runes)
}

type mailShowCmd struct {
	remote
	ID string `arg:"" help:"ID of a mail, from mail list."`
}

func (c mailShowCmd) Run(ctx context.Context, w World) error {
	raw, err := c.client(w).Mail(ctx, c.ID)
	if err == nil {
		_, err = w.Stdout.Write(append(raw, '\n'))
	}
	return err
}

type mailQueueCmd struct {
	remote
	JSON  bool `name:"json" help:"Print whole entries, one JSON object a line."`
	Limit int  `default:"100" help:"How many at most (${default})."`
}

// queuedPerCall is how many mails are asked for at a time.
const queuedPerCall = 1000

func (c mailQueueCmd) Run(ctx context.Context, w World) error {
	if c.Limit < 1 {
		return misuse{fmt.Errorf("--limit must be at least 1")}
	}
	client, out := c.client(w), json.NewEncoder(w.Stdout)
	table := tabwriter.NewWriter(w.Stdout, 0, 0, 2, ' ', 0)
	for after, left := "", c.Limit; left > 0; {
		mails, err := client.MailQueue(ctx, after, min(left, queuedPerCall))
		if err != nil {
			return err
		}
		if len(mails) == 0 {
			break
		}
		for i := range mails {
			if c.JSON {
				err = out.Encode(mails[i])
			} else {
				err = printQueued(table, &mails[i])
			}
			if err != nil {
				return err
			}
		}
		after, left = mails[len(mails)-1].ID, left-len(mails)
	}
	return table.Flush()
}

func printQueued(table *tabwriter.Writer, m *admin.QueuedMail) error {
	due := "now"
	if m.Due != nil {
		due = m.Due.Format(time.DateTime)
	}
	last := "-"
	if m.LastReply != "" {
		last = clip(strings.TrimSpace(m.Host + " " + m.LastReply))
	}
	_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d attempts\tnext %s\t%s\n",
		m.ID, m.Accepted.UTC().Format(time.DateTime), cmp.Or(m.From, "<>"), strings.Join(m.To, " "), m.Attempts, due, last)
	return err
}

type mailRetryCmd struct {
	remote
	All bool     `help:"All there are."`
	IDs []string `arg:"" optional:"" name:"id" help:"IDs of mails, from mail queue."`
}

func (c mailRetryCmd) Run(ctx context.Context, w World) error {
	if c.All == (len(c.IDs) > 0) {
		return misuse{fmt.Errorf("name mails by ID, or say --all")}
	}
	n, err := c.client(w).RetryMails(ctx, c.IDs...)
	if err == nil {
		_, err = fmt.Fprintf(w.Stdout, "%d tried now\n", n)
	}
	return err
}

type mailboxesCmd struct{}

func (mailboxesCmd) Run(w World) error {
	table := tabwriter.NewWriter(w.Stdout, 0, 0, 2, ' ', 0)
	for _, b := range mailsim.Behaviors() {
		domain := mailsim.AmazonDomain
		if b.Own {
			domain = "DOMAIN"
		}
		if _, err := fmt.Fprintf(table, "%s@%s\t%s\n", b.Name, domain, b.Words); err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w.Stdout, "\nA label may follow the name: bounce+7@… All of them are at the domains of email.simulator.domains, too; DOMAIN is one of these.\n"+
		"Any other address takes the mail.")
	return err
}

type mailDNSCmd struct {
	remote
	JSON   bool   `name:"json" help:"Print JSON, one record a line."`
	Domain string `arg:"" help:"A domain that mail is sent from."`
}

func (c mailDNSCmd) Run(ctx context.Context, w World) error {
	records, err := c.client(w).MailDNS(ctx, c.Domain)
	if err != nil {
		return err
	}
	for _, r := range records {
		if c.JSON {
			err = json.NewEncoder(w.Stdout).Encode(r)
		} else {
			_, err = fmt.Fprintf(w.Stdout, "; %s\n%s. IN %s %s\n", r.Why, r.Name, r.Type, zoneValue(r))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// zoneValue is the value as zone files have it: a text in strings of at most 255 octets (RFC 1035 section 3.3.14).
func zoneValue(r admin.DNSRecord) string {
	if r.Type != "TXT" {
		return r.Value
	}
	var parts []string
	for rest := r.Value; rest != ""; {
		n := min(len(rest), 255)
		parts = append(parts, `"`+rest[:n]+`"`)
		rest = rest[n:]
	}
	return strings.Join(parts, " ")
}

type mailCredentialsCmd struct {
	Config string `type:"path" placeholder:"FILE" help:"The server's configuration; without one, the built-in test key."`
	Key    string `placeholder:"ID" help:"The access key; without one, the first."`
	Region string `default:"us-east-1" help:"The region that mails belong to (${default})."`
}

func (c mailCredentialsCmd) Run(w World) error {
	cfg, err := config.Load(c.Config, w.Getenv)
	if err != nil {
		return misuse{err}
	}
	if err := cfg.Validate(w.Getenv); err != nil {
		return misuse{err}
	}
	id, secret, ok := findKey(cfg, c.Key)
	if !ok {
		return misuse{fmt.Errorf("there is no access key %q in the configuration", c.Key)}
	}
	_, err = fmt.Fprintf(w.Stdout, "username %s\npassword %s\n", id, smtpin.Password(secret, c.Region))
	return err
}

// findKey returns the access key of that ID; "" = the first.
func findKey(cfg *config.Config, id string) (name, secret string, ok bool) {
	for _, a := range cfg.Accounts {
		for _, k := range a.Keys {
			if id == "" || k.ID == id {
				return k.ID, string(k.Secret), true
			}
		}
	}
	if len(cfg.Accounts) == 0 && (id == "" || id == testKey) {
		return testKey, testKey, true
	}
	return "", "", false
}

// testKey is the ID, and the secret, of the key that a server without accounts has.
const testKey = "test"
