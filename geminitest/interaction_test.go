package geminitest_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genai/interactions/models/apierrors"
	interactionmodels "google.golang.org/genai/interactions/models/interactions"
	"google.golang.org/genai/interactions/models/operations"

	"github.com/spillway-go/spillway/geminitest"
	"github.com/spillway-go/spillway/internal/sdktour"
)

// say is an interaction made by hand.
func say(body string) ask { return ask{key: "key-1", url: studio + "/v1beta/interactions", body: body} }

func TestInteractionsAreRefusedInTheirOwnWords(t *testing.T) {
	cfg := twoProjects()
	cfg.Projects[0].Limits = []geminitest.Limit{{Model: "gemini-3.1-pro-preview", RPM: 1}, {Model: "gemini-3.5-flash", RPD: 1, Paid: true}}
	google := geminitest.New(cfg)
	for _, model := range []string{"gemini-3.1-pro-preview", "gemini-3.5-flash"} {
		if r := say(`{"model":"`+model+`","input":"hi"}`).do(t.Context(), google); r.status != 200 {
			t.Fatal(r.body)
		}
	}
	google.Keep(geminitest.Match{Model: "gemini-3.7-flash"}, geminitest.Overloaded().Coded())
	google.Keep(geminitest.Match{Model: "gemini-3.6-flash"}, geminitest.PrepayDepleted(402).Coded())
	for name, c := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"no model":              {`{"input":"hi"}`, 404, `"code": "model_not_found"`},
		"an unknown model":      {`{"model":"gemini-none","input":"hi"}`, 404, `"code": "model_not_found"`},
		"model and agent":       {`{"model":"gemini-2.5-flash","agent":"x","input":"hi"}`, 400, `"code": "invalid_request"`},
		"an unknown agent":      {`{"agent":"x","input":"hi"}`, 404, `"code": "not_found"`},
		"an agent of Google's":  {`{"agent":"deep-research-pro-preview-12-2025","input":"hi"}`, 200, `"status": "completed"`},
		"no input":              {`{"model":"gemini-2.5-flash"}`, 400, "input is required"},
		"broken":                {`{`, 400, `"code": "invalid_request"`},
		"a missing cache":       {`{"model":"gemini-2.5-flash","input":"hi","cached_content":"cachedContents/x"}`, 403, `"code": "permission_denied"`},
		"a missing file":        {`{"model":"gemini-2.5-flash","input":[{"type":"user_input","content":[{"type":"image","uri":"` + studio + `/v1beta/files/x"}]}]}`, 403, `"code": "permission_denied"`},
		"a missing store":       {`{"model":"gemini-2.5-flash","input":"hi","tools":[{"type":"file_search","file_search_store_names":["fileSearchStores/x"]}]}`, 403, `"code": "permission_denied"`},
		"a missing environment": {`{"model":"gemini-2.5-flash","input":"hi","environment":"x"}`, 404, `"code": "not_found"`},
		"the minute is over":    {`{"model":"gemini-3.1-pro-preview","input":"hi"}`, 429, `"code": "rate_limit_exceeded"`},
		"the day is over":       {`{"model":"gemini-3.5-flash","input":"hi"}`, 429, `"code": "quota_exceeded"`},
		"high demand":           {`{"model":"gemini-3.7-flash","input":"hi"}`, 503, `"code": "service_unavailable"`},
		"no money":              {`{"model":"gemini-3.6-flash","input":"hi"}`, 402, `"code": "payment_required"`},
		"cut short":             {`{"model":"gemini-2.5-flash","input":"hi","generation_config":{"max_output_tokens":3}}`, 200, `"status": "incomplete"`},
	} {
		if r := say(c.body).do(t.Context(), google); r.status != c.status || !strings.Contains(r.body, c.says) {
			t.Errorf("%s: got %d %s; want %d with %q", name, r.status, r.body, c.status, c.says)
		}
	}
	client := sdkClients(t, google, "")["gemini"]
	_, err := client.Interactions.Create(t.Context(), sdktour.Interaction("", func(m *interactionmodels.CreateModelInteraction) { m.Model = "gemini-none" }))
	var refused *apierrors.CreateInteractionClientError
	if !errors.As(err, &refused) || *refused.Error_.Code != "model_not_found" {
		t.Errorf("the SDK reads %v", err)
	}
	if page := (geminitest.Answer{Status: 502, Body: []byte("<html>")}); string(page.Coded().Body) != "<html>" {
		t.Error("a page is coded")
	}
}

func TestInteractionsInTheBackgroundTakeTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := twoBackends()
		cfg.Processing = time.Minute
		google := geminitest.New(cfg)
		for name, client := range sdkClients(t, google, "") {
			create := func() *interactionmodels.Interaction {
				r, err := client.Interactions.Create(t.Context(), sdktour.Interaction("hi", func(m *interactionmodels.CreateModelInteraction) { m.Background = new(true) }))
				if err != nil {
					t.Fatal(name, err)
				}
				return r.Interaction
			}
			get := func(id string) interactionmodels.InteractionStatus {
				r, err := client.Interactions.Get(t.Context(), operations.GetInteractionByIDRequest{ID: id})
				if err != nil {
					t.Fatal(name, err)
				}
				if (r.Interaction.OutputText == nil) == (r.Interaction.Status == interactionmodels.InteractionStatusCompleted) {
					t.Errorf("%s: %s says %v", name, r.Interaction.Status, r.Interaction.OutputText)
				}
				return r.Interaction.Status
			}
			done, cancelled := create(), create()
			time.Sleep(59 * time.Second)
			r, err := client.Interactions.Cancel(t.Context(), operations.CancelInteractionByIDRequest{ID: *cancelled.ID})
			if err != nil || r.Interaction.Status != interactionmodels.InteractionStatusCancelled || get(*done.ID) != interactionmodels.InteractionStatusInProgress {
				t.Errorf("%s: %v %+v, %v", name, err, r, get(*done.ID))
			}
			time.Sleep(time.Second)
			if get(*done.ID) != interactionmodels.InteractionStatusCompleted || get(*cancelled.ID) != interactionmodels.InteractionStatusCancelled {
				t.Errorf("%s: %v %v", name, get(*done.ID), get(*cancelled.ID))
			}
		}
	})
}

func TestInteractionsAreNotKeptUnlessTheyAreStored(t *testing.T) {
	google := geminitest.New(twoProjects())
	id := say(`{"model":"gemini-2.5-flash","input":"hi","store":false}`).do(t.Context(), google).name(t)
	if r := (ask{verb: "GET", key: "key-1", url: studio + "/v1beta/interactions/" + id}).do(t.Context(), google); r.status != 404 || len(google.Resources()) != 0 {
		t.Errorf("%d %s %v", r.status, r.body, google.Resources())
	}
}

func TestStreamsOfInteractionsResumeAndFailInTheirOwnWay(t *testing.T) {
	google := geminitest.New(twoProjects())
	whole := say(`{"model":"gemini-2.5-flash","input":"hi","stream":true}`).do(t.Context(), google)
	if !strings.HasPrefix(whole.body, "event: interaction.created\r\ndata: {") || !strings.HasSuffix(whole.body, "event: done\r\ndata: [DONE]\r\n\r\n") {
		t.Fatalf("%q", whole.body)
	}
	id, _, _ := strings.Cut(strings.Split(whole.body, `"id":"`)[1], `"`)
	again := ask{verb: "GET", key: "key-1", url: studio + "/v1beta/interactions/" + id + "?stream=true&last_event_id=evt_2"}.do(t.Context(), google)
	if _, rest, _ := strings.Cut(whole.body, `"event_id":"evt_2"`); again.status != 200 || !strings.HasPrefix(again.body, "event: step.delta") || strings.Count(rest, "\r\n\r\n") != strings.Count(again.body, "\r\n\r\n")+1 {
		t.Errorf("resumed %q of %q", again.body, whole.body)
	}
	for after, before := range map[int]string{0: "", 2: "event: interaction.created event: step.start "} {
		google.Script(geminitest.Match{}, geminitest.Overloaded().Coded().AfterEvents(after))
		cut := say(`{"model":"gemini-2.5-flash","input":"hi","stream":true}`).do(t.Context(), google)
		var names strings.Builder
		for line := range strings.SplitSeq(cut.body, "\r\n") {
			if strings.HasPrefix(line, "event: ") {
				names.WriteString(line + " ")
			}
		}
		if cut.status != 200 || names.String() != before+"event: error " || !strings.Contains(cut.body, `data: {"event_type":"error",  "error": {    "code": "service_unavailable"`) {
			t.Errorf("after %d events: %q", after, cut.body)
		}
	}
}

func TestFollowingInteractionsFindTheOneBeforeInTheCache(t *testing.T) {
	google := caching()
	first := say(`{"model":"gemini-2.5-flash","input":"`+long+`"}`).do(t.Context(), google)
	var next struct {
		Usage struct {
			Input  int `json:"total_input_tokens"`
			Cached int `json:"total_cached_tokens"`
		}
	}
	say(`{"model":"gemini-2.5-flash","input":"word","previous_interaction_id":"`+first.name(t)+`"}`).do(t.Context(), google).decode(t, &next)
	if next.Usage.Input != 1121 || next.Usage.Cached != 1120 {
		t.Errorf("%+v, want 1121 tokens, 1120 of them cached", next.Usage)
	}
}
