// Package config reads what an operator writes: one YAML file, environment variables over
// it, and every problem reported at once.
package config

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"time"

	"github.com/goccy/go-yaml"

	"tidings/internal/quota"
)

// Config is the whole configuration. Its zero value is of no use: start from Default.
type Config struct {
	Listen       string        `yaml:"listen"`
	Admin        string        `yaml:"admin"`
	AdminToken   Secret        `yaml:"admin_token"`
	Data         string        `yaml:"data"`
	TLS          TLS           `yaml:"tls"`
	Quotas       quota.Mode    `yaml:"quotas"`
	RequestRates bool          `yaml:"request_rates"`
	CORSOrigin   string        `yaml:"cors_origin"`
	Accounts     []Account     `yaml:"accounts"`
	Voice        Voice         `yaml:"voice"`
	SIP          SIP           `yaml:"sip"`
	Speech       Speech        `yaml:"speech"`
	Pinpoint     Pinpoint      `yaml:"pinpoint"`
	Email        Email         `yaml:"email"`
	PublicURL    string        `yaml:"public_url"`
	Destinations []Destination `yaml:"destinations"`
	Files        Files         `yaml:"files"`
	Alarms       Alarms        `yaml:"alarms"`
	Delivery     Delivery      `yaml:"delivery"`
	Storage      Storage       `yaml:"storage"`
	Log          Log           `yaml:"log"`
}

// TLS names the files of the API listener's certificate. Both empty = plain HTTP.
type TLS struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
}

// Account is one customer of the server.
type Account struct {
	ID                 string               `yaml:"id"`
	Sandbox            bool                 `yaml:"sandbox"`
	OriginationNumbers []string             `yaml:"origination_numbers"`
	Quotas             map[quota.Name]int64 `yaml:"quotas"`
	Keys               []Key                `yaml:"keys"`
}

// Key is an access key of an account.
type Key struct {
	ID           string    `yaml:"id"`
	Secret       Secret    `yaml:"secret"`
	SessionToken Secret    `yaml:"session_token"`
	Expires      string    `yaml:"expires"`
	Allow        []string  `yaml:"allow"`
	ExpiresAt    time.Time `yaml:"-"` // Expires, parsed by Validate
}

// Voice is the voice channel.
type Voice struct {
	Carrier          string        `yaml:"carrier"`
	CallInstructions string        `yaml:"call_instructions"`
	EventWords       string        `yaml:"event_words"`
	Lines            int           `yaml:"lines"`
	Drain            time.Duration `yaml:"drain"`
	Guards           Guards        `yaml:"guards"`
	Simulator        Simulator     `yaml:"simulator"`
}

// Guards bound the calls of the whole server.
type Guards struct {
	Prefixes    []string `yaml:"prefixes"`
	CallsPerDay int64    `yaml:"calls_per_day"`
}

// Simulator is the simulated carrier.
type Simulator struct {
	Speed          float64           `yaml:"speed"`
	KeepRecordings time.Duration     `yaml:"keep_recordings"`
	Numbers        []SimulatorNumber `yaml:"numbers"`
}

// SimulatorNumber gives a number the behavior of one of the simulator's own.
type SimulatorNumber struct {
	Number   string `yaml:"number"`
	Behavior string `yaml:"behavior"`
}

// Speech is how texts become sound.
type Speech struct {
	Engine      string        `yaml:"engine"`
	Espeak      string        `yaml:"espeak"`
	Polly       Polly         `yaml:"polly"`
	Command     SpeechCommand `yaml:"command"`
	CacheBytes  Size          `yaml:"cache_bytes"`
	Concurrency int           `yaml:"concurrency"`
	Timeout     time.Duration `yaml:"timeout"`
}

// Polly is Amazon Polly as the speech engine.
type Polly struct {
	Region       string `yaml:"region"`        // "" = that of the environment or of the profile
	Engine       string `yaml:"engine"`        // auto, standard, neural, long-form, generative
	Profile      string `yaml:"profile"`       // of the AWS configuration files; "" = the default chain
	Endpoint     string `yaml:"endpoint"`      // "" = AWS itself
	AccessKeyID  string `yaml:"access_key_id"` // "" = that of the profile or the chain
	SecretKey    Secret `yaml:"secret_access_key"`
	SessionToken Secret `yaml:"session_token"`
}

// SpeechCommand is any program as the speech engine.
type SpeechCommand struct {
	Run     []string          `yaml:"run"`     // the program and its arguments
	Voices  map[string]string `yaml:"voices"`  // what {voice} stands for, by Polly's voice ID, language, or *
	SSML    bool              `yaml:"ssml"`    // the program takes SSML
	Rate    int               `yaml:"rate"`    // of raw samples, if the program writes no WAV
	Version string            `yaml:"version"` // part of what speech is kept under
	Env     []string          `yaml:"env"`     // NAME=VALUE
}

// Pinpoint is apps, their events and their endpoints.
type Pinpoint struct {
	TestEvent  bool `yaml:"test_event"`
	MaxBytes   Size `yaml:"max_bytes"`
	CacheBytes Size `yaml:"cache_bytes"`
}

// Delivery is how hard the courier tries.
type Delivery struct {
	Timeout     time.Duration `yaml:"timeout"`
	Backoff     time.Duration `yaml:"backoff"`
	BackoffMax  time.Duration `yaml:"backoff_max"`
	GiveUp      time.Duration `yaml:"give_up"`
	Concurrency int           `yaml:"concurrency"`
}

// Storage bounds what is kept.
type Storage struct {
	MaxBytes        Size          `yaml:"max_bytes"`
	ReserveBytes    Size          `yaml:"reserve_bytes"`
	KeepEvents      time.Duration `yaml:"keep_events"`
	KeepEventsBytes Size          `yaml:"keep_events_bytes"`
}

// Log is what is logged, and how.
type Log struct {
	Level        string `yaml:"level"`
	Format       string `yaml:"format"`
	PersonalData bool   `yaml:"personal_data"`
}

//go:embed default.yaml
var defaults []byte

// DefaultText returns the commented defaults as YAML.
func DefaultText() []byte { return bytes.Clone(defaults) }

// Default returns the defaults: what DefaultText says.
func Default() *Config {
	c := &Config{}
	if err := decode(defaults, c); err != nil {
		panic(fmt.Sprintf("config: the embedded defaults do not decode: %v", err)) // a test decodes them
	}
	return c
}

// Load reads the file at path ("" = none) over the defaults and the environment over both,
// and validates the result. getenv is os.Getenv, or a stand-in. Its error lists every problem.
func Load(path string, getenv func(string) string) (*Config, error) {
	c := Default()
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read configuration: %w", err)
		}
		if err := decode(text, c); err != nil {
			return nil, fmt.Errorf("configuration %s: %w", path, err)
		}
	}
	if err := c.override(getenv); err != nil {
		return nil, err
	}
	return c, nil
}

// decode reads YAML strictly: a key that does not exist is an error with its line.
func decode(text []byte, c *Config) error {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	return yaml.UnmarshalWithOptions(text, c, yaml.Strict())
}
