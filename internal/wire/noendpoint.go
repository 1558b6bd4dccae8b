package wire

import "net/http"

// NoEndpointReason is the reason of the ErrorInfo in an answer that [NoEndpoint] makes.
const NoEndpointReason = "NO_ENDPOINT"

// NoEndpoint is the answer to a call that nothing may serve, now or later: 400 FAILED_PRECONDITION, with metadata that says why,
// endpoint by endpoint.
func NoEndpoint(message string, metadata map[string]string) []byte {
	return ErrorBody(http.StatusBadRequest, "FAILED_PRECONDITION", message,
		errorInfo{"type.googleapis.com/google.rpc.ErrorInfo", NoEndpointReason, ExhaustedDomain, metadata})
}
