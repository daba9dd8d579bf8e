package faults

import (
	"fmt"
	"strings"
	"testing"
)

// line is a record of message "m<serial>".
func line(serial int, kind string, at int) string {
	return fmt.Sprintf(`{"eventType":%q,"isFinal":%v,"messageId":"m%d","originationPhoneNumber":%q,"eventTimestamp":%d}`,
		kind, kind != "INITIATED_CALL" && kind != "RINGING" && kind != "ANSWERED", serial, numberOf(serial), at)
}

// TestOracle holds the oracle itself to what it must find.
func TestOracle(t *testing.T) {
	t.Parallel()
	begun, busy := line(0, "INITIATED_CALL", 1), line(0, "BUSY", 2)
	tests := []struct {
		name      string
		logged    []string
		arrived   []string
		want      totals
		complaint string // a part of one; "" = there must be none
	}{
		{"all is well", []string{begun, busy}, []string{begun, busy}, totals{acknowledged: 1, logged: 2, owed: 2, arrived: 2}, ""},
		{"lost", []string{begun, busy}, []string{busy}, totals{acknowledged: 1, logged: 2, owed: 2, arrived: 1, lost: 1}, ""},
		{"repeated", []string{begun, busy}, []string{begun, busy, busy}, totals{acknowledged: 1, logged: 2, owed: 2, arrived: 2, duplicates: 1}, ""},
		{"no end", []string{begun}, []string{begun}, totals{acknowledged: 1, logged: 1, owed: 1, arrived: 1, open: 1}, ""},
		{"nothing at all", nil, nil, totals{acknowledged: 1, open: 1}, ""},
		{"two ends", []string{begun, busy, line(0, "FAILED", 2)}, nil, totals{acknowledged: 1, logged: 3, owed: 3, lost: 3}, "with 2 ends"},
		{"an end without a beginning", []string{busy}, nil, totals{acknowledged: 1, logged: 1, owed: 1, lost: 1}, "impossible"},
		{"completed without an answer", []string{begun, line(0, "COMPLETED_CALL", 2)}, nil, totals{acknowledged: 1, logged: 2, owed: 2, lost: 2}, "impossible"},
		{"other bytes", []string{begun, busy}, []string{begun, line(0, "BUSY", 3)}, totals{acknowledged: 1, logged: 2, owed: 2, arrived: 1, lost: 1}, "other bytes"},
		{"not in the log", []string{begun, busy}, []string{begun, line(0, "RINGING", 1), busy}, totals{acknowledged: 1, logged: 2, owed: 2, arrived: 3}, "not in the log"},
		{"of nobody", []string{begun, busy}, []string{begun, busy, line(7, "BUSY", 1)}, totals{acknowledged: 1, logged: 2, owed: 2, arrived: 2}, "nobody has asked for"},
		{"torn", []string{begun, busy}, []string{begun, busy, busy[:20]}, totals{acknowledged: 1, logged: 2, owed: 2, arrived: 2}, "the record"},
		{"another message's ID", []string{begun, strings.Replace(busy, "m0", "m1", 1)}, nil, totals{acknowledged: 1, logged: 2, owed: 2, lost: 2}, "both message"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBooks()
			b.acknowledge(b.ask(), "m0")
			for _, text := range tt.logged {
				b.log([]byte(text))
			}
			for _, text := range tt.arrived {
				b.ledger(fileTarget).take([]byte(text))
			}
			if got := b.close(); got != tt.want {
				t.Errorf("close() = %+v, want %+v", got, tt.want)
			}
			if all := strings.Join(b.foul, "\n"); tt.complaint == "" && all != "" || !strings.Contains(all, tt.complaint) {
				t.Errorf("complaints = %q, want %q", all, tt.complaint)
			}
		})
	}
}

// TestOracleOpensEnvelopes holds it to what it must find in webhooks.
func TestOracleOpensEnvelopes(t *testing.T) {
	t.Parallel()
	envelope := func(id, destination, record string) string {
		return fmt.Sprintf(`{"id":%q,"type":"voice.busy","timestamp":"2026-11-21T10:00:00.000Z","account":%q,"region":%q,"configurationSet":%q,"eventDestination":%q,"target":%q,"data":%s}`,
			id, testAccount, testRegion, set, destination, topicARN(destination), record)
	}
	busy := line(0, "BUSY", 2)
	tests := []struct {
		name      string
		arrived   []string
		complaint string
	}{
		{"all is well", []string{envelope("a", "topic", busy), envelope("a", "topic", busy)}, ""},
		{"an ID for two events", []string{envelope("a", "topic", busy), envelope("a", "topic", line(0, "RINGING", 1))}, "stands for two events"},
		{"an event with two IDs", []string{envelope("a", "topic", busy), envelope("b", "topic", busy)}, "other bytes"},
		{"of another destination", []string{envelope("a", "other", busy)}, "not for this destination"},
		{"torn", []string{envelope("a", "topic", busy)[:50]}, "the envelope"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBooks("topic")
			b.acknowledge(b.ask(), "m0")
			for _, text := range tt.arrived {
				if p, ok := b.ledger("topic").open([]byte(text)); ok {
					b.ledger("topic").received([]parcel{p})
				}
			}
			if all := strings.Join(b.foul, "\n"); tt.complaint == "" && all != "" || !strings.Contains(all, tt.complaint) {
				t.Errorf("complaints = %q, want %q", all, tt.complaint)
			}
		})
	}
}
