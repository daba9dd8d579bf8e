package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
)

// envPrefix begins the name of every environment variable that overrides a key.
const envPrefix = "TIDINGS_"

// override lays the environment over the configuration: TIDINGS_VOICE_LINES over voice.lines.
func (c *Config) override(getenv func(string) string) error {
	var problems Problems
	eachKey(reflect.ValueOf(c).Elem(), "", func(key string, field reflect.Value) {
		name := EnvName(key)
		text := getenv(name)
		if text == "" {
			return
		}
		if field.Kind() == reflect.String {
			field.SetString(text)
			return
		}
		if err := yaml.Unmarshal([]byte(text), field.Addr().Interface()); err != nil {
			problems.add(name, text, "not a value for %s: %v", key, firstLine(err))
		}
	})
	return problems.err()
}

// EnvName is the environment variable that overrides key.
func EnvName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// eachKey visits the scalar keys of v in the order of the struct. Lists are left out.
func eachKey(v reflect.Value, prefix string, visit func(key string, field reflect.Value)) {
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag.Get("yaml")
		if tag == "" || tag == "-" {
			continue
		}
		key, field := prefix+tag, v.Field(i)
		switch field.Kind() {
		case reflect.Struct:
			eachKey(field, key+".", visit)
		case reflect.Slice, reflect.Map, reflect.Pointer:
		default:
			visit(key, field)
		}
	}
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Key   string // where: "voice.lines", "accounts[0].id"
	Value string // what stands there; a secret is masked
	Text  string // what is wrong and what would be right
}

// Problems is everything that is wrong, as one error.
type Problems []Problem

func (p *Problems) add(key string, value any, format string, args ...any) {
	*p = append(*p, Problem{Key: key, Value: fmt.Sprint(value), Text: fmt.Sprintf(format, args...)})
}

func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// Error prints one problem a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = fmt.Sprintf("%s = %q: %s", one.Key, one.Value, one.Text)
	}
	return strings.Join(lines, "\n")
}
