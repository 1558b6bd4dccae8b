package credential

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/compute/metadata"
)

// Passing reports whether an error of a [auth.TokenProvider] may be over soon: the token server cannot
// be reached, or fails. It is false for a definite refusal, which needs an operator.
func Passing(err error) bool {
	if refused, ok := errors.AsType[*auth.Error](err); ok {
		return refused.Response != nil && transient(refused.Response.StatusCode)
	}
	if server, ok := errors.AsType[*metadata.Error](err); ok {
		return transient(server.Code)
	}
	if said := saidStatus.FindStringSubmatch(err.Error()); said != nil {
		status, _ := strconv.Atoi(said[1])
		return transient(status)
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return false // a file is missing; its errno would pass for an error of the network
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return false
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Op != "parse" && strings.HasPrefix(u.URL, "http")
	}
	// A context other than the call's ended: of a fetch that several callers share, or a timeout of
	// the provider's.
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	if said, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err); ok && said.Temporary() {
		return true
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// saidStatus finds the status in what packages credentials and impersonate make of an answer of the
// security token service, and of an impersonation: they have no type for it.
var saidStatus = regexp.MustCompile(`\b(?:credentials|impersonate): status code (\d{3}):`)

// Refused reports whether a token server takes the credentials for none, as in "invalid_grant": a user
// has logged out, or a key is deleted.
func Refused(err error) bool {
	refused, ok := errors.AsType[*auth.Error](err)
	return ok && !Passing(err) && refused.Response != nil
}

func transient(status int) bool {
	return status >= http.StatusInternalServerError ||
		status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}
