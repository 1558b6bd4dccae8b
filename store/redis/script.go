package redis

import (
	"context"
	"crypto/sha1" //nolint:gosec // the name of a script for EVALSHA is its SHA-1
	_ "embed"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// script is a program that the server runs.
type script struct {
	text, hash string
}

func newScript(text string) *script {
	sum := sha1.Sum([]byte(text)) //nolint:gosec // see above
	return &script{text, hex.EncodeToString(sum[:])}
}

//go:embed take.lua
var takeText string

//go:embed beat.lua
var beatText string

//go:embed claim.lua
var claimText string

//go:embed publish.lua
var publishText string

//go:embed poll.lua
var pollText string

//go:embed lookup.lua
var lookupText string

//go:embed owner.lua
var ownerText string

//go:embed owned.lua
var ownedText string

//go:embed order.lua
var orderText string

//go:embed reserve.lua
var reserveText string

//go:embed settle.lua
var settleText string

//go:embed pull.lua
var pullText string

//go:embed pacer.lua
var pacerText string

//go:embed allow.lua
var allowText string

//go:embed reject.lua
var rejectText string

//go:embed return.lua
var returnText string

var (
	takeScript    = newScript(takeText)
	beatScript    = newScript(beatText)
	claimScript   = newScript(claimText)
	publishScript = newScript(publishText)
	pollScript    = newScript(pollText)
	lookupScript  = newScript(lookupText)
	ownerScript   = newScript(ownerText)
	ownedScript   = newScript(ownedText)
	reserveScript = newScript(orderText + reserveText)
	settleScript  = newScript(orderText + settleText)
	pullScript    = newScript(orderText + pullText)
	allowScript   = newScript(pacerText + allowText)
	rejectScript  = newScript(pacerText + rejectText)
	returnScript  = newScript(pacerText + returnText)
)

// call is one run of a script. All keys lie in one slot.
type call struct {
	script     *script
	keys, args []string
}

// run runs scripts, all at once, and returns what each of them answers. It fails when one of them
// does, and when ctx or timeout ends.
func (s *Store) run(
	ctx context.Context, timeout time.Duration, calls ...call,
) ([]rueidis.RedisMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	client, err := s.link.acquire(ctx)
	if err != nil {
		return nil, err
	}
	// The client does not in all cases return when ctx ends.
	results := make(chan []rueidis.RedisResult, 1)
	go func() {
		defer s.link.release()
		results <- execute(context.WithValue(ctx, onCall{}, true), client, calls)
	}()
	select {
	case answered := <-results:
		return s.messages(ctx, client, answered)
	case <-ctx.Done():
		return nil, s.link.why(ctx.Err())
	}
}

// execute calls scripts by their hashes, and again in full where the server does not know them.
func execute(ctx context.Context, client rueidis.Client, calls []call) []rueidis.RedisResult {
	commands := make(rueidis.Commands, len(calls))
	for i, c := range calls {
		commands[i] = client.B().Evalsha().Sha1(c.script.hash).
			Numkeys(int64(len(c.keys))).Key(c.keys...).Arg(c.args...).Build()
	}
	results := client.DoMulti(ctx, commands...)

	var unknown []int
	var full rueidis.Commands
	for i, c := range calls {
		if e, ok := rueidis.IsRedisErr(results[i].Error()); ok && e.IsNoScript() {
			unknown = append(unknown, i)
			full = append(full, client.B().Eval().Script(c.script.text).
				Numkeys(int64(len(c.keys))).Key(c.keys...).Arg(c.args...).Build())
		}
	}
	if len(unknown) > 0 {
		for i, result := range client.DoMulti(ctx, full...) {
			results[unknown[i]] = result
		}
	}
	return results
}

// messages returns the answers of scripts, or the first error.
func (s *Store) messages(
	ctx context.Context, client rueidis.Client, results []rueidis.RedisResult,
) ([]rueidis.RedisMessage, error) {
	messages := make([]rueidis.RedisMessage, len(results))
	for i, result := range results {
		message, err := result.ToMessage()
		if err != nil {
			return nil, s.failure(ctx, client, err)
		}
		messages[i] = message
	}
	return messages, nil
}

// failure returns the error of a call, and sees to the connection if that is why.
func (s *Store) failure(ctx context.Context, client rueidis.Client, err error) error {
	if ended := ctx.Err(); ended != nil {
		return s.link.why(ended)
	}
	e, replied := rueidis.IsRedisErr(err)
	switch {
	case !replied:
		s.link.repair()
		return s.link.why(err)
	case misplaced(e) && client.Mode() != rueidis.ClientModeCluster:
		s.link.renew()
	}
	return fmt.Errorf("redis: %w", err)
}

// misplaced reports whether a server says that it is not the one to ask. Its name may stand for
// another server by now, or it may have become part of a cluster.
func misplaced(e *rueidis.RedisError) bool {
	_, moved := e.IsMoved()
	return moved || strings.HasPrefix(e.Error(), "READONLY")
}
