package natsstore

import (
	"fmt"
	"log/slog"
	"sync/atomic"
)

// serverLog hands what the embedded server says to our own log: its notices are details
// to us. It also listens: an error is the first sign of a store that cannot write.
type serverLog struct {
	log     *slog.Logger
	onError func()
	fatal   atomic.Pointer[string] // why the server did not start
}

func (l *serverLog) Noticef(format string, v ...any) {
	l.log.Debug(fmt.Sprintf(format, v...))
}

func (l *serverLog) Warnf(format string, v ...any) {
	l.log.Warn(fmt.Sprintf(format, v...))
}

func (l *serverLog) Errorf(format string, v ...any) {
	l.log.Error(fmt.Sprintf(format, v...))
	l.onError()
}

func (l *serverLog) Fatalf(format string, v ...any) {
	l.fatal.Store(new(fmt.Sprintf(format, v...)))
}

func (l *serverLog) Debugf(string, ...any) {}
func (l *serverLog) Tracef(string, ...any) {}

// refusal returns why the server gave up starting, or "".
func (l *serverLog) refusal() string {
	if s := l.fatal.Load(); s != nil {
		return *s
	}
	return ""
}
