package pool

// FieldError is one mistake in a configuration. Validate methods return all mistakes at once,
// joined with [errors.Join].
type FieldError struct {
	// Field is the field in the words of the TOML file, counted from 0:
	// "project[1].provisioned[0].location". Names that the user chose are quoted: `models."fast"`.
	Field string
	// Problem says what is wrong. It never shows a key.
	Problem string
	// Other is the field that has the same value already, if two fields conflict; else empty.
	Other string
	// Fix says what to write instead.
	Fix string
}

// Error returns "FIELD: PROBLEM; FIX", or "FIELD: PROBLEM at OTHER; FIX".
func (e *FieldError) Error() string {
	text := e.Field + ": " + e.Problem
	if e.Other != "" {
		text += " at " + e.Other
	}
	return text + "; " + e.Fix
}
