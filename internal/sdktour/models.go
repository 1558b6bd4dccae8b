package sdktour

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"google.golang.org/genai"
)

// basics asks a model in every way.
func (t *tour) basics() {
	ctx, client := t.Context(), t.client
	var traffic genai.TrafficType
	if t.vertex() {
		traffic = genai.TrafficTypeOnDemand
	}
	t.calls("Models.GenerateContent", "Models.GenerateContentStream", "Models.CountTokens", "Models.EmbedContent", "Models.Get", "Models.All", "Models.List")
	resp, err := client.Models.GenerateContent(ctx, flash, genai.Text("How high is the dam?"), nil)
	if err != nil {
		t.Fatal(err)
	}
	u := resp.UsageMetadata
	if u.PromptTokenCount != 5 || u.CandidatesTokenCount != 20 || u.TotalTokenCount != 25 || len(u.PromptTokensDetails) != 1 {
		t.Errorf("usage %+v, want 5 + 20 = 25", u)
	}
	if u.TrafficType != traffic && !t.google.Mixed {
		t.Errorf("trafficType %q, want %q", u.TrafficType, traffic)
	}
	if resp.ModelVersion != flash || resp.ResponseID == "" || resp.Candidates[0].FinishReason != genai.FinishReasonStop || len(resp.Text()) != 79 {
		t.Errorf("answer %+v", resp)
	}

	var streamed strings.Builder
	var chunks []*genai.GenerateContentResponse
	for chunk, err := range client.Models.GenerateContentStream(ctx, flash, genai.Text("How high is the dam?"), nil) {
		if err != nil {
			t.Fatal(err)
		}
		streamed.WriteString(chunk.Text())
		chunks = append(chunks, chunk)
	}
	if len(chunks) < 3 {
		t.Fatalf("%d chunks, want several", len(chunks))
	}
	if streamed.String() != resp.Text() {
		t.Errorf("streamed %q, want the text of the whole answer %q", streamed.String(), resp.Text())
	}
	last := chunks[len(chunks)-1]
	if last.Candidates[0].FinishReason != genai.FinishReasonStop || last.UsageMetadata.TotalTokenCount != 25 {
		t.Errorf("last chunk %+v", last)
	}
	for _, chunk := range chunks[:len(chunks)-1] {
		if chunk.Candidates[0].FinishReason != "" {
			t.Error("an event before the last has a finishReason")
		}
		if t.vertex() && !t.google.Mixed && (chunk.UsageMetadata.TrafficType != genai.TrafficTypeOnDemand || chunk.UsageMetadata.TotalTokenCount != 0) {
			t.Errorf("early usage %+v, want the traffic type without counts", chunk.UsageMetadata)
		}
	}

	count, err := client.Models.CountTokens(ctx, flash, genai.Text("How high is the dam?"), nil)
	if err != nil || count.TotalTokens != 5 {
		t.Errorf("CountTokens = %v, %v; want 5", count, err)
	}
	for _, model := range []string{"gemini-embedding-001", "text-embedding-005"} {
		size := int32(16)
		embedded, err := client.Models.EmbedContent(ctx, model, genai.Text("water"), &genai.EmbedContentConfig{OutputDimensionality: &size})
		if err != nil || len(embedded.Embeddings) != 1 || len(embedded.Embeddings[0].Values) != 16 {
			t.Errorf("EmbedContent(%s) = %+v, %v; want one vector of 16", model, embedded, err)
		}
	}
	model, err := client.Models.Get(ctx, flash, nil)
	if err != nil || !strings.HasSuffix(model.Name, "models/"+flash) {
		t.Errorf("Get = %+v, %v", model, err)
	}
	var names []string
	for model, err := range client.Models.All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, model.Name[strings.LastIndex(model.Name, "/")+1:])
	}
	if !slices.Equal(names, t.google.Models) {
		t.Errorf("models %v", names)
	}
	page, err := client.Models.List(ctx, &genai.ListModelsConfig{PageSize: 3})
	if err != nil || len(page.Items) != 3 || page.NextPageToken == "" {
		t.Errorf("a page of 3 = %+v, %v", page, err)
	}

	_, err = client.Models.GenerateContent(ctx, "gemini-none", genai.Text("hi"), nil)
	var apiError genai.APIError
	if !errors.As(err, &apiError) || apiError.Code != 404 || apiError.Status != "NOT_FOUND" {
		t.Errorf("a missing model gives %v, want Google's 404", err)
	}
	for _, err := range client.Models.GenerateContentStream(ctx, "gemini-none", genai.Text("hi"), nil) {
		if !errors.As(err, &apiError) || apiError.Code != 404 {
			t.Errorf("a missing model gives %v to a stream, want Google's 404", err)
		}
	}
}

func (t *tour) allModels() {
	ctx, models := t.Context(), t.client.Models
	t.calls("Models.GenerateVideos", "Models.GenerateVideosFromSource", "Operations.GetVideosOperation")
	began := ok(models.GenerateVideosFromSource(ctx, "veo-3.1-generate-001", &genai.GenerateVideosSource{Prompt: "a river"}, &genai.GenerateVideosConfig{NumberOfVideos: 2}))
	ok(models.GenerateVideos(ctx, "veo-3.1-generate-001", "a river", nil, nil))
	done := ok(t.client.Operations.GetVideosOperation(ctx, began, nil))
	t.is(done.Done && len(done.Response.GeneratedVideos) == 2, "videos", done)

	t.calls("Models.Update", "Models.Delete")
	t.is(second(models.Update(ctx, flash, &genai.UpdateModelConfig{DisplayName: "mine"})) != nil, "a base model can be renamed", nil)
	t.is(second(models.Delete(ctx, flash, nil)) != nil, "a base model can be deleted", nil)

	if !t.vertex() {
		refuses(t, "Models.ComputeTokens", second(models.ComputeTokens(ctx, flash, genai.Text("hi"), nil)))
		refuses(t, "Models.GenerateImages", second(models.GenerateImages(ctx, "imagen-4.0-generate-001", "a dam", nil)))
		refuses(t, "Models.EditImage", second(models.EditImage(ctx, "imagen-3.0-capability-001", "a dam", nil, nil)))
		refuses(t, "Models.UpscaleImage", second(models.UpscaleImage(ctx, "imagen-4.0-upscale-preview", &genai.Image{}, "x2", nil)))
		refuses(t, "Models.RecontextImage", second(models.RecontextImage(ctx, "imagen-product-recontext-preview-06-30", &genai.RecontextImageSource{}, nil)))
		refuses(t, "Models.SegmentImage", second(models.SegmentImage(ctx, "image-segmentation-001", &genai.SegmentImageSource{}, nil)))
		return
	}
	t.calls("Models.ComputeTokens", "Models.GenerateImages", "Models.EditImage", "Models.UpscaleImage", "Models.RecontextImage", "Models.SegmentImage")
	tokens := ok(models.ComputeTokens(ctx, flash, genai.Text("12345678"), nil))
	t.is(len(tokens.TokensInfo) == 1 && len(tokens.TokensInfo[0].TokenIDs) == 2 && string(tokens.TokensInfo[0].Tokens[1]) == "5678", "tokens", tokens)
	made := ok(models.GenerateImages(ctx, "imagen-4.0-generate-001", "a dam", &genai.GenerateImagesConfig{NumberOfImages: 3}))
	t.is(len(made.GeneratedImages) == 3 && bytes.HasPrefix(made.GeneratedImages[0].Image.ImageBytes, []byte("\x89PNG")), "images", made)
	image := made.GeneratedImages[0].Image
	edited := ok(models.EditImage(ctx, "imagen-3.0-capability-001", "higher", []genai.ReferenceImage{genai.NewRawReferenceImage(image, 1)}, nil))
	t.is(len(edited.GeneratedImages) == 1, "edited", edited)
	larger := ok(models.UpscaleImage(ctx, "imagen-4.0-upscale-preview", image, "x2", nil))
	t.is(len(larger.GeneratedImages) == 1, "upscaled", larger)
	placed := ok(models.RecontextImage(ctx, "imagen-product-recontext-preview-06-30", &genai.RecontextImageSource{Prompt: "on a shelf", ProductImages: []*genai.ProductImage{{ProductImage: image}}}, nil))
	t.is(len(placed.GeneratedImages) == 1, "recontexted", placed)
	masks := ok(models.SegmentImage(ctx, "image-segmentation-001", &genai.SegmentImageSource{Image: image}, &genai.SegmentImageConfig{Mode: genai.SegmentModeForeground}))
	t.is(len(masks.GeneratedMasks) == 1 && len(masks.GeneratedMasks[0].Labels) == 1 && masks.GeneratedMasks[0].Labels[0].Score > 0, "masks", masks)
}
