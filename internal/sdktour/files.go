package sdktour

import (
	"bytes"
	"context"
	"reflect"
	"strings"

	"cloud.google.com/go/auth"
	"google.golang.org/genai"
)

func (t *tour) files() {
	ctx, files := t.Context(), t.client.Files
	t.calls("Files.Upload", "Files.UploadFromPath", "Files.Get", "Files.List", "Files.All", "Files.Delete", "Files.Download", "Files.RegisterFiles", "AuthTokens.Create")
	content := strings.Repeat("0123456789abcdef", 1<<20) // 16 MiB: two chunks and an empty one
	made := ok(files.Upload(ctx, strings.NewReader(content), &genai.UploadFileConfig{Name: "the-book", MIMEType: "text/plain", DisplayName: "The book"}))
	t.is(made.Name == "files/the-book" && made.State == genai.FileStateActive && *made.SizeBytes == 16<<20 && made.Source == genai.FileSourceUploaded, "file", made)
	got := ok(files.Get(ctx, made.Name, nil))
	t.is(reflect.DeepEqual(got, made), "got", got)
	small := ok(files.UploadFromPath(ctx, t.write("a.txt", "hello"), nil))
	t.is(*small.SizeBytes == 5 && strings.HasPrefix(small.MIMEType, "text/plain"), "small", small)
	t.is(len(ok(files.List(ctx, &genai.ListFilesConfig{PageSize: 1})).Items) == 1, "a page", nil)
	answer := ok(t.client.Models.GenerateContent(ctx, flash, []*genai.Content{{Role: "user", Parts: []*genai.Part{{FileData: &genai.FileData{FileURI: made.URI, MIMEType: made.MIMEType}}}}}, nil))
	t.is(answer.UsageMetadata.PromptTokenCount > 0, "a file in a prompt", answer)

	batch := ok(files.UploadFromPath(ctx, t.write("in.json", `{"key":"k","request":{"contents":[{"parts":[{"text":"hi"}]}]}}`+"\n"), nil))
	job := ok(t.client.Batches.Create(ctx, flash, &genai.BatchJobSource{FileName: batch.Name}, nil))
	job = ok(t.client.Batches.Get(ctx, job.Name, nil))
	out := ok(files.Get(ctx, job.Dest.FileName, nil))
	data := ok(files.Download(ctx, genai.NewDownloadURIFromFile(out), nil))
	t.is(bytes.Contains(data, []byte(`"key":"k"`)) && bytes.Contains(data, []byte(`"candidates"`)), "answers", string(data))

	op := ok(t.client.Models.GenerateVideosFromSource(ctx, "veo-3.1-generate-001", &genai.GenerateVideosSource{Prompt: "a river"}, nil))
	op = ok(t.client.Operations.GetVideosOperation(ctx, op, nil))
	t.is(len(ok(files.Download(ctx, genai.NewDownloadURIFromGeneratedVideo(op.Response.GeneratedVideos[0]), nil))) > 0, "a video", nil)

	registered := ok(files.RegisterFiles(ctx, []string{"gs://b/x.pdf"}, auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: fixedToken("of-a-bucket")}), nil))
	t.is(len(registered.Files) == 1 && registered.Files[0].URI == "gs://b/x.pdf", "registered", registered)
	for _, f := range all(files.All(ctx)) {
		ok(files.Delete(ctx, f.Name, nil))
	}
	t.is(len(all(files.All(ctx))) == 0, "files are left", nil)
	token := ok(t.client.AuthTokens.Create(ctx, &genai.CreateAuthTokenConfig{Uses: genai.Ptr[int32](2)}))
	t.is(strings.HasPrefix(token.Name, "auth_tokens/") && token.Uses == 2, "token", token)
}

// fixedToken is a token provider with one token.
type fixedToken string

func (f fixedToken) Token(context.Context) (*auth.Token, error) {
	return &auth.Token{Value: string(f)}, nil
}

func (t *tour) stores() {
	ctx, stores := t.Context(), t.client.FileSearchStores
	t.calls("FileSearchStores.Create", "FileSearchStores.Get", "FileSearchStores.List", "FileSearchStores.All", "FileSearchStores.Delete",
		"FileSearchStores.UploadToFileSearchStore", "FileSearchStores.UploadToFileSearchStoreFromPath", "FileSearchStores.ImportFile", "FileSearchStores.DownloadMedia",
		"FileSearchStores.Documents.Get", "FileSearchStores.Documents.List", "FileSearchStores.Documents.All", "FileSearchStores.Documents.Delete",
		"Operations.GetUploadToFileSearchStoreOperation", "Operations.GetImportFileOperation")
	store := ok(stores.Create(ctx, &genai.CreateFileSearchStoreConfig{DisplayName: "shelf"}))
	up := ok(stores.UploadToFileSearchStore(ctx, strings.NewReader("rivers"), store.Name, &genai.UploadToFileSearchStoreConfig{MIMEType: "text/plain", DisplayName: "r"}))
	ok(stores.UploadToFileSearchStoreFromPath(ctx, t.write("b.txt", "dams"), store.Name, nil))
	up = ok(t.client.Operations.GetUploadToFileSearchStoreOperation(ctx, up, nil))
	t.is(up.Done && strings.HasPrefix(up.Response.DocumentName, store.Name+"/documents/"), "upload", up)
	file := ok(t.client.Files.Upload(ctx, strings.NewReader("weirs"), &genai.UploadFileConfig{MIMEType: "text/plain"}))
	in := ok(stores.ImportFile(ctx, store.Name, file.Name, nil))
	in = ok(t.client.Operations.GetImportFileOperation(ctx, in, nil))
	t.is(in.Done && in.Response.Parent == store.Name, "import", in)
	store = ok(stores.Get(ctx, store.Name, nil))
	t.is(store.ActiveDocumentsCount == 3 && store.SizeBytes == 15, "store", store)
	t.is(len(all(stores.All(ctx))) == 1 && len(ok(stores.List(ctx, nil)).Items) == 1, "stores", nil)

	documents := stores.Documents
	list := all(documents.All(ctx, store.Name))
	t.is(len(list) == 3 && len(ok(documents.List(ctx, store.Name, &genai.ListDocumentsConfig{PageSize: 2})).Items) == 2, "documents", list)
	got := ok(documents.Get(ctx, up.Response.DocumentName, nil))
	t.is(got.State == genai.DocumentStateActive && got.DisplayName == "r" && got.SizeBytes == 6, "document", got)
	media := ok(stores.DownloadMedia(ctx, strings.Replace(got.Name, "/documents/", "/media/", 1), nil))
	t.is(string(media) == "rivers", "media", string(media))
	answer := ok(t.client.Models.GenerateContent(ctx, flash, genai.Text("hi"), &genai.GenerateContentConfig{
		Tools: []*genai.Tool{{FileSearch: &genai.FileSearch{FileSearchStoreNames: []string{store.Name}}}},
	}))
	t.is(answer.Text() != "", "an answer from a store", answer)
	t.is(documents.Delete(ctx, got.Name, nil) != nil, "a document goes without force", nil)
	t.is(documents.Delete(ctx, got.Name, &genai.DeleteDocumentConfig{Force: new(true)}) == nil, "delete", nil)
	t.is(stores.Delete(ctx, store.Name, nil) != nil, "a store with documents goes without force", nil)
	t.is(stores.Delete(ctx, store.Name, &genai.DeleteFileSearchStoreConfig{Force: new(true)}) == nil, "delete", nil)
	t.is(second(documents.Get(ctx, list[0].Name, nil)) != nil, "a document outlives its store", nil)
}

// notOnVertex calls what the SDK refuses on Vertex AI.
func (t *tour) notOnVertex() {
	ctx, c := t.Context(), t.client
	t.calls("Files.Upload", "Files.UploadFromPath", "FileSearchStores.UploadToFileSearchStore", "FileSearchStores.UploadToFileSearchStoreFromPath", "AuthTokens.Create",
		"FileSearchStores.DownloadMedia")
	for name, err := range map[string]error{
		"upload":      second(c.Files.Upload(ctx, strings.NewReader(""), nil)),
		"upload path": second(c.Files.UploadFromPath(ctx, t.write("a.txt", ""), nil)),
		"store":       second(c.FileSearchStores.UploadToFileSearchStore(ctx, strings.NewReader(""), "x", &genai.UploadToFileSearchStoreConfig{MIMEType: "text/plain"})),
		"store path":  second(c.FileSearchStores.UploadToFileSearchStoreFromPath(ctx, t.write("a.txt", ""), "x", nil)),
		"media":       second(c.FileSearchStores.DownloadMedia(ctx, "x/media/y", nil)),
		"token":       second(c.AuthTokens.Create(ctx, nil)),
	} {
		if err == nil || !strings.Contains(err.Error(), "only supported in the Gemini Developer client") {
			t.Errorf("%s: %v, want the SDK's refusal", name, err)
		}
	}
	refuses(t, "Files.Get", second(c.Files.Get(ctx, "files/x", nil)))
	refuses(t, "Files.List", second(c.Files.List(ctx, nil)))
	refuses(t, "Files.All", first(c.Files.All(ctx)))
	refuses(t, "Files.Delete", second(c.Files.Delete(ctx, "files/x", nil)))
	refuses(t, "Files.Download", second(c.Files.Download(ctx, genai.NewDownloadURIFromVideo(&genai.Video{URI: "files/x"}), nil)))
	refuses(t, "Files.RegisterFiles", second(c.Files.RegisterFiles(ctx, nil, nil, nil)))
	refuses(t, "FileSearchStores.Create", second(c.FileSearchStores.Create(ctx, nil)))
	refuses(t, "FileSearchStores.Get", second(c.FileSearchStores.Get(ctx, "x", nil)))
	refuses(t, "FileSearchStores.List", second(c.FileSearchStores.List(ctx, nil)))
	refuses(t, "FileSearchStores.All", first(c.FileSearchStores.All(ctx)))
	refuses(t, "FileSearchStores.Delete", c.FileSearchStores.Delete(ctx, "x", nil))
	refuses(t, "FileSearchStores.ImportFile", second(c.FileSearchStores.ImportFile(ctx, "x", "y", nil)))
	refuses(t, "FileSearchStores.Documents.Get", second(c.FileSearchStores.Documents.Get(ctx, "x", nil)))
	refuses(t, "FileSearchStores.Documents.List", second(c.FileSearchStores.Documents.List(ctx, "x", nil)))
	refuses(t, "FileSearchStores.Documents.All", first(c.FileSearchStores.Documents.All(ctx, "x")))
	refuses(t, "FileSearchStores.Documents.Delete", c.FileSearchStores.Documents.Delete(ctx, "x", nil))
	refuses(t, "Operations.GetUploadToFileSearchStoreOperation", second(c.Operations.GetUploadToFileSearchStoreOperation(ctx, &genai.UploadToFileSearchStoreOperation{Name: "x"}, nil)))
	refuses(t, "Operations.GetImportFileOperation", second(c.Operations.GetImportFileOperation(ctx, &genai.ImportFileOperation{Name: "x"}, nil)))
}
