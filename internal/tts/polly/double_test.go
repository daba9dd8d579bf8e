package polly

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"tidings/internal/account"
	"tidings/internal/awsapi/sigv4"
	"tidings/internal/ssml"
	"tidings/internal/voice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	theKey    = "AKIDSPEECH"
	theSecret = "speech/secret"
	theRegion = "eu-central-1"
)

// wire is the body of SynthesizeSpeech, as the API Reference has it.
type wire struct {
	Engine, LanguageCode, OutputFormat, SampleRate, Text, TextType, VoiceId string
}

// double is Polly: SynthesizeSpeech in its real protocol. It verifies every signature, and
// is strict where Polly is. Its speech is 100 bytes for each character.
type double struct {
	server *httptest.Server

	mu     sync.Mutex
	script []http.HandlerFunc // for the next requests; behind them, the real answer
	asked  []wire
}

// prepareDouble makes a double that is not started.
func prepareDouble(tb testing.TB) *double {
	tb.Helper()
	d := &double{}
	d.server = httptest.NewUnstartedServer(http.HandlerFunc(d.serve))
	d.server.Config.ErrorLog = log.New(io.Discard, "", 0) // of those who do not trust it
	tb.Cleanup(d.server.Close)
	return d
}

// newDouble starts a double.
func newDouble(tb testing.TB) *double {
	tb.Helper()
	d := prepareDouble(tb)
	d.server.Start()
	return d
}

// then makes the double give these answers to the next requests.
func (d *double) then(answers ...http.HandlerFunc) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.script = append(d.script, answers...)
}

// took returns the requests since the last time, and forgets them.
func (d *double) took() []wire {
	d.mu.Lock()
	defer d.mu.Unlock()
	asked := d.asked
	d.asked = nil
	return asked
}

func (d *double) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	var in wire
	if r.Method != http.MethodPost || r.URL.Path != "/v1/speech" || r.Header.Get("Content-Type") != "application/json" {
		refuse(w, http.StatusNotFound, "UnknownOperationException", r.Method+" "+r.URL.Path)
		return
	}
	keys := account.NewDirectory(&account.Key{ID: theKey, Secret: theSecret, Account: &account.Account{ID: "123456789012"}})
	principal, err := sigv4.New(keys, time.Now).Verify(r, "polly", body)
	if err != nil || principal.Region != theRegion {
		refuse(w, http.StatusForbidden, "InvalidSignatureException", fmt.Sprintf("%v, region %q", err, principal.Region))
		return
	}
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, "SerializationException", err.Error())
		return
	}
	d.mu.Lock()
	d.asked = append(d.asked, in)
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { perform(w, in) })
	if len(d.script) > 0 {
		answer, d.script = d.script[0], d.script[1:]
	}
	d.mu.Unlock()
	answer(w, r)
}

// perform answers as Polly does.
func perform(w http.ResponseWriter, in wire) {
	v, ok := voice.VoiceByID(in.VoiceId)
	billed, most := utf8.RuneCountInString(in.Text), 3000
	if in.TextType == "ssml" {
		most = 6000
		doc, err := ssml.Parse(in.Text)
		if err != nil {
			refuse(w, http.StatusBadRequest, "InvalidSsmlException", "Invalid SSML request")
			return
		}
		billed = doc.Billable
	}
	switch {
	case !ok || v.ID != in.VoiceId || in.OutputFormat != "pcm" || !slices.Contains([]string{"text", "ssml"}, in.TextType):
		refuse(w, http.StatusBadRequest, "ValidationException", "1 validation error detected")
	case in.SampleRate != "8000" && in.SampleRate != "16000":
		refuse(w, http.StatusBadRequest, "InvalidSampleRateException", "The specified sample rate is not valid.")
	case in.LanguageCode != "" && !v.Speaks(in.LanguageCode):
		refuse(w, http.StatusBadRequest, "LanguageNotSupportedException", "The language is not supported by the voice.")
	case !slices.Contains(enginesOf(v), in.Engine):
		refuse(w, http.StatusBadRequest, "ValidationException", "This voice does not support the selected engine: "+in.Engine)
	case in.Engine != "standard" && (strings.Contains(in.Text, "whispered") || strings.Contains(in.Text, "pitch=")):
		refuse(w, http.StatusBadRequest, "InvalidSsmlException", "Unsupported Neural feature")
	case billed > 3000 || utf8.RuneCountInString(in.Text) > most:
		refuse(w, http.StatusBadRequest, "TextLengthExceededException", "Maximum text length has been exceeded")
	default:
		w.Header().Set("Content-Type", "audio/pcm")
		w.Header().Set("X-Amzn-RequestCharacters", strconv.Itoa(billed))
		_, _ = w.Write(soundOf(in.Text))
	}
}

// enginesOf are the engines that a voice has here: Tiffany stands for those that have one of
// the newest alone.
func enginesOf(v voice.VoiceInfo) []string {
	switch {
	case v.ID == "Tiffany":
		return []string{"generative"}
	case v.Standard:
		return []string{"standard", "neural"}
	}
	return []string{"neural", "long-form"}
}

// soundOf is the speech of a text.
func soundOf(text string) []byte {
	return []byte(strings.Repeat(text[:1]+"\x01", 50*utf8.RuneCountInString(text)))
}

// refuse answers with an error, in the protocol restJson1.
func refuse(w http.ResponseWriter, status int, code, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Errortype", code+":http://internal.amazon.com/coral/com.amazonaws.parrot/")
	w.Header().Set("X-Amzn-Requestid", "r-1")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": text})
}

// failing is an answer with an error.
func failing(status int, code, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { refuse(w, status, code, text) }
}

// saying is an answer of any kind.
func saying(contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, body)
	}
}

// breaking is sound that breaks off in the middle.
func breaking(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "audio/pcm")
	_, _ = w.Write(make([]byte, 5000))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// options of an engine that knows the double's key.
func (d *double) options() Options {
	return Options{Region: theRegion, Endpoint: d.server.URL, AccessKeyID: theKey, SecretAccessKey: theSecret}
}

// engine makes an engine that does not wait long between attempts.
func engine(tb testing.TB, o Options) *Engine {
	tb.Helper()
	e, err := newEngine(tb.Context(), o, time.Millisecond)
	if err != nil {
		tb.Fatalf("New = %v", err)
	}
	return e
}

// expect compares what the double was asked.
func (d *double) expect(tb testing.TB, want ...wire) {
	tb.Helper()
	for i := range want {
		want[i].OutputFormat, want[i].SampleRate = "pcm", "16000"
	}
	if diff := cmp.Diff(want, d.took()); diff != "" {
		tb.Errorf("Polly was asked (-want +got):\n%s", diff)
	}
}
