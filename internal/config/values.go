package config

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Secret is a reference to a secret: env:NAME, file:PATH, or the secret itself. It prints
// as a mask, so that it cannot slip into a log.
type Secret string

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(secret)"
}

// Resolve returns the secret that s refers to. A file's last line break is cut off.
func (s Secret) Resolve(getenv func(string) string) (string, error) {
	if name, ok := strings.CutPrefix(string(s), "env:"); ok {
		value := getenv(name)
		if value == "" {
			return "", fmt.Errorf("the environment variable %s is empty or not set", name)
		}
		return value, nil
	}
	if path, ok := strings.CutPrefix(string(s), "file:"); ok {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		return strings.TrimRight(string(text), "\r\n"), nil
	}
	return string(s), nil
}

// Size is a number of bytes, written with or without a unit: 4096, 64MiB, 10GiB.
type Size int64

var units = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"B", 1}, {"", 1}}

// UnmarshalYAML reads a Size.
func (s *Size) UnmarshalYAML(text []byte) error {
	word := strings.Trim(strings.TrimSpace(string(text)), `"'`)
	for _, u := range units {
		digits, ok := strings.CutSuffix(word, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > (1<<62)/u.bytes {
			break
		}
		*s = Size(n * u.bytes)
		return nil
	}
	return fmt.Errorf("%q is no size: write a number and KiB, MiB, GiB or TiB", word)
}

// String prints the size in the largest unit that divides it.
func (s Size) String() string {
	for _, unit := range []struct {
		suffix string
		bytes  Size
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if s != 0 && s%unit.bytes == 0 {
			return fmt.Sprintf("%d%s", s/unit.bytes, unit.suffix)
		}
	}
	return strconv.FormatInt(int64(s), 10)
}
