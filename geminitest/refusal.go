package geminitest

import "fmt"

// The bodies of this file refuse a credential, or a project in the state that it is in.

const invalidCredentials = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid " +
	"authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."

// refusedCredential is a 401 for a credential, with a reason.
func refusedCredential(reason, service, message string, metadata map[string]any) Answer {
	metadata = with(metadata, map[string]any{"service": service, "method": methodOf(service)})
	return fault(401, unauthenticated, message, errorInfo(reason, "googleapis.com", metadata))
}

// methodOf is what a service calls generateContent.
func methodOf(service string) string {
	if service == vertexService {
		return "google.cloud.aiplatform.v1beta1.PredictionService.GenerateContent"
	}
	return "google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent"
}

// TokenExpired is the 401 of Vertex AI for an access token whose time is over. [Emulator.Expire]
// makes it the answer to a token.
func TokenExpired() Answer {
	return refusedCredential("ACCESS_TOKEN_EXPIRED", vertexService, invalidCredentials, nil)
}

// KeyTypeUnsupported is the 401 of the Gemini Developer API for an API key that it takes for an
// access token, as it does with some keys that are bound to a service account ("AQ.…"). The
// project's other keys are good.
func KeyTypeUnsupported() Answer {
	return fault(401, unauthenticated, invalidCredentials, map[string]any{ // this one comes without a domain
		"@type": typePrefix + "ErrorInfo", "reason": "ACCESS_TOKEN_TYPE_UNSUPPORTED",
		"metadata": map[string]any{"service": geminiService, "method": methodOf(geminiService)},
	})
}

// AccountStateInvalid is the 401 for an API key whose service account is disabled or deleted.
func AccountStateInvalid(account string) Answer {
	return refusedCredential("ACCOUNT_STATE_INVALID", geminiService, invalidCredentials, map[string]any{"email": account})
}

// KeyUnsupported is the 401 for an API key where Google wants an access token, or takes the key for
// none: CREDENTIALS_MISSING, though there was one.
func KeyUnsupported() Answer {
	return refusedCredential("CREDENTIALS_MISSING", geminiService,
		"API keys are not supported by this API. Expected OAuth2 access token or other authentication credentials that assert a principal. "+
			"See https://cloud.google.com/docs/authentication", nil)
}

// ProjectSuspended is the 403 for a suspended project, by its number. [KeySuspended] is the one for
// a key; metadata.consumer names the project in both.
func ProjectSuspended(project string) Answer {
	consumer := "projects/" + project
	message := fmt.Sprintf("Permission denied: Consumer '%s' has been suspended.", consumer)
	return fault(403, permission, message,
		errorInfo("CONSUMER_SUSPENDED", "googleapis.com", map[string]any{
			"service": geminiService, "consumer": consumer, "containerInfo": consumer,
		}), localized(message))
}

// FailedPrecondition is a 400 of the kind FAILED_PRECONDITION, which both back ends give for states
// of projects, of policies, of billing, and of files and stores alike: only its words tell which.
func FailedPrecondition(message string) Answer { return fault(400, "FAILED_PRECONDITION", message) }

// ServiceAgentsMissing is the 400 of Vertex AI for a project that is new to it.
func ServiceAgentsMissing() Answer {
	return FailedPrecondition("Service agents are being provisioned (https://cloud.google.com/vertex-ai/docs/general/access-control#service-agents). " +
		"Service agents are needed to read the Cloud Storage file provided. So please try again in a few minutes.")
}

// ModelNotAllowed is the 400 of Vertex AI for a model that is not open to a project.
func ModelNotAllowed(project, location, model string) Answer {
	return FailedPrecondition(fmt.Sprintf("Project `%s` is not allowed to use Publisher Model `projects/%s/locations/%s/publishers/google/models/%s`",
		project, project, location, model))
}

// LocationConstrained is the 400 of Vertex AI for a location that the policy of the project's
// organisation excludes.
func LocationConstrained(project, location string) Answer {
	return FailedPrecondition(fmt.Sprintf("Constraint constraints/gcp.resourceLocations violated for projects/%s attempting to use location %s. "+
		"See https://cloud.google.com/resource-manager/docs/organization-policy/org-policy-constraints for more information.", project, location))
}

// BillingRequired is the 400 of the Gemini Developer API for something that projects without
// billing cannot have.
func BillingRequired(what string) Answer {
	return FailedPrecondition(what + " is only accessible to billed users at this time.")
}

// The answers about what a call names itself: a link, a file, an object in a bucket. They say
// nothing about the project that was asked.

// CallerDenied is the 403 of the Gemini Developer API that says nothing more, as for a private link.
func CallerDenied() Answer { return fault(403, permission, "The caller does not have permission") }

// InputFileDenied is the 403 of Vertex AI for a file that the project may not read.
func InputFileDenied() Answer {
	return fault(403, permission, "Permission denied while accessing input file.")
}

// StorageDenied is the 403 of Vertex AI for an object that a service account may not read.
func StorageDenied(account, object string) Answer {
	return fault(403, permission, fmt.Sprintf("%s does not have storage.objects.get access to the Google Cloud Storage object. "+
		"Permission 'storage.objects.get' denied on resource (or it may not exist). Object: %s", account, object))
}

// ObjectMissing is the 404 of Vertex AI for an object that is not in its bucket.
func ObjectMissing(object string) Answer { return fault(404, "NOT_FOUND", "No such object: "+object) }

// VersionMissing is [ModelMissing] in another version of the API, such as v1: other versions and
// methods may have the model.
func VersionMissing(model, version, method string) Answer {
	return modelMissing(model, version, method)
}
