package app

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"tidings/internal/arn"
	"tidings/internal/config"
	"tidings/internal/configset"
	"tidings/internal/sink"
	"tidings/internal/sink/awssink"
	"tidings/internal/sink/cloudwatch"
	"tidings/internal/sink/kafka"
	natssink "tidings/internal/sink/nats"
	"tidings/internal/sink/webhook"
)

// drivers are what a list of bindings is made of.
type drivers struct {
	bindings []sink.Binding
	closers  []io.Closer // those of drivers that are of no use without the bindings
}

// Close closes the drivers. Sinks that are still open work on.
func (d *drivers) Close() error {
	var errs []error
	for _, c := range d.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// parts are what drivers share, whatever the list of bindings says.
type parts struct {
	files   sink.Driver // of metrics, too
	topics  *webhook.Topics
	aws     *awssink.Metrics
	log     *slog.Logger
	version string
}

// bind makes drivers of a list of bindings. Its error has every problem of the list.
func (a *App) bind(list []config.Destination) (*drivers, error) {
	return bind(list, parts{
		files: a.local(), topics: a.topics, aws: a.awsMetrics, log: a.log.With("room", "sinks"), version: a.version,
	})
}

// localDriver serves what nothing else is bound to: records go to files, and metrics to this server's own as well.
type localDriver struct{ files, metrics sink.Driver }

func (d localDriver) of(t sink.Target) sink.Driver {
	if t.Kind == configset.CloudWatch {
		return d.metrics
	}
	return d.files
}

// Check asks the driver of the target.
func (d localDriver) Check(t sink.Target) error { return d.of(t).Check(t) }

// Open opens the target with its driver.
func (d localDriver) Open(t sink.Target) (sink.Sink, error) { return d.of(t).Open(t) }

func (a *App) local() sink.Driver {
	return localDriver{files: a.files, metrics: cloudwatch.New(a.files, a.counters)}
}

// CheckDestinations reports what keeps the destinations of cfg, which is valid otherwise,
// from working. It touches no network, and of the disk the files that they name.
func CheckDestinations(cfg *config.Config) error {
	d, err := bind(cfg.Destinations, parts{topics: &webhook.Topics{}})
	if err != nil {
		return err
	}
	return d.Close()
}

func bind(list []config.Destination, with parts) (*drivers, error) {
	made := &drivers{}
	var problems []error
	for i, d := range list {
		b, err := made.add(&d, with)
		if err != nil {
			problems = append(problems, fmt.Errorf("destinations[%d]: %w", i, err))
			continue
		}
		if j, covered := made.covered(b.Match); covered {
			problems = append(problems, fmt.Errorf("destinations[%d].match = %q: never reached, because %q before it matches all of that", i, b.Match, made.bindings[j].Match))
		}
		made.bindings = append(made.bindings, b)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, errors.Join(err, made.Close())
	}
	return made, nil
}

// covered finds the binding that leaves nothing to match.
func (d *drivers) covered(match sink.Pattern) (int, bool) {
	for i, b := range d.bindings {
		if b.Match.Covers(match) {
			return i, true
		}
	}
	return 0, false
}

// add makes one binding.
func (d *drivers) add(c *config.Destination, with parts) (sink.Binding, error) {
	match, err := sink.ParsePattern(c.Match)
	if err != nil {
		return sink.Binding{}, fmt.Errorf("match: %w", err)
	}
	b := sink.Binding{Match: match}
	switch {
	case c.AWS != nil:
		b.Name = "aws"
		b.Driver, err = d.aws(c.AWS, match, with)
	case c.Webhook != nil:
		b.Name = "webhook"
		b.Driver, err = d.webhook(c.Webhook, with)
	case c.Kafka != nil:
		b.Name = "kafka"
		b.Driver, err = d.kafka(c.Kafka)
	case c.NATS != nil:
		b.Name = "nats"
		b.Driver, err = d.nats(c.NATS)
	default:
		b.Name, b.Driver = "file", with.files
	}
	if err != nil {
		return sink.Binding{}, err
	}
	return b, nil
}

func (d *drivers) aws(c *config.AWSDestination, match sink.Pattern, with parts) (sink.Driver, error) {
	driver, err := awssink.New(awssink.Settings{
		Endpoint: c.Endpoint, AssumeRole: c.AssumeRole, ExternalID: c.ExternalID, Namespace: c.Namespace,
		AccessKeyID: c.AccessKeyID, SecretAccessKey: string(c.SecretKey), SessionToken: string(c.SessionToken),
		Metrics: with.aws, Logger: with.log,
	})
	if err != nil {
		return nil, fmt.Errorf("aws: %w", err)
	}
	d.closers = append(d.closers, driver)
	if service, ok := match.Service(); ok {
		err = driver.Check(sink.Target{ARN: arn.ARN{Service: service}})
	}
	return driver, err
}

func (d *drivers) webhook(c *config.WebhookDestination, with parts) (sink.Driver, error) {
	s := webhook.Settings{
		URL: c.URL, Format: c.Format, Headers: map[string]string{}, Batch: c.Batch,
		AllowPrivate: c.AllowPrivate, Unconfirmed: c.Unconfirmed, Topics: with.topics,
		Version: with.version, Logger: with.log,
	}
	for _, secret := range c.Secrets {
		s.Secrets = append(s.Secrets, string(secret))
	}
	for name, value := range c.Headers {
		s.Headers[name] = string(value)
	}
	driver, err := webhook.New(s)
	if err != nil {
		return nil, err
	}
	d.closers = append(d.closers, driver)
	return driver, nil
}

func (d *drivers) kafka(c *config.KafkaDestination) (sink.Driver, error) {
	s := kafka.Settings{Brokers: c.Brokers, Topic: c.Topic, Compression: c.Compression}
	if c.SASL != nil {
		s.SASL = &kafka.SASL{Mechanism: c.SASL.Mechanism, Username: c.SASL.Username, Password: string(c.SASL.Password)}
	}
	var err error
	if s.TLS, err = clientTLS(&c.TLS); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	driver, err := kafka.New(s)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	d.closers = append(d.closers, driver)
	return driver, nil
}

func (d *drivers) nats(c *config.NATSDestination) (sink.Driver, error) {
	s := natssink.Settings{
		URL: c.URL, Subject: c.Subject, Core: c.Stream != nil && !*c.Stream,
		Credentials: c.Credentials, Token: string(c.Token), Username: c.User, Password: string(c.Password),
	}
	var err error
	if s.TLS, err = clientTLS(&c.TLS); err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	driver, err := natssink.New(s)
	if err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	d.closers = append(d.closers, driver)
	return driver, nil
}

// clientTLS reads what a destination names; nil = it speaks no TLS of its own accord.
func clientTLS(t *config.ClientTLS) (*tls.Config, error) {
	if !t.On {
		return nil, nil //nolint:nilnil // as the settings of the drivers have it
	}
	return trunkTLS(&config.TrunkTLS{CA: t.CA, Certificate: t.Certificate, Key: t.Key, ServerName: t.ServerName})
}
