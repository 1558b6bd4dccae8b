// Package discover reads what a Google Cloud project really has: the quotas of its models, its
// orders of Provisioned Throughput, and the models that it may use.
//
// It asks Cloud Quotas, or Service Usage where that cannot be asked, Cloud Monitoring, Cloud
// Billing for the tier, and models.list. All but the last need an access token: an API key cannot
// ask what its project has. What could not be read is a [ReadError], which says what to do.
//
// It was tested on the emulator of package geminitest only.
package discover

import (
	"context"
	"net/http"
	"sync"

	"cloud.google.com/go/auth"
)

// Source is a project, and how to ask about it.
type Source struct {
	// ProjectID is the Google Cloud project's id.
	ProjectID string
	// Vertex says that the project is used through Vertex AI, where it has orders, and quotas by
	// location; else through the Gemini Developer API.
	Vertex bool
	// Locations are where the project serves calls of Vertex AI.
	Locations []string
	// Tokens give access tokens. A provider that has a method Drop(token string) is told of a token
	// that was refused.
	Tokens auth.TokenProvider
	// Key returns the API key that lists models; nil lists them with a token.
	Key func() string
	// APIs replaces the hosts of Google Cloud's APIs, and Models that of models.list. Empty means
	// Google's.
	APIs, Models string
	// Transport carries the requests.
	Transport http.RoundTripper
}

// Facts are what a project has. A list is nil if it could not be read: one of Problems says why.
type Facts struct {
	// Limits are the quotas of single models, each model once.
	Limits []Limit
	// Orders are those that Cloud Monitoring shows now.
	Orders []Order
	// Models are the ids of the models that the project may call.
	Models []string
	// Tier is TierFree or TierPaid, of the Gemini Developer API; empty if it is not known. Then the
	// limits are the highest of all tiers.
	Tier     Tier
	Problems []*ReadError
}

// Limit is the quota of a model: requests and input tokens a minute, requests a day. Zero means that
// there is none. On Vertex AI it is that of all of the source's locations together.
type Limit struct {
	Model         string
	RPM, TPM, RPD int64
}

// Order is an order of Provisioned Throughput.
type Order struct {
	Model, Location string
	GSUs            int
	TokensPerSecond float64 // zero if it is not shown
}

// Tier is what a project of the Gemini Developer API pays for.
type Tier string

// The tiers that Google tells apart. Which of the paid ones it is Google does not tell.
const (
	TierFree Tier = "free"
	TierPaid Tier = "paid"
)

// Read asks what a project has, all APIs at the same time: one that hangs costs nothing of the
// others. It returns when ctx ends at the latest, and never fails as a whole.
func Read(ctx context.Context, s Source) Facts {
	c := &client{source: &s, tokens: newTokens(ctx, s.Tokens)}
	var (
		f      Facts
		listed []model
		quotas []quota
		failed [3]*ReadError
		all    sync.WaitGroup
	)
	all.Go(func() { listed, failed[0] = c.models(ctx) })
	all.Go(func() {
		if s.Vertex {
			f.Orders, failed[1] = c.orders(ctx)
		} else {
			f.Tier, failed[1] = c.tier(ctx)
		}
	})
	all.Go(func() { quotas, failed[2] = c.quotas(ctx) })
	all.Wait()
	if failed[0] == nil {
		f.Models = make([]string, len(listed))
		for i, m := range listed {
			f.Models[i] = m.name
		}
	}
	if failed[2] == nil {
		var places []string
		if s.Vertex {
			places = s.Locations
		}
		f.Limits = limitsOf(quotas, f.Tier, listed, places)
	}
	for _, p := range failed {
		if p != nil {
			f.Problems = append(f.Problems, p)
		}
	}
	return f
}
