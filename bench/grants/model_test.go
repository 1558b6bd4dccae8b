package grants_test

import (
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/spillway-go/spillway/store"
)

// asked is the input of an operation: one ask, and between which times of the store it may have had
// its effect.
type asked struct {
	member   int
	ask      store.Ask
	from, to time.Time
}

// answered is the output of an operation. One that failed may have had its effect.
type answered struct {
	known bool
	grant store.Grant
}

// counted is what was granted, or given back, at a time.
type counted struct{ slice, requests, tokens int64 }

// window is the state of the model: what was granted so far, and the last Number of each member.
type window struct {
	counts  []counted
	latest  int64
	numbers [members]int64
}

func (w window) equal(other window) bool {
	return w.latest == other.latest && w.numbers == other.numbers && slices.Equal(w.counts, other.counts)
}

// used returns the sums of a window that ends with a slice.
func (w window) used(slice int64) (requests, tokens int64) {
	for _, c := range w.counts {
		if slice-c.slice < int64(store.Keep/store.Slice) {
			requests += c.requests
			tokens += c.tokens
		}
	}
	return requests, tokens
}

// after returns the window after an ask at a slice, and what that is granted.
func (w window) after(in asked, slice int64) (_ window, requests, tokens int64) {
	next := window{counts: slices.Clone(w.counts), latest: slice, numbers: w.numbers}
	a := in.ask
	if a.Number > w.numbers[in.member] {
		next.numbers[in.member] = a.Number
		for _, c := range a.Changes {
			next.counts = append(next.counts, counted{sliceOf(c.At), c.Requests, c.Tokens})
		}
	}
	requests, tokens = plainGrant(a, next)
	next.counts = append(next.counts, counted{slice, requests, tokens})
	next.counts = slices.DeleteFunc(next.counts, func(c counted) bool {
		return slice-c.slice >= int64(store.Keep/store.Slice) || c.requests == 0 && c.tokens == 0
	})
	return next, requests, tokens
}

// plainGrant is what the interface says about requests and tokens, as plainly as may be.
func plainGrant(a store.Ask, w window) (requests, tokens int64) {
	usedRequests, usedTokens := w.used(w.latest)
	left := a.Limits.RPM - usedRequests
	if a.Requests > 4 {
		left = (left + 3) / 4
	}
	requests = min(a.Requests, left)
	if a.Limits.TPM == 0 || requests == 0 {
		return requests, 0
	}
	left = a.Limits.TPM - usedTokens
	if left < a.Least {
		return 0, 0
	}
	if a.Requests > 4 {
		left = max((left+3)/4, a.Least)
	}
	need := max((a.Tokens*requests+a.Requests-1)/a.Requests, a.Least)
	if need > left {
		requests, need = max(requests*left/need, 1), left
	}
	return requests, need
}

// steps returns the windows that an operation may leave behind.
func steps(w window, in asked, out answered) []any {
	from, to := max(sliceOf(in.from), w.latest), sliceOf(in.to)
	var next []any
	if !out.known {
		next = append(next, w)
	} else if at := sliceOf(out.grant.At); at >= from && at <= to {
		from, to = at, at
	} else {
		return nil
	}
	for slice := from; slice <= to; slice++ {
		after, requests, tokens := w.after(in, slice)
		if out.known {
			allRequests, allTokens := after.used(slice)
			g := out.grant
			if g.Requests != requests || g.Tokens != tokens ||
				g.Used.Requests != allRequests || g.Used.Tokens != allTokens {
				continue
			}
		}
		next = append(next, after)
	}
	return next
}

// sliding is the model of one window.
func sliding() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			byKey := map[store.Key][]porcupine.Operation{}
			for _, o := range history {
				k := o.Input.(asked).ask.Key
				byKey[k] = append(byKey[k], o)
			}
			var parts [][]porcupine.Operation
			for _, part := range byKey {
				parts = append(parts, part)
			}
			return parts
		},
		Init: func() []any { return []any{window{}} },
		Step: func(state, input, output any) []any {
			return steps(state.(window), input.(asked), output.(answered))
		},
		Equal: func(a, b any) bool { return a.(window).equal(b.(window)) },
	}
	return m.ToModel()
}

func sliceOf(t time.Time) int64 { return t.UnixNano() / int64(store.Slice) }
