package deps

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// root is the folder of the repository, seen from this one.
const root = "../.."

type goPackage struct {
	ImportPath string
	GoFiles    []string
	CgoFiles   []string
	Imports    []string
}

// packages lists the packages of this module, without those that only test.
func packages(t testing.TB) []goPackage {
	t.Helper()
	look(t)
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,GoFiles,CgoFiles,Imports", "./...")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1") // otherwise files with cgo are not listed
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var all []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("decode the list of packages: %v", err)
		}
		if len(p.GoFiles)+len(p.CgoFiles) > 0 && !strings.HasPrefix(room(p.ImportPath), "test/") {
			all = append(all, p)
		}
	}
}

// look looks at every source file, so that the go command knows that this test depends on
// them: what only a child process reads does not keep it from a cached result.
func look(t testing.TB) {
	t.Helper()
	for _, folder := range []string{"cmd", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, _ fs.DirEntry, err error) error {
			if err == nil && filepath.Ext(path) == ".go" {
				_, err = os.Stat(path)
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a file may go while others work
			t.Fatalf("look at the source files: %v", err)
		}
	}
}

func TestImportLaw(t *testing.T) {
	t.Parallel()
	all := packages(t)
	if len(all) < 10 {
		t.Fatalf("go list found %d packages, want the whole house", len(all))
	}
	for _, p := range all {
		for _, breach := range breaches(p.ImportPath, p.Imports) {
			t.Error(breach)
		}
		if len(p.CgoFiles) > 0 {
			t.Errorf("%s uses cgo in %v: the binary is static, find a way in Go", room(p.ImportPath), p.CgoFiles)
		}
	}
}

// TestEveryRowSpeaks finds rows for rooms that were moved or deleted.
func TestEveryRowSpeaks(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, p := range packages(t) {
		key, _ := row(rooms, room(p.ImportPath))
		used[key] = true
	}
	for key, list := range rooms {
		if !used[key] {
			t.Errorf("the table has a row for %s, and there is no such room: delete the row", key)
		}
		for _, entry := range list {
			if _, ok := row(rooms, entry); !ok && entry != everything {
				t.Errorf("the row of %s names %s, which has no row itself", key, entry)
			}
		}
	}
}

func TestBreaches(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		path    string
		imports []string
		want    []string // beginnings of the sentences
	}{
		{"allowed", "tidings/internal/event", []string{"time", "tidings/internal/tenant"}, nil},
		{"a feature imports its store", "tidings/internal/voice", []string{"tidings/internal/natsstore"}, []string{"voice imports natsstore,"}},
		{"upwards", "tidings/internal/tenant", []string{"tidings/internal/event"}, []string{"tenant imports event,"}},
		{"a sink nobody listed", "tidings/internal/sink/webhook", []string{"net/http", "tidings/internal/sink"}, nil},
		{"sink to sink", "tidings/internal/sink/webhook", []string{"tidings/internal/sink/file"}, []string{"sink/webhook imports sink/file,"}},
		{"family to family", "tidings/internal/api/ses", []string{"tidings/internal/api/smsvoice"}, []string{"api/ses imports api/smsvoice,"}},
		{"a family uses a protocol", "tidings/internal/api/ses", []string{"tidings/internal/awsapi/restjson"}, nil},
		{"the wiring may do anything", "tidings/internal/app", []string{"tidings/internal/natsstore", "tidings/internal/sink/file"}, nil},
		{"main wires nothing", "tidings/cmd/tidings", []string{"tidings/internal/app"}, []string{"cmd/tidings imports app,"}},
		{"unknown room", "tidings/internal/util", []string{"fmt"}, []string{"util has no row"}},
		{"nats at home", "tidings/internal/natsstore", []string{"github.com/nats-io/nats.go/jetstream"}, nil},
		{"nats abroad", "tidings/internal/fanout", []string{"github.com/nats-io/nats.go"}, []string{"fanout imports github.com/nats-io/nats.go,"}},
		{"unknown library", "tidings/internal/fanout", []string{"github.com/nobody/nothing"}, []string{"fanout imports github.com/nobody/nothing, which no room owns"}},
		{"two at once", "tidings/internal/arn", []string{"tidings/internal/app", "github.com/goccy/go-yaml"}, []string{"arn imports app,", "arn imports github.com/goccy/go-yaml,"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := breaches(tt.path, tt.imports)
			same := slices.EqualFunc(got, tt.want, strings.HasPrefix)
			if !same {
				t.Errorf("breaches(%q, %q) = %q, want sentences beginning with %q", tt.path, tt.imports, got, tt.want)
			}
		})
	}
}

// TestArchitectureTable holds the table that people read to the one that is enforced.
func TestArchitectureTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(root + "/docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatalf("read the table of rooms: %v", err)
	}
	documented, err := roomsTable(string(text))
	if err != nil {
		t.Fatalf("docs/ARCHITECTURE.md: %v", err)
	}
	enforced := map[string][]string{}
	for name, list := range rooms {
		enforced[name] = slices.Sorted(slices.Values(list)) // nil for an empty list, as importsCell has it
	}
	if diff := cmp.Diff(enforced, documented); diff != "" {
		t.Errorf("the table \"Rooms\" of docs/ARCHITECTURE.md and internal/deps differ; edit both together (-enforced +documented):\n%s", diff)
	}
}

// roomsTable reads the table "| room | holds | may import |" of the section "Rooms".
func roomsTable(markdown string) (map[string][]string, error) {
	_, section, found := strings.Cut(markdown, "\n## Rooms\n")
	if !found {
		return nil, errors.New(`there is no section "## Rooms"`)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	table := map[string][]string{}
	inTable := false
	for line := range strings.Lines(section) {
		line = strings.TrimSpace(line)
		cells := strings.Split(strings.Trim(line, "|"), "|")
		switch {
		case !strings.HasPrefix(line, "|"):
			inTable = false
		case len(cells) != 3:
			return nil, fmt.Errorf("the line %q has %d cells, want 3", line, len(cells))
		case strings.TrimSpace(cells[0]) == "room":
			inTable = true
		case inTable && strings.Trim(cells[0], " -:") != "":
			name := strings.Trim(cells[0], " `")
			if _, twice := table[name]; twice {
				return nil, fmt.Errorf("the room %s has two rows", name)
			}
			table[name] = importsCell(cells[2])
		}
	}
	if len(table) == 0 {
		return nil, errors.New(`the section "Rooms" has no table "| room | holds | may import |"`)
	}
	return table, nil
}

// importsCell reads the names of a cell, which may be in backquotes and divided by spaces
// or commas. What follows a semicolon is about libraries. A dash stands for nothing.
func importsCell(cell string) []string {
	ours, _, _ := strings.Cut(cell, ";")
	names := strings.FieldsFunc(ours, func(r rune) bool { return strings.ContainsRune(" ,`–—", r) })
	names = slices.DeleteFunc(names, func(n string) bool { return n == "-" })
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return names
}

func TestRoomsTable(t *testing.T) {
	t.Parallel()
	const head = "# A\n\n## Rooms\n\nProse.\n\n| room | holds | may import |\n|---|---|---|\n"
	tests := []struct {
		name, text string
		want       map[string][]string
		wantErr    string
	}{
		{"names", head + "| `voice` | calls | event, `fault` arn |\n", map[string][]string{"voice": {"arn", "event", "fault"}}, ""},
		{"nothing", head + "| arn | ARNs | – |\n| fault | kinds | - |\n", map[string][]string{"arn": nil, "fault": nil}, ""},
		{"libraries", head + "| natsstore | disk | event; nats-server, nats.go |\n", map[string][]string{"natsstore": {"event"}}, ""},
		{"only this section", head + "| arn | ARNs | – |\n\n## More\n\n| room | holds | may import |\n|---|---|---|\n| x | y | z |\n", map[string][]string{"arn": nil}, ""},
		{"twice", head + "| arn | ARNs | – |\n| arn | ARNs | – |\n", nil, "two rows"},
		{"cells", head + "| arn | ARNs |\n", nil, "2 cells"},
		{"no section", "# A\n", nil, "no section"},
		{"no table", "# A\n\n## Rooms\n\nProse.\n", nil, "no table"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := roomsTable(tt.text)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("roomsTable() = %v, %v, want an error with %q", got, err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatalf("roomsTable() = %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("roomsTable() differs (-want +got):\n%s", diff)
			}
		})
	}
}
