package pace

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/spillway-go/spillway/internal/plain"
)

// Summary is how far a run is, or how it ended.
type Summary struct {
	// Lines are those of the file that hold something. Before are those that earlier runs have ended,
	// of which FailedBefore failed.
	Lines        int64 `json:"lines"`
	Before       int64 `json:"before"`
	FailedBefore int64 `json:"failed_before"`
	// Served and Failed are those that this run has ended, Left the ones that it has not.
	Served int64 `json:"served"`
	Failed int64 `json:"failed"`
	Left   int64 `json:"left"`
	// Twice are the lines that an earlier run may have sent already, which did not see their end.
	Twice int64 `json:"maybe_sent_twice"`
	// Retries are requests that were sent again, by the status that they had.
	Retries map[string]int64 `json:"retries"`
	// Failures are lines that failed, by status and message: the first twenty kinds.
	Failures map[string]int64 `json:"failures"`
	// Labels are lines that were served, by label: the first thousand, and the rest as "other".
	Labels map[string]int64 `json:"labels"`
	// FromCache are lines that the sidecar's response cache has served. They cost no tokens.
	FromCache int64 `json:"from_cache"`

	Input  int64         `json:"input_tokens"`
	Output int64         `json:"output_tokens"`
	Took   time.Duration `json:"-"`
	// PerMinute is how many lines ended in a minute, over the whole run.
	PerMinute float64 `json:"lines_per_minute"`
}

const (
	// mostKinds bounds the kinds of failures that are told apart.
	mostKinds = 20
	// mostLabels bounds the labels that are told apart, as a router does.
	mostLabels = 1_000
	// suspicious is how many lines are refused alike, one after another, before none is sent any more.
	suspicious = 20
)

// tally counts what becomes of the lines of a run.
type tally struct {
	mu     sync.Mutex
	sum    Summary
	began  time.Time
	same   int   // status with which the last lines were refused, one after another
	inARow int64 // how many
}

func newTally(out *Output) *tally {
	t := &tally{began: time.Now()}
	t.sum.Retries, t.sum.Failures, t.sum.Labels = map[string]int64{}, map[string]int64{}, map[string]int64{}
	t.sum.Before, t.sum.FailedBefore = out.count.Served+out.count.Failed, out.count.Failed
	return t
}

// begin notes how many lines there are to send, and how many of these may have been sent already.
func (t *tally) begin(left, twice int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Left, t.sum.Twice = left, twice
	t.sum.Lines = t.sum.Before + left
}

func (t *tally) left() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sum.Left
}

func (t *tally) retried(status int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Retries[strconv.Itoa(status)]++
}

// ended counts a line that has ended. It returns what the server says if that refuses all lines: no
// other will be served.
func (t *tally) ended(q *request, end *response) (refused string) {
	said := messageIn(end.body)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Left--
	if end.status >= 200 && end.status < 300 {
		t.sum.Served++
		label := q.label
		if _, known := t.sum.Labels[label]; !known && len(t.sum.Labels) >= mostLabels {
			label = "other"
		}
		t.sum.Labels[label]++
		if end.kept {
			t.sum.FromCache++
		} else {
			in, out := usageIn(end.body)
			t.sum.Input, t.sum.Output = t.sum.Input+in, t.sum.Output+out
		}
		return t.repeated(end, "")
	}
	t.sum.Failed++
	kind := strconv.Itoa(end.status) + " " + plain.Text(said, 200)
	if _, known := t.sum.Failures[kind]; !known && len(t.sum.Failures) >= mostKinds {
		kind = "others"
	}
	t.sum.Failures[kind]++
	return t.repeated(end, kind)
}

// repeated counts a line that has ended so. It returns kind if too many were refused like that, one
// after another: with a token that was revoked, say, or where no endpoint is left, whatever status
// Google has for a key that is dead. A model that is missing says something of the other lines only if
// it is missing from the first one on. The caller holds t.mu.
func (t *tally) repeated(end *response, kind string) string {
	first := t.sum.Before-t.sum.FailedBefore+t.sum.Served == 0 && t.sum.Failed <= suspicious
	status := end.status
	switch missing := status == http.StatusNotFound; {
	case status == http.StatusUnauthorized, status == http.StatusForbidden, missing && first, end.out && !missing:
	default:
		status = 0
	}
	if status != t.same {
		t.same, t.inARow = status, 0
	}
	if t.inARow++; status == 0 || t.inARow < suspicious {
		return ""
	}
	return kind
}

// summary returns how far the run is.
func (t *tally) summary() Summary {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.sum
	s.Retries, s.Failures, s.Labels = maps.Clone(s.Retries), maps.Clone(s.Failures), maps.Clone(s.Labels)
	s.Took = time.Since(t.began)
	if minutes := s.Took.Minutes(); minutes > 0 {
		s.PerMinute = float64(s.Served+s.Failed) / minutes
	}
	return s
}

// messageIn returns the message of an error.
func messageIn(body []byte) string {
	var b struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &b) != nil {
		return ""
	}
	return b.Error.Message
}

// usageIn returns the tokens that a response says were used.
func usageIn(body []byte) (in, out int64) {
	var b struct {
		Google struct {
			Prompt     int64 `json:"promptTokenCount"`
			Tools      int64 `json:"toolUsePromptTokenCount"`
			Candidates int64 `json:"candidatesTokenCount"`
			Thoughts   int64 `json:"thoughtsTokenCount"`
		} `json:"usageMetadata"`
		OpenAI struct {
			Prompt     int64 `json:"prompt_tokens"`
			Completion int64 `json:"completion_tokens"`
		} `json:"usage"`
	}
	if json.Unmarshal(body, &b) != nil {
		return 0, 0
	}
	g := &b.Google
	return g.Prompt + g.Tools + b.OpenAI.Prompt, g.Candidates + g.Thoughts + b.OpenAI.Completion
}
