package geminitest

import (
	"math"
	"strings"
	"time"
)

// readNames reads what resources a prompt uses, apart from the files in its contents.
func (p *prompt) readNames(root object) {
	p.cache = root.text("cachedContent")
	for _, tool := range root.list("tools") {
		m, _ := tool.(map[string]any)
		for _, name := range object(m).object("fileSearch").list("fileSearchStoreNames") {
			text, _ := name.(string)
			p.stores = append(p.stores, text)
		}
	}
}

// lookUp finds the resources that a prompt uses, which must be the caller's, and what of the prompt
// is cached.
func (e *Emulator) lookUp(c call, asked *prompt) *Answer {
	for _, uri := range asked.files {
		if refused := e.showsFile(c, uri); refused != nil {
			return refused
		}
	}
	for _, name := range asked.stores {
		if _, refused := e.find(c, name); refused != nil {
			return refused
		}
	}
	switch {
	case asked.cache != "":
		return e.useCache(c, asked)
	case asked.request != nil && e.cfg.Caching.Implicit:
		asked.marks = marksOf(hashed(14695981039346656037, c.place().project+"\x00"+c.location+"\x00"+c.model+"\x00"), asked.request)
		asked.cached = e.prefixes.cached(time.Now(), e.cfg.Caching, asked.marks)
	}
	return nil
}

// useCache puts a cached content before a prompt.
func (e *Emulator) useCache(c call, asked *prompt) *Answer {
	for _, name := range []string{"systemInstruction", "tools", "toolConfig"} {
		if asked.request.field(name) == nil {
			continue
		}
		if c.backend == vertex {
			return new(InvalidArgument("Tool config, tools and system instruction should not be set in the request when using cached content."))
		}
		return new(InvalidArgument("CachedContent can not be used with GenerateContent request setting system_instruction, tools or tool_config.\n\n" +
			"Proposed fix: move those values to CachedContent from GenerateContent request."))
	}
	cache, refused := e.find(c, asked.cache)
	switch {
	case refused != nil:
		return refused
	case cache.kind != kinds["cachedContents"]:
		return new(InvalidArgument("Invalid resource name: " + printable(asked.cache)))
	case cache.model != c.model:
		return new(InvalidArgument("Model used by GenerateContent request (models/" + c.model + ") and CachedContent (models/" + cache.model +
			") has to be the same."))
	}
	asked.cached = cache.size
	asked.tokens += cache.size.tokens
	asked.audio += cache.size.audio
	asked.image += cache.size.image
	asked.digest ^= cache.digest
	return nil
}

// createCache keeps a cached content.
func (e *Emulator) createCache(c call, in object) (any, *Answer) {
	named := in.text("model")
	model := named[strings.LastIndexByte(named, '/')+1:]
	of := c
	of.model, of.method = model, generateContent
	if refused := e.missing(of); refused != nil {
		return nil, refused
	}
	asked := prompt{}
	for _, part := range append(in.contents(), in.object("systemInstruction")) {
		asked.addContent(part)
	}
	asked.addTools(in)
	asked.readNames(object{"tools": in.field("tools")})
	if refused := e.lookUp(of, &asked); refused != nil {
		return nil, refused
	}
	if least := e.cfg.Caching.Min; asked.tokens < least {
		return nil, new(InvalidArgument("Cached content is too small. total_token_count=" + itoa(asked.tokens) + ", min_total_token_count=" + itoa(least)))
	}
	now := time.Now()
	expires, refused := expiry(now, in, now.Add(time.Hour)) // Google's default is an hour
	if refused != nil {
		return nil, refused
	}
	fields := map[string]any{"model": e.fullName(c.place(), "publishers/google/models/"+model)}
	if c.backend == gemini {
		fields["model"] = "models/" + model
	}
	if title := in.text("displayName"); title != "" {
		fields["displayName"] = title
	}
	r, refused := e.create(c, record{
		name: "cachedContents/", expires: expires, fields: fields, model: model, digest: asked.digest,
		size: share{asked.tokens, asked.audio, asked.image},
	})
	if refused != nil {
		return nil, refused
	}
	return showCache(e, r, now), nil
}

// updateCache changes when a cached content ends, and nothing else: it cannot.
func (e *Emulator) updateCache(c call, in object) (any, *Answer) {
	r, refused := e.find(c, c.resource)
	if refused != nil {
		return nil, refused
	}
	now := time.Now()
	expires, refused := expiry(now, in, r.expires)
	if refused != nil {
		return nil, refused
	}
	r, ok := e.resources.change(r.name, func(r *record) { r.expires, r.changed = expires, now })
	if !ok {
		return nil, new(resourceMissing(r.at, c.resource))
	}
	return showCache(e, r, now), nil
}

// expiry reads ttl or expireTime. It must not be over.
func expiry(now time.Time, in object, otherwise time.Time) (time.Time, *Answer) {
	end := otherwise
	if text, ok := in.field("ttl").(string); ok {
		ttl, err := time.ParseDuration(text)
		if err != nil || !strings.HasSuffix(text, "s") {
			return end, new(malformed("ttl", "Invalid value at 'ttl' (type.googleapis.com/google.protobuf.Duration), \""+printable(text)+"\""))
		}
		end = now.Add(ttl)
	} else if text, ok := in.field("expireTime").(string); ok {
		var err error
		if end, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return end, new(malformed("expire_time", "Invalid value at 'expire_time' (type.googleapis.com/google.protobuf.Timestamp), \""+printable(text)+"\""))
		}
	}
	if !end.After(now) {
		return end, new(InvalidArgument("The expiration time must be in the future."))
	}
	return end, nil
}

// showCache shows a cached content.
func showCache(e *Emulator, r record, _ time.Time) map[string]any {
	return with(r.fields, map[string]any{
		"name": r.full(e), "createTime": stamp(r.made), "updateTime": stamp(r.changed), "expireTime": stamp(r.expires),
		"usageMetadata": map[string]any{"totalTokenCount": min(r.size.tokens, math.MaxInt32)},
	})
}
