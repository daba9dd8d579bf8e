package natsstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings/internal/fanout"
)

// DeadLetters keeps dead letters in packs, as they were buried together. Beside a pack
// lies a note of which of its letters were removed; when all are, both go. It implements
// fanout.Morgue and is safe for concurrent use.
//
// The ID of a letter is the sequence of its pack, a dash, and its place in it.
type DeadLetters struct {
	store *Store

	mu    sync.Mutex
	of    *session      // whose index it is; nil = none was read yet
	packs []*letterPack // by sequence
}

// letterPack is what the index knows of a pack: enough to count and to find.
type letterPack struct {
	seq     uint64
	name    string // last token of its subject
	count   int
	removed map[int]bool
}

// headerRemoved lists the places of a pack's removed letters: "0,3,4".
const headerRemoved = "Tidings-Removed"

// Bury stores dead letters durably. Letters that do not fit into one pack are stored in
// several, so after an error the first of them may be buried.
func (d *DeadLetters) Bury(ctx context.Context, letters ...fanout.DeadLetter) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.load(ctx); err != nil {
		return err
	}
	return inPacks(letters, recordOfLetter, func(body []byte, count, _ int) error {
		name := d.store.packs.next()
		seq, err := d.store.publish(ctx, newPack(prefixLetters+name, body, count), urgent)
		if err != nil {
			d.of = nil // it may have been stored
			return unavailable(err)
		}
		d.packs = append(d.packs, &letterPack{seq: seq, name: name, count: count})
		return nil
	})
}

// List returns up to limit letters in the order of their death, beginning behind the
// letter with the ID after ("" = from the first).
func (d *DeadLetters) List(ctx context.Context, after string, limit int) ([]fanout.DeadLetter, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	sess, err := d.load(ctx)
	if err != nil {
		return nil, err
	}
	var seq uint64
	place := -1
	if after != "" {
		if seq, place, err = parseLetterID(after); err != nil {
			return nil, err
		}
	}
	i, _ := d.find(seq)
	var letters []fanout.DeadLetter
	for ; i < len(d.packs) && len(letters) < limit; i++ {
		p := d.packs[i]
		from := 0
		if p.seq == seq {
			from = place + 1
		}
		if letters, err = p.read(ctx, sess, from, limit, letters); err != nil {
			return nil, err
		}
	}
	return letters, nil
}

// read appends the pack's letters that are there, beginning at place from.
func (p *letterPack) read(ctx context.Context, sess *session, from, limit int, to []fanout.DeadLetter) ([]fanout.DeadLetter, error) {
	ctx, cancel := sess.within(ctx)
	defer cancel()
	m, err := sess.streams[streamDeadLetters].GetMsg(ctx, p.seq)
	if err != nil {
		return nil, fmt.Errorf("read dead letters, pack %d: %w", p.seq, sess.explain(err))
	}
	err = decodePack(m.Header, m.Data, func(i int, r *letterRecord) {
		if i >= from && len(to) < limit && !p.removed[i] {
			to = append(to, r.letter(letterID(p.seq, i)))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read dead letters, pack %d: %w", p.seq, err)
	}
	return to, nil
}

// Remove forgets letters. Removing one that is gone is no error.
func (d *DeadLetters) Remove(ctx context.Context, ids ...string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.load(ctx); err != nil {
		return err
	}
	places := map[uint64][]int{}
	for _, id := range ids {
		seq, place, err := parseLetterID(id)
		if err != nil {
			return err
		}
		places[seq] = append(places[seq], place)
	}
	for seq, of := range places {
		i, found := d.find(seq)
		if !found {
			continue
		}
		if err := d.removeFrom(ctx, i, of); err != nil {
			return err
		}
	}
	return nil
}

// removeFrom removes letters of the i-th pack. The index changes only with the disk.
func (d *DeadLetters) removeFrom(ctx context.Context, i int, places []int) error {
	p := d.packs[i]
	removed := map[int]bool{}
	for place := range p.removed {
		removed[place] = true
	}
	for _, place := range places {
		if place < p.count {
			removed[place] = true
		}
	}
	switch len(removed) {
	case len(p.removed):
		return nil
	case p.count:
		if err := d.store.remove(ctx, streamDeadLetters, p.seq); err != nil {
			return err
		}
		d.packs = slices.Delete(d.packs, i, i+1)
		return d.dropNote(ctx, p)
	}
	note := nats.NewMsg(prefixLettersRemoved + p.name)
	note.Header.Set(headerVersion, packVersion)
	note.Header.Set(headerRemoved, printPlaces(removed))
	if _, err := d.store.publish(ctx, note, urgent); err != nil {
		return unavailable(err)
	}
	p.removed = removed
	return nil
}

// dropNote deletes the note beside a pack that is gone.
func (d *DeadLetters) dropNote(ctx context.Context, p *letterPack) error {
	if len(p.removed) == 0 {
		return nil
	}
	sess, err := d.store.session()
	if err != nil {
		return err
	}
	if err := sess.streams[streamDeadLetters].Purge(ctx, jetstream.WithPurgeSubject(prefixLettersRemoved+p.name)); err != nil {
		return fmt.Errorf("remove note of dead letters: %w", sess.explain(err))
	}
	return nil
}

// Count returns how many letters there are.
func (d *DeadLetters) Count(ctx context.Context) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.load(ctx); err != nil {
		return 0, err
	}
	n := 0
	for _, p := range d.packs {
		n += p.count - len(p.removed)
	}
	return n, nil
}

// find returns where the pack with the sequence is or would be.
func (d *DeadLetters) find(seq uint64) (int, bool) {
	return slices.BinarySearchFunc(d.packs, seq, func(p *letterPack, seq uint64) int {
		switch {
		case p.seq < seq:
			return -1
		case p.seq > seq:
			return 1
		}
		return 0
	})
}

// load returns the current session, and reads the index unless it is this session's.
func (d *DeadLetters) load(ctx context.Context) (*session, error) {
	sess, err := d.store.session()
	if err != nil || d.of == sess {
		return sess, err
	}
	var packs []*letterPack
	removed := map[string]map[int]bool{}
	err = d.store.scan(ctx, sess, scanRange{stream: streamDeadLetters, headers: true}, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
		if name, ok := strings.CutPrefix(msg.Subject(), prefixLettersRemoved); ok {
			places, err := parsePlaces(msg.Headers().Get(headerRemoved))
			removed[name] = places
			return err
		}
		n, err := countOf(msg.Headers())
		packs = append(packs, &letterPack{
			seq: meta.Sequence.Stream, name: strings.TrimPrefix(msg.Subject(), prefixLetters), count: n,
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the index of dead letters: %w", sess.explain(err))
	}
	for _, p := range packs {
		p.removed = removed[p.name]
	}
	d.packs, d.of = packs, sess
	return sess, nil
}

func letterID(seq uint64, place int) string {
	return strconv.FormatUint(seq, 10) + "-" + strconv.Itoa(place)
}

func parseLetterID(id string) (seq uint64, place int, err error) {
	head, tail, ok := strings.Cut(id, "-")
	seq, err1 := strconv.ParseUint(head, 10, 64)
	place, err2 := strconv.Atoi(tail)
	if !ok || place < 0 || errors.Join(err1, err2) != nil {
		return 0, 0, fmt.Errorf("%q is no ID of a dead letter", id)
	}
	return seq, place, nil
}

func printPlaces(places map[int]bool) string {
	var all []int
	for place := range places {
		all = append(all, place)
	}
	slices.Sort(all)
	var b strings.Builder
	for i, place := range all {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(place))
	}
	return b.String()
}

func parsePlaces(s string) (map[int]bool, error) {
	places := map[int]bool{}
	for part := range strings.SplitSeq(s, ",") {
		place, err := strconv.Atoi(part)
		if err != nil {
			return nil, fmt.Errorf("note of removed dead letters holds %q", s)
		}
		places[place] = true
	}
	return places, nil
}
