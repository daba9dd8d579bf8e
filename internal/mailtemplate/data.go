package mailtemplate

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Data is what a template is filled with: an object of JSON. The zero value is an empty one. It is not changed, and safe for
// concurrent use.
type Data struct{ root object }

// object is an object of JSON that knows the order of its names, as {{#each}} goes by it.
type object struct {
	names  []string
	values map[string]any
}

// ParseData reads an object of JSON; "" is an empty one. It fails with a *DataError.
func ParseData(text string) (Data, error) {
	if strings.TrimSpace(text) == "" {
		return Data{}, nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber() // a number is written as it was read
	value, err := decode(d, 0)
	if err != nil {
		return Data{}, &DataError{Reason: fmt.Sprintf("the data is no JSON: %v", err)}
	}
	if _, err := d.Token(); err != io.EOF {
		return Data{}, &DataError{Reason: "there is something behind the JSON of the data"}
	}
	root, ok := value.(object)
	if !ok {
		return Data{}, &DataError{Reason: "the data is no JSON object"}
	}
	return Data{root: root}, nil
}

// Over returns d laid over base: an attribute of d hides that of base.
func (d Data) Over(base Data) Data {
	if len(base.root.names) == 0 {
		return d
	}
	all := object{values: make(map[string]any, len(base.root.names)+len(d.root.names))}
	for _, from := range []object{base.root, d.root} {
		for _, name := range from.names {
			all.set(name, from.values[name])
		}
	}
	return Data{root: all}
}

// set gives a name a value. A name keeps its first place and gets its last value.
func (o *object) set(name string, value any) {
	if _, ok := o.values[name]; !ok {
		o.names = append(o.names, name)
	}
	o.values[name] = value
}

// decode reads one value: nil, bool, string, json.Number, []any or object.
func decode(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it nests deeper than %d", maxDepth)
	}
	token, err := d.Token()
	if err == io.EOF {
		return nil, io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	if n, ok := token.(json.Number); ok && len(n) > maxName {
		return nil, fmt.Errorf("a number has more than %d digits", maxName)
	}
	mark, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if mark == '[' {
		return decodeArray(d, depth)
	}
	return decodeObject(d, depth)
}

func decodeArray(d *json.Decoder, depth int) (any, error) {
	all := []any{}
	for d.More() {
		one, err := decode(d, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	_, err := d.Token()
	return all, err
}

func decodeObject(d *json.Decoder, depth int) (any, error) {
	all := object{values: map[string]any{}}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if !ok {
			return nil, fmt.Errorf("%v is no name", token)
		}
		value, err := decode(d, depth+1)
		if err != nil {
			return nil, err
		}
		all.set(name, value)
	}
	_, err := d.Token()
	return all, err
}
