package sipcall

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"tidings/internal/event"
	"tidings/internal/voice"
)

// maxRetryAfter bounds what a trunk can ask for.
const maxRetryAfter = 24 * time.Hour

// verdict is what a final response, or the lack of one, says about a call.
type verdict struct {
	outcome voice.Outcome
	next    bool          // another trunk may be tried: nobody can have rung
	trouble string        // what is wrong with the trunk; "" = nothing
	rest    time.Duration // how long the trunk wants to be left alone
	status  int           // the final response; 0 = there was none
}

func failed(format string, args ...any) voice.Outcome {
	return voice.Outcome{Type: event.VoiceFailed, Reason: fmt.Sprintf(format, args...)}
}

// judge says what a final response above 299 means for the call. rang = an answer before
// it may have made the phone ring.
func judge(res *sip.Response, rang, declineIsBusy bool) verdict {
	v := verdict{status: res.StatusCode}
	v.outcome.Reason = reason(res)
	cause, known := q850(res)
	v.outcome.Type = meaning(res.StatusCode, rang, declineIsBusy)
	if t, ok := causes[cause]; known && ok && res.StatusCode >= 400 {
		v.outcome.Type = t
	}
	// ADR 12: only while nobody can have rung, and if it is the trunk that cannot. Some
	// gateways wrap what the callee's exchange said into a 5xx; then the cause tells.
	ours := res.StatusCode == 408 || res.StatusCode >= 500 && res.StatusCode <= 504
	if !ours || rang || known && slices.Contains(calleesCauses, cause) {
		return v
	}
	v.next, v.trouble, v.rest = true, v.outcome.Reason, retryAfter(res)
	return v
}

// meaning is the event that a status leads to.
func meaning(status int, rang, declineIsBusy bool) event.Type {
	switch status {
	case sip.StatusBusyHere, sip.StatusGlobalBusyEverywhere:
		return event.VoiceBusy
	case sip.StatusTemporarilyUnavailable, sip.StatusRequestTerminated:
		return event.VoiceNoAnswer
	case sip.StatusRequestTimeout:
		if rang {
			return event.VoiceNoAnswer
		}
	case sip.StatusGlobalDecline:
		if declineIsBusy {
			return event.VoiceBusy
		}
	}
	return event.VoiceFailed
}

// causes are the events that a cause of ITU-T Q.850 leads to, whatever the SIP status
// beside it: gateways hide the cause behind 480, 500 and 503.
var causes = map[int]event.Type{
	17: event.VoiceBusy,     // user busy
	18: event.VoiceNoAnswer, // no user responding
	19: event.VoiceNoAnswer, // no answer from user
	20: event.VoiceNoAnswer, // subscriber absent
	1:  event.VoiceFailed,   // unallocated number
	21: event.VoiceFailed,   // call rejected
	28: event.VoiceFailed,   // invalid number format
	34: event.VoiceFailed,   // no circuit available
	38: event.VoiceFailed,   // network out of order
	41: event.VoiceFailed,   // temporary failure
}

// calleesCauses are about the number or the callee. Another trunk would hear the same.
var calleesCauses = []int{1, 17, 18, 19, 20, 21, 28}

// reason is what people read: "SIP 480 Temporarily Unavailable, Q.850 cause 18".
func reason(res *sip.Response) string {
	text := strings.TrimSpace(fmt.Sprintf("SIP %d %s", res.StatusCode, phrase(res.Reason)))
	if cause, ok := q850(res); ok {
		text += ", Q.850 cause " + strconv.Itoa(cause)
	}
	return text
}

// q850 returns the cause of the response's Reason header: `Q.850;cause=16;text="…"`, perhaps
// among others (RFC 3326).
func q850(res *sip.Response) (cause int, ok bool) {
	for _, h := range res.GetHeaders("Reason") {
		for one := range strings.SplitSeq(h.Value(), ",") {
			protocol, parameters, _ := strings.Cut(one, ";")
			if !strings.EqualFold(strings.TrimSpace(protocol), "Q.850") {
				continue
			}
			for p := range strings.SplitSeq(parameters, ";") {
				key, value, _ := strings.Cut(p, "=")
				n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 7) // Q.850 has 7 bits
				if strings.EqualFold(strings.TrimSpace(key), "cause") && err == nil {
					return int(n), true
				}
			}
		}
	}
	return 0, false
}

// retryAfter reads "120 (in maintenance);duration=60" (RFC 3261 section 20.33).
func retryAfter(res *sip.Response) time.Duration {
	h := res.GetHeader("Retry-After")
	if h == nil {
		return 0
	}
	digits := strings.TrimSpace(h.Value())
	if i := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		digits = digits[:i]
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil {
		return 0
	}
	return min(time.Duration(n)*time.Second, maxRetryAfter)
}
