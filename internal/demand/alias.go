package demand

import "slices"

// aliases finds out which names of a log are aliases: those that calls have, and that no request was
// ever made for. A fallback is no alias: the model before it is asked, too.
type aliases map[string]*alias

// alias is what is known of a name.
type alias struct {
	model bool // a request was made for it
	first []string
	calls []int // of those whose first request was for that model
}

// mostModels bounds the models that one name is taken to stand for.
const mostModels = 10

// see takes note of the models that requests for a call were made for, in their order.
func (a aliases) see(name string, asked []string) {
	if len(asked) == 0 || len(a) >= mostNames && a[name] == nil {
		return
	}
	known := a[name]
	if known == nil {
		known = &alias{}
		a[name] = known
	}
	if known.model = known.model || slices.Contains(asked, name); known.model {
		return
	}
	i := slices.Index(known.first, asked[0])
	switch {
	case i >= 0:
		known.calls[i]++
	case len(known.first) < mostModels:
		known.first, known.calls = append(known.first, asked[0]), append(known.calls, 1)
	}
}

// resolve has calls with an alias be for its model: the one that most of their requests were made for.
func (a aliases) resolve(calls []Call) {
	for i := range calls {
		if known := a[calls[i].Model]; known != nil && !known.model {
			calls[i].Model = known.first[slices.Index(known.calls, slices.Max(known.calls))]
		}
	}
}
