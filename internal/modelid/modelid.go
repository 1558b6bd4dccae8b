// Package modelid is the one rule for what in the name of a model is its version.
//
// A name is that of a family, with a version at its end or none: "gemini-2.0-flash" and "001",
// "gemini-2.5-flash-lite" and "preview-09-2025", "claude-opus-4" and "20250514". What a family has,
// such as a price or a quota, its versions have, too. The versions of an embedding are different
// models all the same: the vectors of one mean nothing to another.
package modelid

import (
	"iter"
	"path"
	"slices"
	"strings"
)

// Split returns the family that a name is of, and its version, which may be empty. A version is
//
//   - what is behind an "@";
//   - a word that says how far the model is, "preview", "exp", "experimental" or "latest", and the
//     numbers behind it. Other words behind it belong to the family: "gemini-2.5-flash-preview-tts"
//     is a preview of "gemini-2.5-flash-tts";
//   - a number of three digits or more at the end, and the two digits of a month before it.
//
// A family has more than one word, unless the version is behind an "@": "lyria-002" is a family. What
// users have named, as in "tunedModels/mine-001", has no version.
func Split(name string) (family, version string) {
	bare, pinned, _ := strings.Cut(name, "@")
	if bare == "" || strings.Contains(name, "/") {
		return name, ""
	}
	family, version = split(bare)
	if version != "" && pinned != "" {
		return family, version + "@" + pinned
	}
	return family, version + pinned
}

// split is Split of a name without "@".
func split(name string) (family, version string) {
	at, first := 0, strings.IndexByte(name, '-')
	for part := range strings.SplitSeq(name, "-") {
		if at > first+1 && first > 0 && isStage(part) {
			return staged(name[:at-1], name[at:])
		}
		at += len(part) + 1
	}
	family = withoutNumber(name)
	return family, strings.TrimPrefix(name[len(family):], "-")
}

// staged splits a name whose tail begins with a word that says how far the model is.
func staged(head, tail string) (family, version string) {
	base := withoutNumber(head)
	names, versions := []string{base}, []string{}
	if number := head[len(base):]; number != "" {
		versions = append(versions, number[1:])
	}
	for part := range strings.SplitSeq(tail, "-") {
		if isStage(part) || isNumber(part) || part == "customtools" {
			versions = append(versions, part)
		} else {
			names = append(names, part)
		}
	}
	return strings.Join(names, "-"), strings.Join(versions, "-")
}

// isStage reports whether a word says how far a model is.
func isStage(part string) bool {
	return part == "preview" || part == "exp" || part == "experimental" || part == "latest"
}

// withoutNumber takes "001" or a date such as "09-2025" from the end of a name of more than two words.
func withoutNumber(name string) string {
	rest, last := cutLast(name)
	if _, word := cutLast(rest); len(last) < 3 || !isNumber(last) || !strings.Contains(rest, "-") || isStage(word) {
		return name
	}
	for {
		shorter, month := cutLast(rest)
		if len(month) != 2 || !isNumber(month) || !strings.Contains(shorter, "-") {
			return withoutNumber(rest)
		}
		rest = shorter
	}
}

// cutLast cuts off the last word of a name.
func cutLast(name string) (rest, last string) {
	i := strings.LastIndexByte(name, '-')
	return name[:max(i, 0)], name[i+1:]
}

func isNumber(part string) bool { return part != "" && strings.Trim(part, "0123456789") == "" }

// Names yields a name, then the name with ever less of its version, and at last its family.
func Names(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !yield(name) {
			return
		}
		family, _ := Split(name)
		if family == name {
			return
		}
		for rest := name; ; {
			rest = rest[:max(strings.LastIndexAny(rest, "-@"), 0)]
			if of, version := Split(rest); of != family || version == "" {
				yield(family)
				return
			}
			if !yield(rest) {
				return
			}
		}
	}
}

// Find returns the first of a model's [Names] that is a key. Not ok if none is.
func Find[V any](keys map[string]V, model string) (key string, ok bool) {
	for name := range Names(model) {
		if _, ok := keys[name]; ok {
			return name, true
		}
	}
	return "", false
}

// Same reports whether one name may stand for the other, as that of an order does for the name in a
// call: both are of one family, and stable.
func Same(a, b string) bool {
	if a == b {
		return true
	}
	of, version := Split(a)
	other, another := Split(b)
	return of == other && !isEmbedding(of) && isStable(version) && isStable(another)
}

// Matches reports whether one of some globs ([path.Match]) is for a model, with the version of a stable
// model or without. No globs are for all models.
func Matches(globs []string, model string) bool {
	bare, _ := Split(model)
	return len(globs) == 0 || slices.ContainsFunc(globs, func(glob string) bool {
		with, _ := path.Match(glob, model)
		without, _ := path.Match(glob, bare)
		return with || without && Same(bare, model) || Same(glob, model)
	})
}

// Kin reports whether two names are of one model, whatever the versions, which may be previews.
func Kin(a, b string) bool {
	if a == b {
		return true
	}
	of, _ := Split(a)
	other, _ := Split(b)
	return of == other && !isEmbedding(of)
}

// isEmbedding reports whether the models of a family make vectors.
func isEmbedding(family string) bool { return strings.Contains(family, "embedding") }

// isStable reports whether a version is none that ends, or changes from one day to the next.
func isStable(version string) bool {
	return strings.Trim(strings.TrimSuffix(version, "default"), "0123456789-@") == ""
}
