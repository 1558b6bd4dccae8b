package geminitest

import (
	"encoding/base64"
	"strings"
	"time"
)

// predictLongRunning makes videos.
const predictLongRunning = "predictLongRunning"

// makesPictures reports whether a model makes or masks images, and nothing else.
func makesPictures(model string) bool {
	return strings.HasPrefix(model, "imagen-") || strings.HasPrefix(model, "image-") || strings.HasPrefix(model, "virtual-try-on")
}

// makesVideos reports whether a model makes videos, and nothing else.
func makesVideos(model string) bool { return strings.HasPrefix(model, "veo-") }

// pictures reports whether the call is for pictures.
func (c route) pictures() bool { return c.method == predict && makesPictures(c.model) }

// pixel is a PNG image of one transparent pixel: the pictures of this emulator.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// readPicture reads the body of predict and predictLongRunning for models of pictures and videos.
func readPicture(root object) (prompt, *Answer) {
	n := max(1, root.object("parameters").number("sampleCount"))
	p := prompt{candidates: 1, inputs: make([]int, min(n, maxCandidates))}
	instances := root.list("instances")
	for _, instance := range instances {
		m, _ := instance.(map[string]any)
		for _, value := range m {
			if text, ok := value.(string); ok {
				p.addPart(object{"text": text})
			} else {
				p.image += tokensPerImage
				p.tokens += tokensPerImage
			}
		}
	}
	switch {
	case len(instances) == 0:
		return p, new(InvalidArgument("Invalid request: instances is required."))
	case n > maxCandidates:
		return p, new(InvalidArgument("sampleCount must be from 1 to 8."))
	}
	return p, nil
}

// pictureAnswer is the answer to predict of a model of pictures: as many as asked for.
func pictureAnswer(model string, asked prompt) any {
	predictions := make([]any, len(asked.inputs))
	for i := range predictions {
		one := map[string]any{"mimeType": "image/png", "bytesBase64Encoded": pixel}
		if strings.HasPrefix(model, "image-segmentation") {
			one["labels"] = []any{map[string]any{"label": "water", "score": "0.9"}}
		}
		predictions[i] = one
	}
	return map[string]any{"predictions": predictions}
}

// startVideos begins to make videos.
func (e *Emulator) startVideos(p *reply, c call, body []byte) *Answer {
	if refused := e.missing(c); refused != nil {
		return refused
	}
	root, refused := readObject(body)
	if refused != nil {
		return refused
	}
	asked, wrong := readPicture(root)
	grant, refused := e.admit(time.Now(), c, asked, wrong)
	if refused != nil {
		return refused
	}
	defer func() {
		if grant.reservation != nil {
			grant.reservation.settle(time.Now(), 0)
		}
	}()
	e.journal.set(c.entry, func(n *Request) { n.Served, n.PromptTokens = grant.traffic, asked.tokens })
	response, refused := e.videos(c, len(asked.inputs))
	if refused != nil {
		return refused
	}
	name := "models/" + c.model + "/"
	if c.backend == vertex {
		name = "publishers/google/" + name
	}
	operation, refused := e.startOperation(c, name, nil, response)
	if refused != nil {
		return refused
	}
	if p.wait(e.scaled(e.cfg.Latency.FirstToken)) {
		p.json(showOperation(e, operation, time.Now()))
	}
	return nil
}

// videos are the results of an operation: generated files, or on Vertex AI the bytes.
func (e *Emulator) videos(c call, n int) (map[string]any, *Answer) {
	content := []byte("emulated video")
	var list []any
	for range n {
		if c.backend == vertex {
			list = append(list, map[string]any{"bytesBase64Encoded": base64.StdEncoding.EncodeToString(content), "mimeType": "video/mp4"})
			continue
		}
		file, refused := e.createFile(c, "files/", "video/mp4", map[string]any{"source": "GENERATED"}, content)
		if refused != nil {
			return nil, refused
		}
		list = append(list, map[string]any{"video": map[string]any{"uri": c.base + "/v1beta/" + file.name + ":download?alt=media"}})
	}
	if c.backend == vertex {
		return map[string]any{"@type": "type.googleapis.com/cloud.ai.large_models.vision.GenerateVideoResponse", "videos": list}, nil
	}
	return map[string]any{
		"@type":                 "type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse",
		"generateVideoResponse": map[string]any{"generatedSamples": list},
	}, nil
}
