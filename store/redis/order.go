package redis

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/spillway-go/spillway/store"
)

// errRow occurs on a row of numbers that does not end with one.
var errRow = errors.New("not a row of numbers")

// cell is how many numbers a bucket has: its own, and its charge.
const cell = 2 + store.Estimates

// ReserveOrder implements [store.Orders].
func (s *Store) ReserveOrder(
	ctx context.Context, key store.OrderKey, ask store.OrderAsk,
) (store.OrderGrant, error) {
	args := []string{decimal(ask.Charge.Known)}
	for _, open := range ask.Charge.Open {
		args = append(args, decimal(open))
	}
	args = append(args, strconv.Itoa(ask.By+1), float(ask.Guess))
	for _, w := range []store.OrderWindow{ask.Window, ask.Longer} {
		args = append(args, decimal(w.Buckets), float(w.Capacity), float(w.Margin))
	}
	r, err := s.runOrder(ctx, reserveScript, key, append(args, decimal(ask.Every))...)
	if err != nil {
		return store.OrderGrant{}, err
	}
	g := store.OrderGrant{Now: r.time(), OK: r.number() == 1, Bucket: r.number(), Sum: r.charge(), Lesson: r.number(), Version: r.number()}
	return g, r.failure()
}

// SettleOrder implements [store.Orders].
func (s *Store) SettleOrder(
	ctx context.Context, key store.OrderKey, change store.OrderChange,
) (store.OrderChanged, error) {
	r, err := s.runOrder(ctx, settleScript, key, packChanges(change))
	if err != nil {
		return store.OrderChanged{}, err
	}
	c := store.OrderChanged{Now: r.time(), Lesson: r.number(), Teaches: r.number() == 1}
	return c, r.failure()
}

// PullOrder implements [store.Orders].
func (s *Store) PullOrder(
	ctx context.Context, key store.OrderKey, pull store.OrderPull,
) (store.OrderNews, error) {
	var evidence row
	for _, shift := range pull.Evidence {
		evidence.put(shift.Keep, float64(len(shift.Add)))
		evidence.put(shift.Add...)
	}
	r, err := s.runOrder(ctx, pullScript, key,
		pull.Member, decimal(pull.Number), packChanges(pull.Changes...), string(evidence), decimal(pull.Lesson),
		pull.Epoch, decimal(pull.Version), decimal(pull.Count))
	if err != nil {
		return store.OrderNews{}, err
	}
	n := store.OrderNews{
		Now: r.time(), Epoch: r.text(), Version: r.number(), Count: r.number(), Lesson: r.number(),
		Whole: r.number() == 1,
	}
	for b := range slices.Chunk(r.row(cell), cell) {
		bucket := store.OrderBucket{Bucket: int64(b[0]), Charge: store.Charge{Known: int64(b[1])}}
		for i := range bucket.Charge.Open {
			bucket.Charge.Open[i] = int64(b[2+i])
		}
		n.Buckets = append(n.Buckets, bucket)
	}
	n.Evidence = r.row(1)
	return n, r.failure()
}

// runOrder runs a script that follows order.lua.
func (s *Store) runOrder(ctx context.Context, script *script, key store.OrderKey, args ...string) (*reader, error) {
	args = append([]string{randomName(), float(float64(key.Bucket) / 1000), decimal(key.Buckets)}, args...)
	answer, err := s.run(ctx, s.timeout, call{script, s.orderKeys(key), args})
	if err != nil {
		return nil, err
	}
	return read(answer[0]), nil
}

// orderKeys returns the keys of an order: see order.lua.
func (s *Store) orderKeys(k store.OrderKey) []string {
	key := s.key(store.Key{Kind: "order", Name: fmt.Sprintf("%d\x00%d\x00%s", k.Bucket, k.Buckets, k.Name)})
	return []string{key + ":order", key + ":buckets", key + ":changes", key + ":pulls"}
}

func packChanges(changes ...store.OrderChange) string {
	r := make(row, 0, 8*(cell+2)*len(changes))
	for _, c := range changes {
		refused := 0.0
		if c.Refused {
			refused = 1
		}
		r.put(float64(c.Bucket), float64(c.Charge.Known))
		for _, open := range c.Charge.Open {
			r.put(float64(open))
		}
		r.put(refused, float64(c.Lesson))
	}
	return string(r)
}

// row is numbers as scripts read them.
type row []byte

func (r *row) put(numbers ...float64) {
	for _, n := range numbers {
		*r = binary.LittleEndian.AppendUint64(*r, math.Float64bits(n))
	}
}

// row reads a row of groups of so many numbers.
func (r *reader) row(group int) []float64 {
	s := r.text()
	if len(s)%(8*max(group, 1)) != 0 && r.err == nil {
		r.err = errRow
	}
	if r.err != nil {
		return nil
	}
	var numbers []float64
	for b := []byte(s); len(b) > 0; b = b[8:] {
		numbers = append(numbers, math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}
	return numbers
}

// charge reads what calls weigh.
func (r *reader) charge() store.Charge {
	c := store.Charge{Known: r.number()}
	for i := range c.Open {
		c.Open[i] = r.number()
	}
	return c
}

// float writes a number that is not whole.
func float(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
