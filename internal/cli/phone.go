package cli

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"tidings/internal/phone"
)

type phoneCmd struct {
	Listen      string        `default:"127.0.0.1:5070" placeholder:"ADDRESS" help:"Where to be called, by UDP and TCP (${default})."`
	Recordings  string        `placeholder:"DIR" help:"Write what is heard to WAV files there; nowhere if left out."`
	Ring        time.Duration `placeholder:"DURATION" help:"How long phones ring that are picked up or declined; as the simulated ones if left out."`
	HangUp      time.Duration `default:"3s" placeholder:"DURATION" help:"After how long the phone that hangs up in the middle does so (${default})."`
	Username    string        `placeholder:"NAME" help:"Demand digest authentication of callers; nobody is asked if left out."`
	Password    string        `placeholder:"SECRET" help:"The password that goes with --username; that of TIDINGS_PHONE_PASSWORD if left out."`
	ListenTLS   string        `name:"listen-tls" placeholder:"ADDRESS" help:"Where to be called by TLS."`
	Certificate string        `placeholder:"FILE" help:"Certificate for --listen-tls (PEM)."`
	Key         string        `placeholder:"FILE" help:"Key of the certificate (PEM)."`
}

func (phoneCmd) Help() string {
	return "It answers by the number dialled, as the simulated phones do: see tidings simulator numbers. Point a trunk of the server at it, and call."
}

// Run is a telephone until ctx ends.
func (c phoneCmd) Run(ctx context.Context, w World) error {
	if c.Password == "" && c.Username != "" {
		c.Password = w.Getenv("TIDINGS_PHONE_PASSWORD")
	}
	log := slog.New(slog.NewTextHandler(w.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	opts := phone.Options{
		Listen: c.Listen, ListenTLS: c.ListenTLS, Username: c.Username, Password: c.Password,
		Ring: c.Ring, HangUp: c.HangUp, Recordings: c.Recordings, Log: log,
		Say: func(h phone.Happening) { sayHappening(w.Stdout, h) },
	}
	if (c.ListenTLS == "") != (c.Certificate == "") || (c.Certificate == "") != (c.Key == "") {
		return misuse{fmt.Errorf("--listen-tls, --certificate and --key go together")}
	}
	if c.Password != "" && c.Username == "" {
		return misuse{fmt.Errorf("--password goes with --username")}
	}
	if c.Ring < 0 || c.HangUp < 0 {
		return misuse{fmt.Errorf("--ring and --hang-up cannot be negative")}
	}
	if c.ListenTLS != "" {
		pair, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
		if err != nil {
			return misuse{err}
		}
		opts.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	if c.Recordings != "" {
		if err := os.MkdirAll(c.Recordings, 0o700); err != nil {
			return err
		}
	}
	p, err := phone.New(opts)
	if err != nil {
		return err
	}
	fmt.Fprintf(w.Stdout, "The phone can be called at %s. Stop it with Ctrl-C.\n", p.Addr())
	return p.Run(ctx)
}

// sayHappening prints one line.
func sayHappening(out io.Writer, h phone.Happening) {
	number := h.Number
	if number == "" {
		number = "?"
	}
	fmt.Fprintf(out, "%s %s %s\n", h.At.Format(time.TimeOnly), printable(number), h.What)
}

// printable leaves of a number what cannot upset a terminal.
func printable(number string) string {
	clean := make([]byte, 0, len(number))
	for i := range min(len(number), 64) {
		if c := number[i]; c > ' ' && c < 0x7f {
			clean = append(clean, c)
		}
	}
	return string(clean)
}
