package geminitest

import (
	"strings"
	"time"
)

// createTunedModel begins to tune a model of the Gemini Developer API.
func (e *Emulator) createTunedModel(c call, in object) (any, *Answer) {
	base := strings.TrimPrefix(in.text("baseModel"), "models/")
	of := c
	of.model, of.method = base, generateContent
	if refused := e.missing(of); refused != nil {
		return nil, refused
	}
	task := map[string]any(in.object("tuningTask"))
	r, refused := e.create(c, record{name: "tunedModels/", model: base, fields: map[string]any{
		"baseModel": "models/" + base, "displayName": in.text("displayName"), "description": in.text("description"), "tuningTask": task,
	}})
	if refused != nil {
		return nil, refused
	}
	operation, refused := e.startOperation(c, r.name+"/", map[string]any{
		"@type": "type.googleapis.com/google.ai.generativelanguage.v1beta.CreateTunedModelMetadata", "tunedModel": r.name,
	}, map[string]any{"@type": "type.googleapis.com/google.ai.generativelanguage.v1beta.TunedModel", "name": r.name})
	if refused != nil {
		return nil, refused
	}
	return showOperation(e, operation, time.Now()), nil
}

// showTunedModel shows a tuned model of the Gemini Developer API.
func showTunedModel(_ *Emulator, r record, now time.Time) map[string]any {
	task, _ := r.fields["tuningTask"].(map[string]any)
	times := map[string]any{"startTime": stamp(r.made)}
	if r.done(now) {
		times["completeTime"] = stamp(r.end())
	}
	return with(r.fields, map[string]any{
		"name": r.name, "state": r.stateAt(now), "createTime": stamp(r.made), "updateTime": stamp(r.changed), "tuningTask": with(task, times),
	})
}

// tuningSpecs are the fields of a tuning job that a caller sets.
var tuningSpecs = []string{
	"baseModel", "preTunedModel", "tunedModelDisplayName", "description", "supervisedTuningSpec", "preferenceOptimizationSpec", "distillationSpec",
	"reinforcementTuningSpec", "labels", "customBaseModel", "outputUri", "encryptionSpec",
}

// createTuningJob begins to tune a model of Vertex AI. The model and its endpoint are there at
// once.
func (e *Emulator) createTuningJob(c call, in object) (any, *Answer) {
	base := in.text("baseModel")
	if from := in.object("preTunedModel").text("tunedModelName"); from != "" {
		from, _, _ = strings.Cut(from, "@") // a version
		r, refused := e.find(c, from)
		if refused != nil {
			return nil, refused
		}
		base = r.model
	}
	of := c
	of.model, of.method = base[strings.LastIndexByte(base, '/')+1:], generateContent
	if refused := e.missing(of); refused != nil {
		return nil, refused
	}
	title := map[string]any{"displayName": in.text("tunedModelDisplayName")}
	endpoint, refused := e.create(c, record{name: "endpoints/", model: of.model, fields: title})
	if refused != nil {
		return nil, refused
	}
	model, refused := e.create(c, record{name: "models/", model: of.model, fields: with(title, map[string]any{
		"versionId": "1", "labels": map[string]any{"google-vertex-llm-tuning-base-model-id": of.model, "tune-type": "sft"},
		"deployedModels": []any{map[string]any{"endpoint": endpoint.full(e), "deployedModelId": "1"}},
	})})
	if refused != nil {
		return nil, refused
	}
	fields := map[string]any{"tunedModel": map[string]any{"model": model.full(e) + "@1", "endpoint": endpoint.full(e)}}
	for _, name := range tuningSpecs {
		if v := in.field(name); v != nil {
			fields[name] = v
		}
	}
	job, refused := e.create(c, record{name: "tuningJobs/", model: of.model, fields: fields})
	if refused != nil {
		return nil, refused
	}
	return showTuningJob(e, job, time.Now()), nil
}

// showTuningJob shows a tuning job. The model is told once there is one.
func showTuningJob(e *Emulator, r record, now time.Time) map[string]any {
	shown := with(r.fields, map[string]any{"name": r.full(e), "state": r.stateAt(now)})
	jobTimes(shown, r, now)
	if shown["state"] != r.kind.finished {
		delete(shown, "tunedModel")
	}
	return shown
}

// showRegistryModel shows a tuned model of Vertex AI, or its endpoint.
func showRegistryModel(e *Emulator, r record, _ time.Time) map[string]any {
	return with(r.fields, map[string]any{"name": r.full(e), "createTime": stamp(r.made), "updateTime": stamp(r.changed)})
}

// validateReward answers what a sample would be worth.
func (e *Emulator) validateReward(_ call, in object) (any, *Answer) {
	if in.object("sampleResponse") == nil {
		return nil, new(InvalidArgument("sampleResponse is required."))
	}
	return map[string]any{"overallReward": 1.0}, nil
}

// updateModel changes what a tuned model is called.
func (e *Emulator) updateModel(c call, in object) (any, *Answer) {
	r, refused := e.find(c, c.resource)
	if refused != nil {
		return nil, refused
	}
	changes := map[string]any{}
	for _, name := range []string{"displayName", "description", "defaultCheckpointId"} {
		if text := in.text(name); text != "" {
			changes[name] = text
		}
	}
	r, ok := e.resources.change(r.name, func(r *record) { r.fields, r.changed = with(r.fields, changes), time.Now() })
	if !ok {
		return nil, new(resourceMissing(r.at, c.resource))
	}
	return r.kind.show(e, r, time.Now()), nil
}

// keepBaseModel refuses to change or delete a model of Google's.
func (e *Emulator) keepBaseModel(c call, _ object) (any, *Answer) {
	if c.backend == gemini {
		return nil, new(fault(403, permission, "You do not have permission to access the Model "+printable(c.model)+" or it may not exist."))
	}
	_, verb, _ := strings.Cut(c.method, ".")
	at := c.place()
	return nil, new(denied("aiplatform.models."+verb, "projects/"+at.project+"/locations/"+at.location+"/publishers/google/models/"+c.model))
}

// useTuned lets a tuned model or an endpoint answer as the model that it was made of, if it is
// ready.
func (e *Emulator) useTuned(c *call) *Answer {
	r, refused := e.find(*c, c.tuned)
	switch {
	case refused != nil:
		return refused
	case r.kind.finished != "" && r.stateAt(time.Now()) != r.kind.finished:
		return new(fault(400, "FAILED_PRECONDITION", "The "+r.kind.noun+" "+r.id()+" is not ready."))
	}
	c.model = r.model
	return nil
}
