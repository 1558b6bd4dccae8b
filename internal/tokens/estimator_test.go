package tokens_test

import (
	"math"
	"sync"
	"testing"
	"unsafe"

	"github.com/spillway-go/spillway/internal/tokens"
)

// of is a request with so much of one kind and no output.
func of(k tokens.Kind, n int64) *tokens.Request {
	r := &tokens.Request{NoOutput: true}
	r.Sizes[k] = n
	return r
}

func TestExpectWithoutObservationsUsesPriors(t *testing.T) {
	cached := of(tokens.Text, 100)
	cached.Cached = true
	for _, tt := range []struct {
		name    string
		request *tokens.Request
		want    tokens.Expectation
	}{
		{"nothing", &tokens.Request{}, tokens.Expectation{Output: 256, Usual: 256}},
		{"text", of(tokens.Text, 100), tokens.Expectation{Input: 100}},
		{"an image", of(tokens.Image, 258), tokens.Expectation{Input: 258, InputImage: 258}},
		{"video with its sound", of(tokens.Video, 2950), tokens.Expectation{Input: 2950, InputAudio: 320}},
		{"a file of sound", of(tokens.AudioFile, 1), tokens.Expectation{Input: 1920, InputAudio: 1920}},
		{"a cached content", cached, tokens.Expectation{Input: 4196, Cached: 4096}},
		{"three responses with bounded thoughts", &tokens.Request{Candidates: 3, MaxThoughts: 10_000}, tokens.Expectation{Output: 3*256 + 1024, Usual: 256}},
		{"a bound of the output", &tokens.Request{Candidates: 3, MaxOutput: 50}, tokens.Expectation{Output: 150, Usual: 256}},
		{"the caller's figures", &tokens.Request{Input: 7, Output: 9}, tokens.Expectation{Input: 7, Output: 9, Usual: 256}},
		{"negative sizes", of(tokens.DocumentFile, -1), tokens.Expectation{}},
	} {
		var e tokens.Estimator
		if got := e.Expect(tt.request); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestExpectationsOfHugeRequestsDoNotOverflow(t *testing.T) {
	r := &tokens.Request{
		Cached: true, Tools: true, Candidates: math.MaxInt64, MaxThoughts: math.MaxInt64, MaxOutput: math.MaxInt64,
	}
	for k := range r.Sizes {
		r.Sizes[k] = math.MaxInt64
	}
	c := tokens.Counted{
		Input: math.MaxInt64, Cached: 1, Output: math.MaxInt64, PromptSizes: r.Sizes, CachedSizes: r.Sizes, Complete: true,
	}
	var e tokens.Estimator
	for range 100 {
		if x := e.Expect(r); x.Input <= 0 || x.Output <= 0 || x.Input+x.Output <= 0 {
			t.Fatalf("%+v", x)
		}
		e.Observe(r, &c)
	}
}

func TestEstimatorLearnsRatiosWithinBounds(t *testing.T) {
	for _, tt := range []struct {
		name         string
		kind         tokens.Kind
		counted      float64 // for each
		want, within float64
	}{
		{"text", tokens.Text, 2, 2, 0.001},
		{"more text than is possible", tokens.Text, 100, 8, 0},
		{"less text than is possible", tokens.Text, 0.01, 0.25, 0},
		{"images", tokens.Image, 5, 5, 0.001},
		{"videos", tokens.VideoFile, 50_000, 50_000, 0.001},
	} {
		var e tokens.Estimator
		for range 200 {
			e.Observe(of(tt.kind, 1000), &tokens.Counted{Input: int64(1000 * tt.counted)})
		}
		got := float64(e.Expect(of(tt.kind, 1000)).Input) / 1000
		if math.Abs(got-tt.want) > tt.within*tt.want {
			t.Errorf("%s: %v tokens each, want %v", tt.name, got, tt.want)
		}
	}
}

// TestEstimatorCorrectsTheLeastCertainKindMost observes many texts, then one text with an image.
func TestEstimatorCorrectsTheLeastCertainKindMost(t *testing.T) {
	var e tokens.Estimator
	for range 100 {
		e.Observe(of(tokens.Text, 1000), &tokens.Counted{Input: 1000})
	}
	both := of(tokens.Text, 1000)
	both.Sizes[tokens.Image] = 1000
	e.Observe(both, &tokens.Counted{Input: 4000})
	text, image := e.Expect(of(tokens.Text, 1000)).Input, e.Expect(of(tokens.Image, 1000)).Input
	if text > 1010 || image < 2500 {
		t.Errorf("1,000 of text are %d tokens and 1,000 of images %d, want about 1,000 and 3,000", text, image)
	}
}

func TestCountsByKindTellKindsApart(t *testing.T) {
	r := of(tokens.Text, 1000)
	r.Sizes[tokens.Audio] = 1000
	var e tokens.Estimator
	for range 5 {
		e.Observe(r, &tokens.Counted{Input: 2500, PromptSizes: tokens.Sizes{tokens.Text: 2000, tokens.Audio: 500}})
	}
	text, audio := e.Expect(of(tokens.Text, 1000)).Input, e.Expect(of(tokens.Audio, 1000)).Input
	if text < 1980 || text > 2000 || audio < 500 || audio > 510 {
		t.Errorf("1,000 of text are %d tokens and 1,000 of audio %d, want about 2,000 and 500", text, audio)
	}
}

func TestIncompleteResponsesTeachNothingAboutOutput(t *testing.T) {
	var e tokens.Estimator
	c := tokens.Counted{Input: 2000, Output: 900, Thoughts: 600}
	r := &tokens.Request{Sizes: tokens.Sizes{tokens.Text: 1000}}
	e.Observe(r, &c)
	if x := e.Expect(r); x.Output != 256 || x.Input == 1000 {
		t.Errorf("%+v, want more input and as much output as at first", x)
	}
	c.Complete = true
	e.Observe(r, &c)
	if x := e.Expect(r); x.Output != 900 {
		t.Errorf("%+v, want 900 tokens of output", x)
	}
	r.NoThoughts = true
	if x := e.Expect(r); x.Output != 300 {
		t.Errorf("%+v without thoughts, want 300 tokens of output", x)
	}
}

func TestEstimatorIsSmallUntilItObserves(t *testing.T) {
	if size := unsafe.Sizeof(tokens.Estimator{}); size > 16 {
		t.Errorf("an Estimator takes %d bytes", size)
	}
	var e tokens.Estimator
	r := &tokens.Request{Sizes: tokens.Sizes{tokens.Text: 1000}}
	if n := testing.AllocsPerRun(100, func() { e.Expect(r) }); n != 0 {
		t.Errorf("Expect allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { e.Observe(r, &tokens.Counted{Input: 1000}) }); n != 0 {
		t.Errorf("Observe allocates %v times beyond the first", n)
	}
}

func TestEstimatorIsSafeForConcurrentUse(t *testing.T) {
	var e tokens.Estimator
	var wg sync.WaitGroup
	r := &tokens.Request{Sizes: tokens.Sizes{tokens.Text: 1000}}
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				e.Expect(r)
				e.Observe(r, &tokens.Counted{Input: 1500, Output: 10, Complete: true})
			}
		})
	}
	wg.Wait()
	if x := e.Expect(r); x.Input != 1500 || x.Output != 10 {
		t.Errorf("%+v, want 1,500 and 10 tokens", x)
	}
}
