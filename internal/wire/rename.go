package wire

import (
	"bytes"
	"net/url"
	"strings"
)

// Rename makes c ask another model, and returns the body that asks it too: batches of embeddings name the model once more in each
// request. The body given is not changed. A call that names no model stays as it is.
func (c *Call) Rename(model string, body []byte) []byte {
	old := c.Model
	if old == "" || old == model {
		return body
	}
	for _, name := range []string{old, url.PathEscape(old)} {
		if before, after, ok := strings.Cut(c.path.rest, "models/"+name); ok {
			c.path.rest = before + "models/" + url.PathEscape(model) + after
			break
		}
	}
	c.Model = model
	return bytes.ReplaceAll(body, []byte(`"models/`+old+`"`), []byte(`"models/`+model+`"`))
}
