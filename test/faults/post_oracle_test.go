package faults

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// mailLine is a record of mail "m0", which was sent to two recipients: one takes mail, one
// bounces.
func mailLine(kind, news string) string {
	return fmt.Sprintf(`{"eventType":%q,"mail":{"messageId":"m0","destination":["taken.m0.0@post.example","bounced.m0.1@post.example"]}%s}`, kind, news)
}

// mailEntry is an event of the log.
type mailEntry struct{ id, record string }

// TestPostOracle holds the oracle of mails to what it must find.
func TestPostOracle(t *testing.T) {
	t.Parallel()
	sent := mailEntry{"m0/send", mailLine(mailSend, "")}
	taken := mailEntry{"m0/delivery/0", mailLine(mailDelivery, `,"delivery":{"recipients":["taken.m0.0@post.example"]}`)}
	bounced := mailEntry{"m0/bounce/1", mailLine(mailBounce, `,"bounce":{"bouncedRecipients":[{"emailAddress":"bounced.m0.1@post.example"}]}`)}
	wrong := mailEntry{"m0/delivery/1", mailLine(mailDelivery, `,"delivery":{"recipients":["bounced.m0.1@post.example"]}`)}
	back := mailEntry{"m0/bounce/dsn/1", mailLine(mailBounce, `,"bounce":{"bouncedRecipients":[{"emailAddress":"taken.m0.0@post.example"}],"timestamp":"1"}`)}
	later := mailEntry{back.id, strings.Replace(back.record, `"1"`, `"2"`, 1)}
	good := []mailEntry{sent, taken, bounced}
	lines := []string{sent.record, taken.record, bounced.record}
	tests := []struct {
		name      string
		log       []mailEntry
		file      []string
		retold    bool
		want      postTotals // without byKind and acknowledged, which is 1, and recipients, of which there are 2
		complaint string     // a part of one; "" = there must be none
	}{
		{"all is well", good, lines, false, postTotals{ends: 2, events: 3}, ""},
		{"logged and written twice", append(good, taken), append(lines, taken.record), false, postTotals{ends: 2, events: 3, repeated: 1}, ""},
		{"not in the file", good, lines[:2], false, postTotals{ends: 2, events: 3, missing: 1}, ""},
		{"no end for one", good[:2], lines[:2], false, postTotals{ends: 1, open: 1, events: 2}, ""},
		{"nothing at all", nil, nil, false, postTotals{open: 2}, "0 Send events"},
		{"two ends", append(good, mailEntry{"m0/delivery/2", strings.Replace(taken.record, "}}", `},"x":1}`, 1)}), lines, false, postTotals{ends: 1, twofold: 1, events: 4, missing: 1}, "has 2 ends"},
		{"the wrong end", []mailEntry{sent, taken, wrong}, nil, false, postTotals{ends: 2, events: 3, missing: 3}, "want Bounce"},
		{"other bytes", append(good, mailEntry{taken.id, strings.Replace(taken.record, "}}", `},"x":1}`, 1)}), lines, false, postTotals{ends: 2, events: 3, retold: 1}, "other bytes"},
		{"not sent first", good, []string{taken.record, sent.record, bounced.record}, false, postTotals{ends: 2, events: 3}, "first event in the file"},
		{"not in the log", good[:2], lines, false, postTotals{ends: 1, open: 1, events: 2}, "not in the log"},
		{"torn", good, append(lines, taken.record[:20]), false, postTotals{ends: 2, events: 3}, "the record"},
		{"came back", append(good, back), append(lines, back.record), true, postTotals{ends: 2, events: 4}, ""},
		{"came back and was told anew", append(good, back, later), append(lines, back.record, later.record), true, postTotals{ends: 2, events: 4, retold: 1}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newPostBooks()
			b.retold = tt.retold
			serial, _ := b.ask(byV2, func(serial int) []string {
				return []string{addressOf(fateTaken, serial, 0), addressOf(fateBounced, serial, 1)}
			})
			b.acknowledge(serial, "m0")
			for _, e := range tt.log {
				b.log(e.id, []byte(e.record))
			}
			for _, text := range tt.file {
				b.take([]byte(text))
			}
			got := b.close()
			tt.want.acknowledged, tt.want.recipients, tt.want.byKind = 1, 2, got.byKind
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(postTotals{})); diff != "" {
				t.Errorf("close() (-want +got):\n%s", diff)
			}
			if all := strings.Join(b.foul, "\n"); tt.complaint == "" && all != "" || !strings.Contains(all, tt.complaint) {
				t.Errorf("complaints = %q, want %q", all, tt.complaint)
			}
		})
	}
}

// TestKillsBetween holds the oracle to blaming a kill only for what it can have done.
func TestKillsBetween(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	r := &postRig{kills: []kill{{at(10), at(11)}, {at(20), at(21)}}}
	for _, tt := range []struct {
		first, second int
		want          int
		ok            bool
	}{{1, 2, 0, false}, {9, 12, 0, true}, {10, 12, 0, true}, {12, 19, 0, false}, {12, 22, 1, true}, {22, 30, 0, false}} {
		if got, ok := r.killBetween(at(tt.first), at(tt.second)); got != tt.want || ok != tt.ok {
			t.Errorf("killBetween(%d s, %d s) = %v, %v, want %v, %v", tt.first, tt.second, got, ok, tt.want, tt.ok)
		}
	}
}
