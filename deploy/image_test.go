package deploy_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// stage is one image of the Dockerfile.
type stage struct {
	name, from string
	steps      [][2]string // instruction, the rest
}

// stages reads the Dockerfile.
func stages(tb testing.TB) []*stage {
	tb.Helper()
	text := strings.ReplaceAll(read(tb, "../Dockerfile"), "\\\n", " ")
	var all []*stage
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case word == "" || strings.HasPrefix(word, "#"):
		case word == "FROM":
			from, name, ok := strings.Cut(rest, " AS ")
			if !ok {
				tb.Errorf("the stage from %s has no name", from)
			}
			all = append(all, &stage{name: name, from: from})
		case len(all) == 0:
			tb.Fatalf("%s comes before the first stage", word)
		default:
			s := all[len(all)-1]
			s.steps = append(s.steps, [2]string{word, strings.TrimSpace(rest)})
		}
	}
	return all
}

// values returns what the stage says with the instruction.
func (s *stage) values(instruction string) []string {
	var found []string
	for _, step := range s.steps {
		if step[0] == instruction {
			found = append(found, step[1])
		}
	}
	return found
}

func TestTheImagesRunTheServer(t *testing.T) {
	t.Parallel()
	all := stages(t)
	if len(all) != 3 || all[0].name != "build" || all[1].name != "espeak" || all[2].name != "tidings" || all[2].from != "scratch" {
		t.Fatalf("stages = %+v, want build, espeak, and last, as what is built by default, tidings from scratch", all)
	}
	want := read(t, "../go.mod")
	if _, version, _ := strings.Cut(all[0].from, ":"); !strings.Contains(want, "\ngo "+version) {
		t.Errorf("the build uses %s, which is not the version of go.mod", all[0].from)
	}
	for _, s := range all[1:] {
		for instruction, want := range map[string]string{
			"ENTRYPOINT": `["/tidings"]`, "CMD": `["serve"]`, "USER": "65532:65532", "VOLUME": "/data", "EXPOSE": "4570 4571",
			"HEALTHCHECK": `--interval=10s --timeout=5s --start-period=30s CMD ["/tidings", "status"]`,
		} {
			if got := s.values(instruction); !slices.Equal(got, []string{want}) {
				t.Errorf("%s: %s = %q, want %q", s.name, instruction, got, want)
			}
		}
		checkCopies(t, s, strings.Join(all[0].values("RUN"), " "))
		checkEnvironment(t, s)
	}
}

// checkCopies makes sure that what the image copies was made by the build, and that it has
// what it runs and its data directory, which must belong to its user.
func checkCopies(t *testing.T, s *stage, made string) {
	t.Helper()
	there := map[string]string{}
	for _, c := range s.values("COPY") {
		words := strings.Fields(c)
		from, to := words[len(words)-2], words[len(words)-1]
		there[to] = c
		if words[0] != "--from=build" || strings.HasPrefix(from, "/out/") && !strings.Contains(made, from) {
			t.Errorf("%s copies %s, which the build does not make", s.name, c)
		}
	}
	if there["/tidings"] == "" || !strings.Contains(there["/data"], "--chown=65532:65532") {
		t.Errorf("%s copies %q, want /tidings and, with its owner, /data", s.name, there)
	}
}

// checkEnvironment loads the example with the variables of the image, as the server would.
func checkEnvironment(t *testing.T, s *stage) {
	t.Helper()
	set := map[string]string{}
	for pair := range strings.FieldsSeq(strings.Join(s.values("ENV"), " ")) {
		name, value, _ := strings.Cut(pair, "=")
		set[name] = value
	}
	cfg := example(t, func(name string) string {
		if set[name] != "" {
			return set[name]
		}
		return getenv(name)
	})
	if cfg.Data != "/data" || cfg.Listen != "0.0.0.0:4570" || cfg.Admin != "0.0.0.0:4571" || set["TIDINGS_CONFIG"] != "/etc/tidings/tidings.yaml" {
		t.Errorf("%s: the environment %v makes data %s, listen %s, admin %s", s.name, set, cfg.Data, cfg.Listen, cfg.Admin)
	}
}

// TestTheBuildCopiesAllItNeeds asks the go command whether what the first stage copies, less
// what .dockerignore keeps away, is the whole program.
func TestTheBuildCopiesAllItNeeds(t *testing.T) {
	t.Parallel()
	src := t.TempDir()
	for _, c := range stages(t)[0].values("COPY") {
		words := strings.Fields(c)
		for _, name := range words[:len(words)-1] {
			copyTree(t, name, filepath.Join(src, filepath.FromSlash(words[len(words)-1])))
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,EmbedFiles,Module", "./cmd/tidings")
	cmd.Dir = src
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list in what the build copies: %v\n%s", err, stderr.Bytes())
	}
	ours, embedded := 0, 0
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p struct {
			ImportPath string
			EmbedFiles []string
		}
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(p.ImportPath, "tidings/") {
			ours, embedded = ours+1, embedded+len(p.EmbedFiles)
		}
	}
	if ours < 20 || embedded == 0 {
		t.Errorf("the build has %d packages and %d embedded files, want the whole house", ours, embedded)
	}
}

// copyTree copies a file or directory of the repository to a directory, or under its name
// if that is the root of the build.
func copyTree(t *testing.T, name, to string) {
	t.Helper()
	root := filepath.Join("..", filepath.FromSlash(name))
	info, err := os.Stat(root)
	if err != nil {
		t.Fatalf("the build copies %s: %v", name, err)
	}
	if !info.IsDir() {
		copyFile(t, name, filepath.Join(to, path.Base(name)))
		return
	}
	err = filepath.WalkDir(root, func(file string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		relative, err := filepath.Rel("..", file)
		if err == nil {
			inside, _ := filepath.Rel(filepath.FromSlash(name), relative)
			copyFile(t, filepath.ToSlash(relative), filepath.Join(to, inside))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, name, to string) {
	t.Helper()
	if ignored(t, name) {
		return
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, []byte(read(t, filepath.Join("..", filepath.FromSlash(name)))), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ignored reports whether .dockerignore keeps the file from the builder: the last pattern
// that matches it or a directory above it decides.
func ignored(t *testing.T, name string) bool {
	t.Helper()
	out := false
	for line := range strings.Lines(read(t, "../.dockerignore")) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		pattern, back := strings.CutPrefix(line, "!")
		if covers(pattern, name) {
			out = !back
		}
	}
	return out
}

// covers reports whether the pattern matches the path or one above it. Of what Docker
// knows, it understands what .dockerignore uses: names, stars, and **/ in front.
func covers(pattern, name string) bool {
	anywhere, deep := strings.CutPrefix(pattern, "**/")
	for ; name != "."; name = path.Dir(name) {
		if ok, _ := path.Match(pattern, name); ok && !deep {
			return true
		}
		if ok, _ := path.Match(anywhere, path.Base(name)); ok && deep {
			return true
		}
	}
	return false
}
