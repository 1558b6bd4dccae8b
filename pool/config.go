package pool

import (
	"context"
	"time"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/breaker"
	"github.com/spillway-go/spillway/quota"
	"github.com/spillway-go/spillway/store"
)

// Backend is one of Google's two APIs for Gemini.
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
	// TrafficOnDemand is pay-as-you-go: of an endpoint that at the standard price, of a [Request] or a
	// [Subject] any.
	TrafficOnDemand Traffic = "on_demand"
	// TrafficPriority and TrafficFlex are pay-as-you-go at these service tiers, see
	// [Project.OnDemand]. They are Google's own words for it, in usageMetadata.trafficType.
	TrafficPriority Traffic = "on_demand_priority"
	TrafficFlex     Traffic = "on_demand_flex"
)

// Overflow says who routes the calls that a full Provisioned Throughput order cannot take.
type Overflow string

const (
	// OverflowRouter, the default: calls are sent for the order alone ("dedicated"), and the router
	// sends what does not fit on demand.
	OverflowRouter Overflow = "router"
	// OverflowVertex: calls carry no header, and Vertex AI spills over by itself in the same
	// project and location.
	OverflowVertex Overflow = "vertex"
)

// Config describes a pool. Build one in Go, or let package config read it from a TOML file, whose
// keys have the same names in snake case; Memory, Locations, Ramp and Pacing stand under [router]
// there. [New] validates it.
type Config struct {
	// Projects own the quota. At least one.
	Projects []Project
	// Breaker sets the circuit breakers. The zero value is the defaults of [breaker.Config].
	Breaker breaker.Config
	// Pacing sets how on-demand calls to Vertex AI are paced after contention. The zero value is
	// the defaults of [quota.Pacing]. At flex, which sheds some calls even if it has room, Gain and
	// Tolerance are at least those of [quota.Eager].
	Pacing quota.Pacing
	// Memory bounds, in bytes, what the pool remembers of models and resources. Zero means 64 MiB;
	// less than 1 MB is refused.
	//
	// Over the bound the pool forgets models that do not exist, resources and estimates, least
	// recently used first. It never forgets calls under way, counters, quota cooldowns, or limits
	// that Google named. If these alone exceed the bound, calls for new models are refused.
	Memory int64
	// Locations are globs (path.Match) of the locations that the pool may use at all, for calls,
	// files and lookups alike: a fence around every project. The Gemini back end is "global".
	// Locations and orders outside are left out, and so is a project of which nothing is inside.
	// If that is all of them, the configuration is refused. Empty means no fence.
	Locations []string
	// Store is what the replicas of a service share, so that together they keep to the limits and
	// use orders as one. In it are the ledgers of orders, and the paces of hidden capacity while they
	// are low. Some calls ask it before they are sent: for an order that is nearly full, and where
	// the fleet has one pace. Nil means that this is the only process, or see Share. A reload does
	// not change it.
	Store store.Store
	// StoreTimeout bounds each call to Store. Zero means 50 ms.
	StoreTimeout time.Duration
	// Share is the part of every limit and order that this process may use, for replicas without a
	// Store. With one it is the part of every limit until the process has first heard of the others,
	// and no order is used until then. Zero means all of it, and with a Store an eighth.
	Share float64
	// Discover reads what a project with Discover really has. The pool calls it in the background, at
	// the start, after a reload, and each hour, of several projects at the same time, and never makes
	// a call wait for it. p has the credentials to ask with, and its locations inside the fence. Of
	// the result only Limits, each of one model, and Provisioned count. One that is nil could not be
	// read: what was known goes on. The error says why. Where it joins several, each is told for
	// itself; one that has a method Remedy() string says what to do, one that has Passing() bool
	// whether it is tried again soon, and one that has Partial() bool whether Limits may be wrong for
	// its sake: then they replace none that are known. ctx ends after 3 minutes, when the pool is closed,
	// or when the project is gone. An answer that comes later does not count, and the project is not
	// asked about meanwhile. Nil means that nothing is discovered; package router sets it. A reload does
	// not change it.
	Discover func(ctx context.Context, p Project) (Project, error)
	// Clock is the time that the pool lives in. Nil is the machine's. With another one, a pool can be
	// driven through days of calls in seconds; Store is nil then, and the times that are passed to its
	// methods are the Clock's. AfterFunc calls f once, when d has passed. A call that waits blocks in
	// wait until wake is called, which may have happened before; there is one pair for each wait.
	// What is left to chance is then the same each time.
	Clock interface {
		Now() time.Time
		AfterFunc(d time.Duration, f func()) (stop func())
		Parking() (wait, wake func())
	}
	// Ramp limits how fast the rate to on-demand Vertex AI rises after idleness, for each model at
	// each endpoint: from 10 calls a second at most to twice in any 10 s. False means that it does
	// not.
	Ramp bool
}

// memory returns Memory with its default.
func (c *Config) memory() int64 {
	if c.Memory == 0 {
		return 64 << 20
	}
	return c.Memory
}

// ownerBytes is the part of the memory for resources: a quarter.
func ownerBytes(memory int64) int64 { return memory / 4 }

// modelBytesBound is the part of the memory for models: all that resources do not get.
func modelBytesBound(memory int64) int { return int(memory - ownerBytes(memory)) }

// Project is an owner of quota: a Google Cloud project with all its keys. Keys of one project share
// one quota. A second key is a spare for the first and adds no capacity.
type Project struct {
	// Name is the name that logs, headers and Stat show. It is unique in the pool, and made of
	// letters, digits, '-', '_' and '.'.
	Name string
	// Backend is the API of this entry. A project that is used through both APIs has two entries.
	Backend Backend
	// ProjectID is the Google Cloud project id in Vertex AI's paths. Empty means Name. On the Gemini
	// back end it is for Discover alone.
	ProjectID string
	// Keys are API keys. The Gemini back end needs at least one. With Vertex AI they replace
	// Credentials.
	Keys []Secret
	// Credentials give access tokens for Vertex AI. Nil, without Keys, means application default
	// credentials. [NoCredentials] sends none. With Keys, or on the Gemini back end, they are for
	// Discover alone. When Google refuses a token, the pool asks once for another. A provider that
	// keeps tokens and has a method Drop(token string) is told first, so that it can forget the one
	// that was refused.
	Credentials auth.TokenProvider
	// Locations are where the project serves calls on demand: "global", a multi-region ("us", "eu")
	// or a region. Empty means "global". Vertex AI only. A Provisioned Throughput order names its
	// own location, which need not be listed here.
	Locations []string
	// Models are globs (path.Match) of the models that this project serves. Empty means all.
	Models []string
	// Labels are globs (path.Match) of the labels of calls, see [Asked], that this project
	// serves, and it serves no others. Calls with a label that any project names go to such projects
	// alone. Empty means all calls whose label no project names.
	Labels []string
	// Priority orders on-demand projects: lower first. Projects of equal priority share the load.
	Priority int
	// Weight is the project's share of the load among projects of equal priority. Zero means 1.
	Weight float64
	// BaseURL replaces Google's host by a private endpoint or an emulator. Empty means Google's
	// host for the location.
	BaseURL string
	// Provisioned are Provisioned Throughput orders. Vertex AI only. Those for the same model and location
	// follow each other in time: at most one is in force, and its successor takes over its window.
	Provisioned []Order
	// OnDemand are the service tiers at which the project buys pay-as-you-go, from the cheapest to the
	// dearest: TierFlex, TierStandard and TierPriority. Each is an endpoint of its own, where Google
	// sells it: flex in "global", priority also in "us" and "eu", both on the Gemini back end. A call
	// goes to the first that is ready, of all locations and projects of equal priority. Only calls that
	// generate content have service tiers; others are standard. Empty means TierStandard.
	//
	// A call that names a service tier itself goes to that one alone, or as it is to a project that
	// does not have it. If its body and its header X-Vertex-AI-LLM-Shared-Request-Type disagree, the
	// body holds. An order has no tiers: one of [OverflowRouter] is not told of them, and serves such a
	// call first, as any other.
	OnDemand []string
	// BatchOnDemand are the same for batch calls, which ask TierFlex first in whichever project has it.
	// Empty means those of OnDemand without TierPriority, unless there is no other.
	BatchOnDemand []string
	// Limits are quotas that the pool must not exceed, for all service tiers together. If several match
	// a model, the strictest of each dimension holds.
	Limits []Limit
	// Discover has the pool read the project's quotas and orders from Google, at the start and each
	// hour, and use them where Limits and Provisioned say nothing. The Gemini back end needs
	// ProjectID for it, and both back ends Credentials: API keys cannot read what a project has.
	// Nothing fails and nothing waits if it cannot be read: events tell it.
	//
	// A limit that is discovered holds in each dimension that no matching limit of Limits has. One
	// that Google names in a refusal goes before it, until it is forgotten. Limits of Vertex AI, which
	// each location has for itself, are added up over Locations. An order is used as if it were in
	// Provisioned if that has none for its model and location, and if the project may serve calls
	// there on demand, too: its location is in Locations, or "global" is. It goes once two readings in
	// a row do not show it. Projects of one ProjectID divide what Google shows: the limits evenly among
	// those that serve the model in a common location, and an order is the first one's that may use it.
	Discover bool
	// DiscoverURL replaces the hosts of Google Cloud's APIs that Discover asks, for a private
	// endpoint or an emulator. Empty means Google's.
	DiscoverURL string
}

// Order is a Provisioned Throughput order: throughput bought for one model in one location.
type Order struct {
	// Model is the model id as ordered, with or without the version of a stable model: an order for
	// gemini-2.0-flash serves gemini-2.0-flash-001, no preview, and embeddings of that version alone.
	Model string
	// Location is where the order lives: a region, a multi-region or "global".
	Location string
	// GSUs is how many Generative AI Scale Units were bought.
	GSUs int
	// TokensPerSecond overrides the throughput that the built-in table gives for GSUs (see package
	// quota). A model that is not in the table needs it.
	TokensPerSecond float64
	// Burndown overrides rates of the built-in table. Nil, and each zero field, means the rate of
	// the table.
	Burndown *quota.Burndown
	// Window overrides the enforcement window, which is otherwise learned. Zero means learn.
	Window time.Duration
	// Overflow says who routes the calls that do not fit. Empty means OverflowRouter.
	Overflow Overflow
	// From and Until are when the order begins and ends, by the time of day of the machine: it is asked
	// from From on and before Until, and no reload is needed at either. Calls under way go on. Zero means
	// that it has begun, or that no end is known. A date in the TOML file is its midnight in UTC.
	From, Until time.Time
}

// Limit is a quota that the pool must not exceed, for each model that matches.
type Limit struct {
	// Model is a glob (path.Match). Empty means "*".
	Model string
	// RPM and TPM are requests and input tokens in any 60 seconds. RPD is requests between two
	// midnights in Los Angeles. Concurrency is calls at once. Zero means no limit.
	RPM, TPM, RPD, Concurrency int64
}
