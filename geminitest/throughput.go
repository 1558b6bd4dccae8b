package geminitest

// row is what Google's table of Provisioned Throughput says about a model.
type row struct {
	perGSU float64  // tokens a second
	rates  Burndown // up to 200,000 input tokens
	long   Burndown // above, where the table has other rates; else zero
}

// longInput is the number of input tokens of a request above which the long rates hold.
const longInput = 200_000

// Package quota has a table of its own, quota/rows.json: neither can share the mistakes of the
// other.

// throughput is the table of "Supported models" of Google's Provisioned Throughput pages, as of mid
// 2026 (cloud.google.com/vertex-ai/generative-ai/docs/provisioned-throughput/supported-models).
// Where it gives no rate for cached tokens they cost a tenth, as the page on measuring says for its
// examples.
var throughput = map[string]row{
	"gemini-3.6-flash":       {perGSU: 675, rates: Burndown{1, 1, 0.1, 0.1, 5}},
	"gemini-3.5-flash":       {perGSU: 675, rates: Burndown{1, 1, 0.1, 0.1, 6}},
	"gemini-3.1-flash-lite":  {perGSU: 4030, rates: Burndown{1, 2, 0.1, 0.2, 6}},
	"gemini-3.1-pro-preview": {perGSU: 500, rates: Burndown{1, 1, 0.1, 0.1, 6}, long: Burndown{2, 2, 0.2, 0.2, 9}},
	"gemini-3-flash-preview": {perGSU: 2015, rates: Burndown{1, 2, 0.1, 0.2, 6}},
	"gemini-2.5-pro":         {perGSU: 650, rates: Burndown{1, 1, 0.1, 0.1, 8}, long: Burndown{2, 2, 0.2, 0.2, 12}},
	"gemini-2.5-flash":       {perGSU: 2690, rates: Burndown{1, 4, 0.1, 0.4, 9}},
	"gemini-2.5-flash-lite":  {perGSU: 8070, rates: Burndown{1, 3, 0.1, 0.3, 4}},
}
