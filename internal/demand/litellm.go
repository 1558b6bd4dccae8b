package demand

import (
	"slices"
	"strings"

	"github.com/spillway-go/spillway/internal/plain"
	"github.com/spillway-go/spillway/quota"
)

// litellmCall reads a row of LiteLLM's table LiteLLM_SpendLogs, or a record of its loggers.
// https://github.com/BerriAI/litellm/blob/main/schema.prisma
// https://docs.litellm.ai/docs/proxy/logging_spec
func litellmCall(f fields) (c Call, skip string) {
	m := f.object("metadata")
	usage := m.object("usage_object")
	in, out := usage.object("prompt_tokens_details"), usage.object("completion_tokens_details")
	image, audio := out.tokens("image_tokens"), out.tokens("audio_tokens")
	begun := f.moment("startTime")
	c = Call{At: begun, Model: modelOf(f.text("model")), Label: litellmLabel(f, m), Usage: quota.Usage{
		Input: f.tokens("prompt_tokens"), InputAudio: in.tokens("audio_tokens"), InputImage: in.tokens("image_tokens"),
		Cached: max(in.tokens("cached_tokens"), usage.tokens("cache_read_input_tokens")),
		Output: max(f.tokens("completion_tokens")-image-audio, 0), OutputImage: image, OutputAudio: audio,
	}}
	if ended, ok := timeOf(f.text("endTime")); ok {
		c.Took = ended.Sub(begun)
	}
	provider := f.text("custom_llm_provider")
	switch {
	case provider != "" && !strings.HasPrefix(provider, "gemini") && !strings.HasPrefix(provider, "vertex_ai"), !strings.HasPrefix(c.Model, "gemini"):
		return c, "of other models than Gemini's"
	case litellmRefused(f), litellmRefused(m):
		c.Usage, c.Took = quota.Usage{}, 0 // it would have been served
		return c, ""
	case f.text("status") == "failure", m.text("status") == "failure":
		return c, failed
	case strings.EqualFold(f.text("cache_hit"), "true"):
		return c, "that LiteLLM served from its cache"
	case c.Usage.Input == 0:
		return c, noTokens
	default:
		return c, ""
	}
}

// litellmRefused reports whether Google refused a call for want of quota. LiteLLM's own limits, which
// have the same code, name no provider.
func litellmRefused(f fields) bool {
	e := f.object("error_information")
	return f.text("status") == "failure" && e.text("error_code") == "429" && e.text("llm_provider") != ""
}

// litellmLabel is who made a call: the first tag that a program gave it, its team, its key's name, its
// user.
func litellmLabel(f, metadata fields) string {
	names := []string{
		metadata.text("user_api_key_team_alias"), f.text("team_id"), metadata.text("user_api_key_alias"), f.text("user"),
	}
	for _, raw := range f.list("request_tags") {
		if tag := string(unquoted(raw)); !strings.HasPrefix(tag, "User-Agent:") { // which LiteLLM adds itself
			names = slices.Insert(names, 0, tag)
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
