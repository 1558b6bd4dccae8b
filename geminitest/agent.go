package geminitest

import (
	"math/rand/v2"
	"regexp"
	"time"
)

// agentName is what the id of an agent may be.
var agentName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// createAgent makes an agent, under the id that the caller gives or one of its own.
func (e *Emulator) createAgent(c call, in object) (any, *Answer) {
	name := "agents/"
	if id := in.text("id"); id != "" {
		if !agentName.MatchString(id) {
			return nil, new(InvalidArgument("Invalid agent id: " + printable(id)))
		}
		name += id
	}
	return e.createPlain(c, name, in)
}

// createPlain keeps a resource that is what the caller says, and has an id.
func (e *Emulator) createPlain(c call, name string, fields map[string]any) (any, *Answer) {
	r, refused := e.create(c, record{name: name, fields: fields})
	if refused != nil {
		return nil, refused
	}
	return e.changePlain(r, map[string]any{"id": r.id()})
}

// changePlain changes such a resource, and shows it.
func (e *Emulator) changePlain(r record, changes map[string]any) (any, *Answer) {
	changed, ok := e.resources.change(r.name, func(r *record) { r.fields, r.changed = with(r.fields, changes), time.Now() })
	if !ok {
		return nil, new(resourceMissing(r.at, r.name))
	}
	return changed.kind.show(e, changed, time.Now()), nil
}

// createCredential keeps a credential for agents. Its secret is forgotten at once.
func (e *Emulator) createCredential(c call, in object) (any, *Answer) {
	if in.text("type") == "" {
		return nil, new(InvalidArgument("type is required"))
	}
	return e.createPlain(c, "credentials/", map[string]any{"type": in.text("type"), "status": "active"})
}

// updateCredential gives a credential another secret.
func (e *Emulator) updateCredential(c call, _ object) (any, *Answer) {
	r, refused := e.find(c, c.resource)
	if refused != nil {
		return nil, refused
	}
	return e.changePlain(r, nil)
}

// createVoice makes a voice. One that is not to be stored exists in its key alone.
func (e *Emulator) createVoice(c call, in object) (any, *Answer) {
	voice := in.object("voice")
	stored, _ := in.field("store").(bool)
	switch kind := voice.text("type"); {
	case kind != "prompted" && kind != "replicated":
		return nil, new(InvalidArgument("voice.type must be prompted or replicated"))
	case kind == "prompted" && !stored:
		return nil, new(InvalidArgument("store must be true for prompted voices"))
	case !stored:
		return with(voice, map[string]any{"key": e.secret("voicekey_")}), nil
	}
	return e.createPlain(c, "voices/", voice)
}

// createWebhook makes a webhook. Nothing is ever sent to it.
func (e *Emulator) createWebhook(c call, in object) (any, *Answer) {
	if in.text("uri") == "" || len(in.list("subscribed_events")) == 0 {
		return nil, new(InvalidArgument("uri and subscribed_events are required"))
	}
	out, refused := e.createPlain(c, "webhooks/", map[string]any{
		"name": in.text("name"), "uri": in.text("uri"), "subscribed_events": in.list("subscribed_events"), "state": "enabled",
	})
	if refused != nil {
		return nil, refused
	}
	shown, _ := out.(map[string]any)
	return with(shown, map[string]any{"new_signing_secret": e.secret("whsec_")}), nil
}

// updateWebhook changes a webhook.
func (e *Emulator) updateWebhook(c call, in object) (any, *Answer) {
	r, refused := e.find(c, c.resource)
	if refused != nil {
		return nil, refused
	}
	changes := map[string]any{}
	for _, name := range []string{"name", "uri", "subscribed_events", "state"} {
		if v := in.field(name); v != nil {
			changes[name] = v
		}
	}
	return e.changePlain(r, changes)
}

// pingWebhook does nothing.
func (e *Emulator) pingWebhook(c call, _ object) (any, *Answer) {
	_, refused := e.find(c, c.resource)
	return map[string]any{}, refused
}

// rotateSecret gives a webhook another secret.
func (e *Emulator) rotateSecret(c call, _ object) (any, *Answer) {
	if _, refused := e.find(c, c.resource); refused != nil {
		return nil, refused
	}
	return map[string]any{"secret": e.secret("whsec_")}, nil
}

// secret makes up a secret.
func (e *Emulator) secret(prefix string) string {
	return prefix + letters(rand.New(rand.NewPCG(e.cfg.Seed, e.nextSerial())), 32, base64URL)
}
