package pool

import (
	"maps"
	"slices"
	"time"

	"github.com/spillway-go/spillway/internal/cooldown"
)

// Class is what an answer means. It decides what goes on cooldown, and until when.
type Class string

const (
	// ClassOK is a good answer. It ends the cooldowns that its call passed as a probe.
	ClassOK Class = "ok"
	// ClassMinuteQuota means that the project's quota for the model is used up for this minute. The
	// project's model is on cooldown for the server's hint, from 1 s to 65 s. Without a hint it is
	// 1 s, doubling while it repeats.
	ClassMinuteQuota Class = "minute_quota"
	// ClassDayQuota means that it is used up for the day. The project's model is on cooldown until
	// midnight in Los Angeles, but for a few probes.
	ClassDayQuota Class = "day_quota"
	// ClassNoQuota means that the project has no quota at all for the model: request some, or
	// enable billing. The project's model is probed once an hour.
	ClassNoQuota Class = "no_quota"
	// ClassQuotaUnknown means that some quota is used up, without its name. The project's model is
	// on cooldown for the server's hint, else for 1 s, doubling to 30 min while it repeats.
	ClassQuotaUnknown Class = "quota_unknown"
	// ClassContention means that the location has no room for pay-as-you-go at the service tier now.
	// The project's model there, at that tier, is on cooldown for the server's hint, else for 400 ms,
	// and paced from then on. While it is paced, contention slows the pace and starts no cooldown. Nor
	// does contention without a hint, if [Config.Pacing] tolerates so little of it among many calls. A
	// call that could go to priority at once tries the standard tier all the same, as long as enough of
	// such calls are answered.
	ClassContention Class = "contention"
	// ClassProvisionedFull means that the Provisioned Throughput order is full, or absent. It is on
	// cooldown until its ledger has room: at least 250 ms, doubling to 30 s while it repeats. If
	// the order served lately, the cooldown is only 1/64 of its window, because the ledger tells
	// which calls fit.
	ClassProvisionedFull Class = "provisioned_full"
	// ClassOverloaded means that the model has too few servers now. The breaker counts it.
	ClassOverloaded Class = "overloaded"
	// ClassServerFault means that Google failed. The breaker counts it.
	ClassServerFault Class = "server_fault"
	// ClassTransport means that no whole answer came. The breaker counts it.
	ClassTransport Class = "transport"
	// ClassKeyDead means that the key is revoked, expired, leaked or not allowed: replace it. The
	// key is on cooldown; its project goes on with the other keys. It is probed after 1 min,
	// doubling to 1 h, as are the projects of the next two.
	ClassKeyDead Class = "key_dead"
	// ClassProjectMisconfigured means that an API is off, billing is not enabled, a permission is
	// missing or the project is suspended: change its settings. The project is on cooldown.
	ClassProjectMisconfigured Class = "project_misconfigured"
	// ClassBilling means that the account has no money, or has reached its spend cap: pay, or raise
	// the cap. The project is on cooldown.
	ClassBilling Class = "billing"
	// ClassProjectNotReady means that Google is still setting the project up, or a policy of its
	// owner keeps it from the location. The project is on cooldown for the server's hint, else for
	// 1 min, doubling to 10 min while it repeats.
	ClassProjectNotReady Class = "project_not_ready"
	// ClassSpendRate means that the account spends faster than it may. The project is on cooldown
	// for the server's hint, else for 30 s, doubling to 10 min while it repeats.
	ClassSpendRate Class = "spend_rate"
	// ClassEgressBlocked means that Google does not serve the place this program runs in: run it
	// elsewhere. The project is on cooldown and, once another is refused alike, the back end. It is
	// probed after 1 min, doubling to 1 h.
	ClassEgressBlocked Class = "egress_blocked"
	// ClassModelForbidden means that the project may not use the model: allow it, or leave it out
	// of the project's models. The project's model is probed once an hour.
	ClassModelForbidden Class = "model_forbidden"
	// ClassModelMissing means that the model does not exist for the call's method and version:
	// correct its name, or add a location that has it. The project's model in the location is
	// probed once an hour.
	ClassModelMissing Class = "model_missing"
	// ClassPaused is no answer: an operator has taken something out, see [Pool.Pause]. It lasts until
	// the operator's end, or until it is resumed.
	ClassPaused Class = "paused"
	// ClassCallerFault means that the request is wrong. It counts nowhere.
	ClassCallerFault Class = "caller_fault"
	// ClassCancelled means that the call ended on this side: the caller went away, or there was no
	// room for the response. It counts nowhere.
	ClassCancelled Class = "cancelled"
)

// Scope is what an answer is about.
type Scope uint8

const (
	// ScopeClass is what answers of the class are usually about.
	ScopeClass Scope = iota
	// ScopeCall is the call alone: nothing goes on cooldown.
	ScopeCall
	// ScopeVersion is the project's model in one location, for the call's method and version.
	ScopeVersion
	// ScopeTool is the project's model, for calls that use the same tools.
	ScopeTool
	// ScopeEndpoint is the project's model in one location, for the call's method.
	ScopeEndpoint
	// ScopeModel is the project's model, for the call's method.
	ScopeModel
	// ScopeKey is the key that was sent.
	ScopeKey
	// ScopeProject is the project, for the call's method.
	ScopeProject
	// ScopeBackend is all projects of the back end, for the call's method.
	ScopeBackend

	scopeOrder
	scopeBreaker // no cooldown: the breaker counts it
	scopeNone
)

// rule says, for one class, what goes on cooldown and for how long.
type rule struct {
	scope   Scope
	doubted bool // one answer is not enough against what has answered others lately
	cooldown.Rule

	index int // of the class, for counting
}

// classes is the number of classes.
const classes = 21

// contentionCooldown is short: after it the endpoint is paced.
const contentionCooldown = 400 * time.Millisecond

const halfDay = 12 * time.Hour

func timed(least, most time.Duration) cooldown.Rule {
	return cooldown.Rule{Ending: cooldown.Timed, Min: least, Max: most, Jitter: 0.1}
}

func probed(first time.Duration, remember bool) cooldown.Rule {
	return cooldown.Rule{Ending: cooldown.Probed, Probe: first, ProbeMax: time.Hour, Remember: remember}
}

// rules has a rule for every class: see the comments of the classes. The clamp of 65 s is the
// longest wait of a minute's quota and some slack.
var rules = indexed(map[Class]*rule{
	ClassOK:          {scope: scopeNone},
	ClassCallerFault: {scope: scopeNone},
	ClassCancelled:   {scope: scopeNone},
	ClassPaused:      {scope: scopeNone},

	ClassOverloaded:  {scope: scopeBreaker},
	ClassServerFault: {scope: scopeBreaker},
	ClassTransport:   {scope: scopeBreaker},

	ClassMinuteQuota:  {scope: ScopeModel, Rule: timed(time.Second, 65*time.Second)},
	ClassQuotaUnknown: {scope: ScopeModel, Rule: timed(time.Second, 30*time.Minute)},
	ClassContention: {scope: ScopeEndpoint, Rule: cooldown.Rule{
		Ending: cooldown.Timed, Min: contentionCooldown, Max: 65 * time.Second, Jitter: 0.25, Flat: true,
	}},
	ClassProvisionedFull: {scope: scopeOrder, Rule: timed(250*time.Millisecond, 30*time.Second)},
	ClassDayQuota: {scope: ScopeModel, Rule: cooldown.Rule{
		Ending: cooldown.Midnight, Probe: 15 * time.Minute, ProbeMax: halfDay, Probes: 4,
	}},
	ClassNoQuota:              {scope: ScopeModel, Rule: probed(time.Hour, false)},
	ClassModelForbidden:       {scope: ScopeModel, doubted: true, Rule: probed(time.Hour, true)},
	ClassModelMissing:         {scope: ScopeVersion, doubted: true, Rule: probed(time.Hour, true)},
	ClassBilling:              {scope: ScopeProject, Rule: probed(time.Minute, false)},
	ClassProjectMisconfigured: {scope: ScopeProject, doubted: true, Rule: probed(time.Minute, true)},
	ClassProjectNotReady:      {scope: ScopeProject, Rule: timed(time.Minute, 10*time.Minute)},
	ClassSpendRate:            {scope: ScopeProject, Rule: timed(30*time.Second, 10*time.Minute)},
	ClassEgressBlocked:        {scope: ScopeBackend, doubted: true, Rule: probed(time.Minute, true)},
	ClassKeyDead:              {scope: ScopeKey, Rule: probed(time.Minute, true)},
})

// indexed numbers the rules. Most answers are good: these come first, so that their count stands
// beside the tokens that they cost.
func indexed(rules map[Class]*rule) map[Class]*rule {
	all := slices.Sorted(maps.Keys(rules))
	good := slices.Index(all, ClassOK)
	all[0], all[good] = all[good], all[0]
	for i, class := range all {
		rules[class].index = i
	}
	return rules
}

// okRule is the rule of most answers.
var okRule = rules[ClassOK]

// rule returns the class's rule; of a class that is none it starts nothing.
func (c Class) rule() *rule {
	if c == ClassOK {
		return okRule
	}
	if r := rules[c]; r != nil {
		return r
	}
	return rules[ClassCancelled]
}

// provenFull is the rule for a full order that is known to exist. Its cooldown is a share of its
// window, 25 ms at least: the ledger says of every call whether it fits, and small calls may where
// a large one was refused. But where the ledger is wrong it does not find out at every call.
var provenFull = cooldown.Rule{Ending: cooldown.Timed, Min: 25 * time.Millisecond, Max: 30 * time.Second, Jitter: 0.1, Flat: true}

// provenShare is that share, as a divisor.
const provenShare = 64

// Fault reports whether the class counts in a circuit breaker: Google or the way to it failed.
func (c Class) Fault() bool { return c.rule().scope == scopeBreaker }

// ofModel reports whether an answer of the class speaks of the model that was asked for.
func (c Class) ofModel() bool { return c == ClassModelMissing || c == ClassModelForbidden }

// needsOperator reports whether only a successful probe ends the class's cooldown: an operator has
// to do something, or the call is wrong for the endpoint.
func (c Class) needsOperator() bool { return c.rule().Ending == cooldown.Probed }
