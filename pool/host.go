package pool

// googleHost returns Google's host for a location. Multi-regions have hosts of their own;
// "us-aiplatform.googleapis.com" does not work. Source:
// cloud.google.com/vertex-ai/generative-ai/docs/learn/locations, and client.go of genai v1.77.0.
func googleHost(b Backend, location string) string {
	switch {
	case b == BackendGemini:
		return "generativelanguage.googleapis.com"
	case location == "" || location == "global":
		return "aiplatform.googleapis.com"
	case location == "us" || location == "eu":
		return "aiplatform." + location + ".rep.googleapis.com"
	}
	return location + "-aiplatform.googleapis.com"
}
