package geminitest

// fromOpenAI is a body of OpenAI's dialect as one of generateContent.
func fromOpenAI(in object) object {
	var contents []any
	var system []any
	for _, message := range in.list("messages") {
		m, _ := message.(map[string]any)
		parts := partsOf(m["content"])
		switch role := object(m).text("role"); role {
		case "system", "developer":
			system = append(system, parts...)
		case "assistant":
			contents = append(contents, map[string]any{"role": "model", "parts": append(parts, callsOf(m)...)})
		default:
			contents = append(contents, map[string]any{"role": "user", "parts": parts})
		}
	}
	config := map[string]any{}
	for _, name := range []string{"max_completion_tokens", "max_tokens"} {
		if n := in.number(name); n != 0 {
			config["maxOutputTokens"] = float64(n)
		}
	}
	if n := in.number("n"); n > 1 {
		config["candidateCount"] = float64(n)
	}
	if thinking := in.object("extra_body").object("google").field("thinkingConfig"); thinking != nil {
		config["thinkingConfig"] = thinking
	}
	out := object{"contents": contents, "generationConfig": config}
	if len(system) > 0 {
		out["systemInstruction"] = map[string]any{"parts": system}
	}
	if tools := in.list("tools"); len(tools) > 0 {
		out["tools"], out["toolConfig"] = toolsFrom(tools), choiceOf(in)
	}
	return out
}

// toolsFrom are the tools of a chat. Functions lie one level deeper there.
func toolsFrom(list []any) []any {
	tools := make([]any, len(list))
	for i, tool := range list {
		tools[i] = tool
		m, _ := tool.(map[string]any)
		if function, ok := m["function"].(map[string]any); ok {
			tools[i] = map[string]any{"functionDeclarations": []any{function}}
		}
	}
	return tools
}

// choiceOf is whether a function must be called, and which.
func choiceOf(in object) map[string]any {
	calling := map[string]any{}
	if in.text("tool_choice") == "required" {
		calling["mode"] = "ANY"
	}
	if name := in.object("tool_choice").object("function").text("name"); name != "" {
		calling["mode"], calling["allowedFunctionNames"] = "ANY", []any{name}
	}
	return map[string]any{"functionCallingConfig": calling}
}

// callsOf are the parts of a message beside its content: calls of functions, and signatures.
func callsOf(message object) []any {
	var parts []any
	signed := func(of object, part map[string]any) {
		if signature := of.object("extra_content").object("google").text("thought_signature"); signature != "" {
			part["thoughtSignature"] = signature
		}
		if len(part) > 0 {
			parts = append(parts, part)
		}
	}
	for _, call := range message.list("tool_calls") {
		m, _ := call.(map[string]any)
		signed(m, map[string]any{"functionCall": map[string]any{"name": object(m).object("function").text("name")}})
	}
	signed(message, map[string]any{})
	return parts
}

// partsOf are the parts of a message's content: a text, or a list of texts and pictures.
func partsOf(content any) []any {
	if text, ok := content.(string); ok {
		return []any{map[string]any{"text": text}}
	}
	var parts []any
	list, _ := content.([]any)
	for _, item := range list {
		m, _ := item.(map[string]any)
		if text, ok := m["text"].(string); ok {
			parts = append(parts, map[string]any{"text": text})
		} else {
			parts = append(parts, map[string]any{"inlineData": map[string]any{"mimeType": "image/png"}})
		}
	}
	return parts
}
