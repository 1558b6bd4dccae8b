package pool_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/spillway-go/spillway/pool"
	"github.com/spillway-go/spillway/quota"
)

// google counts tokens in its own way: so many for each that a request shows.
type google struct {
	text, image, audio, document float64
	audioFile, documentFile      float64 // each
	details                      bool    // it says what it counted, by modality
	noise                        float64 // by how much a count may be off, up or down
}

// counts returns what it makes of a prompt.
func (g google) counts(rng *rand.Rand, p pool.Prompt) (u quota.Usage, d breakdown) {
	some := func(tokens float64) int64 { return int64(tokens*(1+g.noise*(2*rng.Float64()-1)) + 0.5) }
	m := pool.Modalities{
		Text:     some(g.text * float64(p.Text)),
		Image:    some(g.image * float64(p.Image)),
		Audio:    some(g.audio*float64(p.Audio) + g.audioFile*float64(p.AudioFiles)),
		Document: some(g.document*float64(p.Document) + g.documentFile*float64(p.DocumentFiles)),
	}
	u = quota.Usage{Input: m.Text + m.Image + m.Audio + m.Document, InputAudio: m.Audio, InputImage: m.Image, Output: 100}
	if g.details {
		d.Prompt = m
	}
	return u, d
}

// teacher tells the plan of a model what its calls cost.
type teacher struct {
	*bed
	plan      *pool.View
	candidate *pool.Candidate
}

func newTeacher(b *bed) *teacher {
	return &teacher{b, b.pool.View(b.start, flash), b.candidate(flash, "a/global/on_demand")}
}

// teach makes one call and settles it.
func (t *teacher) teach(e pool.Estimate, o pool.Outcome) {
	t.t.Helper()
	o.Counted = true
	if o.Class == "" {
		o.Class = pool.ClassOK
	}
	t.leaseFor(t.start, t.candidate, t.plan.Need(e, time.Time{})).Settle(t.start, o)
}

func (t *teacher) need(e pool.Estimate) pool.Need { return t.plan.Need(e, time.Time{}) }

// about checks a figure, within a share of what is wanted.
func (t *teacher) about(what string, got int64, want, within float64) {
	t.t.Helper()
	if math.Abs(float64(got)-want) > within*want {
		t.t.Errorf("%s is %d, want about %.0f", what, got, want)
	}
}

func TestNeedLearnsHowAModelCountsEachKind(t *testing.T) {
	mixed := func(rng *rand.Rand) pool.Prompt {
		return pool.Prompt{Text: 50 + rng.Int64N(5000), Image: 258 * rng.Int64N(10)}
	}
	everything := func(rng *rand.Rand) pool.Prompt {
		return pool.Prompt{
			Text: 50 + rng.Int64N(5000), Image: 258 * rng.Int64N(5), Audio: 32 * rng.Int64N(100), Document: 258 * rng.Int64N(3),
			AudioFiles: rng.Int64N(2), DocumentFiles: rng.Int64N(2),
		}
	}
	for _, tt := range []struct {
		name   string
		google google
		calls  int
		prompt func(*rand.Rand) pool.Prompt
		within float64
	}{
		{"text and images, told apart", google{text: 2.3, image: 0.5, details: true}, 5, mixed, 0.01},
		{"text and images, one sum", google{text: 2.3, image: 0.5}, 300, mixed, 0.05},
		{"text and images, told apart, with noise", google{text: 2.3, image: 0.5, details: true, noise: 0.5}, 300, mixed, 0.05},
		{"text and images, one sum, with noise", google{text: 2.3, image: 0.5, noise: 0.5}, 1000, mixed, 0.15},
		{"a Gemini 3 and its images", google{text: 0.9, image: 1120. / 258, details: true}, 50, mixed, 0.01},
		{"everything, told apart", google{text: 1.2, image: 5, audio: 0.78, document: 2, audioFile: 9000, documentFile: 12_000, details: true}, 1000, everything, 0.1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, scene(), func(t *testing.T, b *bed) {
				teacher, rng := newTeacher(b), rand.New(rand.NewPCG(1, 2))
				for range tt.calls {
					e := pool.Estimate{Prompt: tt.prompt(rng)}
					u, d := tt.google.counts(rng, e.Prompt)
					teacher.teach(e, toldOf(u, d))
				}
				for _, kind := range []struct {
					name   string
					prompt pool.Prompt
					each   float64
				}{
					{"text", pool.Prompt{Text: 10_000}, tt.google.text},
					{"images", pool.Prompt{Image: 10_000}, tt.google.image},
					{"audio", pool.Prompt{Audio: 10_000}, tt.google.audio},
					{"documents", pool.Prompt{Document: 10_000}, tt.google.document},
					{"audio files", pool.Prompt{AudioFiles: 10_000}, tt.google.audioFile},
					{"document files", pool.Prompt{DocumentFiles: 10_000}, tt.google.documentFile},
				} {
					if kind.each > 0 {
						teacher.about("10,000 of "+kind.name, teacher.need(pool.Estimate{Prompt: kind.prompt}).Input, 10_000*kind.each, tt.within)
					}
				}
			})
		})
	}
}

func TestNeedIsNotThrownByOneOddAnswer(t *testing.T) {
	normal := pool.Outcome{Usage: quota.Usage{Input: 2000, Output: 100}}
	for _, odd := range []struct {
		name    string
		outcome pool.Outcome
	}{
		{"an absurd prompt", pool.Outcome{Usage: quota.Usage{Input: 1 << 31, Output: 100}}},
		{"next to no prompt", pool.Outcome{Usage: quota.Usage{Input: 1, Output: 100}}},
		{"an absurd answer", pool.Outcome{Usage: quota.Usage{Input: 2000, Output: 1 << 31}}},
		{"no answer", pool.Outcome{Usage: quota.Usage{Input: 2000}}},
		{"less than nothing", pool.Outcome{Usage: quota.Usage{Input: -5, Output: -5}, ToolUse: -7, Thoughts: -9}},
		{"modalities that contradict each other", pool.Outcome{Usage: quota.Usage{Input: 2000, Output: 100},
			Prompt: pool.Modalities{Text: -7000, Audio: 9000}}},
	} {
		t.Run(odd.name, func(t *testing.T) {
			inBubble(t, scene(), func(t *testing.T, b *bed) {
				teacher := newTeacher(b)
				for range 200 {
					teacher.teach(thousand, normal)
				}
				teacher.teach(thousand, odd.outcome)
				n := teacher.need(thousand)
				teacher.about("a call's input", n.Input, 2000, 0.03)
				teacher.about("its output", n.Output, 100, 0.25)
			})
		})
	}
	t.Run("as the very first", func(t *testing.T) {
		inBubble(t, scene(), func(t *testing.T, b *bed) {
			teacher := newTeacher(b)
			teacher.teach(thousand, pool.Outcome{Usage: quota.Usage{Input: 1 << 31, Output: 1 << 31}})
			for range 50 {
				teacher.teach(thousand, normal)
			}
			n := teacher.need(thousand)
			teacher.about("a call's input", n.Input, 2000, 0.05)
			teacher.about("its output", n.Output, 100, 1)
		})
	})
}

func TestNeedDoesNotBlameAnOddCountOnASmallPartOfIt(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		teacher := newTeacher(b)
		for range 200 {
			teacher.teach(thousand, pool.Outcome{Usage: quota.Usage{Input: 1000, Output: 100}})
		}
		teacher.teach(pool.Estimate{Prompt: pool.Prompt{Text: 10_000, Image: 258}}, pool.Outcome{Usage: quota.Usage{Input: 1 << 31, Output: 100}})
		if n := teacher.need(pool.Estimate{Prompt: pool.Prompt{Image: 258}}); n.Input > 4*258 {
			t.Errorf("an image is taken for %d tokens after one odd call, want at most four times as many as before", n.Input)
		}
	})
}

func TestNeedFollowsAModelThatCountsAnew(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		teacher := newTeacher(b)
		for range 5000 {
			teacher.teach(thousand, pool.Outcome{Usage: quota.Usage{Input: 1000, Output: 100}})
		}
		for range 1000 {
			teacher.teach(thousand, pool.Outcome{Usage: quota.Usage{Input: 2000, Output: 300}})
		}
		n := teacher.need(thousand)
		teacher.about("a call's input", n.Input, 2000, 0.02)
		teacher.about("its output", n.Output, 300, 0.02)
	})
}

func TestNeedIsTaughtMoreByLargePromptsThanBySmall(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		teacher := newTeacher(b)
		for range 100 { // what is counted beside the text is most of a small call
			teacher.teach(pool.Estimate{Prompt: pool.Prompt{Text: 10_000}}, pool.Outcome{Usage: quota.Usage{Input: 9_010}})
			teacher.teach(pool.Estimate{Prompt: pool.Prompt{Text: 5}}, pool.Outcome{Usage: quota.Usage{Input: 15}})
		}
		teacher.about("a call's input", teacher.need(pool.Estimate{Prompt: pool.Prompt{Text: 10_000}}).Input, 9_010, 0.01)
	})
}

func TestNeedHasTheKindsThatOrdersHaveRatesFor(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		teacher := newTeacher(b)
		for _, tt := range []struct {
			name   string
			prompt pool.Prompt
			want   pool.Need
		}{
			{"text", pool.Prompt{Text: 100}, pool.Need{Input: 100}},
			{"audio", pool.Prompt{Text: 100, Audio: 640}, pool.Need{Input: 740, InputAudio: 640}},
			{"an image", pool.Prompt{Image: 258}, pool.Need{Input: 258, InputImage: 258}},
			{"a document", pool.Prompt{Document: 258}, pool.Need{Input: 258}},
			{"video with its sound", pool.Prompt{Video: 2950}, pool.Need{Input: 2950, InputAudio: 320}},
			{"a recording somewhere, a minute long", pool.Prompt{AudioFiles: 1}, pool.Need{Input: 1920, InputAudio: 1920}},
			{"a film somewhere", pool.Prompt{VideoFiles: 1}, pool.Need{Input: 17_700, InputAudio: 1920}},
			{"papers somewhere", pool.Prompt{DocumentFiles: 2}, pool.Need{Input: 5160}},
			{"a cached content", pool.Prompt{Text: 100, Cached: true}, pool.Need{Input: 4196, Cached: 4096}},
			{"tools", pool.Prompt{Text: 100, Tools: true}, pool.Need{Input: 100}},
			{"less than nothing", pool.Prompt{Text: -100, AudioFiles: -1}, pool.Need{}},
		} {
			if n := teacher.need(pool.Estimate{Prompt: tt.prompt, NoOutput: true}); !sameTokens(n, tt.want) {
				t.Errorf("%s: %+v, want %+v", tt.name, n, tt.want)
			}
		}
	})
}

// sameTokens compares what two needs are of each kind.
func sameTokens(a, b pool.Need) bool {
	return a.Input == b.Input && a.InputAudio == b.InputAudio && a.InputImage == b.InputImage && a.Cached == b.Cached && a.CachedAudio == b.CachedAudio &&
		a.Output == b.Output && a.OutputImage == b.OutputImage && a.OutputAudio == b.OutputAudio
}

func TestNeedLearnsWhatCachedContentsHold(t *testing.T) {
	cached := pool.Estimate{Prompt: pool.Prompt{Text: 1000, Cached: true}}
	usage := quota.Usage{Input: 52_000, Cached: 50_000, CachedAudio: 10_000, Output: 100}
	all := pool.Modalities{Text: 42_000, Audio: 10_000}
	ofCache := pool.Modalities{Text: 40_000, Audio: 10_000}
	for _, tt := range []struct {
		name    string
		usage   quota.Usage
		details breakdown
		want    pool.Need
	}{
		{"in one sum", usage, breakdown{}, pool.Need{Input: 52_000, Cached: 50_000, InputAudio: 10_000, CachedAudio: 10_000, Output: 100}},
		{"told apart", usage, breakdown{Prompt: all, Cached: ofCache}, pool.Need{Input: 52_000, Cached: 50_000, InputAudio: 10_000, CachedAudio: 10_000, Output: 100}},
		{"told apart, the prompt's without", usage, breakdown{Prompt: pool.Modalities{Text: 2000}, Cached: ofCache},
			pool.Need{Input: 52_000, Cached: 50_000, InputAudio: 10_000, CachedAudio: 10_000, Output: 100}},
		{"not told: nothing is learned", quota.Usage{Input: 52_000, Output: 100}, breakdown{}, pool.Need{Input: 5096, Cached: 4096, Output: 100}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, scene(), func(t *testing.T, b *bed) {
				teacher := newTeacher(b)
				for range 100 {
					teacher.teach(cached, toldOf(tt.usage, tt.details))
				}
				n := teacher.need(cached)
				teacher.about("input", n.Input, float64(tt.want.Input), 0.001)
				n.Input = tt.want.Input
				if !sameTokens(n, tt.want) {
					t.Errorf("%+v, want %+v", n, tt.want)
				}
				if n := teacher.need(thousand); n.Cached != 0 || n.InputAudio != 0 {
					t.Errorf("a call that names no cached content: %+v", n)
				}
			})
		})
	}
}

func TestNeedLearnsWhatToolsReturn(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		teacher := newTeacher(b)
		with := pool.Estimate{Prompt: pool.Prompt{Text: 1000, Tools: true}}
		for range 100 {
			teacher.teach(with, pool.Outcome{Usage: quota.Usage{Input: 1700, Output: 100}, ToolUse: 700})
		}
		teacher.about("input with tools", teacher.need(with).Input, 1700, 0)
		teacher.about("input without", teacher.need(thousand).Input, 1000, 0)
	})
}

func TestNeedLearnsHowLongAnswersAre(t *testing.T) {
	answered := func(output, thoughts int64) pool.Outcome {
		return pool.Outcome{Usage: quota.Usage{Input: 1000, Output: output}, Thoughts: thoughts}
	}
	of := func(change func(*pool.Estimate)) pool.Estimate {
		e := thousand
		change(&e)
		return e
	}
	short := of(func(e *pool.Estimate) { e.MaxOutput = 50 })
	three := of(func(e *pool.Estimate) { e.Candidates = 3 })
	for _, tt := range []struct {
		name   string
		calls  []pool.Estimate
		taught pool.Outcome
		asked  pool.Estimate
		want   int64
	}{
		{"answers and thoughts", []pool.Estimate{thousand}, answered(900, 600), thousand, 900},
		{"no thoughts", []pool.Estimate{thousand}, answered(900, 600), of(func(e *pool.Estimate) { e.NoThoughts = true }), 300},
		{"fewer thoughts", []pool.Estimate{thousand}, answered(900, 600), of(func(e *pool.Estimate) { e.MaxThoughts = 128 }), 428},
		{"as many thoughts as it likes", []pool.Estimate{thousand}, answered(900, 600), of(func(e *pool.Estimate) { e.MaxThoughts = 24_576 }), 900},
		{"a budget, and nothing seen", nil, pool.Outcome{}, of(func(e *pool.Estimate) { e.MaxThoughts = 24_576 }), 256 + 1024},
		{"a small budget, and nothing seen", nil, pool.Outcome{}, of(func(e *pool.Estimate) { e.MaxThoughts = 100 }), 356},
		{"three answers, thought about once", []pool.Estimate{three}, answered(900, 600), three, 900},
		{"one of what was three", []pool.Estimate{three}, answered(900, 600), thousand, 700},
		{"a bound holds for thoughts too", []pool.Estimate{thousand}, answered(900, 600), short, 50},
		{"a bound, and more said", nil, pool.Outcome{}, of(func(e *pool.Estimate) { e.MaxOutput, e.Output = 50, 5000 }), 50},
		{"more said", nil, pool.Outcome{}, of(func(e *pool.Estimate) { e.Output = 5000 }), 5000},
		{"embeddings", []pool.Estimate{thousand}, answered(900, 600), of(func(e *pool.Estimate) { e.NoOutput = true }), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, scene(), func(t *testing.T, b *bed) {
				teacher := newTeacher(b)
				for range 100 {
					for _, e := range tt.calls {
						teacher.teach(e, tt.taught)
					}
				}
				if n := teacher.need(tt.asked); n.Output != tt.want {
					t.Errorf("%d tokens, want %d", n.Output, tt.want)
				}
			})
		})
	}

	for _, tt := range []struct {
		name    string
		call    pool.Estimate
		outcome pool.Outcome
	}{
		{"an answer that its caller cut short", short, answered(50, 0)},
		{"an answer that broke off", thousand, pool.Outcome{Class: pool.ClassTransport, Usage: quota.Usage{Input: 1000, Output: 3}}},
		{"a caller who left", thousand, pool.Outcome{Class: pool.ClassCancelled, Usage: quota.Usage{Input: 1000, Output: 3}}},
		{"embeddings", of(func(e *pool.Estimate) { e.NoOutput = true }), answered(0, 0)},
	} {
		t.Run(tt.name+" teaches nothing", func(t *testing.T) {
			inBubble(t, scene(), func(t *testing.T, b *bed) {
				teacher := newTeacher(b)
				for range 20 {
					for range 3 { // so that the breaker lets calls through
						teacher.teach(thousand, answered(900, 0))
					}
					teacher.teach(tt.call, tt.outcome)
				}
				if n := teacher.need(thousand); n.Output != 900 || n.Input != 1000 {
					t.Errorf("%d and %d tokens, want 1000 and 900", n.Input, n.Output)
				}
			})
		})
	}
}

func TestNeedLearnsThoughtsFromCallsThatMayThinkAlone(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		teacher := newTeacher(b)
		mute, brief := thousand, thousand
		mute.NoThoughts, brief.MaxThoughts = true, 50
		for range 50 {
			teacher.teach(thousand, pool.Outcome{Usage: quota.Usage{Input: 1000, Output: 900}, Thoughts: 600})
			teacher.teach(mute, pool.Outcome{Usage: quota.Usage{Input: 1000, Output: 300}})
			teacher.teach(brief, pool.Outcome{Usage: quota.Usage{Input: 1000, Output: 350}, Thoughts: 50})
		}
		for _, tt := range []struct {
			call pool.Estimate
			want int64
		}{{thousand, 900}, {mute, 300}, {brief, 350}} {
			if n := teacher.need(tt.call); n.Output != tt.want {
				t.Errorf("%+v needs %d tokens, want %d", tt.call, n.Output, tt.want)
			}
		}
	})
}

// TestNeedUsesModalitiesOnlyWhereTheyAddUp teaches three calls whose texts count twice and whose
// recordings count half.
func TestNeedUsesModalitiesOnlyWhereTheyAddUp(t *testing.T) {
	plain := pool.Prompt{Text: 1000, Audio: 1000}
	cached := plain
	cached.Cached = true
	const apart, together = 2000, 1250
	for _, tt := range []struct {
		name    string
		prompt  pool.Prompt
		cached  int64
		details breakdown
		text    float64 // what 1,000 of it are then
	}{
		{"they do", plain, 0, breakdown{Prompt: pool.Modalities{Text: 2000, Audio: 500}}, apart},
		{"there are none", plain, 0, breakdown{}, together},
		{"some are left out", plain, 0, breakdown{Prompt: pool.Modalities{Text: 2000}}, together},
		{"they are less than all", plain, 0, breakdown{Prompt: pool.Modalities{Text: 2000, Audio: 100}}, together},
		{"something is counted as what is not there", plain, 0, breakdown{Prompt: pool.Modalities{Text: 2000, Audio: 300, Image: 200}}, together},
		{"something there is counted as something else", plain, 0, breakdown{Prompt: pool.Modalities{Text: 2500}}, together},
		{"a cache's are among them", cached, 9000, breakdown{Prompt: pool.Modalities{Text: 11_000, Audio: 500}, Cached: pool.Modalities{Text: 9000}}, apart},
		{"a cache's are not among them", cached, 9000, breakdown{Prompt: pool.Modalities{Text: 2000, Audio: 500}, Cached: pool.Modalities{Text: 9000}}, apart},
		{"a cache's are not told", cached, 9000, breakdown{Prompt: pool.Modalities{Text: 11_000, Audio: 500}}, together},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, scene(), func(t *testing.T, b *bed) {
				teacher := newTeacher(b)
				for range 3 {
					teacher.teach(pool.Estimate{Prompt: tt.prompt},
						toldOf(quota.Usage{Input: 2500 + tt.cached, Cached: tt.cached}, tt.details))
				}
				teacher.about("1,000 of text", teacher.need(thousand).Input, tt.text, 0.02)
			})
		})
	}
}

func TestNeedKnowsWhatAModelDrawsAndSays(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		teacher := newTeacher(b)
		for range 50 {
			teacher.teach(thousand, pool.Outcome{Usage: quota.Usage{Input: 1000, Output: 10, OutputImage: 1290, OutputAudio: 200}})
		}
		if n, want := teacher.need(thousand), (pool.Need{Input: 1000, Output: 1500, OutputImage: 1290, OutputAudio: 200}); !sameTokens(n, want) {
			t.Errorf("%+v, want %+v", n, want)
		}
		half := thousand
		half.MaxOutput = 750
		if n, want := teacher.need(half), (pool.Need{Input: 1000, Output: 750, OutputImage: 645, OutputAudio: 100}); !sameTokens(n, want) {
			t.Errorf("within 750: %+v, want %+v", n, want)
		}
	})
}

func TestNeedTakesTheCallersWordForItsOwnCall(t *testing.T) {
	inBubble(t, scene(), func(t *testing.T, b *bed) {
		teacher := newTeacher(b)
		said := pool.Estimate{Prompt: pool.Prompt{Text: 1000, Audio: 1000, Cached: true}, Input: 12_192, Output: 30}
		if n, want := teacher.need(said), (pool.Need{Input: 12_192, InputAudio: 2000, Cached: 8192, Output: 30}); !sameTokens(n, want) {
			t.Errorf("%+v, want %+v: the kinds in proportion", n, want)
		}
		wrong := pool.Estimate{Prompt: pool.Prompt{Text: 1000}, Input: 77, Output: 77}
		for range 50 { // what Google counts is learned from all the same
			teacher.teach(wrong, pool.Outcome{Usage: quota.Usage{Input: 1500, Output: 40}})
		}
		if n := teacher.need(wrong); n.Input != 77 || n.Output != 77 {
			t.Errorf("%+v, want what the caller says", n)
		}
		teacher.about("what others need", teacher.need(thousand).Input, 1500, 0.001)
		if n := teacher.need(pool.Estimate{Input: math.MaxInt64, Output: math.MaxInt64, Candidates: math.MaxInt64}); n.Input <= 0 || n.Output <= 0 || n.Input+n.Output <= 0 {
			t.Errorf("too much to be true: %+v", n)
		}
	})
}

func TestOrdersReserveEachKindAtItsRate(t *testing.T) {
	v := keyless("v")
	v.Provisioned = []pool.Order{{Model: flash, Location: "global", GSUs: 100}, {Model: pro, Location: "global", GSUs: 2000},
		{Model: "gemini-2.5-flash-image", Location: "global", GSUs: 100}}
	for _, tt := range []struct {
		name  string
		model string
		need  pool.Need
		want  float64
	}{
		{"audio at 4", flash, pool.Need{Input: 1000, InputAudio: 800}, 200 + 800*4},
		{"cached at a tenth", flash, pool.Need{Input: 1000, Cached: 900}, 100 + 90},
		{"cached audio at a tenth of 4", flash, pool.Need{Input: 1000, InputAudio: 500, Cached: 500, CachedAudio: 500}, 500 + 200},
		{"up to 200,000", pro, pool.Need{Input: 200_000, Output: 1000}, 200_000 + 8000},
		{"beyond", pro, pool.Need{Input: 200_001, Output: 1000}, 2*200_001 + 12_000},
		{"images drawn at 100", "gemini-2.5-flash-image", pool.Need{Input: 10, Output: 1300, OutputImage: 1290}, 10 + 10*9 + 1290*100},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, pool.Config{Projects: []pool.Project{v}}, func(t *testing.T, b *bed) {
				c := b.candidate(tt.model, "v/global/provisioned")
				b.leaseFor(b.start, c, tt.need)
				if got := b.endpoint(b.start, c, tt.model).Order.Used; math.Abs(got-tt.want) > 0.01 {
					t.Errorf("the order holds %v for it, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestAnOrderGoesIntoDebtForWhatWasUnderestimated(t *testing.T) {
	v := keyless("v")
	v.Provisioned = []pool.Order{{Model: flash, Location: "global", TokensPerSecond: 100, Window: 10 * time.Second}}
	inBubble(t, pool.Config{Projects: []pool.Project{v}}, func(t *testing.T, b *bed) {
		c := b.candidate(flash, "v/global/provisioned")
		b.leaseFor(b.start, c, pool.Need{Input: 100}).Settle(b.start, pool.Outcome{Class: pool.ClassOK, Counted: true, Usage: quota.Usage{Input: 1500}})
		if o := b.endpoint(b.start, c, flash).Order; o.Used != 1500 {
			t.Errorf("%v are used, want 1,500 of 1,000", o.Used)
		}
		b.refuses(b.start.Add(9*time.Second), c, "while in debt")
		b.leaseFor(b.start.Add(11*time.Second), c, pool.Need{Input: 100})
	})
}

// breakdown is what Google tells of the tokens that it counted, beyond what they cost.
type breakdown struct {
	Prompt, Cached    pool.Modalities
	ToolUse, Thoughts int64
}

// toldOf is an outcome with what Google counted.
func toldOf(u quota.Usage, b breakdown) pool.Outcome {
	return pool.Outcome{Usage: u, Prompt: b.Prompt, Cached: b.Cached, ToolUse: b.ToolUse, Thoughts: b.Thoughts}
}
