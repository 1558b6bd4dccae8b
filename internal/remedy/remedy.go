package remedy

// advice is what to do about a cause, and Google's page for it: on the Gemini Developer API, and on
// Vertex AI where that differs.
type advice struct {
	classes []string // of answers that the cause stands for
	step

	vertex step
}

// step is one thing to do.
type step struct {
	do   string
	page page
}

// Of returns what an operator can do about a cause, in a sentence or two, and the page of Google's
// where it is done: "" where there is none. projectID is the Google Cloud project's; "" if it is not
// known.
func Of(c Cause, vertex bool, projectID string) (do, page string) {
	a := table[c]
	s := a.step
	if vertex && a.vertex != (step{}) {
		s = a.vertex
	}
	return s.do, s.page.of(projectID)
}

func classes(all ...string) []string { return all }

// The words for what several causes have in common.
const (
	wait      = "Wait: it ends by itself. "
	newKey    = "Make a new key, put it in the place of this one, and reload the file."
	lacksTier = "The model is not sold at that service tier: leave the tier out of the project's on_demand and batch_on_demand."
	orWait    = " New settings take some minutes to hold; Spillway tries again by itself."
	askGoogle = " If it is wrong, appeal to Google."
)

// table has an advice for every cause.
var table = map[Cause]advice{
	MinuteQuota: {classes: classes("minute_quota"), step: step{
		wait + "If it happens often, move to a higher tier or ask for a higher limit.", rateLimits,
	}},
	FreeMinute: {classes: classes("minute_quota"), step: step{
		wait + "The free tier allows few calls a minute: set up billing for the project, or add a project that pays.",
		studioProjects,
	}},
	PaidMinute: {
		classes: classes("minute_quota"),
		step:    step{wait + "If it happens often, move to a higher tier, or ask for a higher limit, also for a limited time.", rateLimits},
		vertex:  step{wait + "If it happens often, ask for a higher quota, also for a limited time, or add a location.", consoleQuotas},
	},
	DayQuota: {classes: classes("day_quota"), step: step{
		"Wait for midnight in Los Angeles, move to a higher tier, or add a project that pays.", rateLimits,
	}},
	FreeDay: {classes: classes("day_quota"), step: step{
		"Wait for midnight in Los Angeles, or set up billing for the project: that lifts the free tier's limits at once.",
		studioProjects,
	}},
	PaidDay: {
		classes: classes("day_quota"),
		step:    step{"Wait for midnight in Los Angeles, move to a higher tier, or ask for a higher limit, also for a limited time.", rateLimits},
		vertex:  step{"Wait for midnight in Los Angeles, or ask for a higher quota, also for a limited time.", consoleQuotas},
	},
	NoQuota: {
		classes: classes("no_quota"),
		step: step{"The project has no quota for the model: set up billing for it, or leave the model out of the project's models.",
			studioProjects},
		vertex: step{"The project has no quota for the model: ask for one, or leave the model out of the project's models.", consoleQuotas},
	},
	QuotaUnknown: {
		classes: classes("quota_unknown"),
		step:    step{"Google does not say which quota it is. Compare the use of the project with its limits.", studioLimits},
		vertex:  step{"Google does not say which quota it is. Compare the use of the project with its quotas.", consoleQuotas},
	},
	ToolQuota: {
		classes: classes("minute_quota", "day_quota", "no_quota", "quota_unknown"),
		step: step{"Search, maps and other tools have quotas of their own: make fewer calls with the tool, or move to a higher tier.",
			rateLimits},
		vertex: step{"Search, maps and other tools have quotas of their own: make fewer calls with the tool, or ask for a higher quota.",
			consoleQuotas},
	},
	SpendRate: {classes: classes("spend_rate"), step: step{
		"The account spends too fast for its tier, counted over ten minutes: send less or cheaper calls, or move to a higher tier.",
		rateLimits,
	}},
	Contention: {
		classes: classes("contention"),
		step:    step{"Google has too little room now, for everybody. Add a project on Vertex AI, or a fallback model.", studioStatus},
		vertex: step{"The location is busy, for everybody; no quota helps. Add locations, global first; send more evenly; " +
			"or buy Provisioned Throughput.", vertex429},
	},

	OrderFull: {classes: classes("provisioned_full"), step: step{
		"Buy more GSUs, or let calls overflow to more locations and projects. If it has never served, check that it is active.",
		consoleOrders,
	}},
	OrderBypassed: {classes: classes("provisioned_full"), step: step{
		"Check that the order is active, and is for exactly this model version, project and location; correct the file if not.",
		consoleOrders,
	}},
	CallTooLarge: {step: step{
		"The call is larger than all that the order takes in its window: send it on demand, make it smaller, or buy more GSUs.",
		consoleOrders,
	}},

	OrderNotBegun: {step: step{wait + "The file says when the order begins; correct from there if it is in force already.", consoleOrders}},
	OrderEnded: {step: step{
		"Buy the order again, or set it to renew, and correct until in the file; else remove the order there.", consoleOrders,
	}},
	OrderBelow: {step: step{
		"Failures within the purchase count towards Google's SLA: save what `spillway sla` shows, and claim it.", sla,
	}},

	Billing: {
		classes: classes("billing"),
		step:    step{"Pay, or mend the billing account." + orWait, studioBilling},
		vertex:  step{"Pay, or mend the billing account." + orWait, consoleBilling},
	},
	BillingOff: {
		classes: classes("billing", "project_misconfigured"),
		step:    step{"Link a billing account to the project." + orWait, studioProjects},
		vertex:  step{"Link a billing account to the project." + orWait, consoleBilling},
	},
	PrepayGone: {classes: classes("billing"), step: step{
		"Buy credits, or switch automatic reload on. Every key of the billing account is out until then.", studioBilling,
	}},
	SpendCap: {classes: classes("billing"), step: step{
		"Raise the project's monthly spend cap, or wait for the next month.", studioSpend,
	}},

	KeyDead: {classes: classes("key_dead"), step: step{newKey, studioKeys}, vertex: step{newKey, consoleKeys}},
	KeyRevoked: {
		classes: classes("key_dead"),
		step:    step{"The key is deleted, or misspelt. " + newKey, studioKeys},
		vertex:  step{"The key is deleted, or misspelt. " + newKey, consoleKeys},
	},
	KeyExpired: {classes: classes("key_dead"), step: step{newKey, studioKeys}, vertex: step{newKey, consoleKeys}},
	KeyLeaked: {
		classes: classes("key_dead"),
		step:    step{"Google found the key in public. Delete it, and find the leak. " + newKey, studioKeys},
		vertex:  step{"Google found the key in public. Delete it, and find the leak. " + newKey, consoleKeys},
	},
	KeyRestricted: {classes: classes("key_dead"), step: step{
		"Allow the key this API, and this program's address. A key without any restriction is refused, too.", consoleKeys,
	}},
	KeySuspended: {
		classes: classes("key_dead"),
		step:    step{newKey + askGoogle, studioKeys}, vertex: step{newKey + askGoogle, consoleKeys},
	},
	KeyUnsupported: {classes: classes("key_dead"), step: step{
		"Google takes the key for an access token, as it does with some keys that begin with AQ. " +
			"Check that its service account is enabled, or make a new key.", keyGuide,
	}},
	Misconfigured: {
		classes: classes("project_misconfigured"),
		step:    step{"Change the setting that Google's message names." + orWait, studioProjects},
		vertex:  step{"Change the setting that Google's message names." + orWait, vertexGuide},
	},
	APIOff: {
		classes: classes("project_misconfigured"),
		step:    step{"Enable the Gemini API in the project." + orWait, geminiAPI},
		vertex:  step{"Enable the Vertex AI API (aiplatform.googleapis.com) in the project." + orWait, vertexAPI},
	},
	PermissionMissing: {classes: classes("project_misconfigured"), step: step{
		"Grant the credential a role with the permission that Google names, such as Vertex AI User." + orWait, consoleIAM,
	}},
	ProjectSuspended: {classes: classes("project_misconfigured"), step: step{
		"Google has suspended the project: read its mail to the owner." + askGoogle, consoleIAM,
	}},
	TokenRefused: {classes: classes("project_misconfigured"), step: step{
		"Google does not accept the project's credentials: renew them, and check what they are for.", consoleIAM,
	}},
	NotReady: {classes: classes("project_not_ready"), step: step{
		"Wait some minutes: Google is setting the project up. Else change what Google's message names.", vertexGuide,
	}},
	EgressBlocked: {classes: classes("egress_blocked"), step: step{
		"Google does not serve calls from this network: run Spillway elsewhere, or use a project on Vertex AI.", regions,
	}},

	ModelMissing: {
		classes: classes("model_missing"),
		step:    step{"Correct the model's name, or leave it out of the project's models.", geminiModels},
		vertex:  step{"Correct the model's name, or leave it out of the project's models.", vertexModels},
	},
	TierLacksIt: {
		classes: classes("model_missing"),
		step:    step{lacksTier, geminiFlex},
		vertex:  step{lacksTier, vertexFlex},
	},
	LocationLacksIt: {classes: classes("model_missing"), step: step{
		"Add a location that has the model, such as global, or leave this one out. If none has it, correct the model's name.",
		vertexLocations,
	}},
	ModelForbidden: {
		classes: classes("model_forbidden"),
		step:    step{"Ask Google for access to the model, or leave it out of the project's models.", geminiModels},
		vertex:  step{"Ask for access to the model, also of your organisation, or leave it out of the project's models.", vertexModels},
	},
	LocationForbidden: {classes: classes("model_forbidden"), step: step{
		"A policy of the organisation forbids the location: leave it out of the project's locations, or change the policy.", orgPolicy,
	}},

	Overloaded:  {classes: classes("overloaded"), step: failing, vertex: failingVertex},
	ServerFault: {classes: classes("server_fault"), step: failing, vertex: failingVertex},
	Transport: {
		classes: classes("transport"),
		step:    step{"Check the network and the proxy between here and Google, then Google's state.", studioStatus},
		vertex:  step{"Check the network and the proxy between here and Google, then Google's state.", cloudStatus},
	},
	NotGoogle: {classes: classes("transport", "egress_blocked"), step: step{
		"What answers there is not Google: check base_url, the proxy, and the network between here and Google.", "",
	}},
	BreakerOpen: {step: failing, vertex: failingVertex},

	OwnLimit: {
		step: step{"The limit is yours: raise it in the file, under [[project.limits]], if Google allows more.", studioLimits},
		vertex: step{"The limit is yours: raise it in the file, under [[project.limits]], if Google allows more.",
			consoleQuotas},
	},
	LearnedLimit: {
		step:   step{wait + "Google named this limit when it refused a call; calls test it. Move to a higher tier, or ask for more.", rateLimits},
		vertex: step{wait + "Google named this limit when it refused a call; calls test it. Ask for a higher quota.", consoleQuotas},
	},
	ShareUsed: {step: step{
		do: wait + "The call keeps to a share of what there is, with others like it: give them a greater one if they matter more.",
	}},
	DiscoveredLimit: {
		step: step{wait + "Google shows this limit for the project. Move to a higher tier, or ask for more; if it is wrong, write another one " +
			"in the file, under [[project.limits]].", rateLimits},
		vertex: step{wait + "Google shows this quota for the project. Ask for a higher one; if it is wrong, write another limit in the file, " +
			"under [[project.limits]].", consoleQuotas},
	},
	StoreAway: {step: step{
		"The store that replicas share is away, so this one keeps to its part of the limit: bring the store back.", "",
	}},
	Paused: {classes: classes("paused"), step: step{
		"An operator has taken it out. To bring it back: `spillway resume` with the subject.", "",
	}},
	Ramp: {step: step{wait + "Spillway raises the rate slowly; set ramp = false under [router] to stop that.", ""}},
}

var (
	failing       = step{wait + "Google fails or is overloaded: look at its state, or add a project, or a fallback model.", studioStatus}
	failingVertex = step{wait + "Google fails or is overloaded there: look at its state, or add a location, or a fallback model.", cloudStatus}
)
