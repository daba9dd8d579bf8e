package tracking

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestTokenRoundTrip(t *testing.T) {
	t.Parallel()
	l := links(t)
	rapid.Check(t, func(t *rapid.T) {
		want := token{
			target: "https://e.example/" + rapid.String().Draw(t, "target"),
			id: rapid.OneOf(rapid.Just(messageID), rapid.Just(strings.ToUpper(messageID)), rapid.String(),
				rapid.StringMatching(`0100[0-9a-f]{12}-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}-00000[01]`)).Draw(t, "id"),
			tags: rapid.String().Draw(t, "tags"),
		}
		m := l.maker(want.id, "")
		u, err := url.Parse(m.link(want.target, want.tags))
		if err != nil {
			t.Fatalf("Parse = %v", err)
		}
		if got, err := l.read(u.EscapedPath()); err != nil || got != want {
			t.Fatalf("read(%q) = %+v, %v, want %+v", u.EscapedPath(), got, err, want)
		}
		// A proxy may undo the escapes.
		if strings.Contains(want.target, "%") {
			return
		}
		if got, err := l.read(u.Path); err != nil || got != want {
			t.Fatalf("read(%q) = %+v, %v, want %+v", u.Path, got, err, want)
		}
	})
}

// TestTokenIsNotForged changes each byte of a link, and mixes parts of two.
func TestTokenIsNotForged(t *testing.T) {
	t.Parallel()
	l := links(t)
	m := l.maker(messageID, "")
	link := strings.TrimPrefix(m.link("https://e.example/", "a:b"), "https://track.example")
	pixel := strings.TrimPrefix(m.pixel(), "https://track.example")
	for _, path := range []string{link, pixel} {
		want, err := l.read(path)
		if err != nil {
			t.Fatalf("read(%q) = %v", path, err)
		}
		for i := range len(path) {
			for _, c := range "aA0/%._-" {
				forged := path[:i] + string(c) + path[i+1:]
				if got, err := l.read(forged); err == nil && got != want {
					t.Errorf("read(%q) = %+v, nil, want an error", forged, got)
				}
			}
		}
	}
	part := strings.Split(strings.TrimPrefix(link, linkPath), "/")
	own := strings.Split(strings.TrimPrefix(pixel, pixelPath), "/")
	for _, path := range []string{
		"", "/", linkPath, linkPath + "/", linkPath + "//", pixelPath, pixelPath + "/",
		pixelPath + part[1] + "/" + part[2],                    // a link's signature for a pixel
		linkPath + "https:%2F%2Fevil/" + own[0] + "/" + own[1], // a pixel's for a link
		linkPath + "https:%2F%2Fevil/" + part[1] + "/" + part[2],
		linkPath + part[0] + "/" + own[0] + "/" + part[2],
		linkPath + part[0] + "/" + part[1] + "/" + part[2] + "A",
		linkPath + part[0] + "/" + part[1] + "/",
		linkPath + "/" + own[0] + "/" + own[1],
		linkPath + strings.Repeat("a", maxToken) + "/" + part[1] + "/" + part[2],
	} {
		if got, err := l.read(path); err == nil {
			t.Errorf("read(%q) = %+v, nil, want an error", path, got)
		}
	}
	other, err := New(Settings{URL: "https://track.example", Secret: []byte("another secret of ours")})
	if err != nil {
		t.Fatalf("New = %v", err)
	}
	if _, err := other.read(link); err == nil {
		t.Errorf("read(%q) with another secret = nil, want an error", link)
	}
}

func TestParseTags(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]map[string][]string{
		"":                    nil,
		"k:v":                 {"k": {"v"}},
		"k:v;k2:v2;":          {"k": {"v"}, "k2": {"v2"}},
		" k : v ; k:w":        {"k": {"v", "w"}},
		"novalue;:x;k:":       {"k": {""}},
		"url:https://e/?a;;;": {"url": {"https://e/?a"}},
	} {
		if diff := cmp.Diff(want, parseTags(in)); diff != "" {
			t.Errorf("parseTags(%q) (-want +got):\n%s", in, diff)
		}
	}
}

func FuzzToken(f *testing.F) {
	l, err := New(Settings{URL: "https://track.example", Secret: []byte("a secret of sixteen bytes")})
	if err != nil {
		f.Fatal(err)
	}
	m := l.maker(messageID, "")
	link := strings.TrimPrefix(m.link("https://e.example/", "a:b"), "https://track.example")
	pixel := strings.TrimPrefix(m.pixel(), "https://track.example")
	made := map[token]bool{{target: "https://e.example/", id: messageID, tags: "a:b"}: true, {id: messageID}: true}
	for _, s := range []string{link, pixel, "/L0/https:%2F%2Fe/AA/AA", "/I0/AA/AA", "/L0/%zz/AA/AA"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if got, err := l.read(path); err == nil && !made[got] {
			t.Fatalf("read(%q) = %+v, which was never signed; signed were %v", path, got, slices.Collect(maps.Keys(made)))
		}
		if id, tags, err := unpack([]byte(path)); err == nil {
			again, more, err := unpack(pack(id, tags))
			if err != nil || again != id || more != tags {
				t.Fatalf("unpack(pack(%q, %q)) = %q, %q, %v", id, tags, again, more, err)
			}
		}
	})
}
