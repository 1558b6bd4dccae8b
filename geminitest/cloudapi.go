package geminitest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cloud is the back end of Google Cloud's own APIs: those that tell what a project has.
const cloud = "cloud"

// The methods of those APIs, as in [Match].
const (
	quotaInfosList   = "quotaInfos.list"
	quotaMetricsList = "consumerQuotaMetrics.list"
	timeSeriesList   = "timeSeries.list"
	billingInfoGet   = "billingInfo.get"
)

const (
	servicesUse     = "serviceusage.services.use" // what a caller needs who has a project pay
	userProject     = "X-Goog-User-Project"
	resourceManager = "cloudresourcemanager.googleapis.com"
	mostPage        = 500
)

// cloudAPI is one method of Google Cloud's: the host and the path that lead to it, with {} for a
// name, and what a caller needs.
type cloudAPI struct {
	host       string
	title      string // of the API, in the 403 of a project that has not enabled it
	path       string
	method     string
	permission string
	serve      func(*Emulator, *reply, call, []byte) *Answer
}

// cloudAPIs are the methods that tell what a project has. See
// https://cloud.google.com/docs/quotas/reference/rest,
// https://cloud.google.com/service-usage/docs/reference/rest/v1beta1/services.consumerQuotaMetrics/list,
// https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.timeSeries/list and
// https://cloud.google.com/billing/docs/reference/rest/v1/projects/getBillingInfo.
var cloudAPIs = []cloudAPI{
	{
		"cloudquotas.googleapis.com", "Cloud Quotas API", "v1/projects/{}/locations/global/services/{}/quotaInfos",
		quotaInfosList, "cloudquotas.quotas.get", (*Emulator).listQuotaInfos,
	},
	{
		"serviceusage.googleapis.com", "Service Usage API", "v1beta1/projects/{}/services/{}/consumerQuotaMetrics",
		quotaMetricsList, "serviceusage.quotas.get", (*Emulator).listQuotaMetrics,
	},
	{
		"monitoring.googleapis.com", "Cloud Monitoring API", "v3/projects/{}/timeSeries",
		timeSeriesList, "monitoring.timeSeries.list", (*Emulator).listTimeSeries,
	},
	{
		"cloudbilling.googleapis.com", "Cloud Billing API", "v1/projects/{}/billingInfo",
		billingInfoGet, "resourcemanager.projects.get", (*Emulator).getBillingInfo,
	},
}

// names returns the names in a path that leads to the method; not ok if it does not.
func (a *cloudAPI) names(path string) (names []string, ok bool) {
	want, got := strings.Split(a.path, "/"), strings.Split(strings.Trim(path, "/"), "/")
	if len(want) != len(got) {
		return nil, false
	}
	for i := range want {
		switch {
		case want[i] == "{}" && got[i] != "":
			names = append(names, got[i])
		case want[i] != got[i]:
			return nil, false
		}
	}
	return names, true
}

// cloudRoute reads the host and the path of a call to one of the APIs. On loopback the path alone
// tells.
func cloudRoute(host string, r *http.Request) (route, bool) {
	for i := range cloudAPIs {
		a := &cloudAPIs[i]
		if host != a.host && strings.HasSuffix(host, "."+"googleapis.com") {
			continue
		}
		names, ok := a.names(r.URL.Path)
		switch {
		case ok && r.Method == http.MethodGet:
			c := route{backend: cloud, method: a.method, project: names[0], serve: a.serve}
			if c.version, _, _ = strings.Cut(a.path, "/"); len(names) > 1 {
				c.parent = names[1] // the service
			}
			return c, true
		case host == a.host:
			return route{backend: cloud, refused: new(pageMissing(r.URL.Path))}, true
		}
	}
	return route{}, false
}

// authorizeCloud finds out whether the caller may ask one of the APIs about the project of the path.
func (e *Emulator) authorizeCloud(c *call, valid bool) *Answer {
	i := slices.IndexFunc(cloudAPIs, func(a cloudAPI) bool { return a.method == c.method })
	a := &cloudAPIs[i] // cloudRoute took the method from there
	switch {
	case c.secret == "":
		return new(CredentialsMissing())
	case !c.bearer:
		return new(KeyUnsupported())
	case !valid:
		return new(TokenInvalid())
	}
	if payer := e.projectID(c.header.Get(userProject)); payer != "" && (payer != c.owner.ID || slices.Contains(c.owner.Denied, servicesUse)) {
		return new(userProjectDenied(payer))
	}
	switch {
	case slices.Contains(c.owner.Disabled, a.host):
		return new(apiDisabled(a.title, a.host, c.owner.ID))
	case c.project != c.owner.ID || slices.Contains(c.owner.Denied, a.permission):
		return new(a.denied(c.project))
	}
	return nil
}

// denied is the 403 for a permission that the caller lacks. Cloud Monitoring has words of its own,
// and no details.
func (a *cloudAPI) denied(project string) Answer {
	project = printable(project)
	if a.method == timeSeriesList {
		return fault(403, permission, "Permission "+a.permission+" denied (or the resource may not exist).")
	}
	return fault(403, permission, "Permission '"+a.permission+"' denied on resource '//"+resourceManager+"/projects/"+project+"' (or it may not exist).",
		errorInfo("IAM_PERMISSION_DENIED", resourceManager, map[string]any{"resource": "projects/" + project, "permission": a.permission}))
}

// userProjectDenied is the 403 for a project that the caller may not have pay for the call
// (X-Goog-User-Project).
func userProjectDenied(project string) Answer {
	project = printable(project)
	page := "https://console.developers.google.com/iam-admin/iam/project?project=" + project
	return fault(403, permission, "Caller does not have required permission to use project "+project+". Grant the caller the "+
		"roles/serviceusage.serviceUsageConsumer role, or a custom role with the "+servicesUse+" permission, by visiting "+page+
		" and then retry. Propagation of the new permission may take a few minutes.",
		helpDetail("Google developer console IAM admin", page),
		errorInfo("USER_PROJECT_DENIED", "googleapis.com", map[string]any{"consumer": "projects/" + project}))
}

// apiDisabled is the 403 of an API that the project has not enabled.
func apiDisabled(title, service, project string) Answer {
	page := "https://console.developers.google.com/apis/api/" + service + "/overview?project=" + project
	return fault(403, permission, title+" has not been used in project "+project+" before or it is disabled. Enable it by visiting "+page+
		" then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.",
		helpDetail("Google developers console API activation", page),
		errorInfo("SERVICE_DISABLED", "googleapis.com", map[string]any{
			"service": service, "serviceTitle": title, "consumer": "projects/" + project, "containerInfo": project, "activationUrl": page,
		}))
}

// pageOf returns a page of a list, as pageSize and pageToken ask, of at most so many, and the token
// of the next one; "" if there is none.
func pageOf[T any](c call, list []T, most int) (page []T, next string) {
	number := func(name string) int {
		n, _ := strconv.Atoi(c.query.Get(name))
		return max(0, n)
	}
	size, from := number("pageSize"), min(number("pageToken"), len(list))
	if size == 0 || size > most {
		size = most
	}
	to := min(from+size, len(list))
	if to < len(list) {
		next = strconv.Itoa(to)
	}
	return list[from:to], next
}

// listedPage is the body of a page.
func listedPage(name string, page []any, next string) map[string]any {
	body := map[string]any{}
	if len(page) > 0 { // empty lists are left out in Google's JSON
		body[name] = page
	}
	if next != "" {
		body["nextPageToken"] = next
	}
	return body
}

// getBillingInfo says whether somebody pays for the project. Those with a quota of the free tier
// have no billing account.
func (e *Emulator) getBillingInfo(p *reply, c call, _ []byte) *Answer {
	body := map[string]any{"name": "projects/" + c.owner.ID + "/billingInfo", "projectId": c.owner.ID}
	if !c.owner.free() {
		body["billingAccountName"], body["billingEnabled"] = "billingAccounts/012345-567890-ABCDEF", true
	}
	p.json(body)
	return nil
}

// free reports whether the project is in the free tier of the Gemini Developer API.
func (p *Project) free() bool {
	return slices.ContainsFunc(p.Limits, func(l Limit) bool { return !l.Paid && !l.Regional && l.Tool == "" && l.Method == "" })
}

// monitoringDelay is how late Cloud Monitoring shows a value. It was seen to be 3 to 4 minutes.
const monitoringDelay = 3 * time.Minute
