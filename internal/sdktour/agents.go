package sdktour

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"

	agentmodels "google.golang.org/genai/interactions/models/agents"
	credentialmodels "google.golang.org/genai/interactions/models/credentials"
	environmentmodels "google.golang.org/genai/interactions/models/environments"
	interactionmodels "google.golang.org/genai/interactions/models/interactions"
	"google.golang.org/genai/interactions/models/operations"
	voicemodels "google.golang.org/genai/interactions/models/voices"
	webhookmodels "google.golang.org/genai/interactions/models/webhooks"
)

// Interaction is a request of the Interactions API.
func Interaction(text string, change func(*interactionmodels.CreateModelInteraction)) operations.CreateInteractionRequest {
	m := interactionmodels.CreateModelInteraction{Model: flash, Input: &interactionmodels.InteractionsInput{Str: &text, Type: interactionmodels.InteractionsInputTypeStr}}
	if change != nil {
		change(&m)
	}
	return operations.CreateInteractionRequest{Body: operations.NewCreateInteractionRequestBody(m)}
}

func (t *tour) interactions() {
	ctx, interactions := t.Context(), t.client.Interactions
	t.calls("Interactions.Create", "Interactions.Get", "Interactions.Delete", "Interactions.Cancel")
	made := ok(interactions.Create(ctx, Interaction("12345678", nil))).Interaction
	t.is(made.Status == interactionmodels.InteractionStatusCompleted && made.OutputText != nil && len(*made.OutputText) == 79 && *made.Usage.TotalInputTokens == 2, "interaction", made)
	next := ok(interactions.Create(ctx, Interaction("1234", func(m *interactionmodels.CreateModelInteraction) { m.PreviousInteractionID = made.ID }))).Interaction
	t.is(*next.Usage.TotalInputTokens == 23 && *next.PreviousInteractionID == *made.ID, "the next", next)
	got := ok(interactions.Get(ctx, operations.GetInteractionByIDRequest{ID: *made.ID})).Interaction
	t.is(got.Status == made.Status && *got.Usage.TotalTokens == 22, "got", got)

	stream := ok(interactions.Create(ctx, Interaction("12345678", func(m *interactionmodels.CreateModelInteraction) { m.Stream = new(true) }))).InteractionSSEStreamEvent
	var said, sorts strings.Builder
	for stream.Next() {
		data := stream.Value().Data
		sorts.WriteString(string(data.Type) + " ")
		if data.StepDelta != nil && data.StepDelta.Delta.TextDelta != nil {
			said.WriteString(data.StepDelta.Delta.TextDelta.Text)
		}
	}
	text, types := said.String(), sorts.String()
	t.is(stream.Err() == nil && text == *made.OutputText, "streamed", text)
	t.is(strings.HasPrefix(types, "interaction.created step.start step.delta ") && strings.HasSuffix(types, " step.stop interaction.completed "), "events", types)
	ok(interactions.Delete(ctx, operations.DeleteInteractionRequest{ID: *made.ID}))
	t.is(second(interactions.Get(ctx, operations.GetInteractionByIDRequest{ID: *made.ID})) != nil, "a deleted interaction is found", nil)
	cancelled := ok(interactions.Cancel(ctx, operations.CancelInteractionByIDRequest{ID: *next.ID})).Interaction
	t.is(cancelled.Status == interactionmodels.InteractionStatusCompleted, "cancelled too late", cancelled)
}

func (t *tour) agents() {
	ctx, c := t.Context(), t.client
	t.calls("Agents.Create", "Agents.Get", "Agents.List", "Agents.Delete", "Voices.Create", "Voices.Get", "Voices.List", "Voices.Delete",
		"Credentials.Create", "Credentials.Get", "Credentials.List", "Credentials.Update", "Credentials.Delete",
		"Webhooks.Create", "Webhooks.Get", "Webhooks.List", "Webhooks.Update", "Webhooks.Ping", "Webhooks.RotateSigningSecret", "Webhooks.Delete")
	name := "the-surveyor-of-the-dam"
	agent := ok(c.Agents.Create(ctx, operations.CreateAgentRequest{Body: agentmodels.Agent{ID: &name, Description: new("measures")}})).Agent
	t.is(*agent.ID == name && *ok(c.Agents.Get(ctx, operations.GetAgentRequest{ID: name})).Agent.Description == "measures", "agent", agent)
	t.is(len(ok(c.Agents.List(ctx, operations.ListAgentsRequest{})).AgentListResponse.Agents) == 1, "agents", nil)
	run := operations.CreateInteractionRequest{Body: operations.NewCreateInteractionRequestBody(interactionmodels.CreateAgentInteraction{
		Agent: interactionmodels.AgentOption(name), Input: &interactionmodels.InteractionsInput{Str: new("hi"), Type: interactionmodels.InteractionsInputTypeStr},
	})}
	t.is(ok(c.Interactions.Create(ctx, run)).Interaction.OutputText != nil, "the agent is silent", nil)
	ok(c.Agents.Delete(ctx, operations.DeleteAgentRequest{ID: name}))

	voice := ok(c.Voices.Create(ctx, operations.CreateVoiceRequest{Body: voicemodels.CreateVoiceRequest{
		Store: new(true), Voice: voicemodels.VoiceInput{Type: voicemodels.VoiceTypePrompted},
	}})).Voice
	t.is(voice.ID != nil && ok(c.Voices.Get(ctx, operations.GetVoiceRequest{ID: *voice.ID})).Voice.Type == voicemodels.VoiceTypePrompted, "voice", voice)
	t.is(len(ok(c.Voices.List(ctx, operations.ListVoicesRequest{})).ListVoicesResponse.Voices) == 1, "voices", nil)
	ok(c.Voices.Delete(ctx, operations.DeleteVoiceRequest{ID: *voice.ID}))

	credential := ok(c.Credentials.Create(ctx, operations.CreateCredentialRequest{Body: credentialmodels.CredentialCreateParams{
		HTTPBearerConfig: &credentialmodels.HTTPBearerConfig{}, Type: credentialmodels.CredentialCreateParamsTypeBearerToken,
	}})).Credential
	t.is(*ok(c.Credentials.Get(ctx, operations.GetCredentialRequest{ID: credential.ID})).Credential.Status == credentialmodels.StatusActive, "credential", credential)
	t.is(len(ok(c.Credentials.List(ctx, operations.ListCredentialsRequest{})).CredentialListResponse.Credentials) == 1, "credentials", nil)
	ok(c.Credentials.Update(ctx, operations.UpdateCredentialRequest{ID: credential.ID, Body: credentialmodels.CredentialUpdate{
		HTTPBearerUpdateConfig: &credentialmodels.HTTPBearerUpdateConfig{}, Type: credentialmodels.CredentialUpdateTypeBearerToken,
	}}))
	ok(c.Credentials.Delete(ctx, operations.DeleteCredentialRequest{ID: credential.ID}))

	hook := ok(c.Webhooks.Create(ctx, operations.CreateWebhookRequest{Body: webhookmodels.WebhookInput{
		URI: "https://example.com/hook", SubscribedEvents: []webhookmodels.WebhookSubscribedEvent{webhookmodels.WebhookSubscribedEventBatchSucceeded},
	}})).Webhook
	t.is(hook.NewSigningSecret != nil, "webhook", hook)
	changed := ok(c.Webhooks.Update(ctx, operations.UpdateWebhookRequest{ID: *hook.ID, Body: webhookmodels.WebhookUpdate{URI: new("https://example.com/2")}})).Webhook
	got := ok(c.Webhooks.Get(ctx, operations.GetWebhookRequest{ID: *hook.ID})).Webhook
	t.is(changed.URI == "https://example.com/2" && got.URI == changed.URI && got.NewSigningSecret == nil, "changed", got)
	t.is(len(ok(c.Webhooks.List(ctx, operations.ListWebhooksRequest{})).WebhookListResponse.Webhooks) == 1, "webhooks", nil)
	ok(c.Webhooks.Ping(ctx, operations.PingWebhookRequest{ID: *hook.ID}))
	t.is(ok(c.Webhooks.RotateSigningSecret(ctx, operations.RotateSigningSecretRequest{ID: *hook.ID})).WebhookRotateSigningSecretResponse.Secret != nil, "secret", nil)
	ok(c.Webhooks.Delete(ctx, operations.DeleteWebhookRequest{ID: *hook.ID}))
}

func (t *tour) environments() {
	ctx, environments := t.Context(), t.client.Environments
	t.calls("Environments.CreateEnvironment", "Environments.GetEnvironment", "Environments.ListEnvironments", "Environments.DeleteEnvironment",
		"Environments.Internal.StartUpload", "Environments.Files.Upload", "Environments.Files.UploadBytes", "Environments.Files.UploadFile", "Environments.Files.UploadStream",
		"Environments.Files.Download", "Environments.Files.DownloadStream", "Environments.Files.DownloadToFile", "Environments.Files.List")
	made := ok(environments.CreateEnvironment(ctx, operations.CreateEnvironmentRequest{Body: environmentmodels.CreateEnvironmentRequest{}})).Environment
	files := environments.Files
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<19+1) // 8 MiB and a bit
	up := ok(files.Upload(ctx, operations.UploadEnvironmentFileRequest{Environment: made.ID, Path: "src/big.txt", Content: big}))
	t.is(up.Files != nil && len(up.Files.Files) == 1 && *up.Files.Files[0].SizeBytes == int64(len(big)), "upload", up)
	ok(files.UploadBytes(ctx, made.ID, "a.txt", []byte("a")))
	ok(files.UploadFile(ctx, made.ID, "b.txt", t.write("b.txt", "bb")))
	ok(files.UploadStream(ctx, made.ID, "empty.txt", strings.NewReader(""), 0))
	t.is(ok(environments.Internal.StartUpload(ctx, operations.StartEnvironmentFileUploadRequest{
		Environment: made.ID, Path: "c.txt", XGoogUploadHeaderContentLength: 1, XGoogUploadHeaderContentType: "text/plain",
	})).Headers["X-Goog-Upload-Url"] != nil, "an upload has no URL", nil)
	list := ok(files.List(ctx, operations.GetEnvironmentFilesRequest{Environment: made.ID, Path: "src"})).GetEnvironmentFilesResponse.Files
	t.is(len(list) == 1 && *list[0].Path == "src/big.txt" && *list[0].Name == "big.txt", "files", list)
	t.is(bytes.Equal(ok(files.Download(ctx, made.ID, "src/big.txt")), big), "download", nil)
	r := ok(files.DownloadStream(ctx, made.ID, "a.txt"))
	t.is(string(ok(io.ReadAll(r))) == "a" && r.Close() == nil, "stream", nil)
	local := filepath.Join(t.TempDir(), "b.txt")
	t.is(files.DownloadToFile(ctx, made.ID, "b.txt", local) == nil, "to a file", nil)
	t.is(string(ok(os.ReadFile(local))) == "bb", "a file", nil)
	got := ok(environments.GetEnvironment(ctx, operations.GetEnvironmentRequest{ID: made.ID})).Environment
	t.is(*got.FileCount == 4 && *got.SizeBytes == int64(len(big))+3, "environment", got)
	t.is(len(ok(environments.ListEnvironments(ctx, operations.ListEnvironmentsRequest{})).ListEnvironmentsResponse.Environments) == 1, "environments", nil)
	ok(environments.DeleteEnvironment(ctx, operations.DeleteEnvironmentRequest{ID: made.ID}))
}
