package router

import (
	"net/http"
	"strings"
)

// renewed returns the request with a new access token, where Google has refused the one that was
// sent: it may have been revoked, or have expired on the way. It returns nil if there is no other.
func (a *attempt) renewed(req *http.Request) (*http.Request, error) {
	sent, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	if !ok || a.endpoint.Keyed || req.Body != nil && req.GetBody == nil {
		return nil, nil //nolint:nilnil // nothing is to be repeated
	}
	h, err := a.header(sent)
	if err != nil {
		return nil, err
	}
	if h.Get("Authorization") == req.Header.Get("Authorization") {
		return nil, nil //nolint:nilnil // there is no other token
	}
	again := req.WithContext(a.ctx)
	again.Header = h
	if req.GetBody != nil { // the transport may still read the other one
		if again.Body, err = req.GetBody(); err != nil {
			return nil, nil //nolint:nilerr,nilnil // the refusal is the answer
		}
	}
	return again, nil
}
