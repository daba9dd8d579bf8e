package voice

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"tidings/internal/account"
	"tidings/internal/configset"
	"tidings/internal/fault"
	"tidings/internal/quota"
)

// sets is a Sets with the sets of these names.
type sets map[string]bool

func (s sets) Get(key configset.Key) (*configset.Set, bool) {
	ok := key.Tenant == owner && key.Scope == configset.Voice && s[key.Name]
	return &configset.Set{Name: key.Name}, ok
}

// putter is a Queue that is put to alone.
type putter struct {
	got []Message
	err error
}

func (p *putter) Put(_ context.Context, m Message) error {
	if p.err == nil {
		p.got = append(p.got, m)
	}
	return p.err
}

func (p *putter) Next(context.Context) (Job, error) { panic("not used") }

func directory(mode quota.Mode, change func(*account.Account)) *account.Directory {
	a := &account.Account{ID: owner.Account, Sandbox: mode == quota.Sandbox, Limits: quota.For(mode, nil)}
	if change != nil {
		change(a)
	}
	return account.NewDirectory(&account.Key{ID: "k", Account: a})
}

func service(mode quota.Mode) (*Service, *putter) {
	p := &putter{}
	return &Service{
		Queue: p, Sets: sets{"cs-1": true}, Accounts: directory(mode, nil), Windows: quota.NewWindows(),
		Now: func() time.Time { return noon.Add(123456789) },
	}, p
}

// good is a request that nothing is wrong with.
func good() Request {
	return Request{
		Destination: "+1 425-555-0159", Origination: "+12065550153", Set: "cs-1",
		Content: Content{Kind: PlainText, Text: "Hello.", Language: "en-us"},
	}
}

func TestSend(t *testing.T) {
	t.Parallel()
	s, p := service(quota.Production)
	r := good()
	r.CallerID = "+12065550199"
	id, err := s.Send(t.Context(), owner, r)
	if err != nil {
		t.Fatalf("Send = %v, want nil", err)
	}
	if form := `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`; !regexp.MustCompile(form).MatchString(id) {
		t.Errorf("ID = %q, want a random UUID", id)
	}
	want := []Message{{
		ID: id, Tenant: owner, Accepted: noon.Add(123 * time.Millisecond), Destination: "+14255550159", Origination: "+12065550153",
		CallerID: "+12065550199", Country: "US", Set: "cs-1", MaxLength: 5 * time.Minute,
		Content: Content{Kind: PlainText, Text: "Hello.", Language: "en-US", Voice: "Ivy"},
	}}
	want[0].Content.Voice, want[0].Content.Language, _ = ResolveVoice("", "en-us")
	if diff := cmp.Diff(want, p.got); diff != "" {
		t.Errorf("accepted differs (-want +got):\n%s", diff)
	}
}

func TestSendRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 3001)
	const both = "Content must hold exactly one of CallInstructionsMessage, PlainTextMessage and SSMLMessage."
	for _, tt := range []struct {
		name   string
		mode   quota.Mode
		change func(r *Request)
		kind   fault.Kind
		want   string
	}{
		{"no destination", quota.Production, func(r *Request) { r.Destination = "" }, fault.Invalid, "DestinationPhoneNumber must not be empty."},
		{"no origination", quota.Production, func(r *Request) { r.Origination = "" }, fault.Invalid, "OriginationPhoneNumber must not be empty."},
		{"bad caller", quota.Production, func(r *Request) { r.CallerID = "1" }, fault.Invalid, "CallerId has 1 digits. A phone number has 2 to 19."},
		{"emergency", quota.Production, func(r *Request) { r.Destination = "9-1-1" }, fault.Invalid, "DestinationPhoneNumber is an emergency number. Those are never called."},
		{"no content", quota.Production, func(r *Request) { r.Content = Content{} }, fault.Invalid, both},
		{"no text", quota.Production, func(r *Request) { r.Content.Text = " \n" }, fault.Invalid, "Text of PlainTextMessage must not be empty."},
		{"no SSML", quota.Production, func(r *Request) { r.Content = Content{Kind: SSML} }, fault.Invalid, "Text of SSMLMessage must not be empty."},
		{"no UTF-8", quota.Production, func(r *Request) { r.Content.Text = "\xff" }, fault.Invalid, "Text of PlainTextMessage is not valid UTF-8."},
		{"call instructions", quota.Production, func(r *Request) { r.Content.Kind = CallInstructions }, fault.Invalid, "CallInstructionsMessage is not supported. Use PlainTextMessage or SSMLMessage."},
		{"too long", quota.Production, func(r *Request) { r.Content.Text = long }, fault.Invalid, "Text of PlainTextMessage has 3001 billable characters. At most 3000 are allowed."},
		{"far too long", quota.Production, func(r *Request) { r.Content.Text = long + long }, fault.Invalid, "Text of PlainTextMessage has 6002 characters. At most 6000 are allowed."},
		{"SSML too long", quota.Production, func(r *Request) { r.Content = Content{Kind: SSML, Text: "<speak>" + long + "</speak>"} }, fault.Invalid, "Text of SSMLMessage has 3001 billable characters. At most 3000 are allowed."},
		{"too long for anybody", quota.Off, func(r *Request) { r.Content.Text = strings.Repeat("a", 100_001) }, fault.Invalid, "Text of PlainTextMessage has 100001 characters. At most 100000 are allowed."},
		{"no such set", quota.Production, func(r *Request) { r.Set = "CS-1" }, fault.NotFound, "Configuration set <CS-1> does not exist."},
		{"no such set by far", quota.Production, func(r *Request) { r.Set = strings.Repeat("é", 65) }, fault.NotFound, "Configuration set <" + strings.Repeat("é", 64) + "…> does not exist."},
		{"caller in the sandbox", quota.Sandbox, func(r *Request) { r.CallerID = "+12065550199" }, fault.Invalid, "CallerId cannot be used while the account is in the sandbox."},
		{"country in the sandbox", quota.Sandbox, func(r *Request) { r.Destination = "+33123456789" }, fault.Invalid, "DestinationPhoneNumber is in country FR. While the account is in the sandbox it can call AU, CA, CN, DE, HK, IL, JP, MX, SG, SE, US, GB."},
		{"nowhere in the sandbox", quota.Sandbox, func(r *Request) { r.Destination = "+999123456" }, fault.Invalid, "DestinationPhoneNumber is in a country that is not known. While the account is in the sandbox it can call AU, CA, CN, DE, HK, IL, JP, MX, SG, SE, US, GB."},
		{"no such voice", quota.Production, func(r *Request) { r.Content.Voice = "Nobody" }, fault.Invalid, `VoiceId "Nobody" is not known.`},
		{"SSML broken", quota.Production, func(r *Request) { r.Content = Content{Kind: SSML, Text: "<speak>\n <voice>x</voice></speak>"} }, fault.Invalid, "Text of SSMLMessage is not valid SSML: line 2, column 2: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, p := service(tt.mode)
			r := good()
			tt.change(&r)
			_, err := s.Send(t.Context(), owner, r)
			f := fault.From(err)
			if f == nil || f.Kind != tt.kind || !strings.HasPrefix(f.Msg, tt.want) || !strings.HasSuffix(f.Msg, ".") {
				t.Errorf("Send = %v, want %v with %q", err, tt.kind, tt.want)
			}
			if len(p.got) != 0 {
				t.Errorf("accepted %v all the same", p.got)
			}
		})
	}
}

func TestSendAccepts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		mode   quota.Mode
		change func(r *Request)
	}{
		{"3000 characters of more bytes", quota.Production, func(r *Request) { r.Content.Text = strings.Repeat("ü", 3000) }},
		{"SSML whose tags are free", quota.Production, func(r *Request) {
			r.Content = Content{Kind: SSML, Text: "<speak>" + strings.Repeat("<s>a</s>", 500) + strings.Repeat("a", 1900) + "</speak>"}
		}},
		{"more than the limit, without limits", quota.Off, func(r *Request) { r.Content.Text = strings.Repeat("a", 100_000) }},
		{"without a set", quota.Production, func(r *Request) { r.Set = "" }},
		{"in the sandbox", quota.Sandbox, func(*Request) {}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, _ := service(tt.mode)
			r := good()
			tt.change(&r)
			if _, err := s.Send(t.Context(), owner, r); err != nil {
				t.Errorf("Send = %v, want nil", err)
			}
		})
	}
}

func TestCallInstructionsAreSpokenAsTheyAre(t *testing.T) {
	t.Parallel()
	s, p := service(quota.Production)
	s.CallInstructions = "plain"
	r := good()
	r.Content = Content{Kind: CallInstructions, Text: "<speak>"}
	if _, err := s.Send(t.Context(), owner, r); err != nil {
		t.Fatalf("Send = %v, want nil", err)
	}
	want := Content{Kind: PlainText, Text: "<speak>", Voice: DefaultVoice, Language: DefaultLanguage}
	if diff := cmp.Diff(want, p.got[0].Content); diff != "" {
		t.Errorf("content differs (-want +got):\n%s", diff)
	}
}

func TestOwnershipAndUnknownAccounts(t *testing.T) {
	t.Parallel()
	s, _ := service(quota.Production)
	s.Accounts = directory(quota.Production, func(a *account.Account) { a.OriginationNumbers = []string{"+12065550100"} })
	_, err := s.Send(t.Context(), owner, good())
	if f := fault.From(err); f == nil || f.Kind != fault.Invalid || f.Resource != fault.OriginationNumber {
		t.Errorf("Send from another's number = %v, want fault.Invalid about the number", err)
	}
	r := good()
	r.Origination = "1 206 555 0100"
	if _, err := s.Send(t.Context(), owner, r); err != nil {
		t.Errorf("Send from the account's number = %v, want nil", err)
	}
	other := owner
	other.Account = "999999999999"
	if _, err := s.Send(t.Context(), other, good()); !fault.Is(err, fault.Denied) {
		t.Errorf("Send of an unknown account = %v, want fault.Denied", err)
	}
}

func TestWhatTheEngineCannotSpeakIsRefused(t *testing.T) {
	t.Parallel()
	s, p := service(quota.Production)
	s.Check = func(c Content) error {
		return fault.New(fault.Invalid, fault.VoiceMessage, "Cannot speak %s.", c.Language)
	}
	if _, err := s.Send(t.Context(), owner, good()); fault.From(err).Msg != "Cannot speak en-US." || len(p.got) != 0 {
		t.Errorf("Send = %v, want the engine's refusal", err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		mode  quota.Mode
		pause time.Duration
		to    func(i int) string
		most  int
		limit quota.Name
	}{
		{"recipient", quota.Production, time.Hour, func(int) string { return "14255550159" }, 5, quota.VoicePerRecipient},
		{"recipient, written in two ways", quota.Production, time.Hour, func(i int) string { return []string{"14255550159", "+14255550159"}[i%2] }, 5, quota.VoicePerRecipient},
		{"origination", quota.Production, 100 * time.Millisecond, distinct, 1, quota.VoicePerOrigination},
		{"minute", quota.Production, time.Second, distinct, 20, quota.VoicePerMinute},
		{"minute in the sandbox", quota.Sandbox, time.Second, distinct, 5, quota.VoicePerMinute},
		{"day in the sandbox", quota.Sandbox, time.Minute, distinct, 20, quota.VoicePerDay},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, p := service(tt.mode)
			now := noon
			s.Now = func() time.Time { return now }
			var err error
			for i := 0; i < 50 && err == nil; i++ {
				r := good()
				r.Destination = tt.to(i)
				_, err = s.Send(t.Context(), owner, r)
				now = now.Add(tt.pause)
			}
			f := fault.From(err)
			if len(p.got) != tt.most || f == nil || f.Kind != fault.Throttled || f.RetryAfter <= 0 || !strings.Contains(f.Msg, string(tt.limit)) {
				t.Fatalf("after %d messages Send = %v, want %d and the limit %s", len(p.got), err, tt.most, tt.limit)
			}
			// After a restart, the messages that were accepted still count.
			again, _ := service(tt.mode)
			again.Now = func() time.Time { return now.Add(-tt.pause) }
			for _, m := range p.got {
				again.Recount(m)
			}
			r := good()
			r.Destination = tt.to(tt.most)
			if _, err := again.Send(t.Context(), owner, r); fault.From(err) == nil || fault.From(err).Msg != f.Msg {
				t.Errorf("after a restart Send = %v, want %v", err, f)
			}
		})
	}
}

// distinct is another number each time.
func distinct(i int) string { return "+142555501" + string(rune('0'+i/10)) + string(rune('0'+i%10)) }

func TestWhatWasNotAcceptedDoesNotCount(t *testing.T) {
	t.Parallel()
	s, p := service(quota.Production)
	broken := errors.New("disk full")
	p.err = broken
	for range 10 {
		if _, err := s.Send(t.Context(), owner, good()); !errors.Is(err, broken) {
			t.Fatalf("Send = %v, want %v", err, broken)
		}
	}
	p.err = nil
	if _, err := s.Send(t.Context(), owner, good()); err != nil {
		t.Errorf("Send = %v, want nil", err)
	}
}

func TestHangingUpIsNoWayAroundTheLimits(t *testing.T) {
	t.Parallel()
	s, p := service(quota.Production)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.err = ctx.Err()
	_, _ = s.Send(ctx, owner, good())
	p.err = nil
	if _, err := s.Send(t.Context(), owner, good()); !fault.Is(err, fault.Throttled) {
		t.Errorf("Send = %v, want fault.Throttled: the first message may have been stored", err)
	}
}

func TestMaxLength(t *testing.T) {
	t.Parallel()
	for mode, want := range map[quota.Mode]time.Duration{
		quota.Production: 5 * time.Minute, quota.Sandbox: 30 * time.Second, quota.Off: time.Hour,
	} {
		s, p := service(mode)
		if _, err := s.Send(t.Context(), owner, good()); err != nil || p.got[0].MaxLength != want {
			t.Errorf("%s: Send = %v, MaxLength %v, want %v", mode, err, p.got[0].MaxLength, want)
		}
	}
}

func TestWarnsAboutMessagesWithoutASet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		s, _ := service(quota.Off)
		s.Log = slog.New(slog.NewTextHandler(&out, nil))
		reg := prometheus.NewRegistry()
		s.Metrics = NewMetrics(reg)
		for i := range 20 {
			r := good()
			r.Set = ""
			if i%2 == 0 {
				r.Set = "cs-1"
			}
			if _, err := s.Send(t.Context(), owner, r); err != nil {
				t.Fatalf("Send = %v, want nil", err)
			}
			time.Sleep(10 * time.Second)
		}
		if n := strings.Count(out.String(), "reaches nobody") + strings.Count(out.String(), "reach nobody"); n != 4 {
			t.Errorf("10 messages within 200 s left %d warnings, want 4:\n%s", n, &out)
		}
		for _, secret := range []string{"Hello", "425"} {
			if strings.Contains(out.String(), secret) {
				t.Errorf("the log holds %q:\n%s", secret, &out)
			}
		}
		if n := sample(t, reg, "tidings_voice_messages_without_set_total", ""); n != 10 {
			t.Errorf("tidings_voice_messages_without_set_total = %v, want 10", n)
		}
		if n := sample(t, reg, "tidings_voice_messages_total", "accepted"); n != 20 {
			t.Errorf("tidings_voice_messages_total = %v, want 20", n)
		}
	})
}
