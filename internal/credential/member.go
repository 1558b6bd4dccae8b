package credential

import (
	"encoding/json"
	"regexp"

	"cloud.google.com/go/auth"
)

// unknownMember stands for whose credentials cannot be told.
const unknownMember = "serviceAccount:EMAIL"

var (
	accountSyntax      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*@[A-Za-z0-9.-]+$`)
	impersonatedSyntax = regexp.MustCompile(`/serviceAccounts/([^/:]+):generateAccessToken$`)
)

// Member returns whose credentials a provider has, as IAM names it: "serviceAccount:…". It is
// "serviceAccount:EMAIL" where that cannot be told.
func Member(p auth.TokenProvider) string {
	if m, ok := p.(interface{ Member() string }); ok {
		return m.Member()
	}
	if c, ok := p.(*auth.Credentials); ok {
		return memberOf(c.JSON())
	}
	return unknownMember
}

// Member returns whose credentials r has, see [Member].
func (r *Renewable) Member() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Member(r.from)
}

// memberOf reads it from a file of credentials. What it returns is safe in a command of a shell.
func memberOf(file []byte) string {
	var c struct {
		Account      string `json:"client_email"`
		Impersonated string `json:"service_account_impersonation_url"`
	}
	if json.Unmarshal(file, &c) != nil {
		return unknownMember
	}
	if m := impersonatedSyntax.FindStringSubmatch(c.Impersonated); m != nil {
		c.Account = m[1]
	}
	if !accountSyntax.MatchString(c.Account) {
		return unknownMember
	}
	return "serviceAccount:" + c.Account
}
