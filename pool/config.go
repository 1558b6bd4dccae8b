package pool

import (
	"time"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/quota"
)

// Backend is one of Google's two doors to Gemini.
type Backend string

const (
	// BackendGemini is the Gemini Developer API: API keys, quota per project and model.
	BackendGemini Backend = "gemini"
	// BackendVertex is Vertex AI: projects and locations, Provisioned Throughput and pay-as-you-go.
	BackendVertex Backend = "vertex"
)

// Traffic says how Google bills a call.
type Traffic string

const (
	// TrafficProvisioned is served by a Provisioned Throughput order.
	TrafficProvisioned Traffic = "provisioned"
	// TrafficOnDemand is pay-as-you-go.
	TrafficOnDemand Traffic = "on_demand"
)

// Overflow says who sends on what a full Provisioned Throughput order cannot take.
type Overflow string

const (
	// OverflowRouter, the default: calls go out for the order alone ("dedicated"), and what does not fit is routed on demand here.
	OverflowRouter Overflow = "router"
	// OverflowVertex: no header is sent and Vertex spills over by itself, in the same project and location.
	OverflowVertex Overflow = "vertex"
)

// Config describes a pool. Build one in Go, or let package config read it from a TOML file, whose keys have the same names in
// snake case. [New] validates it.
type Config struct {
	// Projects own the quota. At least one.
	Projects []Project
	// Breaker sets the circuit breakers; the zero value is the defaults of [breaker.Config].
	Breaker breaker.Config
	// Pacing sets how on-demand calls to Vertex AI are paced after contention; the zero value is the defaults of [quota.Pacing].
	Pacing quota.Pacing
}

// Project is an owner of quota: a Google Cloud project, with every key it has. Keys of one project share one quota, so they are
// spares for each other, never more capacity.
type Project struct {
	// Name is what logs, headers and Stat say. Unique in the pool, made of letters, digits, '-', '_' and '.'.
	Name string
	// Backend is the door that this entry opens. A project used through both doors is two entries.
	Backend Backend
	// ProjectID is the Google Cloud project id that goes into Vertex AI's paths. Empty means Name.
	ProjectID string
	// Keys are API keys. The Gemini back end needs at least one; with Vertex AI they take the place of Credentials.
	Keys []Secret
	// Credentials give access tokens for Vertex AI. Nil, with no Keys, means application default credentials. [NoCredentials] sends none.
	Credentials auth.TokenProvider
	// Locations are where the project may be asked on demand: "global", a multi-region ("us", "eu") or a region. Empty means
	// "global". Vertex AI only. A Provisioned Throughput order names its own location, which need not be listed here.
	Locations []string
	// Models are globs (path.Match) of the models this project may be asked for. Empty means all.
	Models []string
	// Priority orders on-demand projects: lower first. Projects of equal priority share the load.
	Priority int
	// Weight is the project's share of the load among its equals. Zero means 1.
	Weight float64
	// BaseURL replaces Google's host: a private endpoint, or an emulator. Empty means Google's host for the location.
	BaseURL string
	// Provisioned are Provisioned Throughput orders. Vertex AI only.
	Provisioned []Order
	// Limits are quotas to keep to. Where several match a model, the strictest of each dimension holds.
	Limits []Limit
}

// Order is a Provisioned Throughput order: throughput bought for one model in one location.
type Order struct {
	// Model is the model id as ordered, with or without its version suffix.
	Model string
	// Location is where the order lives: a region, a multi-region or "global".
	Location string
	// GSUs is how many Generative AI Scale Units were bought.
	GSUs int
	// TokensPerSecond overrides what GSUs come to by the built-in table (see package quota); needed for models it does not have.
	TokensPerSecond float64
	// Burndown overrides rates of the built-in table. Nil, and every field that is zero, means the table.
	Burndown *quota.Burndown
	// Window overrides the enforcement window, which is otherwise learned. Zero means learn.
	Window time.Duration
	// Overflow says who routes what does not fit. Empty means OverflowRouter.
	Overflow Overflow
}

// Limit is a quota to keep to, for each model that matches.
type Limit struct {
	// Model is a glob (path.Match). Empty means "*".
	Model string
	// RPM and TPM are requests and input tokens in any 60 seconds, RPD requests between two midnights in Los Angeles, Concurrency
	// calls at once. Zero means not limited.
	RPM, TPM, RPD, Concurrency int64
}
