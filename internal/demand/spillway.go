package demand

import (
	"strings"
	"time"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/router"
)

// spillwayEntry is a line of Spillway's own log.
type spillwayEntry struct{ calls.Record }

func (e *spillwayEntry) call() (Call, bool) {
	r, u := &e.Record, &e.Tokens
	c := Call{
		At: r.Time.Time, Model: modelOf(r.Model), Label: plain.Text(r.Label, maxName), Batch: r.Priority == router.PriorityBatch,
		Took: time.Duration(max(r.LatencyMS-r.WaitedMS, 0) * float64(time.Millisecond)),
		Usage: quota.Usage{
			Input: tokens(float64(u.Input)), InputAudio: tokens(float64(u.InputAudio)), InputImage: tokens(float64(u.InputImage)),
			Cached: tokens(float64(u.Cached)), OutputImage: tokens(float64(u.OutputImage)), OutputAudio: tokens(float64(u.OutputAudio)),
			Output: tokens(float64(u.Output - u.OutputImage - u.OutputAudio)),
		},
	}
	switch {
	case !strings.HasSuffix(strings.ToLower(r.Method), "generatecontent") && r.Method != "openai.chat", r.Live():
		return Call{}, false
	case r.Outcome == calls.OutcomeRefused:
		c.Usage, c.Took = quota.Usage{}, 0 // it would have been served
		return c, true
	default:
		return c, u.Input > 0
	}
}
