package config

import (
	"log/slog"
	"slices"
	"strings"
)

// Log is what [log] says. Clients of package spillway and `spillway serve` write the call log. Format
// and level are of the lines that `spillway serve` logs; programs in Go have a logger of their own.
type Log struct {
	// Calls is the file of the call log, relative to the working directory as in [os.Open], or
	// "stdout". Empty means that there is none. Package calls writes it.
	Calls string
	// MaxSize is the size in bytes at which the file is rotated, MaxFiles how many rotated files are
	// kept. Zero means the default of calls.FileConfig.
	MaxSize  int64
	MaxFiles int
	// Format is "text" or "json". Empty means text.
	Format string
	// Level is that of the lines that are logged, and of more serious ones. Zero means info.
	Level slog.Level
}

// SameCallLog reports whether both configurations have the same call log. One that has changed takes a
// restart.
func (c *Config) SameCallLog(other *Config) bool {
	a, b := &c.Log, &other.Log
	return a.Calls == b.Calls && a.MaxSize == b.MaxSize && a.MaxFiles == b.MaxFiles
}

// LogJSON is the Format of lines of JSON.
const LogJSON = "json"

// levels are the words for levels.
var levels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

func (t *table) log(cfg *Log) {
	if path, ok := t.text("calls"); ok {
		cfg.Calls = t.callLog(path)
	}
	t.size("max_size", &cfg.MaxSize)
	count(t, "max_files", &cfg.MaxFiles)
	if cfg.MaxFiles < 0 {
		t.wrong(t.path.to("max_files"), "max_files is negative", "write a value above 0, or leave it out")
	}
	cfg.Format, _ = t.word("format", "text", LogJSON)
	if level, ok := t.word("level", "debug", "info", "warn", "error"); ok {
		cfg.Level = levels[level]
	}
	t.end()
}

// callLog returns the path of the call log.
func (t *table) callLog(path string) string {
	const stdout = "stdout"
	at := t.path.to("calls")
	switch lower := strings.ToLower(path); {
	case path == stdout:
		return path
	case path == "-", lower == stdout, lower == "stderr":
		t.wrong(at, "calls is neither a file nor the standard output", `write a path, such as "calls.jsonl", or "stdout"`)
		return ""
	case strings.HasSuffix(path, "/"):
		t.wrong(at, "calls is a folder, not a file", `write the file's name too, such as "`+path+`calls.jsonl"`)
		return ""
	default:
		return t.sources.path(path)
	}
}

// word reads a string that has to be one of some words.
func (t *table) word(key string, words ...string) (string, bool) {
	text, ok := t.text(key)
	if !ok || slices.Contains(words, text) {
		return text, ok
	}
	fix, lower := `write "`+strings.Join(words, `", "`)+`", or leave it out`, strings.ToLower(text)
	word, near := nearest(lower, words)
	for _, w := range words {
		if !near && strings.HasPrefix(lower, w) { // warning
			word, near = w, true
		}
	}
	if near {
		fix = `did you mean "` + word + `"?`
	}
	t.wrong(t.path.to(key), key+" is not a known "+key, fix)
	return "", false
}
