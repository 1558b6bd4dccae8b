package quota

// Limits are the quotas one project has for one model. Zero (or less) means: not limited.
//
// Google states the first three for a project, not for a key: keys of one project share them.
// Source: https://ai.google.dev/gemini-api/docs/rate-limits, read on 2026-11-22.
type Limits struct {
	RPM         int64 // requests a minute
	TPM         int64 // tokens a minute
	RPD         int64 // requests a day, which begins at midnight in Los Angeles
	Concurrency int64 // calls in flight at the same moment
}
