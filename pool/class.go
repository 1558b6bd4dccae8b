package pool

import "time"

// Class is the kind of an answer: what it means for whoever gave it. It decides what rests, and until when.
type Class string

const (
	// ClassOK is a good answer. It ends the rests that its endpoint was in.
	ClassOK Class = "ok"
	// ClassMinuteQuota: the project's quota for the model is used up for this minute. Project and model rest for the server's hint.
	ClassMinuteQuota Class = "minute_quota"
	// ClassDayQuota: used up until midnight in Los Angeles. Project and model rest until then, but for a few probes.
	ClassDayQuota Class = "day_quota"
	// ClassNoQuota: the project has no quota at all for the model. Out, one probe an hour.
	ClassNoQuota Class = "no_quota"
	// ClassQuotaUnknown: some quota, unnamed. Project and model rest for 1 s, doubling to 30 min while it repeats.
	ClassQuotaUnknown Class = "quota_unknown"
	// ClassContention: the location has no room for pay-as-you-go now; nobody's fault. Project, location and model rest 400 ms, then
	// are paced.
	ClassContention Class = "contention"
	// ClassProvisionedFull: the Provisioned Throughput order is full, or absent. It rests until its ledger has room: at least 250 ms, doubling
	// to 30 s while it repeats. One that has served lately rests for a 64th of its window: its ledger says of each call whether it fits.
	ClassProvisionedFull Class = "provisioned_full"
	// ClassOverloaded: the model has too few servers now. Counts in the breaker of location and model.
	ClassOverloaded Class = "overloaded"
	// ClassServerFault: Google failed. Counts in the breaker of location and model.
	ClassServerFault Class = "server_fault"
	// ClassTransport: no whole answer came. Counts in the breaker of location and model.
	ClassTransport Class = "transport"
	// ClassKeyDead: the key is revoked, expired, leaked or not allowed. The key rests; its project goes on with its others.
	ClassKeyDead Class = "key_dead"
	// ClassProjectMisconfigured: an API is off, a permission is missing. The project rests.
	ClassProjectMisconfigured Class = "project_misconfigured"
	// ClassBilling: the account has no money. The project rests.
	ClassBilling Class = "billing"
	// ClassEgressBlocked: Google does not serve the place this program runs in. The back end rests.
	ClassEgressBlocked Class = "egress_blocked"
	// ClassModelForbidden: the project may not use the model. Project and model are out, one probe an hour.
	ClassModelForbidden Class = "model_forbidden"
	// ClassModelMissing: the model is not there. Project, location and model are out, one probe an hour.
	ClassModelMissing Class = "model_missing"
	// ClassCallerFault: the request is wrong. Counts nowhere.
	ClassCallerFault Class = "caller_fault"
	// ClassCancelled: the caller went away. Counts nowhere.
	ClassCancelled Class = "cancelled"
)

// scope is what a verdict makes rest.
type scope uint8

const (
	scopeNone    scope = iota
	scopeBreaker       // not a cooldown: the breaker of location and model counts it
	scopeKey
	scopeProject
	scopeProjectModel
	scopePlace // project, location and model
	scopeOrder
	scopeBackend
)

func (s scope) String() string {
	return [...]string{
		"nothing", "location+model", "key", "project", "project+model", "project+location+model", "provisioned order", "back end",
	}[s]
}

// ending is how a rest comes to its end.
type ending uint8

const (
	endsNever    ending = iota // there is no rest
	endsTimed                  // after a time: the hint if there is one, else from min doubling to max
	endsMidnight               // at midnight in Los Angeles, with a few probes before
	endsProbed                 // when a probe succeeds
)

// rule says, for one class, what rests, how it ends, and how it is probed.
type rule struct {
	scope  scope
	ending ending

	// endsTimed
	min, max time.Duration // clamp of the hint, and the range of doubling without one
	jitter   float64       // up to this share is added
	flat     bool          // without a hint: always min, no doubling

	// endsMidnight and endsProbed
	probe    time.Duration // gap to the first probe, if the answer hints at none
	probeMax time.Duration // gaps double up to this
	probes   int           // most probes in one rest; 0: no bound

	// remember keeps Google's answer: it is what callers get while everything eligible rests for such a class.
	remember bool
}

const (
	contentionRest = 400 * time.Millisecond
	halfDay        = 12 * time.Hour
)

// rules is the policy of design: see the comments of the classes. The clamp of 65 s is a minute quota's longest wait and some slack.
var rules = map[Class]rule{
	ClassMinuteQuota:          {scope: scopeProjectModel, ending: endsTimed, min: time.Second, max: 65 * time.Second, jitter: 0.1},
	ClassQuotaUnknown:         {scope: scopeProjectModel, ending: endsTimed, min: time.Second, max: 30 * time.Minute, jitter: 0.1},
	ClassContention:           {scope: scopePlace, ending: endsTimed, min: contentionRest, max: 65 * time.Second, jitter: 0.25, flat: true},
	ClassProvisionedFull:      {scope: scopeOrder, ending: endsTimed, min: 250 * time.Millisecond, max: 30 * time.Second, jitter: 0.1},
	ClassDayQuota:             {scope: scopeProjectModel, ending: endsMidnight, probe: 15 * time.Minute, probeMax: halfDay, probes: 4},
	ClassNoQuota:              {scope: scopeProjectModel, ending: endsProbed, probe: time.Hour, probeMax: time.Hour},
	ClassModelForbidden:       {scope: scopeProjectModel, ending: endsProbed, probe: time.Hour, probeMax: time.Hour, remember: true},
	ClassModelMissing:         {scope: scopePlace, ending: endsProbed, probe: time.Hour, probeMax: time.Hour, remember: true},
	ClassBilling:              {scope: scopeProject, ending: endsProbed, probe: time.Minute, probeMax: time.Hour},
	ClassProjectMisconfigured: {scope: scopeProject, ending: endsProbed, probe: time.Minute, probeMax: time.Hour, remember: true},
	ClassEgressBlocked:        {scope: scopeBackend, ending: endsProbed, probe: time.Minute, probeMax: time.Hour, remember: true},
	ClassKeyDead:              {scope: scopeKey, ending: endsProbed, probe: time.Minute, probeMax: time.Hour, remember: true},
	ClassOverloaded:           {scope: scopeBreaker},
	ClassServerFault:          {scope: scopeBreaker},
	ClassTransport:            {scope: scopeBreaker},
}

// provenFull is the rule for a full order that is known to exist. It rests for a share of its window, 25 ms at least: its ledger says of every
// call whether it fits, and small ones may where a large one was refused; but where the ledger is wrong it does not find out at every call.
var provenFull = rule{scope: scopeOrder, ending: endsTimed, min: 25 * time.Millisecond, max: 30 * time.Second, jitter: 0.1, flat: true}

// provenRest is that share, as a divisor.
const provenRest = 64

// Elsewhere reports whether another endpoint may do better with the same call.
func (c Class) Elsewhere() bool {
	return rules[c].scope != scopeNone
}

// Fault reports whether the class counts in a circuit breaker: Google or the way to it failed.
func (c Class) Fault() bool { return rules[c].scope == scopeBreaker }

// Lasting reports whether the class ends only when a probe succeeds: somebody has to do something, or the call is wrong for the endpoint.
func (c Class) Lasting() bool { return rules[c].ending == endsProbed }
