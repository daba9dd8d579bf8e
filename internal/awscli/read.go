package awscli

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Reader puts together what files of one service say. Its fields are set before the first
// Add.
type Reader struct {
	Service Service
	// Account and Region say whose everything becomes; "" = whose the files say it is. Only
	// apps have ARNs, so that the files of the other services never say.
	Account, Region string
	// Set is the configuration set of the one document that does not name its set; "" = such
	// a document belongs to the set that its file is named after.
	Set string

	apps     merger[App]
	streams  merger[Stream]
	sets     merger[Set]
	listed   bool // names of configuration sets were read, so that others are suspicious
	unnamed  []unnamed
	warnings []string
	wrong    []error
}

// unnamed are event destinations whose document does not say of which set they are.
type unnamed struct {
	where, file  string
	destinations []Destination
}

// merger collects what several documents may say of the same thing.
type merger[T any] struct {
	all   []T
	where []string // who said it
	index map[string]int
}

// find returns what was said of the key.
func (m *merger[T]) find(key string) (at int, ok bool) {
	at, ok = m.index[key]
	return at, ok
}

func (m *merger[T]) add(key, where string, v T) {
	if m.index == nil {
		m.index = map[string]int{}
	}
	m.index[key] = len(m.all)
	m.all = append(m.all, v)
	m.where = append(m.where, where)
}

// Add reads a file: one document that the AWS CLI has printed, several one after the other,
// one a line, or an array of them. name is for people and, if need be, names the set of
// event destinations. After an error the Reader can be used to find more errors, and for nothing
// else.
func (r *Reader) Add(name string, text []byte) error {
	all, err := documents(name, text)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		r.warn("%s is empty, as it is when the aws command has failed", name)
	}
	var wrong []error
	for i, v := range all {
		where := name
		if len(all) > 1 {
			where = fmt.Sprintf("%s, document %d of %d", name, i+1, len(all))
		}
		p := &problems{where: where}
		if _, ok := v.(map[string]any); !ok {
			p.add("this is %s, and no object that the AWS CLI prints", kindOf(v))
		} else {
			r.document(name, p.asObject("", v))
		}
		wrong = append(wrong, p.err())
	}
	return errors.Join(wrong...)
}

func (r *Reader) warn(format string, args ...any) {
	if w := fmt.Sprintf(format, args...); !slices.Contains(r.warnings, w) {
		r.warnings = append(r.warnings, w)
	}
}

// document reads one document.
func (r *Reader) document(file string, o *object) {
	known := false
	switch r.Service {
	case Pinpoint:
		known = r.pinpoint(o)
	case SMSVoice:
		known = r.smsVoice(file, o)
	case SES:
		known = r.ses(o)
	}
	if !known {
		o.add("%s", foreign(r.Service, o))
		return
	}
	o.skip("ResponseMetadata") // of boto3
	o.end()
}

// page warns if the document is one page of several.
func (r *Reader) page(o *object, name string) {
	if o.text(name) != "" {
		r.warn("%s has a %s: it is one page of several; save and import the others as well", o.where, name)
	}
}

// owner says whose a configuration set becomes.
func (r *Reader) owner() Owner { return Owner{r.Account, r.Region} }

// Finish returns all that was read, and what its user should know. The order is that of the
// files.
func (r *Reader) Finish() (Batch, []string, error) {
	r.nameUnnamed()
	r.ownStreams()
	if r.Service != Pinpoint && (r.Account == "" || r.Region == "") {
		r.wrong = append(r.wrong, errors.New("nothing that AWS prints says whose configuration sets these are: use --account and --region"))
	}
	b := Batch{Service: r.Service, Apps: r.apps.all, Streams: r.streams.all, Sets: r.sets.all}
	return b, r.warnings, errors.Join(r.wrong...)
}

// nameUnnamed finds the sets of the event destinations whose documents do not name them.
func (r *Reader) nameUnnamed() {
	in := map[string]int{}
	for _, u := range r.unnamed {
		in[u.file]++
	}
	if r.Set != "" && len(r.unnamed) != 1 {
		r.wrong = append(r.wrong, fmt.Errorf("--set is for one document with EventDestinations that names no set, and there are %d such documents", len(r.unnamed)))
		return
	}
	for _, u := range r.unnamed {
		base := filepath.Base(u.file)
		name := strings.TrimSuffix(base, filepath.Ext(base))
		p := &problems{where: u.where}
		switch _, known := r.sets.find(name); {
		case r.Set != "":
			r.set(p, u.where, Set{Name: r.Set, Destinations: u.destinations, Whole: true})
		case u.file == "-":
			p.add("the document does not say of which configuration set these event destinations are: use --set")
		case in[u.file] > 1:
			p.add("the file has %d documents that do not say of which configuration set their event destinations are: put them into files that are named after their sets", in[u.file])
		case r.listed && !known:
			p.add("the document does not say of which configuration set these event destinations are, and no listed set is named %q as the file is: use --set", name)
		case !known:
			r.warn("%s: taken for the event destinations of configuration set %q, after the name of the file", u.where, name)
			fallthrough
		default:
			r.set(p, u.where, Set{Name: name, Destinations: u.destinations, Whole: true})
		}
		r.wrong = append(r.wrong, p.found...)
	}
}

// ownStreams finds whose the event streams are: the owner of the app with the same ID.
func (r *Reader) ownStreams() {
	of := map[string][]Owner{}
	for _, a := range r.apps.all {
		of[a.ID] = append(of[a.ID], a.Owner)
	}
	for i := range r.streams.all {
		s := &r.streams.all[i]
		switch owners := of[s.App]; {
		case len(owners) == 1:
			s.Owner = owners[0]
		case len(owners) > 1:
			r.wrong = append(r.wrong, fmt.Errorf("%s: there are %d apps with the ID %s: use --account and --region", r.streams.where[i], len(owners), shorten(s.App)))
		case r.Account != "" && r.Region != "":
			s.Owner = r.owner()
		default:
			r.wrong = append(r.wrong, fmt.Errorf("%s: nothing says whose the app %s is, of which this is the event stream: read it together with what aws pinpoint get-apps has printed, or use --account and --region", r.streams.where[i], shorten(s.App)))
		}
	}
}

// set files a configuration set. What several documents say of it is put together.
func (r *Reader) set(p *problems, where string, s Set) {
	if s.Name == "" {
		p.add("a configuration set has no name")
		return
	}
	at, known := r.sets.find(s.Name)
	if !known {
		s.Owner = r.owner()
		r.sets.add(s.Name, where, s)
		return
	}
	have := &r.sets.all[at]
	switch {
	case !s.Whole:
	case !have.Whole:
		have.Destinations, have.Whole = s.Destinations, true
		r.sets.where[at] = where
	case !sameDestinations(have.Destinations, s.Destinations, r.Service):
		p.add("the event destinations of configuration set %q differ from those in %s", shorten(s.Name), r.sets.where[at])
	}
}

func sameDestinations(a, b []Destination, service Service) bool {
	return slices.EqualFunc(a, b, func(x, y Destination) bool { return len(x.DiffersFrom(y, service)) == 0 })
}
