package remedy

import (
	"net/url"
	"strings"
)

// page is the address of a page of Google's. Those that end in "project=" are completed with the
// project id, or lose that where it is not known: the console asks for the project then.
type page string

// Pages of the Gemini Developer API and AI Studio. Read on 2026-11-26.
const (
	// https://ai.google.dev/gemini-api/docs/rate-limits has the tiers, how to move up, spend-based
	// limits, and links the next two and the form for a higher limit.
	rateLimits     page = "https://ai.google.dev/gemini-api/docs/rate-limits"
	studioLimits   page = "https://aistudio.google.com/rate-limit"
	studioProjects page = "https://aistudio.google.com/projects"
	// https://ai.google.dev/gemini-api/docs/billing links both. The second is in Google's message about
	// a project that "has exceeded its monthly spending cap", too.
	studioBilling page = "https://aistudio.google.com/billing"
	studioSpend   page = "https://ai.studio/spend"
	// https://ai.google.dev/gemini-api/docs/api-key links it. The page says as well that keys without
	// restrictions are refused.
	studioKeys page = "https://aistudio.google.com/apikey"
	keyGuide   page = "https://ai.google.dev/gemini-api/docs/api-key"
	// The menu of https://ai.google.dev/gemini-api/docs/api-errors links it.
	studioStatus page = "https://aistudio.google.com/status"
	geminiFlex   page = "https://ai.google.dev/gemini-api/docs/flex-inference"
	geminiModels page = "https://ai.google.dev/gemini-api/docs/models"
	regions      page = "https://ai.google.dev/gemini-api/docs/available-regions"
)

// Pages of Google Cloud. Read on 2026-11-26.
const (
	// https://docs.cloud.google.com/docs/quotas/view-manage#requesting_higher_quota says how to use it.
	consoleQuotas page = "https://console.cloud.google.com/iam-admin/quotas?project="
	// https://docs.cloud.google.com/vertex-ai/generative-ai/docs/provisioned-throughput/purchase-provisioned-throughput
	// links it.
	consoleOrders page = "https://console.cloud.google.com/vertex-ai/provisioned-throughput?project="
	// sla is where Google says what an order is guaranteed and how to claim what is not kept.
	sla page = "https://cloud.google.com/vertex-ai/generative-ai/sla"
	// The next three are in Google's messages about an order that is full, billing that has to be
	// enabled, and an API that "has not been used in project … before or it is disabled".
	vertex429      page = "https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429"
	consoleBilling page = "https://console.developers.google.com/billing/enable?project="
	vertexAPI      page = "https://console.developers.google.com/apis/api/aiplatform.googleapis.com/overview?project="
	geminiAPI      page = "https://console.developers.google.com/apis/api/generativelanguage.googleapis.com/overview?project="
	// https://discuss.ai.google.dev/t/171786 (Google staff) sends there to restrict a key.
	consoleKeys page = "https://console.cloud.google.com/apis/credentials?project="
	consoleIAM  page = "https://console.cloud.google.com/iam-admin/iam?project="
	// The first is in Google's message "Publisher Model … was not found".
	vertexFlex      page = "https://cloud.google.com/vertex-ai/generative-ai/docs/flex-paygo"
	vertexModels    page = "https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions"
	vertexLocations page = "https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations"
	vertexGuide     page = "https://cloud.google.com/vertex-ai/docs/general/access-control"
	orgPolicy       page = "https://cloud.google.com/resource-manager/docs/organization-policy/org-policy-constraints"
	cloudStatus     page = "https://status.cloud.google.com"
)

// of returns the page for a project; an empty id is not known.
func (p page) of(projectID string) string {
	bare, forProject := strings.CutSuffix(string(p), "?project=")
	if !forProject || projectID == "" {
		return bare
	}
	return string(p) + url.QueryEscape(projectID)
}
