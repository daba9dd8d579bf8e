package polly

import (
	"bytes"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/polly"

	"tidings/internal/tts"
)

func TestOptionsThatCannotWork(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		options Options
		want    string
	}{
		"another engine":     {Options{Kind: "best"}, `no engine "best", only standard`},
		"an ID alone":        {Options{AccessKeyID: "AKID"}, "give both"},
		"a secret alone":     {Options{SecretAccessKey: "hunter2"}, "give both"},
		"a token alone":      {Options{SessionToken: "hunter2"}, "belongs to an access key"},
		"key and profile":    {Options{AccessKeyID: "AKID", SecretAccessKey: "hunter2", Profile: "x"}, "give one of them"},
		"a missing profile":  {Options{Region: theRegion, Profile: "no-such-profile-here"}, "no-such-profile-here"},
		"a negative timeout": {Options{Timeout: -1}, "may be negative"},
		"negative attempts":  {Options{MaxAttempts: -1}, "may be negative"},
		"no URL":             {Options{Endpoint: "http://user:hunter2@[::1"}, "no URL"},
		"a password":         {Options{Endpoint: "https://user:hunter2@host"}, "user or a password"},
		"no scheme":          {Options{Endpoint: "localhost:4566"}, "want http://host:port"},
		"a query":            {Options{Endpoint: "http://host/?x=1"}, "want http://host:port"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(t.Context(), tc.options)
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "amazon polly: ") {
				t.Errorf("New = %v, want an error with %q", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("New = %v, which tells a secret", err)
			}
		})
	}
}

// TestProfile takes key and region from a profile of the shared files.
func TestProfile(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	path := filepath.Join(t.TempDir(), "config")
	profile := "[profile speech]\nregion = " + theRegion + "\naws_access_key_id = " + theKey + "\naws_secret_access_key = " + theSecret + "\n" +
		"[profile nowhere]\naws_access_key_id = " + theKey + "\naws_secret_access_key = " + theSecret + "\n"
	if err := os.WriteFile(path, []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	files := config.WithSharedConfigFiles([]string{path})
	none := config.WithSharedCredentialsFiles(nil)
	e, err := newEngine(t.Context(), Options{Profile: "speech", Endpoint: d.server.URL}, time.Millisecond, files, none)
	if err != nil {
		t.Fatalf("New = %v", err)
	}
	if _, err := e.Speak(t.Context(), tts.Phrase{Text: "Hello", Voice: "Joanna", Language: "en-US"}); err != nil {
		t.Errorf("Speak with a profile = %v", err)
	}
	d.expect(t, wire{Engine: "standard", Text: "Hello", TextType: "text", VoiceId: "Joanna"})
	if region := os.Getenv("AWS_REGION") + os.Getenv("AWS_DEFAULT_REGION"); region != "" {
		t.Skip("the environment has a region: ", region)
	}
	if _, err := newEngine(t.Context(), Options{Profile: "nowhere"}, time.Millisecond, files, none); err == nil || !strings.Contains(err.Error(), "no region") {
		t.Errorf("New without a region = %v, want an error", err)
	}
}

// TestCertificates: the certificates that AWS_CA_BUNDLE names count for Polly, too.
func TestCertificates(t *testing.T) {
	t.Parallel()
	d := prepareDouble(t)
	d.server.StartTLS()
	phrase := tts.Phrase{Text: "Hello", Voice: "Joanna", Language: "en-US"}
	o := d.options()
	o.MaxAttempts = 1
	if _, err := engine(t, o).Speak(t.Context(), phrase); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("Speak with a certificate of nobody = %v, want an error", err)
	}
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d.server.Certificate().Raw})
	e, err := newEngine(t.Context(), o, time.Millisecond, config.WithCustomCABundle(bytes.NewReader(bundle)))
	if err != nil {
		t.Fatalf("New = %v", err)
	}
	if _, err := e.Speak(t.Context(), phrase); err != nil {
		t.Errorf("Speak with a certificate of the bundle = %v", err)
	}
}

func TestVersionHasTheEngine(t *testing.T) {
	t.Parallel()
	seen := map[string]Kind{}
	for _, kind := range []Kind{"", Standard, Neural, Generative, LongForm} {
		e := engine(t, Options{Region: theRegion, Kind: kind, AccessKeyID: "x", SecretAccessKey: "y"})
		if other, ok := seen[e.Version()]; ok || e.Name() != "polly" || !strings.Contains(e.Version(), "16000") {
			t.Errorf("%s %s for engine %q, as for %q", e.Name(), e.Version(), kind, other)
		}
		seen[e.Version()] = kind
	}
}

// asked is a transport that only looks where a request would go.
type asked struct{ host string }

func (a *asked) RoundTrip(r *http.Request) (*http.Response, error) {
	a.host = r.URL.Host
	return nil, http.ErrHandlerTimeout
}

func TestEndpointOfAWS(t *testing.T) {
	t.Parallel()
	a := &asked{}
	o := Options{Region: theRegion, AccessKeyID: "x", SecretAccessKey: "y", MaxAttempts: 1}
	e := engine(t, o)
	changed := e.client.Options()
	changed.HTTPClient = &http.Client{Transport: a}
	e.client = polly.New(changed)
	if _, err := e.Speak(t.Context(), tts.Phrase{Text: "Hello", Voice: "Joanna", Language: "en-US"}); err == nil {
		t.Error("Speak without a network = nil")
	}
	if want := "polly." + theRegion + ".amazonaws.com"; a.host != want {
		t.Errorf("the request goes to %q, want %q", a.host, want)
	}
}
