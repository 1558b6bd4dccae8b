package router

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/spillway-go/spillway/internal/turns"
)

// kept is a body that can be read again and again: in memory or, where that has no room, in a
// temporary file. It is there until its last user has gone: the call, and each request that sends it.
type kept struct {
	memory *bodyMemory
	size   int64
	users  atomic.Int32

	body  []byte // nil if it is in a file
	share *share // of the body in memory

	file   *os.File
	remove bool // the file has a name yet: the system cannot remove one that is open
}

// keep keeps a body that is in memory. A share that it has already goes over to it.
func (m *bodyMemory) keep(body []byte, s *share) *kept {
	k := &kept{memory: m, size: int64(len(body)), body: body, share: s}
	k.users.Store(1)
	return k
}

// put keeps a body that was made in memory, where there is room.
func (m *bodyMemory) put(body []byte) *kept {
	if s := m.take(len(body)); s != nil {
		return m.keep(body, s)
	}
	k, read, _, _ := m.spool(body, http.NoBody, int64(len(body)))
	if read == noRoom { // neither memory nor disk has any: it stays where it is
		k.release()
		return m.keep(body, nil)
	}
	return k
}

// buffer is how much of a body is read at once that goes to a file.
const buffer = 64 << 10

// spool keeps head, and what r gives after it, in a temporary file, up to the byte after most. read
// says how much of r that is; with noRoom, rest could not be written, because the disk is full or
// there is none, and k may be nil.
func (m *bodyMemory) spool(head []byte, r io.Reader, most int64) (k *kept, read part, rest []byte, err error) {
	file, err := os.CreateTemp("", "spillway-*")
	if err != nil {
		return nil, noRoom, head, nil
	}
	made := &kept{memory: m, file: file}
	made.users.Store(1)
	made.remove = os.Remove(file.Name()) != nil
	defer func() { // also if the reader panics
		if k == nil {
			made.release()
		}
	}()
	if rest = made.write(head); len(rest) > 0 {
		return made, noRoom, rest, nil
	}
	room := make([]byte, buffer)
	for made.size <= most {
		n, err := r.Read(room[:min(int64(len(room)), most+1-made.size)])
		if rest = made.write(room[:n]); len(rest) > 0 {
			return made, noRoom, rest, nil
		}
		switch {
		case errors.Is(err, io.EOF):
			return made, whole, nil, nil
		case err != nil:
			return nil, whole, nil, err
		}
	}
	return made, over, nil, nil
}

// write adds to the file, and returns what could not be written.
func (k *kept) write(p []byte) (rest []byte) {
	m := k.memory
	n := int64(len(p))
	if m.files.Add(n) > filesPerMemory*m.bound.Load() {
		m.files.Add(-n)
		return p
	}
	written, _ := k.file.Write(p)
	m.files.Add(int64(written) - n)
	k.size += int64(written)
	return p[written:]
}

// inFile reports whether the body is in a file.
func (k *kept) inFile() bool { return k != nil && k.file != nil }

// with gives f the whole body. One in a file is loaded at the desk, for as long as f runs.
func (k *kept) with(ctx context.Context, f func(body []byte)) error {
	if k.file == nil {
		f(k.body)
		return nil
	}
	return k.memory.atDesk(ctx, func() error {
		body, err := k.load()
		if err == nil {
			f(body)
		}
		return err
	})
}

// load reads the whole body from its file. Its caller is at the desk.
func (k *kept) load() ([]byte, error) {
	body := make([]byte, k.size)
	_, err := io.ReadFull(io.NewSectionReader(k.file, 0, k.size), body)
	return body, err
}

// errReleased is the error of reading a body that is not kept any more.
var errReleased = errors.New("router: the call has ended")

// open returns a reader of the body, which keeps it until it is closed.
func (k *kept) open() (io.ReadCloser, error) {
	for {
		users := k.users.Load()
		if users == 0 {
			return nil, errReleased
		}
		if k.users.CompareAndSwap(users, users+1) {
			break
		}
	}
	o := &opened{kept: k}
	if k.file != nil {
		o.from = io.NewSectionReader(k.file, 0, k.size)
	} else {
		o.from = bytes.NewReader(k.body)
	}
	// A transport of another package may forget to close what it sends.
	o.forgotten = runtime.AddCleanup(o, (*kept).release, k)
	return o, nil
}

// release ends a use of the body. The last one gives its memory back, or removes its file. A nil
// body has none.
func (k *kept) release() {
	if k == nil || k.users.Add(-1) != 0 {
		return
	}
	k.share.release()
	if k.body = nil; k.file == nil {
		return
	}
	_ = k.file.Close()
	if k.remove {
		_ = os.Remove(k.file.Name())
	}
	k.memory.files.Add(-k.size)
}

// opened reads a kept body. Close may come while Read runs, as transports have it.
type opened struct {
	mu        sync.Mutex
	kept      *kept
	from      io.Reader // nil: it is closed
	forgotten runtime.Cleanup
	turns     turns.Carrier // used by the one who reads
}

func (o *opened) Read(p []byte) (int, error) {
	n, size, err := o.read(p)
	if size > longBody {
		o.turns.Carried(n) // with no lock, as Close does not wait
	}
	return n, err
}

func (o *opened) read(p []byte) (n int, size int64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.from == nil {
		return 0, 0, http.ErrBodyReadAfterClose
	}
	n, err = o.from.Read(p)
	return n, o.kept.size, err
}

// Close lets go of the body.
func (o *opened) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.from != nil {
		o.from = nil
		o.forgotten.Stop()
		o.kept.release()
	}
	return nil
}
