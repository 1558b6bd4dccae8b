package geminitest_test

import (
	"bytes"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/genai"

	"github.com/spillway-go/spillway/geminitest"
)

// tour calls the SDK and keeps a list of what it has called.
type tour struct {
	*testing.T
	client *genai.Client
	called map[string]bool
}

// calls notes which method comes next.
func (t *tour) calls(methods ...string) {
	for _, m := range methods {
		t.called[m] = true
	}
}

// ok passes a value on, and panics with an error: calls of several results cannot take a test, too.
func ok[T any](value T, err error) T {
	if err != nil {
		_, file, line, _ := runtime.Caller(1)
		panic(unexpected{fmt.Errorf("%s:%d: %w", filepath.Base(file), line, err)})
	}
	return value
}

// unexpected is what ok panics with; fails turns it into the end of a test.
type unexpected struct{ error }

func fails(t *testing.T) {
	if v := recover(); v != nil {
		e, expected := v.(unexpected)
		if !expected {
			panic(v)
		}
		t.Fatal(e)
	}
}

// all collects a sequence.
func all[T any](list iter.Seq2[T, error]) []T {
	var items []T
	for item, err := range list {
		items = append(items, ok(item, err))
	}
	return items
}

// is fails the test if something is not as it should be.
func (t *tour) is(good bool, what string, got any) {
	t.Helper()
	if !good {
		t.Errorf("%s: %+v", what, got)
	}
}

// refuses checks that the SDK itself refuses a call that the back end does not have.
func refuses(t *tour, method string, err error) {
	t.Helper()
	t.calls(method)
	if err == nil || !strings.Contains(err.Error(), "only supported in") {
		t.Errorf("%s: %v, want the SDK's refusal", method, err)
	}
}

// second drops a value.
func second[T any](_ T, err error) error { return err }

// first returns the first error of a sequence.
func first[T any](list iter.Seq2[T, error]) error {
	for _, err := range list {
		return err
	}
	return nil
}

// path writes a file and returns its path.
func (t *tour) path(name, content string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// exportedMethods are the methods of all services of a client, as "Files.Upload".
func exportedMethods(client *genai.Client) []string {
	var names []string
	var walk func(prefix string, v reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		for i := range v.Type().NumMethod() {
			names = append(names, prefix+v.Type().Method(i).Name)
		}
		for i := range v.Elem().NumField() {
			if f := v.Elem().Type().Field(i); f.IsExported() && f.Type.Kind() == reflect.Pointer {
				walk(prefix+f.Name+".", v.Elem().Field(i))
			}
		}
	}
	walk("", reflect.ValueOf(client))
	return names
}

func TestEveryMethodOfTheSDKIsAnsweredOnBothBackEnds(t *testing.T) {
	google := geminitest.New(twoBackends())
	for name, client := range sdkClients(t, google, "") {
		t.Run(name, func(t *testing.T) {
			defer fails(t)
			tour := &tour{T: t, client: client, called: map[string]bool{"ClientConfig": true, "Live.Connect": true}} // not HTTP
			tour.models(name)
			tour.caches(name)
			tour.chats()
			tour.jobs(name)
			if name == "gemini" {
				tour.files()
				tour.stores()
			} else {
				tour.notOnVertex()
			}
			tour.interactions(name)
			tour.agents()
			tour.environments()
			for _, method := range exportedMethods(client) {
				if !tour.called[method] {
					t.Errorf("%s is not called", method)
				}
			}
		})
	}
	if google.KeysInURL() != 0 || google.CountWrongOwner(geminitest.Match{}) != 0 {
		t.Errorf("keys in URLs %d, calls to a wrong owner %d; want none", google.KeysInURL(), google.CountWrongOwner(geminitest.Match{}))
	}
}

func TestEveryMethodOfTheSDKIsAnsweredOverLoopback(t *testing.T) {
	google := geminitest.NewServer(t, twoBackends())
	for name, client := range sdkClients(t, google, google.URL) {
		t.Run(name, func(t *testing.T) {
			defer fails(t)
			tour := &tour{T: t, client: client, called: map[string]bool{}}
			tour.caches(name)
			tour.jobs(name)
			if name == "gemini" {
				tour.files()
				tour.stores()
			}
			tour.interactions(name)
			tour.agents()
			tour.environments()
		})
	}
}

func (t *tour) models(backend string) {
	ctx, models := t.Context(), t.client.Models
	t.calls("Models.GenerateContent", "Models.GenerateContentStream", "Models.CountTokens", "Models.EmbedContent", "Models.Get", "Models.All", "Models.List")
	exercise(t.T, backend, t.client)

	t.calls("Models.GenerateVideos", "Models.GenerateVideosFromSource", "Operations.GetVideosOperation")
	began := ok(models.GenerateVideosFromSource(ctx, "veo-3.1-generate-001", &genai.GenerateVideosSource{Prompt: "a river"}, &genai.GenerateVideosConfig{NumberOfVideos: 2}))
	ok(models.GenerateVideos(ctx, "veo-3.1-generate-001", "a river", nil, nil))
	done := ok(t.client.Operations.GetVideosOperation(ctx, began, nil))
	t.is(done.Done && len(done.Response.GeneratedVideos) == 2, "videos", done)

	t.calls("Models.Update", "Models.Delete")
	t.is(second(models.Update(ctx, flash, &genai.UpdateModelConfig{DisplayName: "mine"})) != nil, "a base model can be renamed", nil)
	t.is(second(models.Delete(ctx, flash, nil)) != nil, "a base model can be deleted", nil)

	if backend == "gemini" {
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

func (t *tour) caches(backend string) {
	ctx, caches := t.Context(), t.client.Caches
	t.calls("Caches.Create", "Caches.Get", "Caches.Update", "Caches.List", "Caches.All", "Caches.Delete")
	made := ok(caches.Create(ctx, flash, &genai.CreateCachedContentConfig{
		DisplayName: "book", Contents: genai.Text(strings.Repeat("word", 2000)), SystemInstruction: genai.NewContentFromText("Be brief.", "user"),
	}))
	prefix := map[string]string{"gemini": "cachedContents/", "vertex": "projects/acme/locations/europe-west4/cachedContents/"}[backend]
	t.is(strings.HasPrefix(made.Name, prefix) && made.UsageMetadata.TotalTokenCount == 2003 && made.DisplayName == "book", "cache", made)
	got := ok(caches.Get(ctx, made.Name, nil))
	t.is(reflect.DeepEqual(got, made), "got", got)
	longer := ok(caches.Update(ctx, made.Name, &genai.UpdateCachedContentConfig{ExpireTime: made.ExpireTime.Add(1e12)}))
	t.is(longer.ExpireTime.Equal(made.ExpireTime.Add(1e12)), "updated", longer)
	t.is(len(all(caches.All(ctx))) == 1 && len(ok(caches.List(ctx, nil)).Items) == 1, "list", nil)
	answer := ok(t.client.Models.GenerateContent(ctx, flash, genai.Text("12345678"), &genai.GenerateContentConfig{CachedContent: made.Name}))
	u := answer.UsageMetadata
	t.is(u.CachedContentTokenCount == 2003 && u.PromptTokenCount == 2005 && len(u.CacheTokensDetails) == 1 && u.CacheTokensDetails[0].TokenCount == 2003, "usage", u)
	ok(caches.Delete(ctx, made.Name, nil))
	t.is(second(caches.Get(ctx, made.Name, nil)) != nil, "a deleted cache is found", nil)
}

func (t *tour) chats() {
	t.calls("Chats.Create")
	chat := ok(t.client.Chats.Create(t.Context(), flash, nil, nil))
	ok(chat.SendMessage(t.Context(), genai.Part{Text: "hi"}))
	t.is(len(chat.History(true)) == 2, "history", chat.History(true))
}

func (t *tour) jobs(backend string) {
	ctx, batches, tunings := t.Context(), t.client.Batches, t.client.Tunings
	t.calls("Batches.Create", "Batches.CreateEmbeddings", "Batches.Get", "Batches.List", "Batches.All", "Batches.Cancel", "Batches.Delete")
	t.calls("Tunings.Tune", "Tunings.Get", "Tunings.List", "Tunings.All", "Tunings.Cancel", "Tunings.ValidateReward")
	src := &genai.BatchJobSource{InlinedRequests: []*genai.InlinedRequest{
		{Contents: genai.Text("How high is the dam?"), Metadata: map[string]string{"n": "1"}}, {Contents: genai.Text("And the river?"), Config: &genai.GenerateContentConfig{MaxOutputTokens: 3}},
	}}
	tuning := &genai.TuningDataset{Examples: []*genai.TuningExample{{TextInput: "a", Output: "b"}}}
	if backend == "vertex" {
		src = &genai.BatchJobSource{Format: "jsonl", GCSURI: []string{"gs://b/in.jsonl"}}
		tuning = &genai.TuningDataset{GCSURI: "gs://b/train.jsonl"}
	}
	job := ok(batches.Create(ctx, flash, src, &genai.CreateBatchJobConfig{DisplayName: "night"}))
	got := ok(batches.Get(ctx, job.Name, nil))
	t.is(got.State == genai.JobStateSucceeded && got.DisplayName == "night" && strings.HasSuffix(got.Model, flash) && !got.EndTime.IsZero(), "batch", got)
	if backend == "gemini" {
		t.is(len(got.Dest.InlinedResponses) == 2 && got.Dest.InlinedResponses[0].Metadata["n"] == "1" &&
			got.Dest.InlinedResponses[1].Response.Candidates[0].FinishReason == genai.FinishReasonMaxTokens, "answers", got.Dest)
		model := "gemini-embedding-001"
		embed := ok(batches.CreateEmbeddings(ctx, &model, &genai.EmbeddingsBatchJobSource{InlinedRequests: &genai.EmbedContentBatch{
			Contents: genai.Text("water"), Config: &genai.EmbedContentConfig{OutputDimensionality: genai.Ptr[int32](8)},
		}}, nil))
		embed = ok(batches.Get(ctx, embed.Name, nil))
		t.is(embed.Dest != nil && len(embed.Dest.InlinedEmbedContentResponses) == 1 && len(embed.Dest.InlinedEmbedContentResponses[0].Response.Embedding.Values) == 8, "vectors", embed.Dest)
		ok(batches.Delete(ctx, embed.Name, nil))
	} else {
		t.is(second(batches.CreateEmbeddings(ctx, nil, &genai.EmbeddingsBatchJobSource{}, nil)) != nil, "Vertex AI has no batches of embeddings", nil)
		t.is(got.CompletionStats.SuccessfulCount == 1 && got.Src.GCSURI[0] == "gs://b/in.jsonl", "job", got)
	}
	t.is(len(all(batches.All(ctx))) == 1 && len(ok(batches.List(ctx, nil)).Items) == 1, "batches", nil)
	if err := batches.Cancel(ctx, job.Name, nil); err != nil {
		t.Error(err)
	}
	ok(batches.Delete(ctx, job.Name, nil))
	t.is(second(batches.Get(ctx, job.Name, nil)) != nil, "a deleted batch is found", nil)

	tuned := ok(tunings.Tune(ctx, flash, tuning, &genai.CreateTuningJobConfig{TunedModelDisplayName: "mine"}))
	tuned = ok(tunings.Get(ctx, tuned.Name, nil))
	t.is(tuned.State == genai.JobStateSucceeded && tuned.TunedModel != nil && strings.HasSuffix(tuned.BaseModel, flash), "tuning", tuned)
	answer := ok(t.client.Models.GenerateContent(ctx, tuned.TunedModel.Endpoint, genai.Text("hi"), nil))
	t.is(len(answer.Text()) > 0, "a tuned model answers", answer)
	if backend == "vertex" {
		t.is(len(all(tunings.All(ctx))) == 1 && len(ok(tunings.List(ctx, nil)).Items) == 1, "jobs", nil)
		ok(tunings.ValidateReward(ctx, "projects/acme/locations/europe-west4", genai.NewContentFromText("x", "model"), &genai.ReinforcementTuningExample{}, &genai.SingleReinforcementTuningRewardConfig{}, nil, nil))
	} else {
		refuses(t, "Tunings.List", second(tunings.List(ctx, nil)))
		refuses(t, "Tunings.All", first(tunings.All(ctx)))
		refuses(t, "Tunings.ValidateReward", second(tunings.ValidateReward(ctx, "x", nil, nil, nil, nil, nil)))
	}
	ok(tunings.Cancel(ctx, tuned.Name, nil))
	models, name := t.client.Models, strings.TrimSuffix(tuned.TunedModel.Model, "@1")
	list := ok(models.List(ctx, &genai.ListModelsConfig{QueryBase: genai.Ptr(false)}))
	t.is(len(list.Items) == 1 && list.Items[0].Name == name && list.Items[0].TunedModelInfo != nil, "tuned models", list.Items)
	changed := ok(models.Update(ctx, name, &genai.UpdateModelConfig{DisplayName: "ours"}))
	t.is(changed.DisplayName == "ours", "updated", changed)
	t.is(ok(models.Get(ctx, name, nil)).DisplayName == "ours", "got", nil)
	ok(models.Delete(ctx, name, nil))
	t.is(second(models.Get(ctx, name, nil)) != nil, "a deleted model is found", nil)
}
