package quota

import (
	"strings"
	"time"
)

// Google's figures as data: throughput and burndown rates by model, enforcement windows by size of
// the order.
//
// Source: the pages "Supported models" and "Use Provisioned Throughput" of Google's documentation,
// https://cloud.google.com/vertex-ai/generative-ai/docs/provisioned-throughput, read on 2026-11-22.
// Google changes them: an [Order] can override every one. Cached rates the pages leave out are the
// 0.1 that they state in general.

type model struct {
	throughput float64 // burned-down tokens a second for each GSU
	burndown   Burndown
}

// models is keyed by model id without its version. The emulator has a table of its own in
// geminitest/throughput.go.
var models = map[string]model{
	"gemini-3.6-flash":      {675, Burndown{Input: 1, Cached: 0.1, Output: 5}},
	"gemini-3.5-flash":      {675, Burndown{Input: 1, Cached: 0.1, Output: 6}},
	"gemini-3.1-flash-lite": {4_030, Burndown{Input: 1, InputAudio: 2, Cached: 0.1, Output: 6}},
	"gemini-3.1-pro":        {500, Burndown{Input: 1, Cached: 0.1, Output: 6, LongInput: 2, LongCached: 0.2, LongOutput: 9}},
	"gemini-3-flash":        {2_015, Burndown{Input: 1, InputAudio: 2, Cached: 0.1, Output: 6}},
	"gemini-2.5-pro":        {650, Burndown{Input: 1, Cached: 0.1, Output: 8, LongInput: 2, LongCached: 0.2, LongOutput: 12}},
	"gemini-2.5-flash":      {2_690, Burndown{Input: 1, InputAudio: 4, Cached: 0.1, Output: 9}},
	"gemini-2.5-flash-lite": {8_070, Burndown{Input: 1, InputAudio: 3, Cached: 0.1, Output: 4}},
	"gemini-2.0-flash":      {3_360, Burndown{Input: 1, InputAudio: 7, Cached: 0.1, Output: 4}},

	"gemini-3.1-flash-image":      {2_015, Burndown{Input: 1, Output: 6, OutputImage: 120}},
	"gemini-3.1-flash-lite-image": {2_015, Burndown{Input: 1, Output: 6, OutputImage: 120}},
	"gemini-3-pro-image":          {500, Burndown{Input: 1, Output: 6, OutputImage: 60}},
	"gemini-2.5-flash-image":      {2_690, Burndown{Input: 1, Output: 9, OutputImage: 100}},

	"gemini-live-2.5-flash-native-audio": {1_620, Burndown{Input: 1, InputAudio: 6, InputImage: 6, Output: 4, OutputAudio: 24}},
}

// longPrompt is the number of prompt tokens above which the long rates hold for the whole request.
const longPrompt = 200_000

// Throughput returns how many tokens, burned down, an order of so many units of a model takes in a
// second; not ok for a model that the built-in table does not have.
func Throughput(name string, gsus int) (tokensPerSecond float64, ok bool) {
	key, ok := modelKey(models, name)
	return float64(gsus) * models[key].throughput, ok
}

// modelKey returns the key that is name, or name without its version: parts at the end that are
// numbers or "preview".
func modelKey[V any](keys map[string]V, name string) (string, bool) {
	for {
		if _, ok := keys[name]; ok {
			return name, true
		}
		i := strings.LastIndexByte(name, '-')
		if i < 0 || !isVersion(name[i+1:]) {
			return "", false
		}
		name = name[:i]
	}
}

func isVersion(part string) bool {
	return part == "preview" || part != "" && strings.Trim(part, "0123456789") == ""
}

// windowSpan is the range of the enforcement window for an order of at least so many GSUs.
// "Automatic, subject to change", says Google: within the range it must be learned.
type windowSpan struct {
	gsus     int
	min, max time.Duration
}

// textWindows holds for models that answer in text, the largest order first.
var textWindows = []windowSpan{
	{50, 1 * time.Second, 5 * time.Second},
	{4, 5 * time.Second, 30 * time.Second},
	{1, 40 * time.Second, 120 * time.Second},
}

// imageWindows are the fixed windows of models that answer in images, in seconds: for at least so
// many GSUs, so long. For gemini-2.5-flash-image the source ends with 3 GSUs; larger orders learn
// over the range of text models.
var imageWindows = map[string][][2]int{
	"gemini-3.1-flash-lite-image": {{25, 5}, {13, 10}, {6, 15}, {5, 20}, {4, 25}, {3, 35}, {2, 50}, {1, 100}},
	"gemini-3.1-flash-image": {{100, 5}, {43, 10}, {29, 15}, {22, 20}, {18, 25}, {15, 30}, {5, 100}, {4, 110}, {3, 145}, {2, 220},
		{1, 435}},
	"gemini-3-pro-image": {{245, 5}, {123, 10}, {62, 20}, {41, 30}, {31, 40}, {25, 50}, {13, 100}, {7, 175}, {6, 205}, {5, 245},
		{4, 310}, {3, 410}, {2, 615}, {1, 1230}},
	"gemini-2.5-flash-image": {{4, 0}, {3, 40}, {2, 60}, {1, 120}},
}

// windowRange returns the range that is documented for an order of gsus units of a model. Without
// units it is all of them.
func windowRange(name string, gsus int) (shortest, longest time.Duration) {
	if gsus <= 0 {
		return textWindows[0].min, textWindows[len(textWindows)-1].max
	}
	if key, ok := modelKey(imageWindows, name); ok {
		for _, row := range imageWindows[key] {
			if gsus >= row[0] && row[1] > 0 {
				w := time.Duration(row[1]) * time.Second
				return w, w
			} else if gsus >= row[0] {
				break
			}
		}
	}
	for _, row := range textWindows {
		if gsus >= row.gsus {
			return row.min, row.max
		}
	}
	return textWindows[0].min, textWindows[len(textWindows)-1].max
}
