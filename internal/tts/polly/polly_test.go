package polly

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/polly/types"

	"tidings/internal/fault"
	"tidings/internal/tts"
	"tidings/internal/voice"
)

func TestSpeak(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		phrase tts.Phrase
		kind   Kind
		want   wire
	}{
		"plain": {
			tts.Phrase{Text: " Hello, <world>\x00 &\n1 ", Voice: "joanna", Language: "en-US", Rate: 1},
			"",
			wire{Engine: "standard", Text: "Hello, <world> &\n1", TextType: "text", VoiceId: "Joanna"},
		},
		"bilingual, first": {
			tts.Phrase{Text: "Hello", Voice: "Aditi", Language: "en-IN"},
			"",
			wire{Engine: "standard", Text: "Hello", TextType: "text", VoiceId: "Aditi"},
		},
		"bilingual, second": {
			tts.Phrase{Text: "नमस्ते", Voice: "Aditi", Language: "hi-IN"},
			"",
			wire{Engine: "standard", Text: "नमस्ते", TextType: "text", VoiceId: "Aditi", LanguageCode: "hi-IN"},
		},
		"foreign language": {
			tts.Phrase{Text: "Ça va", Voice: "Joanna", Language: "fr-FR"},
			"",
			wire{Engine: "standard", Text: `<speak><lang xml:lang="fr-FR">Ça va</lang></speak>`, TextType: "ssml", VoiceId: "Joanna"},
		},
		"manner": {
			tts.Phrase{Text: "a & b", Voice: "Joanna", Language: "en-US", Rate: 1.5, Pitch: 0.9, Whisper: true},
			"",
			wire{
				Engine: "standard", TextType: "ssml", VoiceId: "Joanna",
				Text: `<speak><amazon:effect name="whispered"><prosody rate="150%" pitch="-10%">a &amp; b</prosody></amazon:effect></speak>`,
			},
		},
		"manner, neural": {
			tts.Phrase{Text: "a", Voice: "Joanna", Language: "en-US", Rate: 1.5, Pitch: 0.9, Whisper: true},
			Neural,
			wire{Engine: "neural", Text: `<speak><prosody rate="150%">a</prosody></speak>`, TextType: "ssml", VoiceId: "Joanna"},
		},
		"whisper, neural": {
			tts.Phrase{Text: "a", Voice: "Joanna", Language: "en-US", Whisper: true},
			Neural,
			wire{Engine: "neural", Text: "a", TextType: "text", VoiceId: "Joanna"},
		},
		"a newer voice": {
			tts.Phrase{Text: "a", Voice: "Ruth", Language: "en-US"},
			"",
			wire{Engine: "neural", Text: "a", TextType: "text", VoiceId: "Ruth"},
		},
		"chosen engine": {
			tts.Phrase{Text: "a", Voice: "Ruth", Language: "en-US"},
			LongForm,
			wire{Engine: "long-form", Text: "a", TextType: "text", VoiceId: "Ruth"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDouble(t)
			o := d.options()
			o.Kind = tc.kind
			got, err := engine(t, o).Speak(t.Context(), tc.phrase)
			if want := soundOf(tc.want.Text); err != nil || got.Rate != 16000 || string(got.PCM) != string(want) {
				t.Errorf("Speak = %d bytes at %d Hz, %v, want %d at 16000 Hz", len(got.PCM), got.Rate, err, len(want))
			}
			d.expect(t, tc.want)
		})
	}
}

func TestSpeakDocument(t *testing.T) {
	t.Parallel()
	const document = `<speak>Hello <break time="1s"/> &amp; <emphasis>world</emphasis></speak>`
	d := newDouble(t)
	e := engine(t, d.options())
	for _, tc := range []struct{ voice, language, code string }{{"Joanna", "en-US", ""}, {"Kajal", "hi-IN", "hi-IN"}} {
		got, err := e.SpeakDocument(t.Context(), document, tc.voice, tc.language)
		if err != nil || got.Samples() == 0 {
			t.Errorf("SpeakDocument with %s = %d samples, %v", tc.voice, got.Samples(), err)
		}
	}
	d.expect(t,
		wire{Engine: "standard", Text: document, TextType: "ssml", VoiceId: "Joanna"},
		wire{Engine: "neural", Text: document, TextType: "ssml", VoiceId: "Kajal", LanguageCode: "hi-IN"})
	for _, tc := range [][2]string{{"Nobody", "en-US"}, {"Joanna", "fr-FR"}} {
		if _, err := e.SpeakDocument(t.Context(), document, tc[0], tc[1]); err == nil {
			t.Errorf("SpeakDocument with %s in %s = nil, want an error", tc[0], tc[1])
		}
	}
	if _, err := e.Speak(t.Context(), tts.Phrase{Text: "x", Voice: "Nobody"}); err == nil {
		t.Error("Speak with an unknown voice = nil, want an error")
	}
	if got, err := e.Speak(t.Context(), tts.Phrase{Text: " \x01", Voice: "Joanna", Language: "en-US"}); err != nil || got.Samples() != 0 || got.Rate != 16000 {
		t.Errorf("Speak of nothing = %d samples, %v", got.Samples(), err)
	}
	d.expect(t)
}

// TestNewerVoicesFindTheirEngine: who names no engine need not know which voices have it.
func TestNewerVoicesFindTheirEngine(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	if _, err := engine(t, d.options()).Speak(t.Context(), tts.Phrase{Text: "a", Voice: "Tiffany", Language: "en-US"}); err != nil {
		t.Errorf("Speak = %v", err)
	}
	d.expect(t,
		wire{Engine: "neural", Text: "a", TextType: "text", VoiceId: "Tiffany"},
		wire{Engine: "generative", Text: "a", TextType: "text", VoiceId: "Tiffany"})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	hello := tts.Phrase{Text: "Hello", Voice: "Joanna", Language: "en-US"}
	for name, tc := range map[string]struct {
		answer http.HandlerFunc // nil = the real one
		phrase tts.Phrase
		kind   Kind
		fault  bool
		want   string
	}{
		"too long":      {nil, tts.Phrase{Text: strings.Repeat("x", 3001), Voice: "Joanna", Language: "en-US"}, "", true, "longer than Amazon Polly"},
		"engine":        {nil, hello, Generative, true, "does not exist with Amazon Polly's engine generative"},
		"engine, other": {failing(400, "EngineNotSupportedException", "No."), hello, "", true, "engine standard"},
		"SSML":          {failing(400, "InvalidSsmlException", "Unsupported\nNeural feature"), hello, "", true, "with voice Joanna and engine standard: Unsupported Neural feature"},
		"language":      {failing(400, "LanguageNotSupportedException", "No Latin."), hello, "", true, "Voice Joanna of Amazon Polly does not speak the language: No Latin."},
		"validation":    {failing(400, "ValidationException", "1 error"), hello, "", false, "amazon polly in eu-central-1 with voice Joanna: "},
		"rate":          {failing(400, "InvalidSampleRateException", "No."), hello, "", false, "InvalidSampleRateException"},
		"denied":        {failing(403, "AccessDeniedException", "not authorized"), hello, "", false, "needs polly:SynthesizeSpeech"},
		"expired":       {failing(403, "ExpiredTokenException", "expired"), hello, "", false, "the credentials of the server"},
		"not sound":     {saying("text/html", "<p>Log in"), hello, "", false, `its content type is "text/html", want audio/pcm`},
		"no type":       {saying("", "x"), hello, "", false, "want audio/pcm"},
		"nothing":       {saying("audio/pcm", ""), hello, "", false, "the answer is no sound: it is empty"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		}, hello, "", false, "amazon polly"},
		"a mad refusal": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"message":"`))
			for range 1000 {
				if _, err := w.Write([]byte(strings.Repeat("x", 10_000))); err != nil {
					return
				}
			}
		}, hello, "", false, "amazon polly"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDouble(t)
			if tc.answer != nil {
				d.then(tc.answer)
			}
			o := d.options()
			o.Kind = tc.kind
			_, err := engine(t, o).Speak(t.Context(), tc.phrase)
			if err == nil || !strings.Contains(err.Error(), tc.want) || fault.Is(err, fault.Invalid) != tc.fault {
				t.Errorf("Speak = %v, want an error with %q, a fault: %v", err, tc.want, tc.fault)
			}
			if err != nil && (strings.Contains(err.Error(), theSecret) || len(err.Error()) > 2000) {
				t.Errorf("Speak = %.3000v, which tells a secret or is too long", err)
			}
			if n := len(d.took()); n != 1 {
				t.Errorf("%d requests, want 1: trying again cannot help", n)
			}
		})
	}
}

func TestTroubleIsTriedAgain(t *testing.T) {
	t.Parallel()
	throttle := failing(400, "ThrottlingException", "Rate exceeded")
	down := failing(503, "ServiceUnavailableException", "Try later")
	for name, tc := range map[string]struct {
		answers  []http.HandlerFunc
		requests int
		want     string // of the error; "" = none
	}{
		"throttled twice":   {[]http.HandlerFunc{throttle, throttle}, 3, ""},
		"throttled":         {[]http.HandlerFunc{throttle, throttle, throttle}, 3, "more requests than the quota"},
		"down twice":        {[]http.HandlerFunc{down, failing(500, "ServiceFailureException", "x")}, 3, ""},
		"down":              {[]http.HandlerFunc{down, down, down}, 3, "ServiceUnavailable"},
		"broken twice":      {[]http.HandlerFunc{breaking, breaking}, 3, ""},
		"broken":            {[]http.HandlerFunc{breaking, breaking, breaking}, 3, "read the sound: unexpected EOF"},
		"hung up":           {[]http.HandlerFunc{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }}, 2, ""},
		"throttled, broken": {[]http.HandlerFunc{throttle, breaking, throttle}, 4, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDouble(t)
			d.then(tc.answers...)
			got, err := engine(t, d.options()).Speak(t.Context(), tts.Phrase{Text: "Hello", Voice: "Joanna", Language: "en-US"})
			if tc.want == "" && (err != nil || got.Samples() != 250) || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("Speak = %d samples, %v, want an error with %q", got.Samples(), err, tc.want)
			}
			if n := len(d.took()); n != tc.requests {
				t.Errorf("%d requests, want %d", n, tc.requests)
			}
		})
	}
}

// TestTimeout bounds a body that does not end, and attempts that do not.
func TestTimeout(t *testing.T) {
	t.Parallel()
	slow := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "audio/pcm")
		_, _ = w.Write(make([]byte, 1000))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, answer := range map[string]http.HandlerFunc{"slow body": slow, "no answer": silent} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDouble(t)
			d.then(answer, answer, answer)
			o := d.options()
			o.Timeout = time.Second
			_, err := engine(t, o).Speak(t.Context(), tts.Phrase{Text: "Hello", Voice: "Joanna", Language: "en-US"})
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "stopped after 1s") {
				t.Errorf("Speak = %v, want context.DeadlineExceeded after 1s", err)
			}
			if n := len(d.took()); n != 1 {
				t.Errorf("%d requests, want 1 within the time", n)
			}
		})
	}
	t.Run("caller", func(t *testing.T) {
		t.Parallel()
		d := newDouble(t)
		ctx, cancel := context.WithCancel(t.Context())
		d.then(func(w http.ResponseWriter, r *http.Request) {
			cancel()
			slow(w, r)
		})
		if _, err := engine(t, d.options()).Speak(ctx, tts.Phrase{Text: "Hello", Voice: "Joanna", Language: "en-US"}); !errors.Is(err, context.Canceled) {
			t.Errorf("Speak = %v, want context.Canceled", err)
		}
	})
}

func TestLongSpeechIsCut(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	gone := make(chan error, 1)
	d.then(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "audio/pcm")
		for {
			if _, err := io.WriteString(w, strings.Repeat("x", 1<<16)); err != nil {
				gone <- err
				return
			}
		}
	})
	got, err := engine(t, d.options()).Speak(t.Context(), tts.Phrase{Text: "Hello", Voice: "Joanna", Language: "en-US"})
	if err != nil || got.Duration() != tts.MaxSpeech {
		t.Errorf("Speak = %v of sound, %v, want %v", got.Duration(), err, tts.MaxSpeech)
	}
	<-gone // the connection is closed, not drained
}

func TestCheck(t *testing.T) {
	t.Parallel()
	e := &Engine{}
	if err := e.Check(strings.Repeat("é", MaxCharacters), "fr-FR"); err != nil {
		t.Errorf("Check of %d characters = %v", MaxCharacters, err)
	}
	if err := e.Check(strings.Repeat("é", MaxCharacters+1), "fr-FR"); !fault.Is(err, fault.Invalid) {
		t.Errorf("Check of %d characters = %v, want fault.Invalid", MaxCharacters+1, err)
	}
}

// TestPollyKnowsOurVoices holds our table to the SDK's.
func TestPollyKnowsOurVoices(t *testing.T) {
	t.Parallel()
	for _, v := range voice.Voices() {
		if !slices.Contains(types.VoiceId("").Values(), types.VoiceId(v.ID)) {
			t.Errorf("the SDK does not know the voice %s", v.ID)
		}
		for _, code := range v.Languages() {
			if !slices.Contains(types.LanguageCode("").Values(), types.LanguageCode(code)) {
				t.Errorf("the SDK does not know the language %s", code)
			}
		}
	}
	for _, kind := range []Kind{Standard, Neural, Generative, LongForm} {
		if !slices.Contains(types.Engine("").Values(), types.Engine(kind)) {
			t.Errorf("the SDK does not know the engine %s", kind)
		}
	}
}
