package returnpath_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tidings/internal/returnpath"
)

const messageID = "0100019a8b3c4d5e-f81d4fae-7dec-11d0-a765-00a0c91e6bf6-000000"

func TestForAndParse(t *testing.T) {
	t.Parallel()
	p := returnpath.New([]byte("secret"), "bounces.example.com")
	address := p.For(messageID)
	local, domain, _ := strings.Cut(address, "@")
	if domain != "bounces.example.com" || len(local) > 64 || local != strings.ToLower(local) {
		t.Errorf("For(%q) = %q, want at most 64 octets in lower case, at the domain", messageID, address)
	}
	for _, spelling := range []string{address, strings.ToUpper(address), local + "@Bounces.Example.COM"} {
		if id, ok := p.Parse(spelling); !ok || id != messageID {
			t.Errorf("Parse(%q) = %q, %v, want %q", spelling, id, ok, messageID)
		}
	}
	if again := returnpath.New([]byte("secret"), "bounces.example.com").For(messageID); again != address {
		t.Errorf("For(%q) = %q after a restart, want %q as before", messageID, again, address)
	}
}

func TestForWithoutPath(t *testing.T) {
	t.Parallel()
	if got := returnpath.New([]byte("secret"), "").For(messageID); got != "" {
		t.Errorf("For(%q) without a domain = %q, want none", messageID, got)
	}
	p := returnpath.New([]byte("secret"), "example.com")
	for _, id := range []string{
		"",
		"x",
		strings.ToUpper(messageID),
		strings.TrimSuffix(messageID, "0") + "1",
		messageID + "0",
		strings.Replace(messageID, "-7dec", "0-dec", 1),
		strings.Replace(messageID, "f81d", "g81d", 1),
	} {
		if got := p.For(id); got != "" {
			t.Errorf("For(%q) = %q, want none", id, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	p := returnpath.New([]byte("secret"), "example.com")
	address := p.For(messageID)
	local, _, _ := strings.Cut(address, "@")
	for _, bad := range []string{
		"",
		"@example.com",
		"postmaster@example.com",
		local,
		local + "@",
		local + "@example.org",
		local + "@sub.example.com",
		local + "a@example.com",
		"x" + local[1:] + "@example.com",
		local[:len(local)-1] + "1@example.com",
		local[:len(local)-1] + "é@example.com",
		returnpath.New([]byte("other"), "example.com").For(messageID),
	} {
		if id, ok := p.Parse(bad); ok {
			t.Errorf("Parse(%q) = %q, want it refused", bad, id)
		}
	}
	if id, ok := returnpath.New([]byte("secret"), "").Parse(local + "@"); ok {
		t.Errorf("Parse without a domain = %q, want it refused", id)
	}
}

// TestParseKnowsEachChange: no address but the one that was made is read, whichever letter is changed to whatever.
func TestParseKnowsEachChange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := returnpath.New(rapid.SliceOfN(rapid.Byte(), 1, 64).Draw(t, "secret"), "example.com")
		digits := hex.EncodeToString(rapid.SliceOfN(rapid.Byte(), 24, 24).Draw(t, "id"))
		id := fmt.Sprintf("%s-%s-%s-%s-%s-%s-000000", digits[:16], digits[16:24], digits[24:28], digits[28:32], digits[32:36], digits[36:])
		address := p.For(id)
		if got, ok := p.Parse(address); !ok || got != id {
			t.Fatalf("Parse(%q) = %q, %v, want %q", address, got, ok, id)
		}
		at := rapid.IntRange(len("bounce-"), strings.Index(address, "@")-1).Draw(t, "at")
		letter := rapid.SampledFrom([]byte("abcdefghijklmnopqrstuvwxyz234567")).Draw(t, "letter")
		if address[at] == letter {
			return
		}
		changed := address[:at] + string(letter) + address[at+1:]
		if got, ok := p.Parse(changed); ok {
			t.Fatalf("Parse(%q) = %q, want it refused: %q was changed", changed, got, address)
		}
	})
}

// FuzzParse: whatever is read is what For makes, but for its case.
func FuzzParse(f *testing.F) {
	p := returnpath.New([]byte("secret"), "example.com")
	f.Add(p.For(messageID))
	f.Add(strings.ToUpper(p.For(messageID)))
	f.Add("bounce-@example.com")
	f.Add("bounce-" + strings.Repeat("a", 48) + "@example.com")
	f.Fuzz(func(t *testing.T, address string) {
		id, ok := p.Parse(address)
		if ok && !strings.EqualFold(p.For(id), address) {
			t.Errorf("Parse(%q) = %q, whose path is %q", address, id, p.For(id))
		}
	})
}
