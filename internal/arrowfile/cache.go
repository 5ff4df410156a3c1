package arrowfile

import (
	"container/list"
	"sync"

	"github.com/sluicedata/sluice/internal/mapfile"
)

// Cache keeps buffers that had to be decompressed, or read because the file isn't mapped:
// the least recently used go when there are more than a number of bytes. It is safe for
// concurrent use, and several files may share it. A buffer that is asked for several times at once
// is made once.
type Cache struct {
	mu struct {
		sync.Mutex
		most, bytes int64
		entries     map[span]*list.Element // of *cached
		recent      list.List              // newest first
	}
}

// span is a buffer of a file: where it is in it.
type span struct {
	file  *File
	at, n int64 // as stored
	size  int64 // as it is used
	codec int8  // of Arrow's CompressionType; -1: none
}

type cached struct {
	span span
	once sync.Once
	data []byte
	err  error
}

// NewCache makes a cache of so many bytes.
func NewCache(bytes int64) *Cache {
	c := &Cache{}
	c.mu.most, c.mu.entries = bytes, map[span]*list.Element{}
	return c
}

// get is the buffer's bytes, which nobody may change.
func (c *Cache) get(s span, load func() ([]byte, error)) ([]byte, error) {
	c.mu.Lock()
	e, ok := c.mu.entries[s]
	if ok {
		c.mu.recent.MoveToFront(e)
	} else {
		e = c.mu.recent.PushFront(&cached{span: s})
		c.mu.entries[s] = e
		c.mu.bytes += s.size
		for old := c.mu.recent.Back(); c.mu.bytes > c.mu.most && old != e; old = c.mu.recent.Back() {
			c.remove(old)
		}
	}
	c.mu.Unlock()
	one := e.Value.(*cached)
	one.once.Do(func() {
		one.err = mapfile.ErrFault // unless load returns
		one.data, one.err = load()
	})
	if one.err != nil || s.size > c.mu.most {
		c.mu.Lock()
		if c.mu.entries[s] == e {
			c.remove(e)
		}
		c.mu.Unlock()
	}
	return one.data, one.err
}

// remove needs the lock.
func (c *Cache) remove(e *list.Element) {
	s := e.Value.(*cached).span
	c.mu.recent.Remove(e)
	delete(c.mu.entries, s)
	c.mu.bytes -= s.size
}

// forget drops a file's buffers.
func (c *Cache) forget(f *File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := c.mu.recent.Front(); e != nil; {
		next := e.Next()
		if e.Value.(*cached).span.file == f {
			c.remove(e)
		}
		e = next
	}
}
