package sdktour

import (
	"path"
	"reflect"
	"strings"

	"google.golang.org/genai"
)

func (t *tour) caches() {
	ctx, caches := t.Context(), t.client.Caches
	t.calls("Caches.Create", "Caches.Get", "Caches.Update", "Caches.List", "Caches.All", "Caches.Delete")
	made := ok(caches.Create(ctx, flash, &genai.CreateCachedContentConfig{
		DisplayName: "book", Contents: genai.Text(strings.Repeat("word", 2000)), SystemInstruction: genai.NewContentFromText("Be brief.", "user"),
	}))
	pattern := "cachedContents/*"
	if t.vertex() {
		pattern = "projects/*/locations/*/cachedContents/*"
	}
	named, _ := path.Match(pattern, made.Name)
	t.is(named && made.UsageMetadata.TotalTokenCount == 2003 && made.DisplayName == "book", "cache", made)
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

func (t *tour) jobs() {
	ctx, batches, tunings := t.Context(), t.client.Batches, t.client.Tunings
	t.calls("Batches.Create", "Batches.CreateEmbeddings", "Batches.Get", "Batches.List", "Batches.All", "Batches.Cancel", "Batches.Delete")
	t.calls("Tunings.Tune", "Tunings.Get", "Tunings.List", "Tunings.All", "Tunings.Cancel", "Tunings.ValidateReward")
	src := &genai.BatchJobSource{InlinedRequests: []*genai.InlinedRequest{
		{Contents: genai.Text("How high is the dam?"), Metadata: map[string]string{"n": "1"}}, {Contents: genai.Text("And the river?"), Config: &genai.GenerateContentConfig{MaxOutputTokens: 3}},
	}}
	tuning := &genai.TuningDataset{Examples: []*genai.TuningExample{{TextInput: "a", Output: "b"}}}
	if t.vertex() {
		src = &genai.BatchJobSource{Format: "jsonl", GCSURI: []string{"gs://b/in.jsonl"}}
		tuning = &genai.TuningDataset{GCSURI: "gs://b/train.jsonl"}
	}
	job := ok(batches.Create(ctx, flash, src, &genai.CreateBatchJobConfig{DisplayName: "night"}))
	got := ok(batches.Get(ctx, job.Name, nil))
	t.is(got.State == genai.JobStateSucceeded && got.DisplayName == "night" && strings.HasSuffix(got.Model, flash) && !got.EndTime.IsZero(), "batch", got)
	if !t.vertex() {
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
	if here := t.client.ClientConfig(); t.vertex() {
		t.is(len(all(tunings.All(ctx))) == 1 && len(ok(tunings.List(ctx, nil)).Items) == 1, "jobs", nil)
		ok(tunings.ValidateReward(ctx, "projects/"+here.Project+"/locations/"+here.Location, genai.NewContentFromText("x", "model"), &genai.ReinforcementTuningExample{}, &genai.SingleReinforcementTuningRewardConfig{}, nil, nil))
	} else {
		refuses(t, "Tunings.List", second(tunings.List(ctx, nil)))
		refuses(t, "Tunings.All", first(tunings.All(ctx)))
		refuses(t, "Tunings.ValidateReward", second(tunings.ValidateReward(ctx, "x", nil, nil, nil, nil, nil)))
	}
	ok(tunings.Cancel(ctx, tuned.Name, nil))
	models, name := t.client.Models, strings.TrimSuffix(tuned.TunedModel.Model, "@1")
	list := ok(models.List(ctx, &genai.ListModelsConfig{QueryBase: new(false)}))
	t.is(len(list.Items) == 1 && list.Items[0].Name == name && list.Items[0].TunedModelInfo != nil, "tuned models", list.Items)
	changed := ok(models.Update(ctx, name, &genai.UpdateModelConfig{DisplayName: "ours"}))
	t.is(changed.DisplayName == "ours", "updated", changed)
	t.is(ok(models.Get(ctx, name, nil)).DisplayName == "ours", "got", nil)
	ok(models.Delete(ctx, name, nil))
	t.is(second(models.Get(ctx, name, nil)) != nil, "a deleted model is found", nil)
}
