package natssink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"tidings/internal/sink"
)

// passing checks that err is a failure of everything, for now, that says these words.
func passing(t *testing.T, what string, err error, words ...string) {
	t.Helper()
	if _, partial := errors.AsType[*sink.PartialError](err); err == nil || partial || errors.Is(err, sink.ErrPermanent) {
		t.Fatalf("Deliver, %s = %v, want a failure of all that may pass", what, err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("Deliver, %s = %q, want it to say %q", what, err, word)
		}
	}
	if text := err.Error(); len(text) > 500 || strings.Contains(text, "\n") || strings.Contains(text, "hunter2") {
		t.Errorf("Deliver, %s = %q, want one short line without secrets", what, text)
	}
}

// connect returns a connection of the test's own.
func connect(t testing.TB, s *server.Server, options ...nats.Option) jetstream.JetStream {
	t.Helper()
	own, err := nats.Connect(s.ClientURL(), options...)
	if err != nil {
		t.Fatalf("Connect = %v", err)
	}
	t.Cleanup(own.Close)
	js, err := jetstream.New(own)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// TestTheServerRestarts on the same port, between deliveries and with its stream on disk.
func TestTheServerRestarts(t *testing.T) {
	t.Parallel()
	disk, port := t.TempDir(), -1
	begin := func() *server.Server {
		s := startServer(t, func(o *server.Options) { o.StoreDir, o.Port = disk, port })
		port = s.Addr().(*net.TCPAddr).Port
		return s
	}
	first := begin()
	js := connect(t, first)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: theStream, Subjects: []string{"events.>"}}); err != nil {
		t.Fatal(err)
	}
	s := openSink(t, newDriver(t, Settings{URL: first.ClientURL(), Subject: "events.x"}), "alerts")
	if err := s.Deliver(soon(t), batchOf(`{"n":1}`)); err != nil {
		t.Fatalf("Deliver = %v", err)
	}
	first.Shutdown()
	first.WaitForShutdown()
	for range 2 {
		passing(t, "server gone", s.Deliver(soon(t), batchOf(`{"n":"lost"}`)))
	}
	second := begin()
	if err := s.Deliver(soon(t), batchOf(`{"n":2}`)); err != nil {
		t.Fatalf("Deliver after the restart = %v", err)
	}
	stream, err := connect(t, second).Stream(t.Context(), theStream)
	if err != nil {
		t.Fatal(err)
	}
	if got := stream.CachedInfo().State.Msgs; got != 2 {
		t.Errorf("%d messages are stored, want 2: nothing waited for the server to come back", got)
	}
}

// TestTheServerComesLater: nobody is there when the sink is opened.
func TestTheServerComesLater(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	s := openSink(t, newDriver(t, Settings{URL: fmt.Sprintf("nats://127.0.0.1:%d", port), Subject: "x", Core: true}), "alerts")
	passing(t, "nobody listening", s.Deliver(soon(t), batchOf(`{}`)), "nats subject x", "connect")
	startServer(t, func(o *server.Options) { o.Port = port })
	if err := s.Deliver(soon(t), batchOf(`{}`)); err != nil {
		t.Errorf("Deliver with the server there = %v", err)
	}
}

// TestNoStreamStoresTheSubject, until somebody makes one.
func TestNoStreamStoresTheSubject(t *testing.T) {
	t.Parallel()
	f := newFar(t)
	settings := f.settings()
	settings.Subject = "other.{name}"
	s := openSink(t, newDriver(t, settings), "alerts")
	passing(t, "no stream", s.Deliver(soon(t), batchOf(`{}`, `{}`)), "nats subject other.alerts: no stream stores it: create one that does, or set stream: false")
	f.addStream(t, jetstream.StreamConfig{Name: "OTHER", Subjects: []string{"other.*"}})
	if err := s.Deliver(soon(t), batchOf(`{"n":1}`)); err != nil {
		t.Errorf("Deliver with a stream = %v", err)
	}
	if got := len(f.stored(t, "OTHER")); got != 1 {
		t.Errorf("%d messages are stored, want 1", got)
	}
}

// TestAServerWithoutJetStream takes core messages alone.
func TestAServerWithoutJetStream(t *testing.T) {
	t.Parallel()
	far := startServer(t, func(o *server.Options) { o.JetStream = false })
	settings := Settings{URL: far.ClientURL(), Subject: "calls"}
	passing(t, "no JetStream", openSink(t, newDriver(t, settings), "a").Deliver(soon(t), batchOf(`{}`)), "no stream stores it")
	settings.Core = true
	if err := openSink(t, newDriver(t, settings), "a").Deliver(soon(t), batchOf(`{}`)); err != nil {
		t.Errorf("Deliver without a stream = %v", err)
	}
}

// TestOnlyRefusedMessagesFail: each has an acknowledgement of its own.
func TestOnlyRefusedMessagesFail(t *testing.T) {
	t.Parallel()
	f := newFar(t)
	f.addStream(t, jetstream.StreamConfig{Name: theStream, Subjects: []string{"events.>"}, MaxMsgs: 2, Discard: jetstream.DiscardNew, MaxMsgSize: 50_000})
	s := openSink(t, newDriver(t, f.settings()), "alerts")
	batch := batchOf(`{"n":0}`, strings.Repeat("x", 60_000), ` `, `{"n":3}`, `{"n":4}`, strings.Repeat("y", 2<<20))
	err := s.Deliver(soon(t), batch)
	partial, ok := errors.AsType[*sink.PartialError](err)
	if !ok {
		t.Fatalf("Deliver = %v, want a partial failure", err)
	}
	got := map[int]bool{}
	for i, err := range partial.Failed {
		got[i] = errors.Is(err, sink.ErrPermanent)
	}
	// The stream is full after two, which passes.
	if diff := cmp.Diff(map[int]bool{1: true, 2: true, 4: false, 5: true}, got); diff != "" {
		t.Errorf("failed, by whether for good (-want +got):\n%s", diff)
	}
	f.addStream(t, jetstream.StreamConfig{Name: theStream, Subjects: []string{"events.>"}, MaxMsgSize: 50_000})
	if err := s.Deliver(soon(t), batch[4:5]); err != nil {
		t.Errorf("Deliver of what failed for now = %v", err)
	}
}

// TestWhoWeAre lets the server ask for each kind of credentials.
func TestWhoWeAre(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		server       func(*server.Options)
		good, bad    func(*Settings)
		wordsOfError string
	}{
		"token": {
			func(o *server.Options) { o.Authorization = "hunter2" },
			func(s *Settings) { s.Token = "hunter2" }, func(s *Settings) { s.Token = "hunter22" }, "Authorization Violation",
		},
		"user": {
			func(o *server.Options) { o.Username, o.Password = "tidings", "hunter2" },
			func(s *Settings) { s.Username, s.Password = "tidings", "hunter2" }, func(*Settings) {}, "Authorization Violation",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := startServer(t, tc.server)
			settings := Settings{URL: far.ClientURL(), Subject: "calls", Core: true}
			wrong := settings
			tc.bad(&wrong)
			for range 2 {
				passing(t, "not known", openSink(t, newDriver(t, wrong), "a").Deliver(soon(t), batchOf(`{}`)), tc.wordsOfError)
			}
			tc.good(&settings)
			if err := openSink(t, newDriver(t, settings), "a").Deliver(soon(t), batchOf(`{}`)); err != nil {
				t.Errorf("Deliver with credentials = %v", err)
			}
		})
	}
}

// credentials makes an operator, an account and a user of it, and the file of the user.
func credentials(t *testing.T) (operator *jwt.OperatorClaims, account, accountJWT, file string) {
	t.Helper()
	pair := func(make func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string) {
		k, err := make()
		if err != nil {
			t.Fatal(err)
		}
		public, err := k.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		return k, public
	}
	operatorKey, operatorID := pair(nkeys.CreateOperator)
	accountKey, accountID := pair(nkeys.CreateAccount)
	userKey, userID := pair(nkeys.CreateUser)
	accountJWT, err := jwt.NewAccountClaims(accountID).Encode(operatorKey)
	if err != nil {
		t.Fatal(err)
	}
	userJWT, err := jwt.NewUserClaims(userID).Encode(accountKey)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := userKey.Seed()
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.FormatUserConfig(userJWT, seed)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "tidings.creds")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return jwt.NewOperatorClaims(operatorID), accountID, accountJWT, file
}

func TestACredentialsFile(t *testing.T) {
	t.Parallel()
	operator, account, accountJWT, file := credentials(t)
	resolver := &server.MemAccResolver{}
	if err := resolver.Store(account, accountJWT); err != nil {
		t.Fatal(err)
	}
	far := startServer(t, func(o *server.Options) {
		o.JetStream = false
		o.TrustedKeys, o.AccountResolver = []string{operator.Subject}, resolver
	})
	settings := Settings{URL: far.ClientURL(), Subject: "calls", Core: true}
	passing(t, "nobody", openSink(t, newDriver(t, settings), "a").Deliver(soon(t), batchOf(`{}`)), "Authorization")
	settings.Credentials = file
	d := newDriver(t, settings)
	if err := openSink(t, d, "a").Deliver(soon(t), batchOf(`{}`)); err != nil {
		t.Errorf("Deliver with credentials = %v", err)
	}
}

// TestWhatWeMayNotDo: the server complains beside the messages, and never answers.
func TestWhatWeMayNotDo(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		core bool
		may  *server.Permissions
	}{
		"publish":               {false, &server.Permissions{Publish: &server.SubjectPermission{Allow: []string{"events.*.other", "$JS.>"}}}},
		"publish to nobody":     {true, &server.Permissions{Publish: &server.SubjectPermission{Allow: []string{"events.*.other"}}}},
		"hear acknowledgements": {false, &server.Permissions{Subscribe: &server.SubjectPermission{Deny: []string{"_INBOX.>"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := startServer(t, func(o *server.Options) {
				o.Users = []*server.User{
					{Username: "tidings", Password: "hunter2", Permissions: tc.may},
					{Username: "owner", Password: "hunter2"},
				}
			})
			js := connect(t, far, nats.UserInfo("owner", "hunter2"))
			if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: theStream, Subjects: []string{"events.>"}}); err != nil {
				t.Fatal(err)
			}
			d := newDriver(t, Settings{
				URL: far.ClientURL(), Subject: "events.{account}.{name}", Core: tc.core, Username: "tidings", Password: "hunter2",
			})
			alerts, other := openSink(t, d, "alerts"), openSink(t, d, "other")
			for range 2 {
				passing(t, "forbidden", alerts.Deliver(soon(t), batchOf(`{}`, `{}`)), "Permissions Violation")
				if err := other.Deliver(soon(t), batchOf(`{}`)); (err == nil) != (tc.may.Subscribe == nil) {
					t.Errorf("Deliver to a subject beside = %v", err)
				}
			}
		})
	}
}

// TestTheConnectionBreaks while deliveries are under way: what is reported arrived has.
func TestTheConnectionBreaks(t *testing.T) {
	t.Parallel()
	const workers, rounds = 8, 50
	f := newFar(t)
	s := openSink(t, newDriver(t, f.settings()), "alerts")
	var mu sync.Mutex
	arrived := map[string]bool{}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for r := range rounds {
				if w == 0 && r%10 == 5 {
					f.proxy.cut()
				}
				ctx, cancel := context.WithCancel(t.Context())
				if r%7 == 3 {
					go cancel() // at any moment
				}
				batch := batchOf(fmt.Sprintf("%d/%d/a", w, r), fmt.Sprintf("%d/%d/b", w, r))
				err := s.Deliver(ctx, batch)
				cancel()
				partial, isPartial := errors.AsType[*sink.PartialError](err)
				mu.Lock()
				for i := range batch {
					if err == nil || isPartial && partial.Failed[i] == nil {
						arrived[string(batch[i].Event.Record)] = true
					}
				}
				mu.Unlock()
				if errors.Is(err, sink.ErrPermanent) {
					t.Errorf("Deliver = %v, want nothing permanent", err)
				}
			}
		})
	}
	wg.Wait()
	stored := map[string]bool{}
	for _, r := range f.received(t) {
		stored[string(r)] = true
	}
	for r := range arrived {
		if !stored[r] {
			t.Errorf("%s counts as delivered and is not there", r)
		}
	}
	if len(arrived) < workers*rounds {
		t.Errorf("%d of %d messages arrived", len(arrived), 2*workers*rounds)
	}
}

// TestAServerThatReadsNoMore: the buffers fill, and a write hangs.
func TestAServerThatReadsNoMore(t *testing.T) {
	t.Parallel()
	for name, core := range map[string]bool{"stream": false, "core": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFar(t)
			settings := f.settings()
			settings.Core = core
			s := openSink(t, newDriver(t, settings), "alerts")
			if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
				t.Fatalf("Deliver = %v", err)
			}
			reached, release := f.proxy.hang(t)
			defer release()
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			large := strings.Repeat("x", 500_000)
			go func() {
				records := make([]string, 40) // more than all buffers on the way take
				for i := range records {
					records[i] = fmt.Sprintf("%d%s", i, large)
				}
				done <- s.Deliver(ctx, batchOf(records...))
			}()
			<-reached
			cancel()
			passing(t, "nobody reads", <-done, "context canceled")
		})
	}
}
