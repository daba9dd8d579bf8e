package awssink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"tidings/internal/sink"
)

func withRole(d *double) Settings {
	s := d.settings()
	s.AssumeRole = true
	return s
}

// expire ends the credentials of all roles that were handed out so far.
func (d *double) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range d.keys {
		if k.ID != ownKey {
			k.Expires = d.now().Add(-time.Second)
		}
	}
}

// TestARoleIsAssumedOnceForAll delivers often, by several sinks, at once.
func TestARoleIsAssumedOnceForAll(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	driver := newDriver(t, withRole(d))
	var wg sync.WaitGroup
	for range 4 {
		for _, target := range targets() {
			s := openSink(t, driver, target)
			wg.Go(func() {
				for range 5 {
					if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
						t.Errorf("Deliver to %s = %v", target.ARN, err)
					}
				}
			})
		}
	}
	wg.Wait()
	if d.assumed != 1 {
		t.Errorf("the role was assumed %d times, want once", d.assumed)
	}
	form := d.forms[slices.Index(d.calls, "sts.AssumeRole")]
	for name, want := range map[string]string{
		"RoleArn": theRole, "RoleSessionName": "tidings", "ExternalId": theAccount, "DurationSeconds": "3600",
	} {
		if got := form.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	other := target("sns", "alerts")
	other.Tenant.Account = "210987654321"
	if err := openSink(t, driver, other).Deliver(t.Context(), batchOf(`{}`)); err != nil {
		t.Fatalf("Deliver = %v", err)
	}
	if d.assumed != 2 {
		t.Errorf("the role was assumed %d times, want once for each external ID", d.assumed)
	}
}

func TestExternalIDOfTheOperator(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	settings := withRole(d)
	settings.ExternalID = "tidings@example/1"
	driver := newDriver(t, settings)
	for _, account := range []string{theAccount, "210987654321"} {
		to := target("sns", "alerts")
		to.Tenant.Account = account
		if err := openSink(t, driver, to).Deliver(t.Context(), batchOf(`{}`)); err != nil {
			t.Fatalf("Deliver = %v", err)
		}
	}
	if got := d.forms[0].Get("ExternalId"); got != settings.ExternalID || d.assumed != 1 {
		t.Errorf("ExternalId = %q, assumed %d times, want %q once", got, d.assumed, settings.ExternalID)
	}
}

func TestWithoutARoleTheServerSigns(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	plain := target("sns", "alerts")
	plain.Role = ""
	for _, assume := range []bool{true, false} {
		settings := d.settings()
		settings.AssumeRole = assume
		if err := openSink(t, newDriver(t, settings), plain).Deliver(t.Context(), batchOf(`{}`)); err != nil {
			t.Fatalf("Deliver = %v", err)
		}
	}
	if d.assumed != 0 {
		t.Errorf("a role was assumed %d times, want never", d.assumed)
	}
}

func TestExpiredCredentialsAreRenewedOnce(t *testing.T) {
	t.Parallel()
	calls := map[string]string{"sns": "sns.Publish", "firehose": "firehose.PutRecordBatch", "kinesis": "kinesis.PutRecords", "logs": "logs.PutLogEvents"}
	for service, target := range targets() {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			d := newDouble(t)
			s := openSink(t, newDriver(t, withRole(d)), target)
			if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
				t.Fatalf("Deliver = %v", err)
			}
			d.took()
			d.expire()
			if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
				t.Errorf("Deliver with expired credentials = %v, want them renewed", err)
			}
			if got, want := d.took(), []string{calls[service], "sts.AssumeRole", calls[service]}; !slices.Equal(got, want) {
				t.Errorf("calls = %q, want %q", got, want)
			}
			d.say(func(w http.ResponseWriter, r *request) bool {
				if r.service != "sts" {
					r.fail(w, http.StatusBadRequest, "ExpiredTokenException", "The security token included in the request is expired")
				}
				return r.service != "sts"
			})
			if err := s.Deliver(t.Context(), batchOf(`{}`)); err == nil || errors.Is(err, sink.ErrPermanent) {
				t.Errorf("Deliver = %v, want a failure that may pass", err)
			}
			if got, want := d.took(), []string{calls[service], "sts.AssumeRole", calls[service]}; !slices.Equal(got, want) {
				t.Errorf("calls = %q, want %q and no more", got, want)
			}
		})
	}
}

// TestManyFindTheCredentialsExpired: one renewal serves all.
func TestManyFindTheCredentialsExpired(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openSink(t, newDriver(t, withRole(d)), target("sns", "alerts"))
	if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
		t.Fatalf("Deliver = %v", err)
	}
	d.expire()
	const many = 16
	arrived, all := make(chan struct{}, many), make(chan struct{})
	var wg sync.WaitGroup
	for range many {
		wg.Go(func() {
			arrived <- struct{}{}
			<-all
			if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
				t.Errorf("Deliver = %v", err)
			}
		})
	}
	for range many {
		<-arrived
	}
	close(all)
	wg.Wait()
	if d.assumed != 2 {
		t.Errorf("the role was assumed %d times, want twice", d.assumed)
	}
}

// TestStaticCredentialsAreNotTriedAgain: the same ones would come again.
func TestStaticCredentialsAreNotTriedAgain(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	d.keys[ownKey].SessionToken, d.keys[ownKey].Expires = "token", time.Now().Add(-time.Hour)
	settings := d.settings()
	settings.SessionToken = "token"
	s := openSink(t, newDriver(t, settings), target("sns", "alerts"))
	if err := s.Deliver(t.Context(), batchOf(`{}`)); err == nil || !strings.Contains(err.Error(), "ExpiredToken") {
		t.Errorf("Deliver = %v, want ExpiredToken", err)
	}
	if got := len(d.took()); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

// TestRolesAreRenewedBeforeTheyExpire: credentials that end within minutes are renewed, and
// when that does not work they are used to their end, without asking STS at each delivery.
func TestRolesAreRenewedBeforeTheyExpire(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	d.life = 4 * time.Minute
	settings := withRole(d)
	var log bytes.Buffer
	settings.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s := openSink(t, newDriver(t, settings), target("sns", "alerts"))
	deliver := func() {
		t.Helper()
		if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
			t.Fatalf("Deliver = %v", err)
		}
	}
	deliver()
	deliver()
	if d.assumed != 2 {
		t.Errorf("the role was assumed %d times, want 2", d.assumed)
	}
	d.took()
	d.say(func(w http.ResponseWriter, r *request) bool {
		if r.service == "sts" {
			r.fail(w, http.StatusServiceUnavailable, "ServiceUnavailable", "later")
		}
		return r.service == "sts"
	})
	deliver()
	deliver()
	if got, want := d.took(), []string{"sts.AssumeRole", "sns.Publish", "sns.Publish"}; !slices.Equal(got, want) {
		t.Errorf("calls = %q, want %q", got, want)
	}
	if text := log.String(); strings.Count(text, "credentials of a role are not renewed") != 1 || strings.Contains(text, roleToken) || strings.Contains(text, "secret/of") {
		t.Errorf("the log says %q, want one warning without secrets", text)
	}
}

func TestOldCredentialsEndWhenTheyEnd(t *testing.T) {
	t.Parallel()
	now := time.Now()
	r := &role{caller: &caller{now: func() time.Time { return now }}, logger: slog.New(slog.DiscardHandler)}
	failure := errors.New("no")
	keys := aws.Credentials{AccessKeyID: "A", SecretAccessKey: "S", CanExpire: true}
	for name, tc := range map[string]struct {
		old   aws.Credentials
		until time.Time
		want  bool
	}{
		"good for long":    {keys, now.Add(time.Minute), true},
		"good for seconds": {keys, now.Add(renewPause - time.Millisecond), false},
		"expired":          {keys, now.Add(-time.Minute), false},
		"none":             {aws.Credentials{}, now.Add(time.Minute), false},
	} {
		r.until = tc.until
		got, err := r.HandleFailToRefresh(t.Context(), tc.old, failure)
		if (err == nil) != tc.want {
			t.Errorf("%s: HandleFailToRefresh = %v, want use of the old = %v", name, err, tc.want)
		}
		if err == nil && got.Expires.Add(-renewBefore).After(tc.until) {
			t.Errorf("%s: used until %v, they expire at %v", name, got.Expires.Add(-renewBefore), tc.until)
		}
	}
}

func TestARoleThatMayNotBeAssumed(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	settings := withRole(d)
	driver := newDriver(t, settings)
	to := target("sns", "alerts")
	to.Role = "arn:aws:iam::123456789012:role/other"
	err := openSink(t, driver, to).Deliver(t.Context(), batchOf(`{}`))
	if err == nil || errors.Is(err, sink.ErrPermanent) {
		t.Fatalf("Deliver = %v, want a failure that may pass", err)
	}
	if want := "sns Publish: sts AssumeRole: AccessDenied: User: arn:aws:iam::123456789012:user/tidings is not authorized"; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("Deliver = %q, want %q…", err, want)
	}
	if got := d.took(); !slices.Equal(got, []string{"sts.AssumeRole"}) {
		t.Errorf("calls = %q, want one AssumeRole", got)
	}
	// Throttled, STS may say for how long.
	d.then(func(w http.ResponseWriter, r *request) bool {
		w.Header().Set("Retry-After", "9")
		return failing(http.StatusBadRequest, "Throttling", "Rate exceeded")(w, r)
	})
	if got := sink.Delay(openSink(t, driver, to).Deliver(t.Context(), batchOf(`{}`))); got != 9*time.Second {
		t.Errorf("the delay of STS = %v, want 9s", got)
	}
}

// TestNobodyWaitsForSTS: the delivery ends with its context; the next one gets the answer.
func TestNobodyWaitsForSTS(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	s := openSink(t, newDriver(t, withRole(d)), target("sns", "alerts"))
	reached, release := d.hang(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Deliver(ctx, batchOf(`{}`)) }()
	<-reached
	cancel()
	if err := <-done; err == nil || errors.Is(err, sink.ErrPermanent) {
		t.Errorf("cancelled Deliver = %v, want a failure that may pass", err)
	}
	release()
	if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
		t.Errorf("the next Deliver = %v", err)
	}
	if d.assumed != 1 {
		t.Errorf("the role was assumed %d times, want once", d.assumed)
	}
}

func TestRolesInMemoryAreBounded(t *testing.T) {
	t.Parallel()
	driver := newDriver(t, Settings{AssumeRole: true})
	for i := range maxRoles + 100 {
		to := target("sns", "alerts")
		to.Role = fmt.Sprintf("arn:aws:iam::123456789012:role/r%d", i)
		driver.signer(to)
	}
	if got := len(driver.roles); got != maxRoles {
		t.Errorf("%d roles are kept, want %d", got, maxRoles)
	}
}

// TestTheDefaultChain is loaded with the first delivery, not before; a failure to load it
// passes; and it is loaded anew when what it found has expired.
func TestTheDefaultChain(t *testing.T) {
	t.Parallel()
	d := newDouble(t)
	driver := newDriver(t, Settings{Endpoint: d.server.URL})
	var loads int
	var loadErr error
	found := credentials.NewStaticCredentialsProvider(ownKey, ownSecret, "")
	own, _ := driver.own.credentials.(*chain)
	own.load = func(context.Context) (aws.CredentialsProvider, error) { loads++; return found, loadErr }
	s := openSink(t, driver, target("sns", "alerts"))
	if loads != 0 {
		t.Errorf("the chain was loaded %d times before the first delivery", loads)
	}
	loadErr = errors.New("the file is a directory")
	if err := s.Deliver(t.Context(), batchOf(`{}`)); err == nil || errors.Is(err, sink.ErrPermanent) || !strings.Contains(err.Error(), "the file is a directory") {
		t.Errorf("Deliver = %v, want a failure that says why", err)
	}
	loadErr = nil
	for range 3 {
		if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
			t.Errorf("Deliver = %v", err)
		}
	}
	if loads != 2 {
		t.Errorf("the chain was loaded %d times, want 2", loads)
	}
	d.mu.Lock()
	d.keys["AKIDNEW"] = d.keys[ownKey]
	delete(d.keys, ownKey)
	d.mu.Unlock()
	found = credentials.NewStaticCredentialsProvider("AKIDNEW", ownSecret, "")
	if err := s.Deliver(t.Context(), batchOf(`{}`)); err != nil {
		t.Errorf("Deliver after the key was exchanged = %v, want nil", err)
	}
}

// TestTheDefaultChainCanBePutTogether runs the SDK's own loading, whatever this machine's
// environment says.
func TestTheDefaultChainCanBePutTogether(t *testing.T) {
	t.Parallel()
	if provider, err := loadChain(t.Context()); err != nil || provider == nil {
		t.Errorf("loadChain = %v, %v", provider, err)
	}
}
