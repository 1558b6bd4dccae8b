package router

import (
	"bytes"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/spillway-go/spillway/internal/owner"
	"github.com/spillway-go/spillway/internal/wire/request"
	"github.com/spillway-go/spillway/internal/wire/verdict"
	"github.com/spillway-go/spillway/pool"
)

// Models sign their thoughts, and take the signatures back with the next turn. A signature is
// checked by the back end that made it; the other one refuses the whole call. So a conversation
// stays where it was signed. Where that cannot be, a placeholder of Google's stands in the place of
// the signatures, and the model goes on without the thoughts.

// signatureBytes bounds what is remembered of signatures: some 70,000 of them.
const signatureBytes = 16 << 20

// signatures remembers which back end made a thought signature, by a hash of it.
type signatures struct {
	made    *owner.Cache // the project of a home is the name of a back end
	refused atomic.Bool  // a back end has refused one
}

func newSignatures() signatures { return signatures{made: owner.New(signatureBytes)} }

// notBy is the mark of a signature that a back end has refused.
func notBy(b pool.Backend) string { return "not " + string(b) }

// nobody is the mark of a signature that both have refused.
const nobody = "nobody"

// put notes which back end made the signatures.
func (s *signatures) put(names []string, by pool.Backend) {
	for _, name := range names {
		if name != "" {
			s.made.Put(name, owner.Home{Project: string(by)})
		}
	}
}

// by returns the back end that made a signature, "" if it is unknown, and whether the back end b
// would refuse the signature, as far as that is known.
func (s *signatures) by(name string, b pool.Backend) (made pool.Backend, foreign bool) {
	if name == request.OtherPlaceholder {
		return "", b == pool.BackendVertex
	}
	home, known, _ := s.made.Lookup(name, 0)
	switch made = pool.Backend(home.Project); {
	case !known:
		return "", false
	case made == pool.BackendGemini, made == pool.BackendVertex:
		return made, made != b
	default:
		return "", home.Project == nobody || home.Project == notBy(b)
	}
}

// refuse notes that a back end refused a call for one of the signatures in it. It does not say for
// which.
func (s *signatures) refuse(body []byte, b pool.Backend) {
	s.refused.Store(true)
	other := pool.BackendGemini
	if b == pool.BackendGemini {
		other = pool.BackendVertex
	}
	request.Signatures(body, func(name string) {
		mark := notBy(b)
		if home, _, _ := s.made.Lookup(name, 0); home.Project == notBy(other) || home.Project == nobody {
			mark = nobody
		}
		if _, foreign := s.by(name, b); !foreign && name != "" { // else it was not sent
			s.made.Put(name, owner.Home{Project: mark})
		}
	})
}

// signed is a call whose history may have thought signatures.
type signed struct {
	has  bool         // it has, and something is known of signatures
	stay pool.Backend // the back end that made the last one; "": any will do
	none bool         // all of them were refused
}

// begin looks for the back end that signed the history of a call.
func (s *signed) begin(x *exchange) {
	known := &x.in.router.signatures
	if !x.in.cfg.mixed && !known.refused.Load() || x.payload.tail != nil {
		return
	}
	x.payload.fail(x.payload.with(func(body []byte) {
		if !mayBeSigned(body) {
			return
		}
		request.Signatures(body, func(name string) {
			s.has = true
			if made, _ := known.by(name, ""); made != "" {
				s.stay = made
			}
		})
	}))
}

// mayBeSigned reports whether a body may have thought signatures.
func mayBeSigned(body []byte) bool {
	return bytes.Contains(body, []byte(`"thoughtSignature"`)) || bytes.Contains(body, []byte(`"thought_signature"`))
}

// speaks returns what says why a call cannot be sent to a back end.
func (s *signed) speaks(p *payload) func(pool.Backend) string {
	return func(b pool.Backend) string {
		if s.stay != "" && s.stay != b {
			return "did not sign the thoughts in the call"
		}
		return p.speaks(b)
	}
}

// lease leases an endpoint for a call: of the back end that signed its history if one is ready, else
// any.
func (s *signed) lease(x *exchange) (pool.Lease, error) {
	p := x.in.router.pool
	if s.stay != "" {
		wait := x.request.MaxWait
		x.request.MaxWait = -1 // it can do without
		lease, err := p.Acquire(x.in.ctx, x.request)
		x.request.MaxWait = wait
		if _, exhausted := errors.AsType[*pool.ExhaustedError](err); !exhausted {
			return lease, err
		}
		s.stay = ""
	}
	return p.Acquire(x.in.ctx, x.request)
}

// body returns the body of a call as a back end takes it: with placeholders for what others signed.
func (s *signed) body(x *exchange, b pool.Backend, body []byte) []byte {
	if !s.has {
		return body
	}
	fit, _ := request.Unsign(body, func(name string) bool {
		_, foreign := x.in.router.signatures.by(name, b)
		return s.none || foreign
	})
	return fit
}

// retry makes a call that was refused for its signatures one without them, once. It goes to the same
// back end again if that can be at once.
func (s *signed) retry(x *exchange, res *result) bool {
	if !res.unsigned || s.none || x.payload.tail != nil || x.costly+1 >= x.in.cfg.MaxAttempts {
		return false
	}
	b, some := res.lease.Endpoint().Backend, false
	x.payload.fail(x.payload.with(func(body []byte) {
		if _, some = request.Unsign(body, func(string) bool { return true }); some {
			x.in.router.signatures.refuse(body, b)
		}
	}))
	if !some {
		return false
	}
	s.has, s.none, s.stay = true, true, b
	closeBody(res.resp.Body)
	return true
}

// refusesSignature reports whether a verdict is about a thought signature.
func refusesSignature(v verdict.Verdict) bool {
	if v.Class != pool.ClassCallerFault {
		return false
	}
	message := strings.ToLower(v.Message)
	for _, words := range []string{"thought signature", "thought_signature", "thoughtsignature"} {
		if strings.Contains(message, words) {
			return true
		}
	}
	return false
}
