package pool

import (
	"slices"
	"time"
)

// calendar checks when an order begins and ends.
func (f *faults) calendar(at string, o *Order) {
	if !o.Until.IsZero() && !o.Until.After(o.From) {
		f.add(at+".until", "the order ends before it begins", "write an end after from, or leave it out")
	}
}

// oneAtATime checks that of the orders for one model and location no two are in force together.
func (f *faults) oneAtATime(at string, orders []Order) {
	type place struct{ model, location string }
	lots := make(map[place][]int)
	for j := range orders {
		o := &orders[j]
		if o.Model != "" && o.Location != "" && (o.Until.IsZero() || o.Until.After(o.From)) {
			lots[place{o.Model, o.Location}] = append(lots[place{o.Model, o.Location}], j)
		}
	}
	type pair struct{ later, first int }
	var found []pair // the later in the file, the one it collides with
	for _, lot := range lots {
		slices.SortStableFunc(lot, func(a, b int) int { return orders[a].From.Compare(orders[b].From) })
		last := lot[0] // of those that have begun, the one that ends last
		for _, j := range lot[1:] {
			if o := &orders[last]; o.Until.IsZero() || orders[j].From.Before(o.Until) {
				found = append(found, pair{max(last, j), min(last, j)})
			}
			if !ends(&orders[last], &orders[j]) {
				last = j
			}
		}
	}
	slices.SortFunc(found, func(a, b pair) int { return a.later - b.later })
	for _, x := range found {
		a, b := &orders[x.first], &orders[x.later]
		f.again(index(at+".provisioned", x.later), meanwhile(a, b)+"for the same model and location",
			index(at+".provisioned", x.first), apart(a, b))
	}
}

// ends reports whether a ends after b does.
func ends(a, b *Order) bool {
	return a.Until.IsZero() || !b.Until.IsZero() && a.Until.After(b.Until)
}

// meanwhile says that there are two orders, and when they are in force together.
func meanwhile(a, b *Order) string {
	from, until := a.From, a.Until
	if b.From.After(from) {
		from = b.From
	}
	if until.IsZero() || !b.Until.IsZero() && b.Until.Before(until) {
		until = b.Until
	}
	s := "there is an order "
	if !from.IsZero() || !until.IsZero() {
		s = "there is another order "
	}
	if !until.IsZero() {
		s = "until " + until.Format(time.RFC3339) + " " + s
	}
	if !from.IsZero() {
		s = "from " + from.Format(time.RFC3339) + " " + s
	}
	return s
}

// apart says what to write in place of two orders that are in force together.
func apart(a, b *Order) string {
	if b.From.Before(a.From) {
		a, b = b, a
	}
	if !b.From.After(a.From) || !a.Until.IsZero() && ends(a, b) {
		return "write one order with the sum of both; if one renews the other, its from and the other's until at the same time"
	}
	return "if the later one renews the other, write until = " + b.From.Format(time.RFC3339) +
		" on the one that begins first; if both are in force, write one order with the sum of both"
}
