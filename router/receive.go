package router

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"reflect"
	"slices"
)

// receive reads a body that comes from somewhere, and may be long in coming.
func (p *payload) receive(req *http.Request) (err error) {
	if req.GetBody == nil {
		stop := context.AfterFunc(p.ctx, func() { closeBody(req.Body) })
		defer func() {
			if stop(); err != nil && p.ctx.Err() != nil {
				err = p.ctx.Err()
			}
		}()
	}
	if n := req.ContentLength; n > 0 && n <= maxReplay {
		return p.receiveAll(req.Body, int(n))
	}
	body, s, read, err := p.router.bodies.read(req.Body, -1, maxReplay)
	if err != nil {
		return err
	}
	p.keep(body, s)
	switch read {
	case noRoom:
		err = p.spool(req.Body)
	case over:
		p.tail = req.Body
	case whole:
	}
	if err == nil && p.tail == nil && req.ContentLength > 0 { // it was to be longer than what is kept
		err = io.ErrUnexpectedEOF
	}
	return err
}

// receiveAll reads a body of n bytes.
func (p *payload) receiveAll(r io.Reader, n int) error {
	if n > smallBody {
		if s := p.router.bodies.take(n); s != nil {
			p.keep(make([]byte, n), s)
		} else {
			p.body = make([]byte, smallBody)
		}
	} else {
		p.body = make([]byte, n)
	}
	if _, err := io.ReadFull(r, p.body); err != nil {
		return err
	}
	left := n - len(p.body)
	if left == 0 {
		return nil
	}
	err := p.spool(io.LimitReader(r, int64(left)))
	if err == nil && p.tail == nil && p.kept.size < int64(n) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// keep keeps a body that is in memory.
func (p *payload) keep(body []byte, s *share) {
	if p.body = body; s != nil {
		p.kept = p.router.bodies.keep(body, s)
	}
}

// spool moves the body to a file: what there is of it, and the rest that r gives. Without room on the
// disk either, the call is sent once.
func (p *payload) spool(r io.Reader) error {
	k, read, rest, err := p.router.bodies.spool(p.body, r, maxReplay)
	switch {
	case err != nil:
		return err
	case read == whole:
	case read == over:
		p.tail = r
	case k == nil || k.size < int64(len(p.body)): // it stays where it is
		k.release()
		p.tail = r
		return nil
	default:
		p.tail = io.MultiReader(bytes.NewReader(rest), r)
	}
	p.kept.release()
	p.body, p.kept = nil, k
	return nil
}

// inMemory returns the body of a request without a copy, if it can be read again from where it is
// in memory; else nil. The caller of an [http.RoundTripper] does not change such a body before it
// has closed the response's body, and the router does not change it at all.
func inMemory(req *http.Request) []byte {
	n := req.ContentLength
	if req.GetBody == nil || reflect.TypeOf(req.Body) != nopCloser {
		return nil
	}
	switch r := reflect.ValueOf(req.Body).Field(0).Interface().(type) {
	case *bytes.Buffer:
		if int64(r.Len()) == n {
			return r.Next(r.Len())
		}
	case *bytes.Reader:
		if int64(r.Len()) == n {
			var b borrowed
			_, _ = r.WriteTo(&b)
			return b
		}
	}
	return nil
}

// nopCloser is the type of the bodies that [http.NewRequest] makes of readers in memory. The reader
// is its first field: net/http looks there as well.
var nopCloser = reflect.TypeOf(io.NopCloser(&bytes.Reader{}))

// borrowed is the slice that was written to it. A [bytes.Reader] writes all that it has at once.
type borrowed []byte

func (b *borrowed) Write(p []byte) (int, error) {
	*b = slices.Clip(p)
	return len(p), nil
}
