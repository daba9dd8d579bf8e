//go:build unix

package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestOptionsThatCannotWork(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		options Options
		want    string
	}{
		"nothing":            {Options{}, "no program"},
		"an empty program":   {Options{Run: run("")}, "no program"},
		"a missing program":  {Options{Run: run("no-such-program")}, `"no-such-program": executable file not found`},
		"a missing file":     {Options{Run: run("/no/such/program")}, "no such file"},
		"no program":         {Options{Run: run("testdata/header.wav")}, "permission denied"},
		"a varying program":  {Options{Run: run("engine-{voice}")}, "cannot depend on a placeholder"},
		"a wrong name":       {Options{Run: run("sh", "--speed={speed}")}, "there is no placeholder {speed}"},
		"a zero byte":        {Options{Run: run("sh", "a\x00b")}, "zero byte"},
		"an odd voice":       {Options{Run: run("sh"), Voices: map[string]string{"joanna": "x"}}, `"joanna" is neither`},
		"a voice of nothing": {Options{Run: run("sh"), Voices: map[string]string{"Joanna": ""}}, `"Joanna" has no value`},
		"an odd environment": {Options{Run: run("sh"), Env: []string{"HOME"}}, `"HOME" is not NAME=value`},
		"a nameless one":     {Options{Run: run("sh"), Env: []string{"=x"}}, "is not NAME=value"},
		"a negative rate":    {Options{Run: run("sh"), Rate: -1}, "-1 samples a second"},
		"a mad rate":         {Options{Run: run("sh"), Rate: 1 << 20}, "1048576 samples a second"},
		"a negative timeout": {Options{Run: run("sh"), Timeout: -1}, "may be negative"},
		"negative bytes":     {Options{Run: run("sh"), MaxBytes: -1}, "may be negative"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(tc.options)
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "speech engine command: ") {
				t.Errorf("New = %v, want an error with %q", err, tc.want)
			}
		})
	}
}

// TestVersion: whatever decides how the program sounds changes the version.
func TestVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	model := filepath.Join(dir, "amy.onnx")
	if err := os.WriteFile(model, []byte("model"), 0o600); err != nil {
		t.Fatal(err)
	}
	options := func() Options {
		return Options{Run: run("sh", filepath.Join(dir, "{voice}.onnx")), Voices: map[string]string{"Joanna": "amy", "*": "amy"}}
	}
	version := func(change func(*Options)) string {
		o := options()
		change(&o)
		e, err := New(o)
		if err != nil {
			t.Fatalf("New = %v", err)
		}
		return e.Version()
	}
	same := version(func(*Options) {})
	if again := version(func(o *Options) { o.Timeout, o.MaxBytes = time.Hour, 1 }); again != same {
		t.Errorf("Version = %q and %q with other limits, want no change", same, again)
	}
	seen := map[string]string{same: "nothing"}
	note := func(what, v string) {
		if other, ok := seen[v]; ok {
			t.Errorf("Version with %s changed is %q, as with %s changed", what, v, other)
		}
		seen[v] = what
	}
	for what, change := range map[string]func(*Options){
		"an argument": func(o *Options) { o.Run = append(o.Run, "-x") },
		"split":       func(o *Options) { o.Run = append(o.Run, "-", "x") },
		"a voice":     func(o *Options) { o.Voices["*"] = "joe" },
		"SSML":        func(o *Options) { o.SSML = true },
		"the rate":    func(o *Options) { o.Rate = 8000 },
		"environment": func(o *Options) { o.Env = []string{"A=b"} },
		"the version": func(o *Options) { o.Version = "2" },
		"another one": func(o *Options) { o.Version = "3" },
	} {
		note(what, version(change))
	}
	fixed := version(func(o *Options) { o.Version = "2" })
	if err := os.WriteFile(model, []byte("a better model"), 0o600); err != nil {
		t.Fatal(err)
	}
	note("a file", version(func(*Options) {}))
	if again := version(func(o *Options) { o.Version = "2" }); again != fixed {
		t.Errorf("Version = %q and %q with a version of the operator, though only a file changed", fixed, again)
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, want string }{
		{"Hello, world. 1 < 2 & 3", "Hello, world. 1 < 2 & 3"},
		{" a\tb\r\nc\u00a0\u2028d ", "a b c d"},
		{"[[[a]]] [\x00[ [ [", "[ [ [a]]] [ [ [ ["},
		{"\x0150S\x7f\x9b\u202e\ue000\xff", "50S"},
		{"\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"},
		{"", ""},
	} {
		if got := clean(tc.in); got != tc.want {
			t.Errorf("clean(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("[[a]]\x0150S\xff\u202e")
	f.Fuzz(func(t *testing.T, in string) {
		out := clean(in)
		if strings.Contains(out, "[[") || !utf8.ValidString(out) || strings.ContainsFunc(out, unicode.IsControl) || strings.Contains(out, "  ") {
			t.Errorf("clean(%q) = %q", in, out)
		}
		if again := clean(out); again != out {
			t.Errorf("clean(%q) = %q, but cleaned again %q", in, out, again)
		}
	})
}
