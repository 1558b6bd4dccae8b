package router

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sync/atomic"

	"github.com/spillway-go/spillway/internal/wire/stream"
	"github.com/spillway-go/spillway/pool"
)

// passthroughBody is the body of a response that passes through unread.
type passthroughBody struct {
	attempt *attempt
	head    []byte
	share   *share      // of the head
	end     *lastBytes  // of a response in JSON; else nil
	done    atomic.Bool // the lease is settled
}

func (p *passthroughBody) Read(b []byte) (int, error) {
	if len(p.head) > 0 {
		n := copy(b, p.head)
		p.end.write(b[:n])
		if p.head = p.head[n:]; len(p.head) == 0 {
			p.head = nil
			p.share.release()
		}
		return n, nil
	}
	n, err := p.attempt.upstream.Read(b)
	p.end.write(b[:n])
	if errors.Is(err, io.EOF) && p.end.cut() {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && p.done.CompareAndSwap(false, true) {
		o := pool.Outcome{Class: pool.ClassOK}
		if !errors.Is(err, io.EOF) {
			o.Class = p.attempt.transportClass()
		}
		if p.attempt.exchange.payload.metered() {
			use(&o, p.end.usage(p.attempt.exchange.payload.call.OpenAI()))
		}
		p.attempt.settle(&o)
	}
	return n, err
}

// Close lets go of the response.
func (p *passthroughBody) Close() error {
	if p.done.CompareAndSwap(false, true) {
		p.attempt.settle(&pool.Outcome{Class: pool.ClassCancelled})
	}
	p.share.release()
	return nil
}

// lastBytes keeps the end of a response that passes through, which has its usage. A nil one keeps
// nothing.
type lastBytes struct {
	kept []byte
	json bool // it is an object or an array, and not compressed
}

// usageWithin is how near to its end a response has its usage: Google sends it after the candidates.
const usageWithin = 8 << 10

func (l *lastBytes) write(p []byte) {
	if l == nil || len(p) == 0 {
		return
	}
	if l.kept == nil {
		l.kept = make([]byte, 0, 2*usageWithin)
		start := bytes.TrimLeft(p, " \t\r\n\ufeff")
		l.json = len(start) > 0 && (start[0] == '{' || start[0] == '[')
	}
	if len(p) > usageWithin {
		p = p[len(p)-usageWithin:]
		l.kept = l.kept[:0]
	}
	if len(l.kept)+len(p) > cap(l.kept) {
		l.kept = append(l.kept[:0], l.kept[len(l.kept)-usageWithin:]...)
	}
	l.kept = append(l.kept, p...)
}

// cut reports whether the response, which is JSON, has lost its end.
func (l *lastBytes) cut() bool {
	if l == nil || !l.json {
		return false
	}
	end := bytes.TrimRight(l.kept, " \t\r\n")
	return len(end) > 0 && end[len(end)-1] != '}' && end[len(end)-1] != ']'
}

// usage reads the usage at the end of a response, if it has one there.
func (l *lastBytes) usage(openAI bool) stream.Usage {
	member := `"usageMetadata"`
	if openAI {
		member = `"usage"`
	}
	if l == nil {
		return stream.Usage{}
	}
	i := bytes.LastIndex(l.kept, []byte(member))
	if i < 0 {
		return stream.Usage{}
	}
	// From a member of the response itself on, the rest is an object without its beginning.
	object := append([]byte("{"), l.kept[i:]...)
	switch {
	case !json.Valid(object):
		return stream.Usage{}
	case openAI:
		read := stream.Whole(stream.Form{Dialect: stream.OpenAI}, object)
		return read.Usage()
	default:
		return stream.ParseUsage(object)
	}
}
