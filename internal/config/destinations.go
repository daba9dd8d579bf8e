package config

import (
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"tidings/internal/arn"
)

// Destination binds ARNs to a way of delivering. Exactly one way is set.
type Destination struct {
	Match   string              `yaml:"match"`
	File    *FileDestination    `yaml:"file"`
	AWS     *AWSDestination     `yaml:"aws"`
	Webhook *WebhookDestination `yaml:"webhook"`
	Kafka   *KafkaDestination   `yaml:"kafka"`
	NATS    *NATSDestination    `yaml:"nats"`
}

// FileDestination appends to files below the data directory. See Files.
type FileDestination struct{}

// AWSDestination delivers to the service that the ARN names, through its own API.
type AWSDestination struct {
	Endpoint     string `yaml:"endpoint"`      // "" = AWS itself, in the region of the ARN
	AssumeRole   bool   `yaml:"assume_role"`   // publish with the role of the event destination
	ExternalID   string `yaml:"external_id"`   // sent with every AssumeRole; "" = the account that owns the destination
	Namespace    string `yaml:"namespace"`     // of metrics; "" = SelfHosted/SES
	AccessKeyID  string `yaml:"access_key_id"` // "" = the default chain of the AWS SDK
	SecretKey    Secret `yaml:"secret_access_key"`
	SessionToken Secret `yaml:"session_token"`
}

// WebhookDestination posts to a URL.
type WebhookDestination struct {
	URL          string            `yaml:"url"`     // {service}, {region}, {account} and {name} stand for those of the ARN
	Format       string            `yaml:"format"`  // "standard" (Standard Webhooks) or "sns"; "" = standard
	Secrets      []Secret          `yaml:"secrets"` // each signs, so that secrets can be exchanged; only of format standard
	Headers      map[string]Secret `yaml:"headers"` // sent with every request
	Batch        int               `yaml:"batch"`   // events in a request, as a JSON array; 0 and 1 = one, by itself
	AllowPrivate bool              `yaml:"allow_private"`
	Unconfirmed  bool              `yaml:"unconfirmed"` // deliver without SubscriptionConfirmation; only of format sns
}

// KafkaDestination produces to a topic of Kafka.
type KafkaDestination struct {
	Brokers     []string  `yaml:"brokers"` // host:port
	Topic       string    `yaml:"topic"`   // {service}, {region}, {account} and {name} stand for those of the ARN
	TLS         ClientTLS `yaml:"tls"`
	SASL        *SASL     `yaml:"sasl"`
	Compression string    `yaml:"compression"` // none, gzip, snappy, lz4, zstd; "" = none
}

// SASL is who we are to a broker of Kafka.
type SASL struct {
	Mechanism string `yaml:"mechanism"` // plain, scram-sha-256, scram-sha-512
	Username  string `yaml:"username"`
	Password  Secret `yaml:"password"`
}

// NATSDestination publishes to a subject of NATS.
type NATSDestination struct {
	URL         string    `yaml:"url"`
	Subject     string    `yaml:"subject"`     // {service}, {region}, {account} and {name} stand for those of the ARN
	Stream      *bool     `yaml:"stream"`      // nil = true: wait until JetStream has stored each message
	Credentials string    `yaml:"credentials"` // path of a file
	Token       Secret    `yaml:"token"`
	User        string    `yaml:"user"`
	Password    Secret    `yaml:"password"`
	TLS         ClientTLS `yaml:"tls"`
}

// ClientTLS says whether to speak TLS, whom to trust, and what to show. It is written as
// true, or as a mapping with what is not the default.
type ClientTLS struct {
	On          bool   `yaml:"-"`
	CA          string `yaml:"ca"`          // PEM file; "" = the system's roots
	Certificate string `yaml:"certificate"` // PEM file, shown to the server; "" = none
	Key         string `yaml:"key"`
	ServerName  string `yaml:"server_name"` // the name on the server's certificate; "" = the host that is dialled
}

// UnmarshalYAML reads either form.
func (t *ClientTLS) UnmarshalYAML(decode func(any) error) error {
	if err := decode(&t.On); err == nil {
		return nil
	}
	type mapping ClientTLS // without this method
	if err := decode((*mapping)(t)); err != nil {
		return err
	}
	t.On = true
	return nil
}

func (t *ClientTLS) check(p *Problems, at string) {
	checkClientFiles(p, at, t.CA, t.Certificate, t.Key)
}

// checkClientFiles checks the files of who dials out by TLS.
func checkClientFiles(p *Problems, at, ca, certificate, key string) {
	if (certificate == "") != (key == "") {
		p.add(at, certificate+key, "name both the certificate and the key, or neither")
	}
	checkFile(p, at+".ca", ca)
	checkFile(p, at+".certificate", certificate)
	checkFile(p, at+".key", key)
}

func checkFile(p *Problems, key, path string) {
	if _, err := os.Stat(path); path != "" && err != nil {
		p.add(key, path, "%v", err)
	}
}

// Files is how destination files are kept.
type Files struct {
	Gzip bool          `yaml:"gzip"` // compress finished hours
	Keep time.Duration `yaml:"keep"` // delete hours that are older; 0 = never
}

// Alarms says when operators are told that deliveries are in trouble, and where.
type Alarms struct {
	Destination string        `yaml:"destination"` // an ARN, delivered to like all others; "" = only the log and the metrics
	Failures    int           `yaml:"failures"`    // attempts that failed in a row
	Lag         time.Duration `yaml:"lag"`         // age of the oldest undelivered event
	DeadLetters int           `yaml:"dead_letters"`
}

func (d *Destination) check(p *Problems, at string, getenv func(string) string) {
	if d.Match != "*" && (!strings.HasPrefix(d.Match, "arn:") || strings.Count(d.Match, ":") < 5) {
		p.add(at+".match", d.Match, "write an ARN, with * for what may be anything: arn:aws:sns:*:*:alerts")
	}
	ways := 0
	for _, set := range []bool{d.File != nil, d.AWS != nil, d.Webhook != nil, d.Kafka != nil, d.NATS != nil} {
		if set {
			ways++
		}
	}
	if ways != 1 {
		p.add(at, d.Match, "say one way to deliver: file: {}, aws: {…}, webhook: {…}, kafka: {…} or nats: {…}")
	}
	if d.AWS != nil {
		d.AWS.check(p, at+".aws", getenv)
	}
	if d.Webhook != nil {
		d.Webhook.check(p, at+".webhook", getenv)
	}
	if d.Kafka != nil {
		d.Kafka.check(p, at+".kafka", getenv)
	}
	if d.NATS != nil {
		d.NATS.check(p, at+".nats", getenv)
	}
}

func (d *AWSDestination) check(p *Problems, at string, getenv func(string) string) {
	if d.Endpoint != "" {
		checkURL(p, at+".endpoint", d.Endpoint)
	}
	if d.ExternalID != "" && !d.AssumeRole {
		p.add(at+".external_id", d.ExternalID, "is sent with AssumeRole, so set assume_role: true")
	}
	resolve(p, at+".secret_access_key", &d.SecretKey, getenv)
	resolve(p, at+".session_token", &d.SessionToken, getenv)
	if (d.AccessKeyID == "") != (d.SecretKey == "") {
		p.add(at, d.AccessKeyID, "give both access_key_id and secret_access_key, or neither for the default chain")
	}
}

func (d *WebhookDestination) check(p *Problems, at string, getenv func(string) string) {
	if d.URL == "" {
		p.add(at+".url", d.URL, "say where to post")
	} else {
		checkURL(p, at+".url", d.URL)
	}
	if d.Format == "" {
		d.Format = "standard"
	}
	oneOf(p, at+".format", d.Format, "standard", "sns")
	between(p, at+".batch", d.Batch, 0, 1_000)
	for i := range d.Secrets {
		resolve(p, fmt.Sprintf("%s.secrets[%d]", at, i), &d.Secrets[i], getenv)
	}
	for name, value := range d.Headers {
		resolve(p, at+".headers."+name, &value, getenv)
		d.Headers[name] = value
	}
	if d.Format != "sns" {
		if d.Unconfirmed {
			p.add(at+".unconfirmed", d.Unconfirmed, "is of format sns")
		}
		return
	}
	if len(d.Secrets) > 0 {
		p.add(at+".secrets", len(d.Secrets), "are of format standard; format sns signs with a key of its own")
	}
	if d.Batch > 1 {
		p.add(at+".batch", d.Batch, "SNS sends one notification in a request; leave batch out")
	}
}

func (d *KafkaDestination) check(p *Problems, at string, getenv func(string) string) {
	if len(d.Brokers) == 0 {
		p.add(at+".brokers", len(d.Brokers), "name at least one broker")
	}
	for i, broker := range d.Brokers {
		checkAddress(p, fmt.Sprintf("%s.brokers[%d]", at, i), broker)
	}
	if d.Topic == "" {
		p.add(at+".topic", d.Topic, "name a topic: calls.{name}")
	}
	oneOf(p, at+".compression", d.Compression, "", "none", "gzip", "snappy", "lz4", "zstd")
	d.TLS.check(p, at+".tls")
	if d.SASL == nil {
		return
	}
	resolve(p, at+".sasl.password", &d.SASL.Password, getenv)
	oneOf(p, at+".sasl.mechanism", d.SASL.Mechanism, "plain", "scram-sha-256", "scram-sha-512")
	if d.SASL.Username == "" || d.SASL.Password == "" {
		p.add(at+".sasl", d.SASL.Username, "give both username and password")
	}
}

func (d *NATSDestination) check(p *Problems, at string, getenv func(string) string) {
	for text := range strings.SplitSeq(d.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(text))
		switch {
		case strings.Contains(text, "@"): // a password in it is not shown
			p.add(at+".url", "…@…", "name the user in user and password, which may be references")
		case err != nil || u.Scheme != "nats" && u.Scheme != "tls" || u.Host == "":
			p.add(at+".url", text, "write it as nats://host:port or tls://host:port")
		}
	}
	if d.Subject == "" {
		p.add(at+".subject", d.Subject, "name a subject: events.{account}.{name}")
	}
	resolve(p, at+".token", &d.Token, getenv)
	resolve(p, at+".password", &d.Password, getenv)
	checkFile(p, at+".credentials", d.Credentials)
	d.TLS.check(p, at+".tls")
	if (d.User == "") != (d.Password == "") {
		p.add(at+".user", d.User, "give both user and password")
	}
	kinds := 0
	for _, given := range []bool{d.Credentials != "", d.Token != "", d.User != ""} {
		if given {
			kinds++
		}
	}
	if kinds > 1 {
		p.add(at, d.URL, "give credentials, or a token, or user and password: the server takes one")
	}
}

// checkURL wants an absolute URL of HTTP. What stands in braces is filled in later.
func checkURL(p *Problems, key, text string) {
	u, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(text))
	switch {
	case err != nil:
		p.add(key, text, "is no URL: %v", err)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		p.add(key, text, "write it as https://host/path")
	case u.Fragment != "":
		p.add(key, text, "a fragment (#…) is never sent")
	}
}

func (c *Config) checkDestinations(p *Problems, getenv func(string) string) {
	for i := range c.Destinations {
		c.Destinations[i].check(p, fmt.Sprintf("destinations[%d]", i), getenv)
	}
	if c.PublicURL != "" {
		checkURL(p, "public_url", c.PublicURL)
	}
	between(p, "files.keep", c.Files.Keep, 0, 100*365*24*time.Hour)
	if c.Files.Keep > 0 && c.Files.Keep < time.Hour {
		p.add("files.keep", c.Files.Keep, "must be 0 (keep all) or at least 1h: files hold an hour each")
	}
	if c.Alarms.Destination != "" {
		if _, err := arn.Parse(c.Alarms.Destination); err != nil {
			p.add("alarms.destination", c.Alarms.Destination, "%v", err)
		}
	}
	between(p, "alarms.failures", c.Alarms.Failures, 1, 1_000_000)
	between(p, "alarms.lag", c.Alarms.Lag, time.Second, 365*24*time.Hour)
	between(p, "alarms.dead_letters", c.Alarms.DeadLetters, 1, 1_000_000_000)
}
