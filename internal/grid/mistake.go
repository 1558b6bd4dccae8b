package grid

import (
	"net/http"
	"strings"

	"github.com/spillway-go/spillway/pool"
)

// mistake is a wrong call, and Google's answer to it.
type mistake struct {
	path   string // below the models; empty: a call like the good ones
	get    bool
	more   string // of the body
	whole  string // in place of the body
	answer answer
}

// mistakes are the wrong calls of a kind.
func mistakes(kind string, b pool.Backend) []mistake {
	vertex := b == pool.BackendVertex
	switch kind {
	case "method":
		return wrongMethods(vertex)
	case "version":
		return wrongVersions(b)
	case "path":
		return wrongPaths(b)
	case "file":
		return wrongFiles(vertex)
	case "tool":
		return wrongTools()
	default:
		return wrongBodies()
	}
}

// lost is the page for what Google's front end does not know.
func lost() answer {
	return answer{status: http.StatusNotFound, html: true, body: "<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)!!1</title>\n" +
		"<p><b>404.</b> <ins>That’s an error.</ins>\n<p>The requested URL was not found on this server."}
}

func notSupported(version, method string) answer {
	return refused(http.StatusNotFound, "NOT_FOUND", "models/"+model+" is not found for API version "+version+", or is not supported for "+method+
		". Call ModelService.ListModels to see the list of available models and their supported methods.")
}

func invalid(message string) answer {
	return refused(http.StatusBadRequest, "INVALID_ARGUMENT", message)
}

func wrongMethods(vertex bool) []mistake {
	of := func(method string, a answer) mistake {
		return mistake{path: "models/" + model + ":" + method, answer: a}
	}
	embed, predict := notSupported("v1beta", "embedContent"), notSupported("v1beta", "predict")
	if vertex {
		embed = refused(http.StatusBadRequest, "FAILED_PRECONDITION", "The PublisherModel "+model+" does not support embedContent.")
		predict = refused(http.StatusBadRequest, "INVALID_ARGUMENT", "Publisher Model `"+model+"` does not support predict.")
	}
	looked := of("generateContent", lost())
	looked.get = true
	return []mistake{of("embedContent", embed), of("predict", predict), of("generateContents", lost()), looked}
}

func wrongVersions(b pool.Backend) []mistake {
	of := func(version string, a answer) mistake {
		return mistake{path: pathTo(b, version) + "models/" + model + ":generateContent", answer: a}
	}
	return []mistake{of("v2", lost()), of("v1", notSupported("v1", "generateContent")), of("v1beta7", lost())}
}

func wrongPaths(b pool.Backend) []mistake {
	base := pathTo(b, "")
	wrong := []mistake{
		{path: base + "modelz/" + model + ":generateContent", answer: lost()},
		{path: base + "models/" + model + "/generateContent", answer: lost()},
	}
	if b == pool.BackendVertex {
		return append(wrong, mistake{
			path: strings.Replace(base, "google", "goggle", 1) + "models/" + model + ":generateContent",
			answer: refused(http.StatusNotFound, "NOT_FOUND",
				"Publisher Model `projects/x/locations/global/publishers/goggle/models/"+model+"` not found."),
		})
	}
	return append(wrong, mistake{
		path: base + "tunedModels/mine:generateContent",
		answer: refused(http.StatusForbidden, "PERMISSION_DENIED",
			"You do not have permission to access tunedModel mine or it may not exist."),
	})
}

func wrongFiles(vertex bool) []mistake {
	of := func(uri string, a answer) mistake {
		return mistake{
			whole:  `{"contents":[{"role":"user","parts":[{"text":"Read it."},{"fileData":{"mimeType":"application/pdf","fileUri":"` + uri + `"}}]}]}`,
			answer: a,
		}
	}
	denied := func(message string) answer { return refused(http.StatusForbidden, "PERMISSION_DENIED", message) }
	wrong := []mistake{
		of("https://www.example.com/private.pdf", denied("The caller does not have permission")),
		of("https://www.example.com/other.pdf", denied("Permission denied while accessing input file.")),
		of("https://storage.googleapis.com/bucket/x.pdf", denied("robot@a.iam.gserviceaccount.com does not have storage.objects.get access to the "+
			"Google Cloud Storage object. Permission 'storage.objects.get' denied on resource (or it may not exist).")),
		of("https://storage.googleapis.com/bucket/y.pdf", refused(http.StatusNotFound, "NOT_FOUND", "No such object: bucket/y.pdf")),
		of("https://www.example.com/slow.pdf", invalid("Cannot fetch content from the provided URL.")),
	}
	if vertex {
		return append(wrong, of("gs://bucket/z.pdf", denied("Permission denied while accessing input file.")))
	}
	return append(wrong, of("https://generativelanguage.googleapis.com/v1beta/files/gone",
		denied("You do not have permission to access the File gone or it may not exist.")))
}

func wrongTools() []mistake {
	return []mistake{
		{more: search, answer: exhausted(planMessage, help)},
		{more: `,"tools":[{"codeExecution":{}}]`, answer: invalid("Code execution is not enabled for models/" + model)},
		{
			more:   `,"tools":[{"googleMaps":{}}]`,
			answer: refused(http.StatusForbidden, "PERMISSION_DENIED", "The caller does not have permission to use Grounding with Google Maps."),
		},
	}
}

func wrongBodies() []mistake {
	return []mistake{
		{whole: `{}`, answer: invalid("* GenerateContentRequest.contents: contents is not specified\n")},
		{more: `,"generationConfig":{"temperature":9}`, answer: invalid("Request contains an invalid argument.")},
		{more: `,"foo":1`, answer: invalid(`Invalid JSON payload received. Unknown name "foo": Cannot find field.`)},
		{more: `,"generationConfig":{"topK":1}`, answer: invalid("The input token count exceeds the maximum number of tokens allowed 1048576.")},
		{more: `,"generationConfig":{"topP":1}`, answer: page(http.StatusRequestEntityTooLarge, "Error 413 (Request Entity Too Large)!!1")},
	}
}
