package pinpoint

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings/internal/api/apitest"
	"tidings/internal/awsapi"
	"tidings/internal/fault"
	"tidings/internal/pinpoint"
)

// model is what AWS's own model of the API says; see testdata/model.py. A kind is the name
// of a type or of a shape, a list of one kind, or an object with the kind under "*".
type model struct {
	Operations map[string]struct {
		Method, Path   string
		Status         int
		Query          []string
		Request, Reply string
	}
	Shapes map[string]map[string]any
}

func readModel(tb testing.TB) *model {
	tb.Helper()
	text, err := os.ReadFile("testdata/model.json")
	if err != nil {
		tb.Fatal(err)
	}
	m := &model{}
	if err := json.Unmarshal(text, m); err != nil {
		tb.Fatal(err)
	}
	return m
}

// sample makes a value of the kind. Strings say where they stand; what is no string is true
// or 7.
func (m *model) sample(path string, kind any) any {
	switch kind := kind.(type) {
	case []any:
		return []any{m.sample(path+"/0", kind[0])}
	case map[string]any:
		return map[string]any{"key of " + path: m.sample(path+"/*", kind["*"])}
	}
	switch kind {
	case "string":
		return path
	case "integer", "double":
		return 7.0
	case "boolean":
		return true
	}
	object := map[string]any{}
	for name, kind := range m.Shapes[kind.(string)] {
		object[name] = m.sample(path+"/"+name, kind)
	}
	return object
}

// samples are the strings and the names that stand in a sample.
func samples(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		return samples(v[0])
	case map[string]any:
		var all []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if strings.HasPrefix(name, "key of ") {
				all = append(all, name)
			}
			all = append(all, samples(v[name])...)
		}
		return all
	}
	return nil
}

// TestRequestsAndRepliesAgreeWithTheModel sends for each operation a request with every
// member that AWS's model has, and looks for each of them in what the feature was asked; and
// it holds the reply, made from domain objects with everything set, to the model.
func TestRequestsAndRepliesAgreeWithTheModel(t *testing.T) {
	t.Parallel()
	m := readModel(t)
	if served, want := New(Config{}).Operations(), slices.Sorted(maps.Keys(m.Operations)); !slices.Equal(served, want) {
		t.Fatalf("the API serves %v, the model in testdata is of %v", served, want)
	}
	for name, op := range m.Operations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := full()
			tokens, err := awsapi.NewPageTokens(make([]byte, awsapi.PageTokenSecret))
			if err != nil {
				t.Fatal(err)
			}
			api := New(Config{Apps: r, Tokens: tokens})
			target := fill(op.Path)
			if slices.Contains(op.Query, "tagKeys") {
				target += "?tagKeys=one&tagKeys=two"
			}
			body := ""
			var sent any
			if op.Request != "" {
				sent = m.sample("", op.Request)
				text, err := json.Marshal(sent)
				if err != nil {
					t.Fatal(err)
				}
				body = string(text)
			}
			w, err := apitest.Call(t, api, op.Method, target, body)
			if err != nil || w.Code != op.Status {
				t.Fatalf("%s %s = %d, %v, want %d", op.Method, target, w.Code, err, op.Status)
			}
			asked, err := json.Marshal(r.asked)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range samples(sent) {
				quoted, _ := json.Marshal(s)
				if !strings.Contains(string(asked), strings.Trim(string(quoted), `"`)) {
					t.Errorf("what stands at %s does not reach the feature, which was asked %s", s, asked)
				}
			}
			m.checkReply(t, op.Reply, w.Body.Bytes())
		})
	}
}

// full is a recorder whose answers have everything set.
func full() *recorder {
	r := &recorder{more: true, withNames: map[string]string{"k": "v"}}
	for _, v := range []any{&r.app, &r.stream, &r.endpoint, &r.number} {
		populate(reflect.ValueOf(v).Elem(), "")
	}
	r.app.Settings = []byte(`{"CampaignHook":{"LambdaFunctionName":"f","Mode":"FILTER","WebUrl":"u"},"JourneyLimits":{"DailyCap":1,"TimeframeCap":{"Cap":1,"Days":2},"TotalCap":3},
		"LastModifiedDate":"d","Limits":{"Daily":0,"MaximumDuration":60,"MessagesPerSecond":50,"Session":1,"Total":100},"QuietTime":{"End":"06:00","Start":"22:00"}}`)
	return r
}

// populate sets everything that can be set, strings to the name of their field.
func populate(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		populate(v.Elem(), name)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(at))
			return
		}
		for f, field := range v.Fields() {
			if field.CanSet() {
				populate(field, f.Name)
			}
		}
	case reflect.String:
		v.SetString(name)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Float64:
		v.SetFloat(7)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		populate(v.Index(0), name)
	case reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		populate(value, name)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), value)
	}
}

// leftOut are members of the model that no reply has.
var leftOut = []string{
	"EventStream.ExternalId",                                          // deprecated
	"NumberValidateResponse.County", "NumberValidateResponse.ZipCode", // not in the tables
}

// checkReply holds a reply to the model, in both directions.
func (m *model) checkReply(t *testing.T, kind string, body []byte) {
	t.Helper()
	if kind == "" {
		if len(body) > 0 {
			t.Errorf("the reply is %s, want none", body)
		}
		return
	}
	var reply any
	if err := json.Unmarshal(body, &reply); err != nil {
		t.Fatalf("the reply %s: %v", body, err)
	}
	for _, problem := range m.differences(kind, kind, reply) {
		t.Errorf("the reply %s: %s", body, problem)
	}
}

// differences says where a value is not of the kind.
func (m *model) differences(path string, kind, v any) []string {
	var all []string
	switch kind := kind.(type) {
	case []any:
		list, ok := v.([]any)
		if !ok || len(list) == 0 {
			return []string{fmt.Sprintf("%s is %v, want a list that is not empty", path, v)}
		}
		return m.differences(path, kind[0], list[0])
	case map[string]any:
		object, ok := v.(map[string]any)
		if !ok || len(object) == 0 {
			return []string{fmt.Sprintf("%s is %v, want an object that is not empty", path, v)}
		}
		for _, value := range object {
			all = append(all, m.differences(path, kind["*"], value)...)
		}
		return all
	}
	if want := map[any]any{"string": "", "integer": 0.0, "double": 0.0, "boolean": false}[kind]; want != nil {
		if reflect.TypeOf(v) != reflect.TypeOf(want) {
			return []string{fmt.Sprintf("%s is %v, want a %s", path, v, kind)}
		}
		return nil
	}
	shape := kind.(string)
	object, ok := v.(map[string]any)
	if !ok {
		return []string{fmt.Sprintf("%s is %v, want an object", path, v)}
	}
	for name, value := range object {
		member, known := m.Shapes[shape][name]
		if !known {
			all = append(all, path+" has "+name+", which the model has not")
			continue
		}
		all = append(all, m.differences(path+"."+name, member, value)...)
	}
	for name := range m.Shapes[shape] {
		if _, there := object[name]; !there && !slices.Contains(leftOut, shape+"."+name) {
			all = append(all, path+" lacks "+name)
		}
	}
	return all
}

// TestWrongTypesAreNamed puts a value of the wrong type in the place of each member, one
// after the other.
func TestWrongTypesAreNamed(t *testing.T) {
	t.Parallel()
	m := readModel(t)
	for name, op := range m.Operations {
		if op.Request == "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m.eachMember(nil, op.Request, func(path []string, wrong any) {
				body, err := json.Marshal(place(path, wrong))
				if err != nil {
					t.Fatal(err)
				}
				member := path[0]
				w, err := apitest.Call(t, New(Config{Apps: full()}), op.Method, fill(op.Path), string(body))
				f := fault.From(err)
				if f == nil || f.Kind != fault.Invalid || !strings.Contains(f.Msg, member) || w.Body.Len() > 0 {
					t.Errorf("%s %s = %v %s, want fault.Invalid that names %s", name, body, err, w.Body, member)
				}
			})
			w, err := apitest.Call(t, New(Config{Apps: full()}), op.Method, fill(op.Path), `"a string"`)
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "The request body must be an object") {
				t.Errorf("%s with a string for a body = %d, %v, want fault.Invalid", name, w.Code, err)
			}
		})
	}
}

// eachMember calls each with the path of every member below the shape, and a value that it
// must not have.
func (m *model) eachMember(prefix []string, shape string, each func(path []string, wrong any)) {
	for name, kind := range m.Shapes[shape] {
		m.eachBelow(slices.Concat(prefix, []string{name}), kind, each)
	}
}

func (m *model) eachBelow(path []string, kind any, each func(path []string, wrong any)) {
	wrong := any("a string")
	if kind == "string" {
		wrong = 7
	}
	each(path, wrong)
	switch kind := kind.(type) {
	case []any:
		m.eachBelow(slices.Concat(path, []string{"#"}), kind[0], each)
	case map[string]any:
		m.eachBelow(slices.Concat(path, []string{"some key"}), kind["*"], each)
	case string:
		m.eachMember(path, kind, each)
	}
}

// place makes the value that has v at the path; # is the only element of a list.
func place(path []string, v any) any {
	for _, name := range slices.Backward(path) {
		if name == "#" {
			v = []any{v}
		} else {
			v = map[string]any{name: v}
		}
	}
	return v
}

var _ Apps = (*pinpoint.Service)(nil)
