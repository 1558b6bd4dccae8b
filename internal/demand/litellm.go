package demand

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/quota"
)

// litellmEntry is a row of LiteLLM's table LiteLLM_SpendLogs.
// https://github.com/BerriAI/litellm/blob/main/schema.prisma
type litellmEntry struct {
	CallType   string          `json:"call_type"`
	Provider   string          `json:"custom_llm_provider"`
	Model      string          `json:"model"`
	Start      string          `json:"startTime"`
	End        string          `json:"endTime"`
	Prompt     float64         `json:"prompt_tokens"`
	Completion float64         `json:"completion_tokens"`
	CacheHit   any             `json:"cache_hit"`
	Status     string          `json:"status"`
	User       string          `json:"user"`
	Team       string          `json:"team_id"`
	Tags       json.RawMessage `json:"request_tags"`
	Metadata   json.RawMessage `json:"metadata"`
}

// litellmRow is an entry of a CSV file.
func litellmRow(columns map[string]int, row []string) *litellmEntry {
	text := func(name string) string {
		if i, ok := columns[name]; ok && i < len(row) {
			return strings.Clone(row[i])
		}
		return ""
	}
	number := func(name string) float64 {
		n, _ := strconv.ParseFloat(text(name), 64) // what is none is no tokens
		return n
	}
	return &litellmEntry{
		CallType: text("call_type"), Provider: text("custom_llm_provider"), Model: text("model"), Start: text("startTime"),
		End: text("endTime"), Prompt: number("prompt_tokens"), Completion: number("completion_tokens"), CacheHit: text("cache_hit"),
		Status: text("status"), User: text("user"), Team: text("team_id"),
		Tags: json.RawMessage(text("request_tags")), Metadata: json.RawMessage(text("metadata")),
	}
}

// litellmMetadata is what the metadata of an entry has of interest.
type litellmMetadata struct {
	Status    string `json:"status"`
	TeamAlias string `json:"user_api_key_team_alias"`
	KeyAlias  string `json:"user_api_key_alias"`
	Usage     struct {
		CacheRead float64 `json:"cache_read_input_tokens"`
		Prompt    struct {
			Cached float64 `json:"cached_tokens"`
			Audio  float64 `json:"audio_tokens"`
			Image  float64 `json:"image_tokens"`
		} `json:"prompt_tokens_details"`
	} `json:"usage_object"`
}

func (e *litellmEntry) call() (Call, bool) {
	var m litellmMetadata
	_ = unquote(e.Metadata, &m) // what is not there is not known
	var tags []string
	_ = unquote(e.Tags, &tags)
	hit, _ := e.CacheHit.(string)
	on, _ := e.CacheHit.(bool)
	begun, ended := timeOf(e.Start), timeOf(e.End)
	c := Call{At: begun, Took: ended.Sub(begun), Model: modelOf(e.Model), Label: e.label(&m, tags), Usage: quota.Usage{
		Input: tokens(e.Prompt), Output: tokens(e.Completion), InputAudio: tokens(m.Usage.Prompt.Audio),
		InputImage: tokens(m.Usage.Prompt.Image), Cached: tokens(max(m.Usage.Prompt.Cached, m.Usage.CacheRead)),
	}}
	google := e.Provider == "" || strings.HasPrefix(e.Provider, "gemini") || strings.HasPrefix(e.Provider, "vertex_ai")
	failed := e.Status == "failure" || m.Status == "failure"
	cached := on || strings.EqualFold(hit, "true")
	return c, google && strings.HasPrefix(c.Model, "gemini") && !failed && !cached && e.Prompt > 0
}

// label is who made a call: the first tag that a program gave it, its team, its key's name, its user.
func (e *litellmEntry) label(m *litellmMetadata, tags []string) string {
	names := []string{m.TeamAlias, e.Team, m.KeyAlias, e.User}
	for _, tag := range tags {
		if !strings.HasPrefix(tag, "User-Agent:") { // which LiteLLM adds itself
			names = append([]string{tag}, names...)
			break
		}
	}
	for _, n := range names {
		if n != "" {
			return plain.Text(n, maxName)
		}
	}
	return ""
}

// unquote decodes JSON that may be in a string of JSON, as databases export it.
func unquote(raw json.RawMessage, to any) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = json.RawMessage(text)
	}
	return json.Unmarshal(raw, to)
}
