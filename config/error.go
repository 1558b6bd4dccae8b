package config

import (
	"strconv"
	"strings"
)

// Error is one mistake in a file.
type Error struct {
	// File is the file's name as it was given to [Load] or [Parse].
	File string
	// Line counts from 1. A missing key is reported at the line of its table. 0 means that the file
	// could not be read.
	Line int
	// Problem says what is wrong, and Fix what to write. Neither shows a key or quotes the file.
	Problem, Fix string

	cause error
}

// Error returns "FILE:LINE: PROBLEM; FIX".
func (e *Error) Error() string { return message(e.File, e.Line, e.Problem, e.Fix) }

// Unwrap returns why the file could not be read, such as [io/fs.ErrNotExist]; nil for every other
// mistake.
func (e *Error) Unwrap() error { return e.cause }

// Errors are all mistakes in a file, sorted by line. [Load] and [Parse] return it when they fail.
type Errors []*Error

// Error returns one line for each mistake.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the mistakes one by one.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

// Warning is something in a file that works but should be changed, or that the reader should know.
type Warning struct {
	// File and Line are the position, as in [Error].
	File string
	Line int
	// Problem says what it is, and Fix what to write or to know. Neither shows a key.
	Problem, Fix string
}

// String returns "FILE:LINE: PROBLEM; FIX".
func (w Warning) String() string { return message(w.File, w.Line, w.Problem, w.Fix) }

func message(file string, line int, problem, fix string) string {
	if line > 0 {
		file += ":" + strconv.Itoa(line)
	}
	return file + ": " + problem + "; " + fix
}
