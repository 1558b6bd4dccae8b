package grid

import "net/http"

// info is an ErrorInfo among the details of an error.
func info(reason, domain, metadata string) string {
	return `{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"` + reason + `","domain":"` + domain +
		`","metadata":{` + metadata + `}}`
}

// refusals are those that are not about quota.
func refusals() []*fault {
	return []*fault{notFound(), notReady(), unauthenticated(), forbidden()}
}

func notFound() *fault {
	return &fault{
		name: "404",
		gemini: []answer{
			refused(http.StatusNotFound, "NOT_FOUND", "models/MODEL is not found for API version v1beta, or is not supported for METHOD. "+
				"Call ModelService.ListModels to see the list of available models and their supported methods."),
			refused(http.StatusNotFound, "NOT_FOUND", "This model models/MODEL is no longer available to new users. "+
				"Please update your code to use a newer model for the latest features and improvements."),
		},
		vertex: []answer{
			refused(http.StatusNotFound, "NOT_FOUND", "Publisher Model `projects/a/locations/global/publishers/google/models/MODEL` not found."),
			refused(http.StatusNotFound, "NOT_FOUND", "Publisher Model `projects/a/locations/global/publishers/google/models/MODEL` was not found "+
				"or your project does not have access to it. Please ensure you are using a valid model version."),
		},
	}
}

func notReady() *fault {
	precondition := func(message string) answer { return refused(http.StatusBadRequest, "FAILED_PRECONDITION", message) }
	return &fault{
		name: "400 FAILED_PRECONDITION",
		gemini: []answer{
			precondition("User location is not supported for the API use."),
			precondition("Gemini API free tier is not available in your country. Please enable billing on your project in Google AI Studio."),
			precondition("This model is only accessible to billed users at this time."),
		},
		vertex: []answer{
			precondition("Service agents are being provisioned (https://cloud.google.com/vertex-ai/docs/general/access-control#service-agents). " +
				"Service agents are needed to read the Cloud Storage file provided. So please try again in a few minutes."),
			precondition("Project `a` is not allowed to use Publisher Model `projects/a/locations/global/publishers/google/models/MODEL`"),
			precondition("Constraint constraints/gcp.resourceLocations violated for projects/a attempting to use a location that is not allowed."),
		},
	}
}

func unauthenticated() *fault {
	const message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid " +
		"authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
	because := func(reason string) answer {
		service := `"service":"generativelanguage.googleapis.com"`
		return refused(http.StatusUnauthorized, "UNAUTHENTICATED", message, info(reason, "googleapis.com", service))
	}
	return &fault{
		name:   "401",
		gemini: []answer{because("ACCESS_TOKEN_TYPE_UNSUPPORTED"), because("ACCOUNT_STATE_INVALID"), because("CREDENTIALS_MISSING")},
		vertex: []answer{because("ACCESS_TOKEN_EXPIRED"), because("ACCOUNT_STATE_INVALID"), refused(http.StatusUnauthorized, "UNAUTHENTICATED", message)},
	}
}

func forbidden() *fault {
	denied := func(message string, details ...string) answer {
		return refused(http.StatusForbidden, "PERMISSION_DENIED", message, details...)
	}
	plain := denied("The caller does not have permission")
	suspended := denied("Permission denied: Consumer 'projects/000000000000' has been suspended.",
		info("CONSUMER_SUSPENDED", "googleapis.com", `"consumer":"projects/000000000000","containerInfo":"projects/000000000000"`))
	return &fault{
		name: "403",
		gemini: []answer{
			plain, suspended,
			denied("Requests to this API generativelanguage.googleapis.com method "+
				"google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent are blocked.",
				info("API_KEY_SERVICE_BLOCKED", "googleapis.com", `"consumer":"projects/000000000000"`)),
		},
		vertex: []answer{
			plain, suspended,
			denied("Permission 'aiplatform.endpoints.predict' denied on resource "+
				"'//aiplatform.googleapis.com/projects/a/locations/global/publishers/google/models/MODEL' (or it may not exist).",
				info("IAM_PERMISSION_DENIED", "aiplatform.googleapis.com", `"permission":"aiplatform.endpoints.predict"`)),
		},
	}
}
