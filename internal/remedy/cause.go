// Package remedy knows why Google, or the pool itself, refuses calls, and what an operator can do
// about each reason. It is the one place that has these words: logs, errors, status and docs/429.md
// show what it says.
package remedy

import (
	"slices"
	"strings"
)

// Cause is why calls are refused, in one word. Most are finer than a class of answers: they tell
// apart what an operator has to do. Where nothing finer is known, the cause is the class.
type Cause string

// Causes of quotas, and of capacity that others share.
const (
	MinuteQuota  Cause = "minute_quota"  // a minute's quota; the tier is not known
	FreeMinute   Cause = "free_minute"   // a minute's quota of the free tier
	PaidMinute   Cause = "paid_minute"   // a minute's quota of a project that pays
	DayQuota     Cause = "day_quota"     // a day's quota; the tier is not known
	FreeDay      Cause = "free_day"      // a day's quota of the free tier
	PaidDay      Cause = "paid_day"      // a day's quota of a project that pays
	NoQuota      Cause = "no_quota"      // the quota is zero
	QuotaUnknown Cause = "quota_unknown" // some quota that Google does not name
	ToolQuota    Cause = "tool_quota"    // the quota of a tool, such as search
	SpendRate    Cause = "spend_rate"    // the account spends too fast
	Contention   Cause = "contention"    // the location has no room on demand
)

// Causes of Provisioned Throughput.
const (
	OrderFull     Cause = "provisioned_full" // the order has no room
	OrderBypassed Cause = "order_bypassed"   // the order does not serve the calls that are sent to it
	CallTooLarge  Cause = "call_too_large"   // the call is larger than the whole order
	OrderNotBegun Cause = "order_not_begun"  // the time of the order is still to come
	OrderEnded    Cause = "order_ended"      // the time of the order is over
	// OrderBelow is that the order failed calls that were within its purchase.
	OrderBelow Cause = "order_below_purchase"
)

// Causes of accounts, keys and settings.
const (
	Billing           Cause = "billing"               // the account has to pay
	BillingOff        Cause = "billing_off"           // no billing account is linked
	PrepayGone        Cause = "prepay_gone"           // the prepaid credits are used up
	SpendCap          Cause = "spend_cap"             // the owner's monthly cap is reached
	KeyDead           Cause = "key_dead"              // Google refuses the key
	KeyRevoked        Cause = "key_revoked"           // the key is unknown: deleted, or misspelt
	KeyExpired        Cause = "key_expired"           // its time is over
	KeyLeaked         Cause = "key_leaked"            // Google found it in public
	KeyRestricted     Cause = "key_restricted"        // it is not for this API, address or app
	KeySuspended      Cause = "key_suspended"         // Google has suspended it
	KeyUnsupported    Cause = "key_unsupported"       // Google takes it for no API key
	Misconfigured     Cause = "project_misconfigured" // a setting of the project
	APIOff            Cause = "api_off"               // the API is not enabled
	PermissionMissing Cause = "permission_missing"    // the caller's role lacks a permission
	ProjectSuspended  Cause = "project_suspended"     // Google has suspended the project
	TokenRefused      Cause = "token_refused"         // the access token is not accepted
	NotReady          Cause = "project_not_ready"     // Google is still setting the project up
	EgressBlocked     Cause = "egress_blocked"        // Google does not serve this network
)

// Causes of models.
const (
	ModelMissing      Cause = "model_missing"        // there is no such model
	LocationLacksIt   Cause = "location_lacks_model" // the location does not have the model
	TierLacksIt       Cause = "tier_lacks_model"     // the service tier does not have the model
	ModelForbidden    Cause = "model_forbidden"      // the project may not use the model
	LocationForbidden Cause = "location_forbidden"   // a policy keeps the project from the location
)

// Causes of failures: they count in circuit breakers.
const (
	Overloaded  Cause = "overloaded"   // the model has too few servers
	ServerFault Cause = "server_fault" // Google failed
	Transport   Cause = "transport"    // no whole answer came
	NotGoogle   Cause = "not_google"   // what answers is a proxy, or something else
	BreakerOpen Cause = "breaker_open" // too many failures: the endpoint is not asked for a while
)

// Causes of the pool's own.
const (
	OwnLimit     Cause = "own_limit"     // a limit in the configuration
	LearnedLimit Cause = "learned_limit" // a limit that an earlier refusal named
	// DiscoveredLimit is a limit that Google shows the project has.
	DiscoveredLimit Cause = "discovered_limit"
	StoreAway       Cause = "store_away" // only a part of the limits is this replica's
	Ramp            Cause = "ramp"       // the rate rises slowly
	Paused          Cause = "paused"     // an operator has taken it out

	// ShareUsed is that calls which keep to a share have used it.
	ShareUsed Cause = "share_used"
)

// For returns the cause of a refusal of a class: what its body said, if that is a word for the
// class; else what the class and the name of the quota tell. It returns "" for a class that refuses
// nothing. said may be anything: it comes from files and from other processes, too.
func For(class, said, quota string, vertex bool) Cause {
	if c := Cause(said); slices.Contains(table[c].classes, class) {
		return c
	}
	// A quota's id ends in "-FreeTier", and its metric has "free_tier". Vertex AI has no free tier.
	id := strings.ToLower(strings.NewReplacer("_", "", " ", "").Replace(quota))
	free := strings.Contains(id, "freetier") && !vertex
	paid := id != "" && !free || vertex
	switch c := Cause(class); {
	case c == MinuteQuota && free:
		return FreeMinute
	case c == MinuteQuota && paid:
		return PaidMinute
	case c == DayQuota && free:
		return FreeDay
	case c == DayQuota && paid:
		return PaidDay
	case c == ModelMissing && vertex:
		return LocationLacksIt // each location has models of its own
	case slices.Contains(table[c].classes, class):
		return c
	default:
		return ""
	}
}

// Ends says what ends a refusal for the cause where no time does; "" if nothing does, or the cause is
// empty.
func (c Cause) Ends() string {
	switch c {
	case "", CallTooLarge, OrderEnded:
		return ""
	case OrderNotBegun:
		return "the order begins"
	case Paused:
		return "it is resumed"
	case OrderBypassed:
		return "the order serves a call"
	default:
		return "a probe succeeds"
	}
}

// Causes returns every cause, in order.
func Causes() []Cause {
	all := make([]Cause, 0, len(table))
	for c := range table {
		all = append(all, c)
	}
	slices.Sort(all)
	return all
}

// Classes returns the classes of answers that a cause stands for; none for causes of the pool's own.
func (c Cause) Classes() []string { return slices.Clone(table[c].classes) }
