package request

import (
	"bytes"

	"github.com/spillway-go/spillway/internal/wire/jsonscan"
)

// mention is how a body names the model that the path does not name.
type mention uint8

const (
	unnamed mention = iota
	namedOnce
	namedUnclearly
)

// InBody reports whether the body names the model, and the path does not.
func (c *Call) InBody() bool { return c.Use.named != unnamed }

// Unclear reports whether two readers of the body may see different models: it names the model twice,
// or in a way that not all of them take alike. A caller could have one model checked and another one
// served.
func (c *Call) Unclear() bool { return c.Use.named == namedUnclearly }

// nameModel takes the body's "model".
func (c *Call) nameModel(value []byte) {
	switch {
	case c.Use.named != unnamed:
		c.Use.named = namedUnclearly
	case c.Model != "": // the path's
	case bytes.Contains(value, unicodeEscape):
		c.Use.named = namedUnclearly
	default:
		as := jsonscan.Unquote(value)
		c.Model, c.Use.named = modelName(as), namedOnce
		c.Use.misspelt = c.Model != "" && c.OpenAI() && !wellSpelt(as, c.Backend)
	}
}

// unicodeEscape begins an escape that no name of a model needs. PHP escapes the slash alone.
var unicodeEscape = []byte(`\u`)

// key takes a key of the body itself.
func (c *Call) key(key []byte) {
	if bytes.IndexByte(key, '\\') >= 0 && jsonscan.Unquote(key) == "model" {
		c.doubt()
	}
}

// bare takes what stands without quotes in the body itself. Some readers of JSON take keys without
// quotes, or with single ones.
func (c *Call) bare(value []byte) {
	if bytes.IndexByte([]byte("-0123456789tfn"), value[0]) < 0 {
		c.doubt()
	}
}

// doubt notes that the body may name a model that was not seen, unless the path names it.
func (c *Call) doubt() {
	if c.Model == "" || c.Use.named != unnamed {
		c.Use.named = namedUnclearly
	}
}
