package pool

// Kind has two constants and a method.
type Kind int

const (
	First Kind = iota
	Second
	third
)

func (k Kind) String() string { return "" }

var Default, other = First, Second

// Pool embeds what has fields and methods of its own.
type Pool struct {
	*inner
	Kind
	A, B, C, D, E, F, G int
}

type inner struct {
	*loop
	outer *inner
	h, i  int
	j     int
	k, l  map[string]struct{ notCounted int }
	m     int
}

func (p *Pool) Do()     {}
func (p *Pool) hidden() {}
func (i *inner) Shown() {}

type loop struct{ *inner }

// BigConfig may have any number of fields.
type BigConfig struct {
	a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p int
}

func Generic[T any](list[T]) {}

type list[T any] struct{ of []T }

func (l *list[T]) Len() int { return len(l.of) }
