package credential

import (
	"encoding/json"
	"regexp"

	"cloud.google.com/go/auth"
)

// Identity is whose credentials some are.
type Identity struct {
	// Member is how IAM names them: "serviceAccount:…". It is "serviceAccount:EMAIL" or "user:EMAIL"
	// where the rest cannot be told.
	Member string
	// Renewal says how to get others in their place, once they are refused for good.
	Renewal string
}

// unknown is the identity of credentials that do not show it.
var unknown = Identity{"serviceAccount:EMAIL", "run `gcloud auth application-default login`, or set other credentials"}

var (
	accountSyntax      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*@[A-Za-z0-9.-]+$`)
	impersonatedSyntax = regexp.MustCompile(`/serviceAccounts/([^/:]+):generateAccessToken$`)
)

// Identify returns whose credentials a provider has.
func Identify(p auth.TokenProvider) Identity {
	if i, ok := p.(interface{ Identity() Identity }); ok {
		return i.Identity()
	}
	if c, ok := p.(*auth.Credentials); ok {
		return identityIn(c.JSON())
	}
	return unknown
}

// Identity returns whose credentials r has.
func (r *Renewable) Identity() Identity {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Identify(r.from)
}

// identityIn reads it from a file of credentials. What it returns is safe in a command of a shell.
func identityIn(file []byte) Identity {
	var c struct {
		Type         string `json:"type"`
		Account      string `json:"client_email"`
		Impersonated string `json:"service_account_impersonation_url"`
	}
	if json.Unmarshal(file, &c) != nil {
		return unknown
	}
	if m := impersonatedSyntax.FindStringSubmatch(c.Impersonated); m != nil {
		c.Account = m[1]
	}
	if !accountSyntax.MatchString(c.Account) {
		c.Account = "EMAIL"
	}
	id := Identity{"serviceAccount:" + c.Account, unknown.Renewal}
	switch c.Type {
	case "authorized_user":
		id.Member = "user:EMAIL"
	case "service_account":
		id.Renewal = "make a new key in place of this one: gcloud iam service-accounts keys create KEY.json --iam-account=" + c.Account
	}
	return id
}
