package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tidings": main, "tidings-get": get})
}

// get is a program that prints what a GET of its argument answers.
func get() {
	resp, err := http.Get(os.Args[1])
	if err == nil {
		_, err = io.Copy(os.Stdout, resp.Body)
		err = errors.Join(err, resp.Body.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestScripts runs the program from outside, as its users do. Beside testscript's own
// commands a script has:
//
//	serve [args]               start "tidings serve" and wait until it is ready; sets $API and $ADMIN
//	halt, crash                end it by SIGTERM, or by SIGKILL
//	hangup                     send it SIGHUP
//	phone [args]               start "tidings phone" and wait until it can be called; sets $PHONE, and what it says is in phone.out
//	unplug                     end it as Ctrl-C does
//	call METHOD PATH [BODY]    send a signed request; standard output is the status, a blank, and the body
//	await REGEXP GLOB          wait until a line of a file that matches GLOB matches REGEXP
//	until-output REGEXP CMD…   run the command again and again until its output matches REGEXP
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			s := &session{}
			env.Values["session"] = s
			env.Defer(s.end)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": serve,
			"halt":  func(ts *testscript.TestScript, _ bool, _ []string) { of(ts).signal(ts, syscall.SIGTERM) },
			"crash": func(ts *testscript.TestScript, _ bool, _ []string) { of(ts).signal(ts, syscall.SIGKILL) },
			"hangup": func(ts *testscript.TestScript, _ bool, _ []string) {
				ts.Check(of(ts).process.Process.Signal(syscall.SIGHUP))
			},
			"phone":        phone,
			"unplug":       unplug,
			"call":         call,
			"await":        await,
			"until-output": untilOutput,
		},
	})
}

// session is the server that a script runs, and the phone.
type session struct {
	process *exec.Cmd
	log     bytes.Buffer
	phone   *exec.Cmd
}

func of(ts *testscript.TestScript) *session { return ts.Value("session").(*session) }

func (s *session) end() {
	if s.process != nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
		s.process = nil
	}
	if s.phone != nil {
		_ = s.phone.Process.Kill()
		_ = s.phone.Wait()
		s.phone = nil
	}
}

func phone(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	program, err := exec.LookPath(filepath.Join(firstDir(ts.Getenv("PATH")), "tidings"))
	ts.Check(err)
	out, err := os.Create(ts.MkAbs("phone.out"))
	ts.Check(err)
	defer func() { _ = out.Close() }()
	s.phone = exec.Command(program, append([]string{"phone", "--listen", "127.0.0.1:0"}, args...)...)
	s.phone.Dir, s.phone.Stdout, s.phone.Stderr = ts.MkAbs("."), out, out
	s.phone.Env = []string{"HOME=" + ts.MkAbs(".")}
	ts.Check(s.phone.Start())
	address := regexp.MustCompile(`called at (\S+)\.`)
	ticks := time.NewTicker(10 * time.Millisecond)
	defer ticks.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-ticks.C {
		if found := address.FindStringSubmatch(ts.ReadFile("phone.out")); found != nil {
			ts.Setenv("PHONE", found[1])
			return
		}
	}
	ts.Fatalf("the phone cannot be called:\n%s", ts.ReadFile("phone.out"))
}

func unplug(ts *testscript.TestScript, _ bool, _ []string) {
	s := of(ts)
	ts.Check(s.phone.Process.Signal(os.Interrupt))
	err := s.phone.Wait()
	s.phone = nil
	if err != nil {
		ts.Fatalf("the phone ended with %v\n%s", err, ts.ReadFile("phone.out"))
	}
}

func serve(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	program, err := exec.LookPath(filepath.Join(firstDir(ts.Getenv("PATH")), "tidings"))
	ts.Check(err)
	s.process = exec.Command(program, append([]string{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", ts.MkAbs("data")}, args...)...)
	s.process.Dir = ts.MkAbs(".")
	s.process.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.MkAbs("."), "SECRET=" + ts.Getenv("SECRET")}
	s.log.Reset()
	s.process.Stderr = &s.log
	out, err := s.process.StdoutPipe()
	ts.Check(err)
	ts.Check(s.process.Start())
	var ready struct{ API, Admin string }
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		_ = s.process.Wait()
		s.process = nil
		ts.Fatalf("the server did not become ready: %v\n%s", err, s.log.String())
	}
	ts.Setenv("API", ready.API)
	ts.Setenv("ADMIN", ready.Admin)
}

func firstDir(path string) string { return strings.Split(path, string(os.PathListSeparator))[0] }

func (s *session) signal(ts *testscript.TestScript, sig syscall.Signal) {
	ts.Check(s.process.Process.Signal(sig))
	err := s.process.Wait()
	s.process = nil
	if err != nil && sig != syscall.SIGKILL {
		ts.Fatalf("the server ended with %v\n%s", err, s.log.String())
	}
	ts.Check(os.WriteFile(ts.MkAbs("serve.log"), s.log.Bytes(), 0o600))
}

func call(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: call METHOD PATH [BODY]")
	}
	var body []byte
	if len(args) == 3 {
		body = []byte(args[2])
	}
	req, err := http.NewRequest(args[0], ts.Getenv("API")+args[1], bytes.NewReader(body))
	ts.Check(err)
	keyID, secret := "test", "test"
	if id := ts.Getenv("KEY"); id != "" {
		keyID, secret = id, ts.Getenv("SECRET")
	}
	service := "mobiletargeting"
	if strings.HasPrefix(args[1], "/v1/sms-voice/") {
		service = "sms-voice"
	}
	if strings.Contains(args[1], "/email/") {
		service = "ses"
	}
	sum := sha256.Sum256(body)
	credentials := aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}
	ts.Check(v4.NewSigner().SignHTTP(req.Context(), credentials, req, hex.EncodeToString(sum[:]), service, "us-east-1", time.Now()))
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if (resp.StatusCode < 300) == neg {
		ts.Fatalf("%s %s: unexpected %s %s", args[0], args[1], resp.Status, text)
	}
	_, _ = fmt.Fprintf(ts.Stdout(), "%d %s %s\n", resp.StatusCode, resp.Header.Get("x-amzn-ErrorType"), text)
	var said struct{ NextToken, Arn, Id string }
	if json.Unmarshal(text, &said) != nil {
		return
	}
	if said.NextToken != "" {
		ts.Setenv("NEXT", said.NextToken)
	}
	if said.Arn != "" {
		ts.Setenv("APP", said.Id)
	}
}

// patience bounds every wait of a script.
const patience = 20 * time.Second

func await(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: await REGEXP GLOB")
	}
	wanted := regexp.MustCompile(args[0])
	ticks := time.NewTicker(10 * time.Millisecond)
	defer ticks.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-ticks.C {
		files, err := filepath.Glob(ts.MkAbs(args[1]))
		ts.Check(err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			ts.Check(err)
			for line := range strings.Lines(string(text)) {
				if wanted.MatchString(line) {
					_, _ = fmt.Fprint(ts.Stdout(), line)
					return
				}
			}
		}
	}
	ts.Fatalf("no line of %s matches %s", args[1], args[0])
}

func untilOutput(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: until-output REGEXP COMMAND [args]")
	}
	wanted := regexp.MustCompile(args[0])
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-ticks.C {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if out := ts.ReadFile("stdout"); wanted.MatchString(out) {
			_, _ = fmt.Fprint(ts.Stdout(), out)
			return
		}
	}
	ts.Fatalf("the output of %s never matches %s", strings.Join(args[1:], " "), args[0])
}
