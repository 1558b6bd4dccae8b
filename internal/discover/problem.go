package discover

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/spillway-go/spillway/internal/credential"
	"github.com/spillway-go/spillway/internal/plain"
)

// ReadError is why something could not be read, and what to do.
type ReadError struct {
	// What could not be read: "limits", "orders", "models" or "tier".
	What string
	// Host is the API that was asked.
	Host string
	// Message is what Google said, or what went wrong, in one line.
	Message string
	// Permission is what the credentials lack, and Role a role that has it; empty if it is
	// something else.
	Permission, Role string
	// Command mends it, as gcloud has it; empty if there is none. Do says in words what to do.
	Command, Do string

	passes bool
	silent bool // there was no answer in time
	named  bool // the request named the project that pays
	status int
	reason string
}

// Error says what could not be read, and why.
func (p *ReadError) Error() string {
	return "the " + p.What + " cannot be read from " + p.Host + ": " + p.Message
}

// Remedy says what to do; "" if nothing helps, or it passes.
func (p *ReadError) Remedy() string { return p.Do }

// Passing reports whether it may be over soon.
func (p *ReadError) Passing() bool { return p.passes }

// Partial reports whether the limits may be others without it, soon: those of the tier and of the
// models that are listed.
func (p *ReadError) Partial() bool { return p.passes && (p.What == "tier" || p.What == "models") }

// maxMessage bounds what is kept of what Google said, in bytes.
const maxMessage = 300

// sockets are the two addresses of a connection, in the errors of package net. One has another port
// each time.
var sockets = regexp.MustCompile(` ?\S+:\d+->\S+:\d+`)

// minSecret is the least length of a text, in bytes, that is kept out of what is shown; redacted stands
// in its place.
const (
	minSecret = 4
	redacted  = "[redacted]"
)

// says makes a line of a text of others, without the secret that was sent, and without what looks
// like one. It has the same words each time.
func says(text, secret string) string {
	text = sockets.ReplaceAllString(text, "")
	if len(secret) >= minSecret {
		text = strings.ReplaceAll(text, secret, redacted)
	}
	text = credential.Redacted(plain.Text(text, len(text)+3))
	return strings.TrimSuffix(plain.Text(text, maxMessage), ".")
}

// noToken is that there is no access token. ctx is that of the request.
func (c *client) noToken(ctx context.Context, host string, err error) *ReadError {
	p := unreachable(ctx, host, err, "")
	p.Message = "there is no access token: " + p.Message
	p.passes = p.silent || credential.Passing(err)
	switch refused := credential.Refused(err); {
	case p.passes:
	case refused && strings.Contains(err.Error(), "iat and exp"):
		p.Do = "set the clock of this machine"
	case refused:
		p.Do = "the credentials are dead: " + credential.Identify(c.source.Tokens).Renewal
	default:
		p.Do = "run `gcloud auth application-default login`, or set credentials in the project"
	}
	return p
}

// roles has for each API the permission that a caller needs, and a role that has it and little else.
// See https://cloud.google.com/iam/docs/roles-permissions.
var roles = map[string]struct{ permission, role string }{
	cloudQuotas:  {"cloudquotas.quotas.get", "roles/cloudquotas.viewer"},
	serviceUsage: {"serviceusage.quotas.get", "roles/serviceusage.serviceUsageViewer"},
	monitoring:   {"monitoring.timeSeries.list", "roles/monitoring.viewer"},
	billing:      {"resourcemanager.projects.get", "roles/browser"},
	vertexAI:     {"aiplatform.endpoints.predict", "roles/aiplatform.user"},
}

var consumerSyntax = regexp.MustCompile(`^projects/([a-z0-9][a-z0-9.:-]{0,127})$`)

// refused is what an answer with an error means.
func (c *client) refused(r *request, status int, body []byte, secret string) *ReadError {
	var answer struct {
		Error struct {
			Message string             `json:"message"`
			Details list[errorDetails] `json:"details"`
		} `json:"error"`
	}
	_ = json.Unmarshal(body, &answer) // what is not Google's has its status alone
	p := &ReadError{
		Host: r.host, status: status, Message: says(firstSentences(answer.Error.Message), secret),
		passes: status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500,
	}
	if p.Message == "" {
		p.Message = strings.TrimSpace("HTTP status " + strconv.Itoa(status) + " " + http.StatusText(status))
	}
	consumer := c.source.ProjectID
	for _, info := range answer.Error.Details {
		if info.Reason == "" {
			continue
		}
		p.reason = info.Reason
		if m := consumerSyntax.FindStringSubmatch(info.Metadata["consumer"]); m != nil && says(m[1], secret) == m[1] {
			consumer = m[1]
		}
	}
	c.explain(p, r, consumer)
	return p
}

// errorDetails are one of the details of an error of Google's.
type errorDetails struct {
	Reason   string            `json:"reason"`
	Metadata map[string]string `json:"metadata"`
}

// firstSentences cuts off what follows the reason in Google's longer messages.
func firstSentences(message string) string {
	for _, end := range []string{" Enable it by visiting ", " Grant the caller ", "\n"} {
		message, _, _ = strings.Cut(message, end)
	}
	return message
}

// explain adds what to do about a refusal. consumer is the project that the API counts the call for.
func (c *client) explain(p *ReadError, r *request, consumer string) {
	needs := roles[p.Host]
	switch {
	case p.passes:
	case p.reason == "SERVICE_DISABLED":
		p.Command = "gcloud services enable " + p.Host + " --project=" + consumer
		p.Do = "enable the API: " + p.Command
	case p.reason == "USER_PROJECT_DENIED":
		c.grant(p, "serviceusage.services.use", "roles/serviceusage.serviceUsageConsumer", consumer)
	case p.reason == "ACCESS_TOKEN_SCOPE_INSUFFICIENT":
		p.Do = "make credentials with the scope https://www.googleapis.com/auth/cloud-platform"
	case p.status == http.StatusForbidden && needs.role != "":
		c.grant(p, needs.permission, needs.role, c.source.ProjectID)
	case r.keyed && p.status == http.StatusUnauthorized:
		p.Do = "check the first key of the project, which Google refuses"
	case p.status == http.StatusUnauthorized:
		p.Do = "Google takes the credentials for none: an access token is needed, not an API key"
	case p.status == http.StatusNotFound:
		p.Do = "check project_id, and what answers there"
	}
}

// grant says how the credentials get a role.
func (c *client) grant(p *ReadError, permission, role, project string) {
	p.Permission, p.Role = permission, role
	p.Command = "gcloud projects add-iam-policy-binding " + project + " --member=" + credential.Identify(c.source.Tokens).Member + " --role=" + role
	p.Do = "grant the role " + role + ": " + p.Command
}
