package router

import (
	"cmp"
	"context"
	"hash/fnv"
	"io"
	"net/http"
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

// payload is the call as it is sent: what it asks, and its body.
type payload struct {
	call   request.Call
	body   []byte      // nil if it is in a file
	kept   *kept       // keeps the body; nil if it is small, or its caller's own
	tail   io.Reader   // what could not be kept: then there is one attempt
	length int64       // of all; negative if it is unknown
	other  translation // the call as the other back end takes it
	moved  movedBody
	// A long body without the thought signatures of another back end.
	unsigned *kept
	asking   *kept       // a long body that asks for the usage
	header   http.Header // the request's
	method   string
	router   *Router
	ctx      context.Context //nolint:containedctx // the call's, while it loads its body
	err      error           // the body cannot be loaded any more
	resumes  bool            // a Live session that began before, of which an endpoint may not know
}

// translation is a call in the dialect of the other back end. It is worked out when an endpoint of
// that back end is first considered, so a pool of one back end never pays for it. Several
// goroutines may ask.
type translation struct {
	once        sync.Once
	translation *translate.Translation // nil: there is none
	lacks       []string               // why
	kept        *kept                  // keeps its body if that is long, and not the call's own
}

// read reads a request as far as its body is kept.
func (p *payload) read(ctx context.Context, req *http.Request) (err error) {
	p.ctx, p.header, p.method, p.length = ctx, req.Header, req.Method, req.ContentLength
	if req.Body != nil {
		if p.body = inMemory(req); p.body == nil {
			err = p.receive(req)
		}
		if p.tail == nil || err != nil {
			closeBody(req.Body)
		}
		if err != nil {
			return err
		}
	}
	err = p.with(func(body []byte) { p.call.Parse(req.Method, req.URL, body) })
	if request.Neutral(&p.call) {
		p.call.Use.Lone = len(p.router.pool.Homes(p.call.Backend)) == 0
	}
	return err
}

// with gives f the body, as far as it is kept.
func (p *payload) with(f func(body []byte)) error {
	if !p.long() {
		f(p.body)
		return nil
	}
	return within(p.ctx, p.router.bodies.eyes, func() error {
		if p.kept.inFile() {
			return p.kept.with(p.ctx, f)
		}
		f(p.body)
		return nil
	})
}

// long reports whether copies of the body are made at the desk.
func (p *payload) long() bool {
	return len(p.body) > longBody || p.kept.inFile()
}

// rename makes model the one that the call asks.
func (p *payload) rename(model string) {
	if request.Named(&p.call, model) {
		return
	}
	p.other.kept.release()
	p.other = translation{}
	if !p.long() {
		body := p.call.Rename(model, p.body)
		p.grow(len(body) - len(p.body))
		p.body = body
		return
	}
	p.fail(p.router.bodies.atDesk(p.ctx, func() error {
		body, err := p.load()
		if err != nil {
			return err
		}
		if renamed := p.call.Rename(model, body); !unchanged(body, renamed) {
			p.grow(len(renamed) - len(body))
			p.kept.release()
			p.kept = p.router.bodies.put(renamed)
			p.body = p.kept.body
		}
		return nil
	}))
}

// grow notes that the body has n more bytes.
func (p *payload) grow(n int) {
	if p.length > 0 {
		p.length += int64(n)
	}
}

// unchanged reports whether a body is still what it was, in the same place.
func unchanged(was, is []byte) bool {
	return len(was) == len(is) && (len(is) == 0 || &was[0] == &is[0])
}

// load returns the body, as far as it is kept. The caller is at the desk.
func (p *payload) load() ([]byte, error) {
	if p.kept.inFile() {
		return p.kept.load()
	}
	return p.body, nil
}

// fail notes that the body cannot be loaded any more.
func (p *payload) fail(err error) {
	if err != nil && p.err == nil {
		p.err = err
	}
}

// prepare translates a long call now, for pools of both back ends. Later, the pool would wait for it
// while it holds its locks.
func (p *payload) prepare() {
	if p.tail != nil || !p.long() || len(p.router.pool.Homes(p.otherBackend())) == 0 {
		return
	}
	t := &p.other
	t.once.Do(func() {
		p.fail(p.router.bodies.atDesk(p.ctx, func() error {
			body, err := p.load()
			if err != nil {
				return err
			}
			t.translation, t.lacks = translate.Call(&p.call, p.otherBackend(), p.header, body)
			if made := t.translation; made != nil {
				if !unchanged(body, made.Body) {
					t.kept = p.router.bodies.put(made.Body)
				}
				made.Body = nil
			}
			return nil
		}))
	})
}

// outgoing returns the body for an endpoint that takes it in translation t: its bytes or, of a long
// one, what keeps it.
func (p *payload) outgoing(t *translate.Translation) ([]byte, *kept) {
	switch {
	case t == nil, t.Body == nil && p.other.kept == nil:
		return p.body, p.kept
	case p.other.kept != nil:
		return p.other.kept.body, p.other.kept
	default:
		return t.Body, nil
	}
}

// movedBody is a body that names what is in another project and location than its caller wrote.
type movedBody struct {
	to   request.Target
	kept *kept
}

// move rewrites the names in a body to a target's.
func (p *payload) move(to request.Target, body []byte, k *kept) ([]byte, *kept) {
	if len(body) <= longBody && !k.inFile() {
		if moved := p.call.RewriteNames(to, body); !unchanged(body, moved) {
			return moved, nil
		}
		return body, k
	}
	if p.moved.kept != nil && p.moved.to == to {
		return p.moved.kept.body, p.moved.kept
	}
	p.fail(p.router.bodies.atDesk(p.ctx, func() (err error) {
		all := body
		if k.inFile() {
			all, err = k.load()
		}
		if moved := p.call.RewriteNames(to, all); err == nil && !unchanged(all, moved) {
			p.moved.kept.release()
			p.moved = movedBody{to, p.router.bodies.put(moved)}
			body, k = p.moved.kept.body, p.moved.kept
		}
		return err
	}))
	return body, k
}

// close lets go of the request's body.
func (p *payload) close(req *http.Request) {
	if p.tail != nil {
		closeBody(req.Body)
	}
	p.kept.release()
	p.other.kept.release()
	p.moved.kept.release()
	p.unsigned.release()
	p.asking.release()
	if len(p.body) <= smallBody {
		return
	}
	// The response may be read for long: what it belongs to holds the body no longer.
	p.body = nil
	if t := p.other.translation; t != nil {
		t.Body = nil
	}
}

func (p *payload) otherBackend() pool.Backend {
	if p.call.Backend == pool.BackendGemini {
		return pool.BackendVertex
	}
	return pool.BackendGemini
}

// otherDialect returns the call as the back end takes it whose dialect it does not speak.
func (p *payload) otherDialect() *translation {
	t := &p.other
	t.once.Do(func() {
		if p.tail != nil || p.kept.inFile() { // else it would be prepared
			t.lacks = []string{"a body that is too long to be kept is not translated into the " +
				"other back end's dialect"}
			return
		}
		t.translation, t.lacks = translate.Call(&p.call, p.otherBackend(), p.header, p.body)
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
