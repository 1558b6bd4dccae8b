package request

import (
	"bytes"
	"strings"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// Mention is how a body names the model that the path does not name.
type Mention uint8

const (
	unnamed Mention = iota
	namedOnce
	namedUnclearly
)

// InBody reports whether the body names the model, and the path does not.
func (m Mention) InBody() bool { return m != unnamed }

// Unclear reports whether two readers of the body may see different models: it names the model twice,
// or in a way that not all of them take alike. A caller could have one model checked and another one
// served.
func (m Mention) Unclear() bool { return m == namedUnclearly }

// mention takes the body's "model".
func mention(c *Call, value []byte) {
	switch {
	case c.Use.Named != unnamed:
		c.Use.Named = namedUnclearly
	case c.Model != "": // the path's
	case bytes.Contains(value, unicodeEscape):
		c.Use.Named = namedUnclearly
	default:
		as := jsonscan.Unquote(value)
		c.Model, c.Use.Named = modelName(as), namedOnce
		c.Use.misspelt = c.Model != "" && c.OpenAI() && !wellSpelt(as, c.Backend)
	}
}

// unicodeEscape begins an escape that no name of a model needs. PHP escapes the slash alone.
var unicodeEscape = []byte(`\u`)

// doubtKey takes a key of the body itself.
func doubtKey(c *Call, key []byte) {
	if bytes.IndexByte(key, '\\') >= 0 && jsonscan.Unquote(key) == "model" {
		doubt(c)
	}
}

// doubtBare takes what stands without quotes in the body itself. Some readers of JSON take keys without
// quotes, or with single ones.
func doubtBare(c *Call, value []byte) {
	if strings.IndexByte("-0123456789tfn", value[0]) < 0 {
		doubt(c)
	}
}

// doubt notes that the body may name a model that was not seen, unless the path names it.
func doubt(c *Call) {
	if c.Model == "" || c.Use.Named != unnamed {
		c.Use.Named = namedUnclearly
	}
}
