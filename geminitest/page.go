package geminitest

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// listResources answers with one page of a collection, the newest first. The page token says where
// it ended, so that nothing is repeated or lost when resources are made and deleted between two
// pages; it is good for the collection that gave it only.
func (e *Emulator) listResources(c call, _ object) (any, *Answer) {
	now, at, k := time.Now(), c.place(), kinds[c.collection]
	prefix := c.collection + "/"
	if c.parent != "" {
		if _, refused := e.find(c, c.parent); refused != nil {
			return nil, refused
		}
		prefix = c.parent + "/" + prefix
	}
	sizeName, tokenName, nextName := "pageSize", "pageToken", "nextPageToken"
	if k.snake {
		sizeName, tokenName, nextName = "page_size", "page_token", "next_page_token"
	}
	size, _ := strconv.Atoi(c.query.Get(sizeName))
	if size <= 0 {
		size = k.page
	}
	size = min(size, k.most)
	before := ^uint64(0)
	if token := c.query.Get(tokenName); token != "" {
		var ok bool
		if before, ok = readPageToken(token, at, prefix); !ok {
			return nil, new(InvalidArgument("The page token is invalid."))
		}
	}
	list := e.resources.list(now, func(r *record) bool {
		rest, ok := strings.CutPrefix(r.name, prefix)
		return ok && r.at == at && r.serial < before && !strings.Contains(rest, "/")
	})
	page := map[string]any{}
	if len(list) > size {
		list = list[:size]
		page[nextName] = pageToken(list[size-1].serial, at, prefix)
	}
	shown := make([]any, len(list))
	for i, r := range list {
		shown[i] = r.kind.show(e, r, now)
	}
	if len(shown) > 0 { // an empty list is left out, as in all of Google's JSON
		page[k.listed] = shown
	}
	return page, nil
}

// pageToken says that a page ended with the entry of this serial number.
func pageToken(serial uint64, at place, prefix string) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s %s %s", serial, at.project, at.location, prefix))
}

// readPageToken reads a page token of this collection.
func readPageToken(token string, at place, prefix string) (serial uint64, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, false
	}
	number, _, _ := strings.Cut(string(text), " ")
	serial, err = strconv.ParseUint(number, 10, 64)
	return serial, err == nil && pageToken(serial, at, prefix) == token
}
