package voice

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings/internal/event"
)

// TestRecords compares with the records as a consumer sees them, byte for byte. The one of
// a completed call is, but for the word in eventType and without a context, the sample of
// AWS End User Messaging SMS User Guide, "Event message format".
func TestRecords(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1697835373500)
	m := Message{
		ID: "567f6c11-6e8b-4352-9749-a42a0example", Tenant: owner, Set: "cs-1", Accepted: time.UnixMilli(1697835372720),
		Origination: "12065550153", Destination: "+14255550159", CallerID: "+12065550199", Country: "US",
	}
	const ids = `"originationPhoneNumber":"+12065550153","destinationPhoneNumber":"+14255550159","isoCountryCode":"US",` +
		`"messageId":"567f6c11-6e8b-4352-9749-a42a0example","messageRequestTimestamp":1697835372720,`
	const head = `"eventVersion":"1.0","eventTimestamp":1697835373500,`
	tariff := Recorder{PricePerMinute: 0.013}
	for _, tt := range []struct {
		name string
		r    Recorder
		t    event.Type
		o    Outcome
		want string
	}{
		{"initiated", tariff, event.VoiceInitiated, Outcome{}, `{"eventType":"INITIATED_CALL",` + head + `"isFinal":false,` + ids + `"messageStatus":"INITIATED"}`},
		{"ringing", tariff, event.VoiceRinging, Outcome{}, `{"eventType":"RINGING",` + head + `"isFinal":false,` + ids + `"messageStatus":"RINGING"}`},
		{"answered", tariff, event.VoiceAnswered, Outcome{}, `{"eventType":"ANSWERED",` + head + `"isFinal":false,` + ids + `"messageStatus":"ANSWERED"}`},
		{"completed", tariff, event.VoiceCompleted, Outcome{Talk: 60 * time.Second, Reason: "for the log alone"}, `{"eventType":"COMPLETED_CALL",` + head + `"isFinal":true,` + ids +
			`"messageStatus":"COMPLETED","callDurationInSeconds":60,"totalDurationInMinutes":1,"totalMessagePrice":0.013}`},
		{"without a tariff", Recorder{}, event.VoiceCompleted, Outcome{Talk: 60*time.Second + 1}, `{"eventType":"COMPLETED_CALL",` + head + `"isFinal":true,` + ids +
			`"messageStatus":"COMPLETED","callDurationInSeconds":61,"totalDurationInMinutes":2,"totalMessagePrice":0}`},
		{"busy", tariff, event.VoiceBusy, Outcome{Reason: "SIP 486 <Busy>"}, `{"eventType":"BUSY",` + head + `"isFinal":true,` + ids +
			`"messageStatus":"BUSY","messageStatusDescription":"SIP 486 <Busy>","callDurationInSeconds":0,"totalDurationInMinutes":0}`},
		{"no answer", tariff, event.VoiceNoAnswer, Outcome{}, `{"eventType":"NO_ANSWER",` + head + `"isFinal":true,` + ids +
			`"messageStatus":"NO_ANSWER","callDurationInSeconds":0,"totalDurationInMinutes":0}`},
		{"failed", tariff, event.VoiceFailed, Outcome{Talk: 1500 * time.Millisecond, Reason: "line cut"}, `{"eventType":"FAILED",` + head + `"isFinal":true,` + ids +
			`"messageStatus":"FAILED","messageStatusDescription":"line cut","callDurationInSeconds":2,"totalDurationInMinutes":1}`},
		{"words of version 2", Recorder{Words: WordsV2}, event.VoiceNoAnswer, Outcome{}, `{"eventType":"VOICE_NO_ANSWER",` + head + `"isFinal":true,` + ids +
			`"messageStatus":"NO_ANSWER","callDurationInSeconds":0,"totalDurationInMinutes":0}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := tt.r.Event(&m, tt.t, at, tt.o)
			if got := string(e.Record); got != tt.want {
				t.Errorf("record =\n%s\nwant\n%s", got, tt.want)
			}
			want := event.Event{ID: m.ID + "/" + word(tt.t), Type: tt.t, Time: at.UTC(), Tenant: owner, Set: "cs-1", Message: m.ID, Record: e.Record}
			if diff := cmp.Diff(want, e); diff != "" {
				t.Errorf("event differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryTypeHasItsWords(t *testing.T) {
	t.Parallel()
	seen := map[string]event.Type{}
	for kind, s := range spellings {
		for _, w := range []string{s.v1, s.v2, "status " + s.status, word(kind)} {
			if other, taken := seen[w]; taken || w == "" {
				t.Errorf("%q is the word of %q and of %q", w, kind, other)
			}
			seen[w] = kind
		}
	}
	for after, types := range follows {
		for _, kind := range append(types, after) {
			if _, ok := spellings[kind]; !ok && kind != "" {
				t.Errorf("%q has no words", kind)
			}
		}
	}
}

func TestRecordIsAlwaysJSON(t *testing.T) {
	t.Parallel()
	m := message("m")
	for _, price := range []float64{math.NaN(), math.Inf(1), 1e300, 0.1} {
		e := Recorder{PricePerMinute: price}.Event(&m, event.VoiceCompleted, noon, Outcome{Talk: 3 * time.Minute})
		if !json.Valid(e.Record) {
			t.Errorf("at a price of %v the record is %q", price, e.Record)
		}
	}
	e := Recorder{}.Event(&m, event.VoiceFailed, noon, Outcome{Reason: "\xff\n" + strings.Repeat("ü", 1000)})
	var rec record
	if err := json.Unmarshal(e.Record, &rec); err != nil || len(rec.MessageStatusDescription) > 300 {
		t.Errorf("Unmarshal(%s) = %v, with a reason of %d bytes", e.Record, err, len(rec.MessageStatusDescription))
	}
	if price := (Recorder{PricePerMinute: 0.1}).price(3); price != 0.3 {
		t.Errorf("price = %v, want 0.3", price)
	}
}
