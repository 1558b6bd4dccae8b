package demand

import (
	"strings"
	"time"

	"github.com/spillway-go/spillway/calls"
	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/router"
)

// spillwayCall reads a [calls.Record]. It may have been in a database since.
func spillwayCall(f fields) (c Call, skip string) {
	u := f.object("tokens")
	image, audio := u.tokens("output_image"), u.tokens("output_audio")
	took := f.number("latency_ms") - f.number("waited_ms")
	c = Call{
		At: f.moment("time"), Model: modelOf(f.text("model")), Label: plain.Text(f.text("label"), maxName),
		Batch: f.text("priority") == string(router.PriorityBatch), Took: time.Duration(min(max(took, 0), 2*mostTook.Seconds()*1e3) * float64(time.Millisecond)),
		Usage: quota.Usage{
			Input: u.tokens("input"), InputAudio: u.tokens("input_audio"), InputImage: u.tokens("input_image"), Cached: u.tokens("cached"),
			Output: max(u.tokens("output")-image-audio, 0), OutputImage: image, OutputAudio: audio,
		},
	}
	live := calls.Record{Request: calls.Request{Method: f.text("method")}}
	switch method := f.text("method"); {
	case !f.has("outcome"):
		return c, "that tell of calls which the log had dropped"
	case live.Live(), !strings.HasSuffix(strings.ToLower(method), "generatecontent") && method != "openai.chat":
		return c, otherMethods
	case f.text("cache") == string(router.CacheHit):
		return c, "that the response cache served"
	case f.text("outcome") == string(calls.OutcomeRefused):
		c.Usage, c.Took = quota.Usage{}, 0 // it would have been served
	case c.Usage.Input == 0 && f.text("outcome") == string(calls.OutcomeFailed):
		return c, failed
	case c.Usage.Input == 0:
		return c, noTokens
	}
	return c, ""
}

// spillwayAsked returns the models of a record's attempts. The call itself may name an alias.
func spillwayAsked(f fields) (models []string) {
	for _, raw := range f.list("attempts") {
		if a, err := fieldsOf(raw); err == nil && a.has("model") {
			models = append(models, modelOf(a.text("model")))
		}
	}
	return models
}
