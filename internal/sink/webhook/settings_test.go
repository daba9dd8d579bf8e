package webhook

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

func TestNewFindsWhatCannotWork(t *testing.T) {
	t.Parallel()
	topics := newTopics(t, &notebook{})
	short := "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23))
	long := "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65))
	for name, tc := range map[string]struct {
		settings Settings
		want     []string // all of it
	}{
		"no URL":             {Settings{}, []string{"https://host/path"}},
		"no scheme":          {Settings{URL: "hooks.example/x"}, []string{"https://host/path"}},
		"other scheme":       {Settings{URL: "ftp://hooks.example/x"}, []string{"https://host/path"}},
		"no host":            {Settings{URL: "https:///x"}, []string{"names no host"}},
		"port alone":         {Settings{URL: "https://:443/x"}, []string{"names no host"}},
		"no port":            {Settings{URL: "https://hooks.example:/x"}, []string{"no port"}},
		"port 0":             {Settings{URL: "https://hooks.example:0/x"}, []string{"no port"}},
		"port too large":     {Settings{URL: "https://hooks.example:65536/x"}, []string{"no port"}},
		"credentials":        {Settings{URL: "https://user:pass@hooks.example/x"}, []string{"use headers"}},
		"fragment":           {Settings{URL: "https://hooks.example/x#y"}, []string{"fragment"}},
		"line break":         {Settings{URL: "https://hooks.example/x\ny"}, []string{"control characters"}},
		"dots":               {Settings{URL: "https://hooks.example/a/../x"}, []string{". or .."}},
		"escaped dots":       {Settings{URL: "https://hooks.example/a/%2e%2E/x"}, []string{". or .."}},
		"unknown place":      {Settings{URL: "https://hooks.example/{topic}"}, []string{"{topic", "{name}"}},
		"open place":         {Settings{URL: "https://hooks.example/{name"}, []string{"{name"}},
		"closed place":       {Settings{URL: "https://hooks.example/name}"}, []string{"} without {"}},
		"place in the host":  {Settings{URL: "https://{region}.example/x"}, []string{"not in the host"}},
		"place in the port":  {Settings{URL: "https://hooks.example:{account}/x"}, []string{"not in the host"}},
		"this machine":       {Settings{URL: "https://LocalHost./x"}, []string{"allow_private"}},
		"below localhost":    {Settings{URL: "https://a.localhost/x"}, []string{"allow_private"}},
		"loopback":           {Settings{URL: "http://127.0.0.1:8080/x"}, []string{"a loopback address", "allow_private"}},
		"loopback with dot":  {Settings{URL: "http://127.0.0.1./x"}, []string{"a loopback address"}},
		"loopback v6":        {Settings{URL: "http://[::1]/x"}, []string{"a loopback address"}},
		"mapped loopback":    {Settings{URL: "http://[::ffff:127.0.0.1]/x"}, []string{"a loopback address"}},
		"one link":           {Settings{URL: "http://[fe80::1%25eth0]/x"}, []string{"an address of one link"}},
		"metadata":           {Settings{URL: "http://169.254.169.254/latest/meta-data/"}, []string{"a link-local address"}},
		"decimal":            {Settings{URL: "http://2130706433/x"}, []string{"four decimal numbers"}},
		"octal":              {Settings{URL: "http://0177.0.0.1/x"}, []string{"four decimal numbers"}},
		"hexadecimal":        {Settings{URL: "http://0x7f000001/x"}, []string{"four decimal numbers"}},
		"two numbers":        {Settings{URL: "http://127.1/x"}, []string{"four decimal numbers"}},
		"leading zeros":      {Settings{URL: "http://127.0.0.08/x"}, []string{"four decimal numbers"}},
		"format":             {Settings{URL: "https://hooks.example/x", Format: "svix"}, []string{`"svix"`, "standard or sns"}},
		"batch":              {Settings{URL: "https://hooks.example/x", Batch: 1_001}, []string{"1001", "0 to 1000"}},
		"negative batch":     {Settings{URL: "https://hooks.example/x", Batch: -1}, []string{"-1"}},
		"unconfirmed":        {Settings{URL: "https://hooks.example/x", Unconfirmed: true}, []string{"of format sns"}},
		"no topics":          {Settings{URL: "https://hooks.example/x", Format: FormatSNS}, []string{"nobody to sign"}},
		"sns with secrets":   {Settings{URL: "https://hooks.example/x", Format: FormatSNS, Topics: topics, Secrets: []string{secretA}}, []string{"key of its own"}},
		"sns with batch":     {Settings{URL: "https://hooks.example/x", Format: FormatSNS, Topics: topics, Batch: 10}, []string{"one notification"}},
		"no prefix":          {Settings{URL: "https://hooks.example/x", Secrets: []string{secretA, secretA[6:]}}, []string{"secrets[1]", "whsec_"}},
		"no base64":          {Settings{URL: "https://hooks.example/x", Secrets: []string{"whsec_not base64"}}, []string{"secrets[0]", "base64"}},
		"URL base64":         {Settings{URL: "https://hooks.example/x", Secrets: []string{"whsec_" + strings.Repeat("-_", 16)}}, []string{"base64"}},
		"short secret":       {Settings{URL: "https://hooks.example/x", Secrets: []string{short}}, []string{"23 bytes", "24 to 64"}},
		"long secret":        {Settings{URL: "https://hooks.example/x", Secrets: []string{long}}, []string{"65 bytes"}},
		"header name":        {Settings{URL: "https://hooks.example/x", Headers: map[string]string{"X Y": "z"}}, []string{`"X Y"`}},
		"no header name":     {Settings{URL: "https://hooks.example/x", Headers: map[string]string{"": "z"}}, []string{`""`}},
		"header value":       {Settings{URL: "https://hooks.example/x", Headers: map[string]string{"X-Y": "hidden\r\nEvil: 1"}}, []string{"X-Y", "line breaks"}},
		"header space":       {Settings{URL: "https://hooks.example/x", Headers: map[string]string{"X-Y": "z "}}, []string{"white space"}},
		"header twice":       {Settings{URL: "https://hooks.example/x", Headers: map[string]string{"X-Y": "1", "x-y": "2"}}, []string{"twice"}},
		"host header":        {Settings{URL: "https://hooks.example/x", Headers: map[string]string{"host": "y"}}, []string{"Host is not yours"}},
		"length header":      {Settings{URL: "https://hooks.example/x", Headers: map[string]string{"Content-length": "5"}}, []string{"Content-Length is not yours"}},
		"signature header":   {Settings{URL: "https://hooks.example/x", Headers: map[string]string{"webhook-signature": "y"}}, []string{"Webhook-Signature is not yours"}},
		"proxy header":       {Settings{URL: "https://hooks.example/x", Headers: map[string]string{"proxy-authorization": "y"}}, []string{"not yours"}},
		"all at once":        {Settings{URL: "x", Secrets: []string{"y"}, Headers: map[string]string{"Host": "z"}, Batch: -1}, []string{"url:", "secrets[0]", "Host", "batch -1"}},
		"hidden in no error": {Settings{URL: "https://hooks.example/token-123/{x}", Secrets: []string{"topsecret"}}, []string{"secrets[0]"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := New(tc.settings)
			if err == nil {
				d.Close()
				t.Fatalf("New(%+v) = nil, want an error", tc.settings)
			}
			wantWords(t, err, tc.want...)
			for _, secret := range []string{"hidden", "pass@", "topsecret", "token-123", short[6:]} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error %q tells a secret", err)
				}
			}
		})
	}
}

func TestNewTakesWhatCanWork(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"https://hooks.example", "HTTPS://hooks.example/", "https://hooks.example:8443/x?y={name}&z=1", "http://8.8.8.8/x",
		"https://[2606:4700::1111]/x", "https://hooks.example?account={account}", "https://10.hooks.example/x",
		"https://bücher.example/{service}/{region}/{account}/{name}", "https://hooks.example/x y",
	} {
		newDriver(t, Settings{URL: url})
	}
	for _, url := range []string{"http://localhost:80/", "http://127.0.0.1/", "http://[::1]/", "http://10.0.0.1/"} {
		newDriver(t, Settings{URL: url, AllowPrivate: true})
	}
	newDriver(t, Settings{URL: "https://hooks.example/x", Secrets: []string{secretA, secretB, secretC}, Headers: map[string]string{
		"authorization": "Bearer x", "Cookie": "a=b", "X-Empty": "", "X-Tab": "a\tb",
	}})
}

func TestNewWarns(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		settings Settings
		want     []string
	}{
		{Settings{URL: "https://hooks.example/t0ken", Secrets: []string{secretA}}, nil},
		{Settings{URL: "http://hooks.example/t0ken", Secrets: []string{secretA}}, []string{"not encrypted", "hooks.example"}},
		{Settings{URL: "http://hooks.example/t0ken", Secrets: []string{secretA}, AllowPrivate: true}, nil},
		{Settings{URL: "https://hooks.example/t0ken"}, []string{"not signed", "hooks.example"}},
	} {
		var log bytes.Buffer
		tc.settings.Logger = slog.New(slog.NewTextHandler(&log, nil))
		newDriver(t, tc.settings)
		for _, want := range tc.want {
			if !strings.Contains(log.String(), want) {
				t.Errorf("New(%q) logs %q, want %q in it", tc.settings.URL, log.String(), want)
			}
		}
		if tc.want == nil && log.Len() > 0 || strings.Contains(log.String(), "t0ken") {
			t.Errorf("New(%q) logs %q", tc.settings.URL, log.String())
		}
	}
}

func TestHeadersAreSent(t *testing.T) {
	t.Parallel()
	f := newFarEnd(t)
	s := local(f.URL)
	s.Headers = map[string]string{"authorization": "Bearer x", "X-Empty": ""}
	deliver(t, openSink(t, newDriver(t, s)), `{}`)
	got := f.only(t).header
	for name, want := range map[string]string{
		"Authorization": "Bearer x", "X-Empty": "", "User-Agent": "Tidings/1.2.3", "Content-Type": "application/json",
	} {
		if values := got.Values(name); len(values) != 1 || values[0] != want {
			t.Errorf("%s is %q, want %q", name, values, want)
		}
	}
	for _, name := range []string{"Idempotency-Key", "Accept-Encoding", "Transfer-Encoding", "Expect"} {
		if _, ok := got[http.CanonicalHeaderKey(name)]; ok {
			t.Errorf("%s is sent", name)
		}
	}
}
