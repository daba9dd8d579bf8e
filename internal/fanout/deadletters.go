package fanout

import (
	"context"
	"fmt"

	"tidings/internal/fault"
)

// lettersPerPage is how many dead letters are looked at together.
const lettersPerPage = 1_000

// Retry sends dead letters again, as if they had never failed, and removes them from the
// Morgue. It fails with fault.NotFound, before anything is changed, if one of the letters
// or its event destination does not exist any more. After another error some of them may
// be on their way; they are parked before they are removed, so that a crash in between
// repeats and never loses.
func (c *Courier) Retry(ctx context.Context, ids ...string) error {
	c.retrying.Lock()
	defer c.retrying.Unlock()
	letters, err := c.find(ctx, ids)
	if err != nil {
		return err
	}
	for s, those := range letters {
		ds := make([]Delivery, len(those))
		found := make([]string, len(those))
		for i, letter := range those {
			ds[i] = Delivery{Event: letter.Delivery.Event}
			found[i] = letter.ID
		}
		if err := c.park(ctx, s, ds, true); err != nil {
			return fmt.Errorf("park dead letters of %s: %w", s, err)
		}
		if err := c.Morgue.Remove(ctx, found...); err != nil {
			return fmt.Errorf("remove dead letters of %s: %w", s, err)
		}
	}
	return nil
}

// find reads the letters, by subscriber.
func (c *Courier) find(ctx context.Context, ids []string) (map[Subscriber][]DeadLetter, error) {
	missing := make(map[string]bool, len(ids))
	for _, id := range ids {
		missing[id] = true
	}
	letters := map[Subscriber][]DeadLetter{}
	for after := ""; len(missing) > 0; {
		page, err := c.Morgue.List(ctx, after, lettersPerPage)
		if err != nil {
			return nil, fmt.Errorf("list dead letters: %w", err)
		}
		for _, letter := range page {
			after = letter.ID
			if missing[letter.ID] {
				delete(missing, letter.ID)
				letters[letter.Subscriber] = append(letters[letter.Subscriber], letter)
			}
		}
		if len(page) == 0 {
			break
		}
	}
	for _, id := range ids {
		if missing[id] {
			return nil, fault.New(fault.NotFound, "", "Dead letter %s does not exist.", id)
		}
	}
	for s, those := range letters {
		if _, _, ok := c.Directory.Find(s); !ok {
			return nil, fault.New(fault.NotFound, fault.EventDestination,
				"The event destination %s of dead letter %s does not exist any more.", s, those[0].ID)
		}
	}
	return letters, nil
}
