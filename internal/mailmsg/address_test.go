package mailmsg_test

import (
	"errors"
	"net/mail"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tidings/internal/mailmsg"
)

func TestParseAddress(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]mailmsg.Address{
		"a@example.com":                             {Local: "a", Domain: "example.com"},
		" a+b.c@Example.COM ":                       {Local: "a+b.c", Domain: "Example.COM"},
		"<a@example.com>":                           {Local: "a", Domain: "example.com"},
		"A B <a@example.com>":                       {Name: "A B", Local: "a", Domain: "example.com"},
		`"B, A" <a@example.com>`:                    {Name: "B, A", Local: "a", Domain: "example.com"},
		"J. R. <a@example.com>":                     {Name: "J. R.", Local: "a", Domain: "example.com"},
		"=?UTF-8?Q?J=C3=BCrgen?= <a@example.com>":   {Name: "Jürgen", Local: "a", Domain: "example.com"},
		"=?iso-8859-1?Q?J=FCrgen?= <a@example.com>": {Name: "Jürgen", Local: "a", Domain: "example.com"},
		"=?Shift_JIS?B?k/qWew==?= <a@example.com>":  {Name: "日本", Local: "a", Domain: "example.com"},
		"Jürgen <a@example.com>":                    {Name: "Jürgen", Local: "a", Domain: "example.com"},
		`"a b"@example.com`:                         {Local: "a b", Domain: "example.com"},
		"a@bücher.example":                          {Local: "a", Domain: "bücher.example"},
		"a@localhost":                               {Local: "a", Domain: "localhost"},
	} {
		got, err := mailmsg.ParseAddress(in)
		if err != nil || got != want {
			t.Errorf("ParseAddress(%q) = %+v, %v, want %+v", in, got, err, want)
		}
	}
}

func TestParseAddressRefuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                   "Empty address",
		"  ":                                 "Empty address",
		"nobody":                             "Missing final '@domain'",
		"a@":                                 "Missing final '@domain'",
		"@example.com":                       "Missing local name",
		"a b@example.com":                    "Local address contains control or whitespace",
		"a@exam ple.com":                     "Domain contains control or whitespace",
		"a@.example.com":                     "Domain starts with dot",
		"ü@example.com":                      "Local address contains characters that are not ASCII",
		"a@exa$mple.com":                     "Domain contains illegal character",
		"a@-example.com":                     "Domain contains illegal character",
		"a@[192.0.2.1]":                      "Domain contains illegal character",
		"a@b@c.example":                      "Illegal address",
		"a@example.com, b@example.com":       "Illegal address",
		"friends: a@example.com;":            "Groups of addresses are not supported",
		"a@example.com\r\nBcc: b@x.example":  "Local address contains control or whitespace",
		strings.Repeat("a", 400) + "@b.test": "The address is too long",
	} {
		_, err := mailmsg.ParseAddress(in)
		bad, ok := errors.AsType[*mailmsg.AddressError](err)
		if !ok || bad.Reason != want {
			t.Errorf("ParseAddress(%q) = %v, want %q", in, err, want)
		}
	}
}

func TestParseAddressList(t *testing.T) {
	t.Parallel()
	got, err := mailmsg.ParseAddressList(`a@example.com, "B, C" <b@example.com>,c@example.com`)
	want := []mailmsg.Address{{Local: "a", Domain: "example.com"}, {Name: "B, C", Local: "b", Domain: "example.com"}, {Local: "c", Domain: "example.com"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("ParseAddressList = %v (-want +got):\n%s", err, diff)
	}
	if all, err := mailmsg.ParseAddressList("a@example.com, nobody"); err == nil {
		t.Errorf("ParseAddressList of a malformed address = %v, nil, want an error", all)
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"a@example.com", "A <A@EXAMPLE.com>", true},
		{"a@bücher.example", "a@xn--bcher-kva.example", true},
		{"a@BÜCHER.example", "a@XN--BCHER-KVA.example", true},
		{"a@example.com", "b@example.com", false},
		{"a@example.com", "a@example.org", false},
	} {
		a, b := parse(t, c.a), parse(t, c.b)
		if a.Same(b) != c.want || (a.Key() == b.Key()) != c.want {
			t.Errorf("%q and %q: Same = %t, Key = %q and %q, want %t", c.a, c.b, a.Same(b), a.Key(), b.Key(), c.want)
		}
	}
}

func parse(tb testing.TB, s string) mailmsg.Address {
	tb.Helper()
	a, err := mailmsg.ParseAddress(s)
	if err != nil {
		tb.Fatalf("ParseAddress(%q) = %v", s, err)
	}
	return a
}

func TestDomainASCII(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Example.COM": "example.com", "bücher.example": "xn--bcher-kva.example", "": "", "a..b": "", ".a": "", "a.": "", "a b": "",
		"日本.example": "xn--wgv71a.example", strings.Repeat("a", 64) + ".b": "", strings.Repeat("a.", 127) + "b": "", "_dmarc.example": "_dmarc.example",
	} {
		if got := mailmsg.DomainASCII(in); got != want {
			t.Errorf("DomainASCII(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestAddressString sees that the standard library reads what String writes.
func TestAddressString(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := mailmsg.Address{
			Name:   rapid.StringOf(rapid.RuneFrom([]rune("aB 1.,;:\"\\<>()@=?_üß日本😀'-"))).Draw(t, "name"),
			Local:  rapid.StringMatching(`[a-z0-9!#$%&'*+/=?^_{|}~-]{1,20}(\.[a-z0-9]{1,5})?|[a-z "\\@.]{1,9}`).Draw(t, "local"),
			Domain: "example.com",
		}
		if strings.TrimSpace(want.Name) != want.Name {
			return // who writes a name with blanks around it does not mean them
		}
		s := want.String()
		read, err := mail.ParseAddress(s)
		if err != nil {
			t.Fatalf("ParseAddress(%q) = %v", s, err)
		}
		if read.Name != want.Name {
			t.Fatalf("the name in %q is %q, want %q", s, read.Name, want.Name)
		}
		if got := parseIn(t, s); got != want {
			t.Fatalf("ParseAddress(%q) = %+v, want %+v", s, got, want)
		}
	})
}

func parseIn(t *rapid.T, s string) mailmsg.Address {
	a, err := mailmsg.ParseAddress(s)
	if err != nil {
		t.Fatalf("ParseAddress(%q) = %v", s, err)
	}
	return a
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"a@example.com", `"a b" <"c d"@example.com>`, "=?utf-8?b?w7w=?= <a@b.c>", "a@b, c@d", "g: a@b;", "a@bücher.example", "a(comment)@b.c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		all, err := mailmsg.ParseAddressList(s)
		if err != nil {
			return
		}
		for _, a := range all {
			if a.ASCII() == "" || strings.ContainsAny(a.String(), "\r\n\x00") {
				t.Fatalf("ParseAddressList(%q) has %+v, which cannot be written", s, a)
			}
			again, err := mailmsg.ParseAddress(a.ASCII())
			if err != nil || !again.Same(a) {
				t.Fatalf("ParseAddress(%q) = %+v, %v, want the mailbox %+v", a.ASCII(), again, err, a)
			}
		}
	})
}

func BenchmarkParseAddress(b *testing.B) {
	for _, s := range []string{"jane.doe@example.com", "Jane Doe <jane.doe@example.com>"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := mailmsg.ParseAddress(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
