package file

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// hour is where the records of one folder and one hour are. It is comparable.
type hour struct {
	folder string
	start  time.Time // UTC, a full hour
}

// hourAt is the hour of the folder that takes records at the time t.
func hourAt(folder string, t time.Time) hour {
	return hour{folder, t.UTC().Truncate(time.Hour)}
}

const (
	dayLayout  = "2006/01/02"
	plainEnd   = ".ndjson"
	packedEnd  = ".gz"
	tempEnd    = ".tmp"
	closingEnd = ".closing-"
)

func (h hour) day() string { return path.Join(h.folder, h.start.Format(dayLayout)) }

// plain is the file that is written to.
func (h hour) plain() string { return path.Join(h.day(), h.start.Format("15")+plainEnd) }

// packed is the compressed file.
func (h hour) packed() string { return h.plain() + packedEnd }

// temp is the compressed file in the making.
func (h hour) temp() string { return h.packed() + tempEnd }

// closing is a file that is no longer written to and is being compressed. The base is how
// long the packed file was before: a longer one has these lines already, from there on.
func (h hour) closing(base int64) string {
	return h.plain() + closingEnd + strconv.FormatInt(base, 10)
}

// end is when the next hour begins.
func (h hour) end() time.Time { return h.start.Add(time.Hour) }

// found says which files of an hour there are.
type found struct {
	hour
	hasPlain, hasPacked, hasTemp bool
	closing                      []int64 // bases, ascending
}

// hoursOf returns what files the folder has of the day, in order, and how many entries the
// day's directory has altogether. What is named differently is not ours.
func (d *disk) hoursOf(folder string, day time.Time) (hours []*found, entries int, err error) {
	list, err := d.list(hour{folder, day}.day())
	if err != nil {
		return nil, 0, err
	}
	for _, e := range list {
		number, rest, ok := strings.Cut(e.Name(), plainEnd)
		n, err := strconv.Atoi(number)
		if !ok || err != nil || number != fmt.Sprintf("%02d", n) || n > 23 || !e.Type().IsRegular() {
			continue
		}
		start := day.Add(time.Duration(n) * time.Hour)
		if len(hours) == 0 || !hours[len(hours)-1].start.Equal(start) {
			hours = append(hours, &found{hour: hour{folder, start}})
		}
		hours[len(hours)-1].add(rest)
	}
	for _, f := range hours {
		slices.Sort(f.closing)
	}
	return hours, len(list), nil
}

// add notes the file of the hour whose name ends in rest.
func (f *found) add(rest string) {
	switch rest {
	case "":
		f.hasPlain = true
	case packedEnd:
		f.hasPacked = true
	case packedEnd + tempEnd:
		f.hasTemp = true
	default:
		digits, ok := strings.CutPrefix(rest, closingEnd)
		base, err := strconv.ParseInt(digits, 10, 64)
		if ok && err == nil && base >= 0 && strconv.FormatInt(base, 10) == digits {
			f.closing = append(f.closing, base)
		}
	}
}

// names returns the files that there are.
func (f *found) names() []string {
	var names []string
	if f.hasPlain {
		names = append(names, f.plain())
	}
	if f.hasPacked {
		names = append(names, f.packed())
	}
	if f.hasTemp {
		names = append(names, f.temp())
	}
	for _, base := range f.closing {
		names = append(names, f.hour.closing(base))
	}
	return names
}
