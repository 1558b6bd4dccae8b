package credential_test

import (
	"context"
	"testing"

	"cloud.google.com/go/auth"

	"github.com/spillway-go/spillway/internal/credential"
)

func TestMemberIsWhoseCredentialsTheyAre(t *testing.T) {
	for _, test := range []struct{ name, file, want string }{
		{"a service account", `{"client_email": "a@acme.iam.gserviceaccount.com"}`, "serviceAccount:a@acme.iam.gserviceaccount.com"},
		{
			"an impersonated one",
			`{"service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/b@acme.iam.gserviceaccount.com:generateAccessToken"}`,
			"serviceAccount:b@acme.iam.gserviceaccount.com",
		},
		{"a user", `{"type": "authorized_user"}`, "serviceAccount:EMAIL"},
		{"what a shell would run", `{"client_email": "a@b;rm -rf $HOME"}`, "serviceAccount:EMAIL"},
		{"no JSON", `x`, "serviceAccount:EMAIL"},
	} {
		found := auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: kept("t"), JSON: []byte(test.file)})
		if got := credential.Member(found); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		renewable, err := credential.New(func() (auth.TokenProvider, error) { return found, nil })
		if err != nil {
			t.Fatal(err)
		}
		if got := credential.Member(renewable); got != test.want {
			t.Errorf("%s that can be renewed: %q, want %q", test.name, got, test.want)
		}
	}
	if got := credential.Member(nameless{}); got != "serviceAccount:EMAIL" {
		t.Errorf("of a provider that cannot tell: %q", got)
	}
}

type nameless struct{}

func (nameless) Token(context.Context) (*auth.Token, error) { return &auth.Token{}, nil }
