package geminitest

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// kind is what the resources of one collection have in common.
type kind struct {
	noun      string // in Google's messages
	listed    string // the field of a list that has them
	snake     bool   // page_size, next_page_token, as around the Interactions API
	page      int    // entries in a page, unless asked otherwise
	most      int    // and at most
	working   string // state while the work goes on; "" if there is none
	finished  string
	cancelled string
	id        func(at place, rng *rand.Rand) string
	show      func(e *Emulator, r record, now time.Time) map[string]any // what get answers
}

// kinds are the collections that keep resources, by the name that their paths have.
var kinds = map[string]*kind{
	"files": {noun: "File", listed: "files", page: 10, most: 100, id: shortID, show: showFile,
		working: "PROCESSING", finished: "ACTIVE"},
	"cachedContents": {noun: "CachedContent", listed: "cachedContents", page: 50, most: 1000, id: placeID, show: showCache},
	"batches": {noun: "Batch", listed: "operations", page: 50, most: 1000, id: placeID, show: showBatch,
		working: "BATCH_STATE_RUNNING", finished: "BATCH_STATE_SUCCEEDED", cancelled: "BATCH_STATE_CANCELLED"},
	"batchPredictionJobs": {noun: "BatchPredictionJob", listed: "batchPredictionJobs", page: 50, most: 1000, id: placeID, show: showPredictionJob,
		working: "JOB_STATE_RUNNING", finished: "JOB_STATE_SUCCEEDED", cancelled: "JOB_STATE_CANCELLED"},
	"tunedModels": {noun: "TunedModel", listed: "tunedModels", page: 10, most: 1000, id: shortID, show: showTunedModel,
		working: "CREATING", finished: "ACTIVE", cancelled: "FAILED"},
	"tuningJobs": {noun: "TuningJob", listed: "tuningJobs", page: 50, most: 1000, id: placeID, show: showTuningJob,
		working: "JOB_STATE_RUNNING", finished: "JOB_STATE_SUCCEEDED", cancelled: "JOB_STATE_CANCELLED"},
	"models":    {noun: "Model", listed: "models", page: 50, most: 1000, id: placeID, show: showRegistryModel},
	"endpoints": {noun: "Endpoint", listed: "endpoints", page: 50, most: 1000, id: placeID, show: showRegistryModel},
	"operations": {noun: "Operation", listed: "operations", page: 50, most: 1000, id: placeID, show: showOperation,
		working: "RUNNING", finished: "DONE"},
	"fileSearchStores": {noun: "FileSearchStore", listed: "fileSearchStores", page: 10, most: 20, id: shortID, show: showStore},
	"documents": {noun: "Document", listed: "documents", page: 10, most: 20, id: shortID, show: showDocument,
		working: "STATE_PENDING", finished: "STATE_ACTIVE"},
	"auth_tokens": {noun: "AuthToken", id: longID(""), show: showFields},
	"interactions": {noun: "Interaction", id: longID("v1_"), show: showInteraction,
		working: "in_progress", finished: "completed", cancelled: "cancelled"},
	"agents":       {noun: "Agent", listed: "agents", snake: true, page: 50, most: 1000, id: longID("agent-"), show: showFields},
	"credentials":  {noun: "Credential", listed: "credentials", snake: true, page: 50, most: 1000, id: longID("cred_"), show: showTimed},
	"voices":       {noun: "Voice", listed: "voices", snake: true, page: 50, most: 1000, id: longID("voice_"), show: showFields},
	"webhooks":     {noun: "Webhook", listed: "webhooks", snake: true, page: 50, most: 1000, id: longID("webhook_"), show: showTimed},
	"environments": {noun: "Environment", listed: "environments", snake: true, page: 50, most: 1000, id: longID("env_"), show: showEnvironment},
}

// kindOf is the kind of a resource, by its name without place; nil if that is no name.
func kindOf(name string) *kind {
	parts := strings.Split(name, "/")
	if len(parts) < 2 {
		return nil
	}
	return kinds[parts[len(parts)-2]]
}

// showFields shows a resource that is what it was made of.
func showFields(_ *Emulator, r record, _ time.Time) map[string]any { return r.fields }

// showTimed shows a resource that knows when it was made and changed.
func showTimed(_ *Emulator, r record, _ time.Time) map[string]any {
	return with(r.fields, map[string]any{"create_time": stamp(r.made), "update_time": stamp(r.changed)})
}

// jobTimes adds the times of a job to what is shown of it.
func jobTimes(shown map[string]any, r record, now time.Time) {
	shown["createTime"], shown["startTime"], shown["updateTime"] = stamp(r.made), stamp(r.made), stamp(r.changed)
	if r.done(now) {
		shown["endTime"], shown["updateTime"] = stamp(r.end()), stamp(r.end())
	}
}

// count is a number as Google's JSON has those of 64 bits.
func count(n int) string { return strconv.Itoa(n) }
