package webhook

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// samples returns one message of each type, as they went over the wire.
func samples(tb testing.TB) (*rig, map[string]snsMessage) {
	tb.Helper()
	r := newRig(tb, nil)
	deliver(tb, r.sink, record)
	visit(tb, r.last(tb, typeNotification).UnsubscribeURL)
	r.driver.background.Wait()
	all := map[string]snsMessage{}
	for _, kind := range []string{typeNotification, typeConfirmation, typeUnsubscribed} {
		all[kind] = r.last(tb, kind)
	}
	return r, all
}

func program(tb testing.TB, name string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		tb.Skipf("%s is not installed", name)
	}
	return path
}

func write(tb testing.TB, dir, name string, b []byte) string {
	tb.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		tb.Fatalf("WriteFile = %v", err)
	}
	return path
}

// openssl does what the Developer Guide describes under "Verifying the signature of an
// Amazon SNS message when using HTTP query-based requests".
func TestOpenSSLVerifies(t *testing.T) {
	t.Parallel()
	openssl := program(t, "openssl")
	_, all := samples(t)
	for kind, m := range all {
		dir := t.TempDir()
		certificate, _ := visit(t, m.SigningCertURL)
		signature, err := base64.StdEncoding.DecodeString(m.Signature)
		if err != nil {
			t.Fatalf("Signature: %v", err)
		}
		key, err := exec.CommandContext(t.Context(), openssl, "x509", "-in", write(t, dir, "cert.pem", certificate), "-pubkey", "-noout").Output()
		if err != nil {
			t.Fatalf("openssl x509: %v", err)
		}
		lines := []string{"Message", m.Message, "MessageId", m.MessageId}
		if kind != typeNotification {
			lines = append(lines, "SubscribeURL", m.SubscribeURL)
		}
		lines = append(lines, "Timestamp", m.Timestamp)
		if kind != typeNotification {
			lines = append(lines, "Token", m.Token)
		}
		lines = append(lines, "TopicArn", m.TopicArn, "Type", m.Type)
		text := strings.Join(lines, "\n") + "\n"
		for _, tc := range []struct {
			text string
			want bool
		}{{text, true}, {strings.Replace(text, "alerts", "alarms", 1), false}} {
			out, err := exec.CommandContext(t.Context(), openssl, "dgst", "-sha1", "-verify", write(t, dir, "key.pem", key),
				"-signature", write(t, dir, "signature", signature), write(t, dir, "text", []byte(tc.text))).CombinedOutput()
			if (err == nil) != tc.want {
				t.Errorf("openssl dgst of a %s: %v %s, want success: %v", kind, err, out, tc.want)
			}
		}
	}
}

// validator runs the npm package that consumers in JavaScript use, told only which hosts
// certificates may come from.
const validator = `
const Validator = require(process.argv[1]);
let text = '';
process.stdin.on('data', (d) => { text += d; });
process.stdin.on('end', () => new Validator(/^127\.0\.0\.1:\d+$/, 'utf8').validate(text, (err, m) => {
  console.log(err ? 'refused: ' + err.message : 'valid: ' + m.Type);
}));`

func TestSNSValidatorAccepts(t *testing.T) {
	t.Parallel()
	node := program(t, "node")
	module, err := filepath.Abs("../../../test/oracle/js/node_modules/sns-validator")
	if err != nil {
		t.Fatalf("Abs = %v", err)
	}
	if _, err := os.Stat(module); err != nil {
		t.Skip("sns-validator is not installed; make js installs it")
	}
	r := newRig(t, nil)
	public := httptest.NewTLSServer(r.topics.Handler()) // it insists on https
	defer public.Close()
	if err := r.topics.SetPublicURL(public.URL); err != nil {
		t.Fatalf("SetPublicURL = %v", err)
	}
	roots := write(t, t.TempDir(), "roots.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public.Certificate().Raw}))
	r.confirm = false
	wantTemporary(t, r.sink.Deliver(t.Context(), batchOf(record)), "waiting")
	confirm(t, public, r)
	deliver(t, r.sink, record)
	for _, got := range r.got() {
		var kind string
		for _, body := range [][]byte{got.body, bytes.Replace(got.body, []byte("alerts"), []byte("alarms"), 1)} {
			cmd := exec.CommandContext(t.Context(), node, "-e", validator, module)
			cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+roots)
			cmd.Stdin = bytes.NewReader(body)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("node: %v\n%s", err, out)
			}
			kind += string(out)
		}
		if !strings.HasPrefix(kind, "valid: "+got.header.Get("X-Amz-Sns-Message-Type")+"\nrefused: The message signature is invalid.") {
			t.Errorf("sns-validator says %q of the message and of a forged one", kind)
		}
	}
}

// confirm visits the SubscribeURL on a server with a certificate of its own. What came is
// not verified here.
func confirm(tb testing.TB, public *httptest.Server, r *rig) {
	tb.Helper()
	token := r.got()[0].body
	_, after, _ := bytes.Cut(token, []byte(`"Token" : "`))
	token, _, _ = bytes.Cut(after, []byte(`"`))
	resp, err := public.Client().Get(public.URL + "/sns/confirm?TopicArn=" + target().ARN.String() + "&Token=" + string(token))
	if err != nil {
		tb.Fatalf("Get = %v", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		tb.Fatalf("SubscribeURL answers %d", resp.StatusCode)
	}
}

func TestTheKeyIsMadeOnceAndRenewed(t *testing.T) {
	t.Parallel()
	notes := &notebook{}
	open := func() *Topics {
		topics, err := OpenTopics(t.Context(), notes, "https://tidings.example/", nil)
		if err != nil {
			t.Fatalf("OpenTopics = %v", err)
		}
		return topics
	}
	first := open()
	if notes.notes != nil {
		t.Error("a key was made before it was needed")
	}
	one, err := first.signer(t.Context())
	if err != nil {
		t.Fatalf("signer = %v", err)
	}
	second := open()
	two, err := second.signer(t.Context())
	if err != nil || !two.key.Equal(one.key) || !bytes.Equal(two.secret, one.secret) {
		t.Errorf("after a restart the key is another one, %v", err)
	}
	if !one.certificate.NotBefore.Before(time.Now()) || time.Until(one.certificate.NotAfter) < 9*365*24*time.Hour {
		t.Errorf("the certificate is valid from %v to %v", one.certificate.NotBefore, one.certificate.NotAfter)
	}
	second.now = func() time.Time { return one.certificate.NotAfter.Add(-renewBefore) }
	three, err := second.signer(t.Context())
	if err != nil || three.key.Equal(one.key) || !bytes.Equal(three.secret, one.secret) {
		t.Fatalf("the key was not renewed, or the secret was, %v", err)
	}
	handler := open().Handler()
	for _, s := range []*signer{one, three} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/sns/"+certificateFile(s.certificates[0]), nil))
		if block, _ := pem.Decode(w.Body.Bytes()); w.Code != http.StatusOK || block == nil || !bytes.Equal(block.Bytes, s.certificates[0]) {
			t.Errorf("the certificate answers %d %s", w.Code, w.Body)
		}
	}
}

func TestADamagedKeyIsFoundAtTheStart(t *testing.T) {
	t.Parallel()
	good, err := someSigner()
	if err != nil {
		t.Fatalf("newSigner = %v", err)
	}
	other, err := newSigner(time.Now(), nil)
	if err != nil {
		t.Fatalf("newSigner = %v", err)
	}
	swapped := append(pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: other.certificates[0]}), good...)
	for name, note := range map[string][]byte{
		"empty": {}, "text": []byte("hello"), "cut": good[:len(good)/2], "of two": swapped,
		"no key": bytes.Replace(good, []byte("BEGIN PRIVATE KEY"), []byte("BEGIN PUBLIC KEY"), 1),
	} {
		notes := &notebook{notes: map[string][]byte{signerNote: note}}
		if _, err := OpenTopics(t.Context(), notes, "", nil); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: OpenTopics = %v, want that the key is damaged", name, err)
		}
	}
}

func TestPublicURL(t *testing.T) {
	t.Parallel()
	topics := newTopics(t, &notebook{})
	for in, want := range map[string]string{
		"https://tidings.example": "https://tidings.example/sns/x", "http://10.0.0.1:4570/": "http://10.0.0.1:4570/sns/x",
		"https://example.com/tidings/": "https://example.com/tidings/sns/x",
		"tidings.example":              "", "ftp://x": "", "https://": "", "https://x?y=z": "", "https://x#y": "", "https://u:p@x": "", "\n": "",
	} {
		err := topics.SetPublicURL(in)
		if want == "" {
			if err == nil || strings.Contains(err.Error(), "u:p") {
				t.Errorf("SetPublicURL(%q) = %v, want an error", in, err)
			}
			continue
		}
		if got, linkErr := topics.link("/sns/x", nil); err != nil || linkErr != nil || got != want {
			t.Errorf("SetPublicURL(%q) = %v, links are %q, %v, want %q", in, err, got, linkErr, want)
		}
	}
}
