package main

import "github.com/spillway-go/spillway/geminitest"

// The model's responses: first a call of the function, then the text.
const (
	callsFunction = `{"functionCall":{"name":"water_level","args":{"dam":"Upper Dam"}}}`
	answers       = `{"text":"The water stands at 512.5 m."}`
)

// emulated returns an emulator with two projects and a model that has two scripted responses. The
// second is for spare alone, because main's key is revoked by then.
func emulated() *geminitest.Emulator {
	google := geminitest.New(geminitest.Config{Bodies: true, Projects: []geminitest.Project{
		{ID: "main", Keys: []string{"main-key"}},
		{ID: "spare", Keys: []string{"spare-key"}},
	}})
	google.Script(geminitest.Match{Project: "main"}, says(callsFunction))
	google.Script(geminitest.Match{Project: "spare"}, says(answers))
	return google
}

// says returns a response of one part.
func says(part string) geminitest.Answer {
	body := `{"candidates":[{"content":{"role":"model","parts":[` + part + `]},"finishReason":"STOP"}]}`
	return geminitest.Answer{Status: 200, Body: []byte(body)}
}
