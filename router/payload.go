package router

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/internal/wire/translate"
	"github.com/spillway-go/spillway/pool"
)

// maxReplay bounds how much of a request's body is kept for another attempt: more than any inline
// request may have (20 MB, https://ai.google.dev/gemini-api/docs/document-processing). A longer one
// is sent once.
const maxReplay = 64 << 20

// maxName bounds the names of models and resources in a request.
const maxName = 1 << 10

// payload is the call as it is sent: what it asks, and its body.
type payload struct {
	call   request.Call
	body   []byte
	tail   io.Reader   // what did not fit into body: then there is one attempt
	other  translation // the call as the other back end takes it
	header http.Header // the request's
	method string
}

// translation is a call in the dialect of the other back end. It is worked out when an endpoint of
// that back end is first considered, so a pool of one back end never pays for it. Several
// goroutines may ask.
type translation struct {
	once        sync.Once
	translation *translate.Translation // nil: there is none
	lacks       []string               // why
}

// read reads a request as far as its body is kept.
func (p *payload) read(ctx context.Context, req *http.Request) (err error) {
	p.header, p.method = req.Header, req.Method
	if req.Body != nil {
		p.body, p.tail, err = readBody(ctx, req)
		if p.tail == nil || err != nil {
			closeBody(req.Body)
		}
		if err != nil {
			return err
		}
	}
	p.call.Parse(req.Method, req.URL, p.body)
	return nil
}

// readBody returns the body of a request, and what is left to be read of a body that is too long to
// be kept.
func readBody(ctx context.Context, req *http.Request) (body []byte, tail io.Reader, err error) {
	if body = inMemory(req); body != nil {
		return body, nil, nil
	}
	if req.GetBody == nil { // it comes from somewhere, and may be long in coming
		stop := context.AfterFunc(ctx, func() { closeBody(req.Body) })
		defer func() {
			if stop(); err != nil && ctx.Err() != nil {
				err = ctx.Err()
			}
		}()
	}
	if n := req.ContentLength; n > 0 && n <= maxReplay {
		body = make([]byte, n)
		_, err = io.ReadFull(req.Body, body)
		return body, nil, err
	}
	var buf bytes.Buffer
	n, err := buf.ReadFrom(io.LimitReader(req.Body, maxReplay+1))
	if n > maxReplay {
		tail = req.Body
	}
	return buf.Bytes(), tail, err
}

// inMemory returns the body of a request without a copy, if it can be read again from where it is
// in memory; else nil. The caller of an [http.RoundTripper] does not change such a body before it
// has closed the response's body, and the router does not change it at all.
func inMemory(req *http.Request) []byte {
	n := req.ContentLength
	if req.GetBody == nil || n > maxReplay || reflect.TypeOf(req.Body) != nopCloser {
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

// rename makes model the one that the call asks.
func (p *payload) rename(model string) {
	if model != p.call.Model {
		p.body = p.call.Rename(model, p.body)
		p.other = translation{}
	}
}

// close lets go of what is left of the request's body.
func (p *payload) close(req *http.Request) {
	if p.tail != nil {
		closeBody(req.Body)
	}
}

// otherDialect returns the call as the back end takes it whose dialect it does not speak.
func (p *payload) otherDialect() *translation {
	t := &p.other
	t.once.Do(func() {
		if p.tail != nil {
			t.lacks = []string{"a body that is too long to be kept is not translated into the " +
				"other back end's dialect"}
			return
		}
		to := pool.BackendGemini
		if p.call.Backend == pool.BackendGemini {
			to = pool.BackendVertex
		}
		t.translation, t.lacks = translate.Call(&p.call, to, p.header, p.body)
	})
	return t
}

// speaks says why the call cannot be sent to a back end, or "".
func (p *payload) speaks(b pool.Backend) (why string) {
	if b == p.call.Backend || p.otherDialect().translation != nil {
		return ""
	}
	return cmp.Or(strings.Join(p.otherDialect().lacks, "; "), "its back end does not take the call")
}

// translationTo returns the call as a back end takes it; nil if that is as it came. The call can be
// sent there.
func (p *payload) translationTo(b pool.Backend) *translate.Translation {
	if b == p.call.Backend {
		return nil
	}
	return p.otherDialect().translation
}

// hash returns a hash of a name that is the same in every process, and never zero.
func hash(name string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, name)
	return max(h.Sum64(), 1)
}

// tooLong says which name is too long to be one.
func (p *payload) tooLong() string {
	c := &p.call
	if len(c.Model) > maxName {
		return fmt.Sprintf("the model's name has %d bytes; write a name of at most %d", len(c.Model), maxName)
	}
	for _, res := range c.Resources {
		if len(res.Name) > maxName {
			return fmt.Sprintf("the name of a resource has %d bytes; write a name of at most %d", len(res.Name), maxName)
		}
	}
	return ""
}

// metered reports whether Google counts the call against limits and orders: a call that asks a
// model for a response, not one that counts tokens or reads lists.
func (p *payload) metered() bool {
	switch p.call.Method {
	case "countTokens", "computeTokens":
		return false
	default:
		return p.call.Model != "" && p.method == http.MethodPost && !p.caches()
	}
}

// caches reports whether the call makes a cached content. That is free of limits, and it has to be
// where the model will be asked: by the same tiers, a provisioned order first.
func (p *payload) caches() bool { return p.call.Method == "cachedContents.create" }

// pinned reports whether the call makes, reads, uses or lists what lives in one project.
func (p *payload) pinned() bool { return p.call.Resource != "" }
