package credential_test

import (
	"context"
	"strings"
	"testing"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/internal/credential"
)

func TestIdentityIsWhoseCredentialsTheyAre(t *testing.T) {
	for _, test := range []struct{ name, file, want, renewal string }{
		{
			"a service account", `{"type": "service_account", "client_email": "a@acme.iam.gserviceaccount.com"}`,
			"serviceAccount:a@acme.iam.gserviceaccount.com", "keys create KEY.json --iam-account=a@acme.iam.gserviceaccount.com",
		},
		{
			"an impersonated one",
			`{"service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/b@acme.iam.gserviceaccount.com:generateAccessToken"}`,
			"serviceAccount:b@acme.iam.gserviceaccount.com", "application-default login",
		},
		{"a user", `{"type": "authorized_user"}`, "user:EMAIL", "application-default login"},
		{"what a shell would run", `{"type": "service_account", "client_email": "a@b;rm -rf $HOME"}`, "serviceAccount:EMAIL", "--iam-account=EMAIL"},
		{"no JSON", `x`, "serviceAccount:EMAIL", "application-default login"},
	} {
		found := auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: kept("t"), JSON: []byte(test.file)})
		if got := credential.Identify(found); got.Member != test.want || !strings.Contains(got.Renewal, test.renewal) {
			t.Errorf("%s: %q, want %q and %q", test.name, got, test.want, test.renewal)
		}
		renewable, err := credential.New(func() (auth.TokenProvider, error) { return found, nil })
		if err != nil {
			t.Fatal(err)
		}
		if again, first := credential.Identify(renewable), credential.Identify(found); again != first {
			t.Errorf("%s that can be renewed: %q, want %q", test.name, again, first)
		}
	}
	if got := credential.Identify(nameless{}).Member; got != "serviceAccount:EMAIL" {
		t.Errorf("of a provider that cannot tell: %q", got)
	}
}

type nameless struct{}

func (nameless) Token(context.Context) (*auth.Token, error) { return &auth.Token{}, nil }
