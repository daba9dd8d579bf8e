package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"time"

	"tidings/internal/account"
	"tidings/internal/api/emailrest"
	pinpointapi "tidings/internal/api/pinpoint"
	"tidings/internal/api/ses"
	"tidings/internal/api/smsvoice"
	"tidings/internal/awsapi"
	"tidings/internal/awsapi/sigv4"
	"tidings/internal/fanout"
	"tidings/internal/natsstore"
	"tidings/internal/quota"
	"tidings/internal/tts"
	"tidings/internal/tts/command"
	"tidings/internal/tts/espeak"
	"tidings/internal/tts/polly"
	"tidings/internal/tts/wav"
	"tidings/internal/voice"
)

// day is how far back the longest window of a quota reaches.
const day = 24 * time.Hour

func (a *App) openStore(ctx context.Context) (err error) {
	s := a.cfg.Storage
	options := natsstore.Options{
		Dir: a.dir.Path("jetstream"), MaxBytes: int64(s.MaxBytes), ReserveBytes: int64(s.ReserveBytes),
		KeepEvents: s.KeepEvents, KeepEventsBytes: int64(s.KeepEventsBytes),
		Log: a.log.With("room", "store"), Registerer: a.metrics,
	}
	if countsDays(a.cfg, a.accounts) {
		options.KeepMessages = day
	}
	a.store, err = natsstore.Open(ctx, options)
	return err
}

// openVoice builds the voice channel: speech, carrier, and the life of calls.
func (a *App) openVoice(ctx context.Context) (*voice.Service, error) {
	speech, err := a.openSpeech(ctx)
	if err != nil {
		return nil, err
	}
	cfg := a.cfg.Voice
	if a.carrier, err = a.openCarrier(); err != nil {
		return nil, err
	}
	metrics := voice.NewMetrics(a.metrics)
	log := a.log.With("room", "voice")
	a.runner = &voice.Runner{
		Queue: a.store.Messages(), Publisher: a.store.Events(), Synthesizer: speech, Dialer: a.carrier.dialer,
		Records: voice.Recorder{Words: voice.Words(cfg.EventWords)},
		Lines:   cfg.Lines, Drain: cfg.Drain, Personal: a.cfg.Log.PersonalData, Log: log, Metrics: metrics,
	}
	service := &voice.Service{
		Queue: a.store.Messages(), Sets: a.store.ConfigurationSets(), Accounts: a.accounts, Windows: quota.NewWindows(),
		Guards: voice.Guards{Prefixes: cfg.Guards.Prefixes, CallsPerDay: cfg.Guards.CallsPerDay},
		Check:  speech.Check, CallInstructions: cfg.CallInstructions, Log: log, Metrics: metrics,
	}
	if !countsDays(a.cfg, a.accounts) {
		return service, nil
	}
	err = a.store.Messages().Accepted(ctx, time.Now().Add(-day), func(m voice.Message) error {
		service.Recount(m)
		return nil
	})
	return service, err
}

// openSpeech finds the engine that the configuration asks for.
func (a *App) openSpeech(ctx context.Context) (*tts.Synthesizer, error) {
	cfg := a.cfg.Speech
	options := tts.Options{
		Dir: a.dir.Path("speech"), CacheBytes: int64(cfg.CacheBytes), Concurrency: cfg.Concurrency, Timeout: cfg.Timeout,
		Log: a.log.With("room", "speech"), Registerer: a.metrics,
	}
	a.speech = "estimated: texts are not spoken, durations are guessed"
	engine, err := a.engine(ctx)
	if err != nil {
		return nil, err
	}
	if engine != nil {
		options.Engine = engine
		a.speech = engine.Name() + " " + engine.Version()
	}
	return tts.New(options)
}

// engine finds the speech engine that the configuration asks for; nil = texts are not
// spoken.
func (a *App) engine(ctx context.Context) (tts.Engine, error) {
	cfg := &a.cfg.Speech
	switch cfg.Engine {
	case "estimate":
		return nil, nil
	case "polly":
		return polly.New(ctx, polly.Options{
			Kind: pollyKind(cfg.Polly.Engine), Region: cfg.Polly.Region, Profile: cfg.Polly.Profile, Endpoint: cfg.Polly.Endpoint,
			AccessKeyID: cfg.Polly.AccessKeyID, SecretAccessKey: string(cfg.Polly.SecretKey), SessionToken: string(cfg.Polly.SessionToken),
			Timeout: cfg.Timeout,
		})
	case "command":
		c := &cfg.Command
		return command.New(command.Options{Run: c.Run, Voices: c.Voices, SSML: c.SSML, Rate: c.Rate, Env: c.Env, Version: c.Version, Timeout: cfg.Timeout})
	}
	engine, err := espeak.Find(cfg.Espeak)
	if cfg.Engine == "auto" && errors.Is(err, exec.ErrNotFound) {
		a.speech = "estimated: espeak-ng is not installed (apt-get install espeak-ng), so texts are not spoken and durations are guessed"
		a.log.Warn("no speech engine", "speech", a.speech)
		return nil, nil
	}
	if err != nil {
		return nil, err // not engine: a nil pointer in an interface is something
	}
	return engine, nil
}

// pollyKind is the kind of engine within Polly; auto is the cheapest that a voice has.
func pollyKind(word string) polly.Kind {
	if word == "auto" {
		return ""
	}
	return polly.Kind(word)
}

// cutWAV writes the first part of src, of length d, to dst.
func cutWAV(dst, src string, d time.Duration) error {
	sound, err := wav.Load(src)
	if err != nil {
		return err
	}
	return sound.Cut(d).Save(dst)
}

// openAPI builds the handler of the API listener over the features.
func (a *App) openAPI(ctx context.Context, messages *voice.Service) (http.Handler, error) {
	secret, err := a.store.Secret(ctx, "page-tokens")
	if err != nil {
		return nil, fmt.Errorf("secret of page tokens: %w", err)
	}
	tokens, err := awsapi.NewPageTokens(secret)
	if err != nil {
		return nil, err
	}
	rest := emailrest.Config{Sets: a.mail.sets, Mail: a.mail.service, Tokens: tokens, Rates: a.cfg.RequestRates}
	return awsapi.NewHandler(awsapi.Options{
		Families: []awsapi.Family{
			smsvoice.New(smsvoice.Config{Sets: a.sets, Voice: messages, Tokens: tokens, Rates: a.cfg.RequestRates}),
			pinpointapi.New(pinpointapi.Config{Apps: a.apps, Tokens: tokens, Rates: a.cfg.RequestRates}),
			emailrest.NewPinpointEmail(rest),
			emailrest.NewV2(rest),
			ses.New(ses.Config{Sets: a.mail.sets, Mail: a.mail.service, Tokens: tokens, Rates: a.cfg.RequestRates}),
		},
		Verifier:   sigv4.New(a.accounts, nil),
		CORSOrigin: a.cfg.CORSOrigin,
		Log:        a.log.With("room", "api"),
		Metrics:    awsapi.NewMetrics(a.metrics),
	}), nil
}

var (
	_ voice.Queue     = (*natsstore.Messages)(nil)
	_ voice.Publisher = (*natsstore.Events)(nil)
	_ voice.Accounts  = (*account.Directory)(nil)
	_ fanout.Log      = (*natsstore.Events)(nil)
	_ fanout.Lot      = (*natsstore.Parking)(nil)
	_ fanout.Morgue   = (*natsstore.DeadLetters)(nil)
)
