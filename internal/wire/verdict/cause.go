package verdict

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/spillway-go/spillway/internal/remedy"
	"github.com/spillway-go/spillway/pool"
)

// closer is one line of the table of causes: within a class, the words that tell what an operator
// has to do. It fits as a rule does.
type closer struct {
	class []pool.Class
	where field
	how   match
	words []string
	cause remedy.Cause
}

var (
	ofKeys     = []pool.Class{pool.ClassKeyDead}
	ofProjects = []pool.Class{pool.ClassProjectMisconfigured}
	ofBilling  = []pool.Class{pool.ClassBilling}
	ofPaying   = []pool.Class{pool.ClassBilling, pool.ClassProjectMisconfigured}
	ofAccess   = []pool.Class{pool.ClassModelForbidden}
)

// closers are the table of causes. The first that fits decides. It looks only at errors whose class
// is known, so that a few words are enough.
var closers = []closer{
	{ofKeys, message, has, []string{"leaked"}, remedy.KeyLeaked},
	{ofKeys, message, has, []string{"expired"}, remedy.KeyExpired},
	{ofKeys, reason, equals, []string{"CONSUMER_SUSPENDED"}, remedy.KeySuspended},
	{ofKeys, message, has, suspension, remedy.KeySuspended},
	{ofKeys, reason, ends, []string{"_BLOCKED"}, remedy.KeyRestricted},
	{ofKeys, message, has, []string{"blocked", "violate", "restriction"}, remedy.KeyRestricted},
	{ofKeys, reason, equals, []string{"API_KEY_INVALID"}, remedy.KeyRevoked},
	{ofKeys, message, has, keyRefused, remedy.KeyRevoked},
	{ofKeys, reason, equals, credential, remedy.KeyUnsupported},

	{ofBilling, message, has, []string{"spending cap", "spend cap"}, remedy.SpendCap},
	{ofBilling, message, has, []string{"credits are depleted", "prepayment", "prepaid"}, remedy.PrepayGone},
	{ofPaying, reason, equals, []string{"BILLING_DISABLED"}, remedy.BillingOff},
	{ofPaying, message, has, []string{"requires billing"}, remedy.BillingOff},
	{ofBilling, message, has, noBilling, remedy.BillingOff},

	{ofProjects, reason, equals, []string{"SERVICE_DISABLED"}, remedy.APIOff},
	{ofProjects, message, has, []string{"has not been used in project", "it is disabled"}, remedy.APIOff},
	{ofProjects, reason, equals, []string{"CONSUMER_SUSPENDED"}, remedy.ProjectSuspended},
	{ofProjects, reason, equals, []string{"GCP_SUSPENDED"}, remedy.ProjectSuspended},
	{ofProjects, message, has, suspension, remedy.ProjectSuspended},
	{ofProjects, reason, begins, []string{"IAM_"}, remedy.PermissionMissing},
	{ofProjects, reason, equals, []string{"ACCESS_TOKEN_SCOPE_INSUFFICIENT"}, remedy.PermissionMissing},
	{ofProjects, message, has, []string{"denied on resource"}, remedy.PermissionMissing},
	{ofProjects, reason, equals, credential, remedy.TokenRefused},
	{ofProjects, reason, begins, []string{"ACCESS_TOKEN_"}, remedy.TokenRefused},
	{ofProjects, status, equals, []string{"UNAUTHENTICATED"}, remedy.TokenRefused},

	{ofAccess, reason, equals, policy, remedy.LocationForbidden},
	{ofAccess, message, has, noPlace, remedy.LocationForbidden},
}

// cause returns the finest word that there is for a refusal.
func (v *Verdict) cause(a *Answer, texts *[fields]string) remedy.Cause {
	said := remedy.Cause("")
	for i := range closers {
		c := &closers[i]
		if slices.Contains(c.class, v.Class) && c.how.any(texts[c.where], c.words) {
			said = c.cause
			break
		}
	}
	switch {
	case v.Foreign:
		said = remedy.NotGoogle
	case v.Scope == pool.ScopeTool:
		said = remedy.ToolQuota
	case said == "" && v.Code == http.StatusPaymentRequired:
		// 402 is for prepaid credits that are used up. Source:
		// https://ai.google.dev/gemini-api/docs/generate-content/api-errors, read on 2026-09-20.
		said = remedy.PrepayGone
	}
	q := v.deciding()
	return remedy.For(string(v.Class), string(said), q.ID+" "+q.Metric, a.Backend == pool.BackendVertex)
}

// deciding returns the quota that decides: of several the day's, which lasts longest. It is zero if
// none is named.
func (v *Verdict) deciding() (q Violation) {
	for _, other := range v.Violations {
		if q == (Violation{}) || other.Per == Day {
			q = other
		}
	}
	return q
}

// Quota returns Google's name of the quota that decides, "" if it has none.
func (v *Verdict) Quota() string {
	q := v.deciding()
	return cmp.Or(q.ID, q.Metric)
}
