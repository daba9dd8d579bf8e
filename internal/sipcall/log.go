package sipcall

import (
	"context"
	"log/slog"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// trace writes one line per SIP message, without numbers, credentials and bodies.
func (d *Dialer) trace(way string, m sip.Message) {
	if !d.Log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{slog.String("way", way)}
	switch m := m.(type) {
	case *sip.Request:
		attrs = append(attrs, slog.String("method", phrase(string(m.Method))), slog.String("to", m.MessageData.Destination()))
	case *sip.Response:
		attrs = append(attrs, slog.Int("status", m.StatusCode), slog.String("phrase", phrase(m.Reason)))
	}
	if s := m.Source(); way == "receive" {
		attrs = append(attrs, slog.String("from", s))
	}
	if q := m.CSeq(); q != nil {
		attrs = append(attrs, slog.String("cseq", phrase(q.Value())))
	}
	if id := m.CallID(); id != nil {
		attrs = append(attrs, slog.String("call", phrase(string(*id))))
	}
	attrs = append(attrs, slog.Int("body", len(m.Body())))
	d.Log.LogAttrs(context.Background(), slog.LevelDebug, "sip", attrs...)
}

// quiet makes a logger for sipgo: what it says is for debugging, and messages that it
// quotes, with numbers and credentials in them, are left out.
func quiet(log *slog.Logger) *slog.Logger { return slog.New(&quietHandler{log.Handler()}) }

type quietHandler struct{ next slog.Handler }

func (q *quietHandler) Enabled(ctx context.Context, _ slog.Level) bool {
	return q.next.Enabled(ctx, slog.LevelDebug)
}

func (q *quietHandler) Handle(ctx context.Context, r slog.Record) error {
	lean := slog.NewRecord(r.Time, slog.LevelDebug, "sipgo: "+r.Message, r.PC)
	parsing := strings.Contains(r.Message, "parse") || strings.Contains(r.Message, "handle")
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "error":
			if !parsing { // what cannot be parsed is quoted
				lean.AddAttrs(a)
			}
		case "laddr", "raddr", "network", "caller", "dur":
			lean.AddAttrs(a)
		}
		return true
	})
	return q.next.Handle(ctx, lean)
}

func (q *quietHandler) WithAttrs([]slog.Attr) slog.Handler { return q }
func (q *quietHandler) WithGroup(string) slog.Handler      { return q }
