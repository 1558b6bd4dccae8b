package main

import (
	"slices"
	"strings"
)

// grammar is what the first paragraph of a command's help says that the command takes. Completion
// is made from it, so that it offers what the help shows.
type grammar struct {
	flags []flagGrammar
	args  []string // such as "FILE", "URL", "MODEL…", "bash|zsh|fish"
}

type flagGrammar struct {
	name  string // without dashes
	value string // as args; "" if it takes none, or may go without
}

// grammarOf reads a help, whose first paragraph is "Usage: spillway NAME FILE [MODEL…] [--flag]
// [--other VALUE] [--third [VALUE]]". A flag without a value ends its bracket itself.
func grammarOf(help string) (g grammar) {
	first, _, _ := strings.Cut(help, "\n\n")
	words := strings.Fields(first)
	words = words[min(3, len(words)):] // Usage: spillway NAME
	for i := 0; i < len(words); i++ {
		word := strings.TrimPrefix(words[i], "[")
		name, isFlag := strings.CutPrefix(word, "--")
		switch {
		case !isFlag:
			g.args = append(g.args, strings.Trim(word, "[]"))
		case strings.HasSuffix(name, "]"), i+1 == len(words):
			g.flags = append(g.flags, flagGrammar{name: strings.TrimRight(name, "]")})
		default:
			i++
			value := strings.Trim(words[i], "[]")
			if strings.HasPrefix(words[i], "[") {
				value = ""
			}
			g.flags = append(g.flags, flagGrammar{name, value})
		}
	}
	return g
}

// takes reports whether a word is the name of something that stands without a flag.
func (g *grammar) takes(word string) bool {
	return slices.ContainsFunc(g.args, func(place string) bool {
		place = strings.TrimRight(place, "….")
		return slices.Contains(strings.Split(place, "|"), strings.ToUpper(word))
	})
}

// choices returns the words of which one stands in a place; nil if others may.
func choices(place string) []string {
	if words := strings.Split(place, "|"); len(words) > 1 {
		return words
	}
	return nil
}

// isFile reports whether a file stands in a place.
func isFile(place string) bool { return strings.TrimRight(place, "….") == "FILE" }

// names returns the flags with their dashes.
func (g *grammar) names() []string {
	names := make([]string, len(g.flags))
	for i, f := range g.flags {
		names[i] = "--" + f.name
	}
	return names
}
