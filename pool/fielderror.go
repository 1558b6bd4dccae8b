package pool

// FieldError is one mistake in a configuration. Validate methods return all of them at once, joined with [errors.Join].
type FieldError struct {
	// Field is where, in the words of the TOML file, counted from 0: "project[1].provisioned[0].location". A name of the user's own
	// stands in quotes: `models."fast"`.
	Field string
	// Problem is what is wrong. It never shows a key.
	Problem string
	// Other is the field that has the same already, for a mistake of two; else empty.
	Other string
	// Fix is what to write instead.
	Fix string
}

// Error is "FIELD: PROBLEM; FIX", or "FIELD: PROBLEM at OTHER; FIX".
func (e *FieldError) Error() string {
	text := e.Field + ": " + e.Problem
	if e.Other != "" {
		text += " at " + e.Other
	}
	return text + "; " + e.Fix
}
