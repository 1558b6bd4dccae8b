package discover

import (
	"context"
	"net/url"
	"slices"
	"strings"
)

// model is a model of models.list.
type model struct {
	name      string
	generates bool
}

// models returns the models that the project may call. See https://ai.google.dev/api/models.
func (c *client) models(ctx context.Context) ([]model, *ReadError) {
	r := &request{host: developerAPI, path: "/v1beta/models", query: url.Values{"pageSize": {"1000"}}, keyed: c.source.Key != nil}
	name := "models"
	if c.source.Vertex {
		r.host, r.path, name = vertexAI, "/v1beta1/publishers/google/models", "publisherModels"
	}
	type entry struct {
		Name    string   `json:"name"`
		Methods []string `json:"supportedGenerationMethods"` // of the Developer API
	}
	all := []model{}
	p := pages(ctx, c, r, name, func(e *entry) {
		if id := e.Name[strings.LastIndexByte(e.Name, '/')+1:]; isModel(id) && len(all) < mostModels {
			all = append(all, model{id, slices.Contains(e.Methods, "generateContent")})
		}
	})
	if p != nil {
		p.What = "models"
		return nil, p
	}
	return all, nil
}

// tier asks whether somebody pays for the project; that sets the limits of the Developer API. Where
// that cannot be read, the tier is not known, and nothing else is lost. See
// https://cloud.google.com/billing/docs/reference/rest/v1/projects/getBillingInfo and
// https://ai.google.dev/gemini-api/docs/billing.
func (c *client) tier(ctx context.Context) (Tier, *ReadError) {
	var info struct {
		Enabled bool `json:"billingEnabled"`
	}
	r := &request{host: billing, path: "/v1/projects/" + c.source.ProjectID + "/billingInfo"}
	if p := c.get(ctx, r, &info); p != nil {
		p.What = "tier"
		return "", p
	}
	if info.Enabled {
		return TierPaid, nil
	}
	return TierFree, nil
}
