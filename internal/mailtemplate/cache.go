package mailtemplate

import (
	"container/list"
	"sync"
)

// Cache keeps parsed templates, as a bulk renders one template thousands of times. It is safe for concurrent use. The zero value
// keeps templates of up to 8 MiB in all.
type Cache struct {
	Bytes int // of texts that are kept; 0 = 8 MiB

	mu    sync.Mutex
	byKey map[string]*list.Element
	used  list.List // of *kept, the latest first
	bytes int
}

type kept struct {
	text     string
	template *Template
}

// Parse returns the parsed template. It fails as the function Parse does.
func (c *Cache) Parse(text string) (*Template, error) {
	if t, ok := c.get(text); ok {
		return t, nil
	}
	t, err := Parse(text)
	if err != nil {
		return nil, err
	}
	c.put(text, t)
	return t, nil
}

func (c *Cache) get(text string) (*Template, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[text]
	if !ok {
		return nil, false
	}
	c.used.MoveToFront(e)
	return e.Value.(*kept).template, true
}

func (c *Cache) put(text string, t *Template) {
	most := c.Bytes
	if most <= 0 {
		most = 8 << 20
	}
	if len(text) > most {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byKey[text]; ok { // somebody else was faster
		return
	}
	if c.byKey == nil {
		c.byKey = map[string]*list.Element{}
	}
	c.byKey[text] = c.used.PushFront(&kept{text: text, template: t})
	for c.bytes += len(text); c.bytes > most; {
		oldest := c.used.Back()
		k := c.used.Remove(oldest).(*kept)
		delete(c.byKey, k.text)
		c.bytes -= len(k.text)
	}
}
