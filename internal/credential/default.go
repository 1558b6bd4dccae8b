package credential

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"
	"cloud.google.com/go/compute/metadata"
)

// cloudPlatform is the OAuth scope of Vertex AI.
const cloudPlatform = "https://www.googleapis.com/auth/cloud-platform"

// Default finds application default credentials. It reads files and the environment, and makes no
// requests but to the metadata server of Google's machines.
func Default() (auth.TokenProvider, error) {
	return New(findDefault)
}

// findDefault finds application default credentials that have no token yet.
func findDefault() (auth.TokenProvider, error) {
	found, err := credentials.DetectDefault(&credentials.DetectOptions{
		Scopes:            []string{cloudPlatform},
		EarlyTokenRefresh: earlyRefresh,
	})
	if err == nil {
		return found, nil
	}
	// DetectDefault finds a metadata server only if it responds at once. On a machine of Google's
	// it is there, and may start after this program.
	if strings.Contains(err.Error(), "could not find default credentials") && onGoogle(productName) {
		return metadataTokens(), nil
	}
	return nil, err
}

// earlyRefresh is how long before its end a token is renewed.
const earlyRefresh = 5 * time.Minute

// productName is the file in which Linux says whose machine it is.
const productName = "/sys/class/dmi/id/product_name"

// onGoogle reports whether the program runs on Compute Engine, Kubernetes Engine or Cloud Run, as
// far as can be told without the network.
func onGoogle(product string) bool {
	if os.Getenv("K_SERVICE") != "" || os.Getenv("CLOUD_RUN_JOB") != "" {
		return true
	}
	name, err := os.ReadFile(product) //nolint:gosec // a constant, but for tests
	return err == nil && strings.HasPrefix(strings.TrimSpace(string(name)), "Google")
}

// metadataTokens returns the access tokens of the machine's service account.
func metadataTokens() auth.TokenProvider {
	return auth.NewCachedTokenProvider(metadataServer{}, &auth.CachedTokenProviderOptions{ExpireEarly: earlyRefresh})
}

type metadataServer struct{}

func (metadataServer) Token(ctx context.Context) (*auth.Token, error) {
	query := url.Values{"scopes": {cloudPlatform}}
	text, err := metadata.GetWithContext(ctx, "instance/service-accounts/default/token?"+query.Encode())
	if err != nil {
		return nil, fmt.Errorf("credential: token of the metadata server: %w", err)
	}
	var token struct {
		Value   string `json:"access_token"`
		Type    string `json:"token_type"`
		Seconds int64  `json:"expires_in"`
	}
	if json.Unmarshal([]byte(text), &token) != nil || token.Value == "" {
		return nil, fmt.Errorf("credential: token of the metadata server: %w", io.ErrUnexpectedEOF)
	}
	expiry := time.Now().Add(time.Duration(token.Seconds) * time.Second)
	return &auth.Token{Value: token.Value, Type: token.Type, Expiry: expiry}, nil
}
