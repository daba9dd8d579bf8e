package oracle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// clientTimeout bounds what one foreign client takes for one scenario.
const clientTimeout = 5 * time.Minute

// TestBoto3 goes through the scenarios with boto3, under both names that it has for SMS
// and Voice.
func TestBoto3(t *testing.T) {
	t.Parallel()
	python := pythonWithBoto3(t)
	names := map[string]string{"sms-voice": voiceService}
	for _, service := range allServices {
		names[service] = service
	}
	for name, service := range names {
		for file, sc := range scenarios(t, service) {
			t.Run(name+"/"+file, func(t *testing.T) {
				t.Parallel()
				s := sc.start(t)
				goThrough(t, sc, exec.Command(python, "boto3_oracle.py", name, s.API, scenarioFile(file)))
				sc.checkRecords(t, s)
			})
		}
	}
}

// pythonWithBoto3 finds an interpreter that has boto3: the first one on the path, or
// Debian's, for which Debian packages it.
func pythonWithBoto3(t testing.TB) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), python, "-c", "import boto3").Run() == nil {
			return python
		}
	}
	t.Skip("boto3 is not installed (apt-get install python3-boto3)")
	return ""
}

// TestJavaScript goes through the scenarios with the AWS SDK for JavaScript.
func TestJavaScript(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed")
	}
	for _, service := range allServices {
		if _, err := os.Stat("js/node_modules/@aws-sdk/client-" + service); err != nil {
			t.Skip("the SDK for JavaScript is not installed (make js)")
		}
		for name, sc := range scenarios(t, service) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := sc.start(t)
				cmd := exec.Command("node", "oracle.mjs", service, s.API, filepath.Join("..", scenarioFile(name)))
				cmd.Dir = "js"
				goThrough(t, sc, cmd)
				sc.checkRecords(t, s)
			})
		}
	}
}

func scenarioFile(name string) string { return filepath.Join("testdata", name+".json") }

// goThrough runs a foreign client and fails with what it complains of. The client must
// have made every call: one that does nothing is not right.
func goThrough(t testing.TB, sc scenario, cmd *exec.Cmd) {
	t.Helper()
	out, err := runClient(t, cmd)
	if err != nil {
		t.Errorf("%v\n%s", err, out)
		return
	}
	if want := fmt.Sprintf("%d steps right, 0 wrong\n", sc.calls()); !strings.HasSuffix(string(out), want) {
		t.Errorf("the client ended with %q, want %q", out, want)
	}
}

// runClient runs a client without the settings that a developer may have for the real AWS.
func runClient(t testing.TB, cmd *exec.Cmd) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clientTimeout)
	defer cancel()
	bounded := exec.CommandContext(ctx, cmd.Path, cmd.Args[1:]...)
	bounded.Dir = cmd.Dir
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AWS_") {
			bounded.Env = append(bounded.Env, v)
		}
	}
	bounded.Env = append(bounded.Env,
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
		"PYTHONDONTWRITEBYTECODE=1")
	bounded.Env = append(bounded.Env, cmd.Env...)
	return bounded.CombinedOutput()
}

// TestCLI goes through the steps that are marked for the AWS CLI. It takes about a second
// a call, so these are few; what it adds to boto3 is its own reading of the answers.
func TestCLI(t *testing.T) {
	t.Parallel()
	aws, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the AWS CLI is not installed")
	}
	if out, err := exec.CommandContext(t.Context(), aws, "--version").CombinedOutput(); err != nil {
		t.Skipf("the AWS CLI does not run here: %v\n%s", err, out)
	}
	for _, service := range allServices {
		for name, sc := range scenarios(t, service) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s, values := sc.start(t), map[string]string{}
				for _, st := range sc.Steps {
					if !st.CLI {
						continue
					}
					st = st.with(values)
					got := callCLI(t, aws, s, st.Service, st)
					if problem := st.compare(got); problem != "" {
						t.Errorf("%s: %s", st.Title, problem)
					}
					st.save(t, values, got)
				}
			})
		}
	}
}

var (
	wordStart = regexp.MustCompile(`([a-z])([A-Z])`)
	// What the CLI prints of an error.
	cliError = regexp.MustCompile(`(?s)An error occurred \((\w+)\) when calling the \w+ operation(?: \([^)]*\))?: (.*?)\s*$`)
)

func callCLI(t testing.TB, aws string, s *server, service string, st step) outcome {
	t.Helper()
	operation := strings.ToLower(wordStart.ReplaceAllString(st.Call, "$1-$2"))
	in, err := json.Marshal(plain(st.In))
	if err != nil {
		t.Fatalf("write the input: %v", err)
	}
	cmd := exec.Command(aws, service, operation, "--endpoint-url", s.API, "--output", "json", "--no-paginate")
	if len(st.In) > 0 {
		cmd.Args = append(cmd.Args, "--cli-input-json", string(in))
	}
	key := slices.Concat(st.Credentials, []string{testKey, testSecret}[min(2, len(st.Credentials)):])
	cmd.Env = []string{
		"AWS_ACCESS_KEY_ID=" + key[0], "AWS_SECRET_ACCESS_KEY=" + key[1], "AWS_DEFAULT_REGION=" + testRegion,
		"AWS_MAX_ATTEMPTS=1", "AWS_RETRY_MODE=standard", "AWS_PAGER=",
	}
	out, err := runClient(t, cmd)
	if exit, failed := errors.AsType[*exec.ExitError](err); failed {
		m := cliError.FindStringSubmatch(string(out))
		if m == nil {
			t.Fatalf("%s: exit status %d and\n%s", operation, exit.ExitCode(), out)
		}
		status := 0 // the CLI does not say it
		if st.Error != nil {
			status = st.Error.Status
		}
		return outcome{code: m[1], status: status, message: m[2]}
	}
	if err != nil {
		t.Fatalf("%s: %v", operation, err)
	}
	if strings.TrimSpace(string(out)) == "" {
		return outcome{}
	}
	return outcome{out: decode(t, string(out))}
}
