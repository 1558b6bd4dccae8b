package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// loginPath is where a browser, which cannot send the operators' token with every request, exchanges it
// for a cookie. GET says whether it has to.
const loginPath = "/spillway/login"

// loginLasts is how long a browser stays signed in, if it is not closed before.
const loginLasts = 12 * time.Hour

// login is the body of loginPath.
type login struct {
	SignedIn bool `json:"signed_in"`
}

// signedIn says whether who asks may see what the page shows.
func (s *sidecar) signedIn(c *client, _ *http.Request) { writeJSON(c, http.StatusOK, login{true}) }

// session is the cookie of a browser that has shown the operators' token: until when it is good, and
// a signature by the token. Replicas with the same token take it, and none does after the token has
// changed.
func (a *adminRules) session(until time.Time) *http.Cookie {
	text := strconv.FormatInt(until.Unix(), 10)
	return &http.Cookie{ //nolint:gosec // Secure is set where the browser comes by TLS; not all do
		Name: "spillway-" + hex.EncodeToString(a.sign("name")[:8]), Value: text + "." + base64.RawURLEncoding.EncodeToString(a.sign("until "+text)),
		Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}

// sign signs a text about sessions by the operators' token.
func (a *adminRules) sign(text string) []byte {
	mac := hmac.New(sha256.New, a.token[:])
	_, _ = mac.Write([]byte("operators' session " + text))
	return mac.Sum(nil)
}

// inSession reports whether a request has the cookie of a session. A browser sends that along whoever
// makes it ask, so that a request that may change something has to name its page, too, which is known
// as the sidecar's own.
func (a *adminRules) inSession(req *http.Request, now time.Time) bool {
	if a.token == nil || req.Method != http.MethodGet && req.Method != http.MethodHead && req.Header.Get("Origin") == "" {
		return false
	}
	for _, shown := range req.CookiesNamed(a.session(now).Name) {
		text, _, _ := strings.Cut(shown.Value, ".")
		seconds, err := strconv.ParseInt(text, 10, 64)
		until := time.Unix(seconds, 0)
		if err == nil && now.Before(until) && subtle.ConstantTimeCompare([]byte(shown.Value), []byte(a.session(until).Value)) == 1 {
			return true
		}
	}
	return false
}

// login lets a browser in that has the operators' token.
func (a *adminRules) login(c *client, req *http.Request) {
	var ask struct {
		Token string `json:"token"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(c, req.Body, maxPauseAsk)).Decode(&ask); err != nil {
		refuse(c, http.StatusBadRequest, "INVALID_ARGUMENT", `the body is not JSON such as {"token": "…"}`)
		return
	}
	if !a.isToken(ask.Token) {
		refuse(c, http.StatusForbidden, "PERMISSION_DENIED", "this is not the admin_token")
		return
	}
	cookie := a.session(time.Now().Add(loginLasts)) //nolint:gosec // as above
	cookie.Secure = scheme(req) == "https"
	http.SetCookie(c, cookie)
	writeJSON(c, http.StatusOK, login{true})
}
