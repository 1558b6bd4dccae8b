package verdict

import (
	"slices"
	"strings"
)

// fields returns the texts that rules compare.
func (f *fault) fields() (texts [fields]string) {
	lower := strings.ToLower(f.message)
	texts[page] = f.page
	texts[quota] = quotaMeaning(f.violations)
	texts[sentReason], texts[reason] = f.reason, strings.ToUpper(f.reason)
	texts[container] = f.suspended(lower)
	texts[permission] = permissionOf(strings.ToLower(f.permission), strings.ToLower(f.resource), lower)
	if ofOthers(strings.ToLower(f.service)) {
		texts[permission] = others
	}
	texts[status] = strings.ToUpper(f.status)
	texts[message], texts[topic] = lower, topicOf(lower)
	if limitsZero(lower) {
		texts[limits] = zero
	}
	return texts
}

// suspended returns what was suspended: the key or the project. The metadata's consumer is the
// project, whichever it is.
func (f *fault) suspended(lower string) string {
	named := strings.ToLower(f.container) + " " + lower
	switch {
	case !slices.Contains(suspended, strings.ToUpper(f.reason)):
		return ""
	case strings.Contains(named, "api_key:"):
		return key
	case strings.Contains(named, "projects/"), strings.Contains(named, "project_number:"):
		return project
	default:
		return ""
	}
}

// ours are the services whose permissions a project needs to be asked at all.
var ours = []string{
	"aiplatform.", "generativelanguage.", "serviceusage.", "cloudaicompanion.", "cloudcode-pa.", "iam.", "iamcredentials.",
	"cloudresourcemanager.", "cloudbilling.", "apikeys.",
}

// ofOthers reports whether a service of Google's is none that a project needs to be asked at all.
func ofOthers(service string) bool {
	of := func(o string) bool { return strings.HasPrefix(service, o) }
	return strings.HasSuffix(service, ".googleapis.com") && !slices.ContainsFunc(ours, of)
}

// permissionOf returns whose permission is missing: others if it is one of another service, such as
// of the storage that a call reads from, or is for a thing of the caller's. All texts are in lower
// case.
func permissionOf(permission, resource, message string) string {
	if permission == "" {
		if _, quoted, ok := strings.Cut(message, "permission '"); ok {
			permission, _, _ = strings.Cut(quoted, "'")
		}
	}
	service := func(s string) bool { return strings.HasPrefix(permission, s) }
	switch {
	case permission == "" && resource == "":
		return ""
	case topicOf(resource) == other, strings.Contains(permission, ".") && !slices.ContainsFunc(ours, service):
		return others
	default:
		return ""
	}
}

// otherTopics are words for things of the caller's that are not models.
var otherTopics = []string{"access the file", "files/", "file not found", "cachedcontent", "cached content",
	"operations/", "operation not found", "batches/", "batchpredictionjob", "tuningjob", "tunedmodel", "tuned model",
	"corpora/", "ragcorpora", "ragcorpus", "filesearchstore", "file search store", "interactions/"}

// topicOf returns the topic of a lower-case message or name: other, or "" if it may be a model. An
// endpoint with a number is the caller's.
func topicOf(lower string) string {
	if strings.Contains(lower, "publisher model") {
		return ""
	}
	_, endpoint, ok := strings.Cut(lower, "/endpoints/")
	if has.any(lower, otherTopics) || ok && endpoint != "" && endpoint[0] >= '0' && endpoint[0] <= '9' {
		return other
	}
	return ""
}

// limitsZero reports whether a lower-case message states limits, all of them zero.
func limitsZero(lower string) bool {
	found := false
	for {
		_, rest, ok := strings.Cut(lower, "limit: ")
		if !ok {
			return found
		}
		if limit([]byte(wordAfter("limit: "+rest[:min(len(rest), 24)], "limit: "))) != 0 {
			return false
		}
		found, lower = true, rest
	}
}
