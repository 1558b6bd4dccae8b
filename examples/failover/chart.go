package main

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/pool"
)

// marks stand for the endpoints in the chart: one mark is one call that the endpoint served.
var marks = []string{"█", "▓", "░", "▒"}

// chart prints the story, line by line.
type chart struct {
	out       io.Writer
	endpoints []string // in the order of their tiers
	refused   int      // Google's responses 429 so far
	cooldowns []string // of the second before
}

func newChart(out io.Writer, plan pool.Plan) *chart {
	c := &chart{out: out}
	for i, endpoint := range slices.Concat(plan.Tiers...) {
		c.endpoints = append(c.endpoints, endpoint.Name)
		c.printf("  %s %s\n", marks[i%len(marks)], endpoint.Name)
	}
	c.printf("\n      calls  429s\n")
	return c
}

func (c *chart) printf(format string, values ...any) { _, _ = fmt.Fprintf(c.out, format, values...) }

// remark prints what happens now.
func (c *chart) remark(second int, text string) { c.printf("%02ds   %s\n", second, text) }

// second draws the calls of one second, and prints the cooldowns that started or ended in it.
func (c *chart) second(second int, served counts, google *geminitest.Emulator, stat pool.Stat) {
	refused := google.CountStatus(geminitest.Match{}, http.StatusTooManyRequests)
	var bar strings.Builder
	for i, endpoint := range c.endpoints {
		bar.WriteString(strings.Repeat(marks[i%len(marks)], served[endpoint]))
	}
	c.printf("%02ds  %6d  %4d  %s\n", second, served.sum(), refused-c.refused, bar.String())
	c.refused = refused

	now := onCooldown(stat)
	for _, what := range now {
		if !slices.Contains(c.cooldowns, what) {
			c.printf("                   cooldown: %s\n", what)
		}
	}
	for _, what := range c.cooldowns {
		if !slices.Contains(now, what) {
			c.printf("                   cooldown ended: %s\n", before(what, ","))
		}
	}
	c.cooldowns = now
}

// onCooldown lists the longer cooldowns and open breakers. The short cooldowns of a full order are
// too many to print.
func onCooldown(stat pool.Stat) []string {
	var list []string
	for _, project := range stat.Projects {
		for _, key := range project.Keys {
			if key.Cooldown.Class != "" {
				list = append(list, fmt.Sprintf("%s of %s, %s", key.Key, project.Name, key.Cooldown))
			}
		}
	}
	for _, e := range stat.Endpoints {
		if e.Cooldown.Class == pool.ClassDayQuota || e.Cooldown.Class == pool.ClassMinuteQuota {
			list = append(list, fmt.Sprintf("%s, %s", e.Endpoint, e.Cooldown))
		}
		// The endpoints of a location share its circuit breaker.
		open := strings.Split(e.Endpoint, "/")[1] + ", circuit breaker open"
		if e.Breaker.State != breaker.StateClosed && !slices.Contains(list, open) {
			list = append(list, open)
		}
	}
	return list
}

func before(s, separator string) string {
	head, _, _ := strings.Cut(s, separator)
	return head
}

// summary prints the result: for the callers by their own counts, for Google by the emulator's.
func (c *chart) summary(calls *tally, google *geminitest.Emulator) {
	calls.mu.Lock()
	defer calls.mu.Unlock()
	answered := calls.total.sum()
	c.printf("\n%d calls, half of them streams: %d answered, %d failed\n", answered+len(calls.failed), answered, len(calls.failed))
	for i, endpoint := range c.endpoints {
		n := calls.total[endpoint]
		c.printf("  %s %-32s %5d  %3.0f %%\n", marks[i%len(marks)], endpoint, n, 100*float64(n)/float64(max(answered, 1)))
	}
	c.printf("%d requests to Google for them. Refused were:\n", google.Count(geminitest.Match{}))
	refused := func(m geminitest.Match, status int, why string) {
		if n := google.CountStatus(m, status); n > 0 {
			c.printf("  %4d with %d%s\n", n, status, why)
		}
	}
	all := google.CountStatus(geminitest.Match{}, http.StatusTooManyRequests)
	share := fmt.Sprintf("; that is %.3f per call", float64(all)/float64(max(answered, 1)))
	if full := google.CountStatus(geminitest.Match{Traffic: "dedicated"}, http.StatusTooManyRequests); full > 0 {
		share = fmt.Sprintf(", of which %d by the full order", full) + share
	}
	refused(geminitest.Match{}, http.StatusTooManyRequests, share)
	refused(geminitest.Match{}, http.StatusServiceUnavailable, ", in the failed region")
	refused(geminitest.Match{}, http.StatusBadRequest, ", for the revoked key")
	c.printf("%d calls were moved on after a refusal, unseen by their callers.\n", calls.moved)
}
