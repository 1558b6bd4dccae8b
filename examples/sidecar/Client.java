import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.regex.Pattern;

/**
 * A service in Java with the HttpClient of its library, as it comes: that offers h2c on every http address, and speaks
 * HTTP/2 on https. It knows an address and an API key, and prints what it gets.
 */
class Client {
	static final String BASE = System.getenv("BASE_URL");
	static final String KEY = System.getenv("API_KEY");
	static final String MODEL = BASE + "/v1beta/models/gemini-3.5-flash";
	static final String STREAM = BASE + "/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse";
	static final String ASK = """
			{"contents": [{"role": "user", "parts": [{"text": "Why do dams have spillways?"}]}]}""";
	static final String CHAT = """
			{"model": "gemini-3.5-flash", "messages": [{"role": "user", "content": "Hello"}], "stream": %s}""";
	static final HttpClient client = HttpClient.newHttpClient();

	/** Sends a request and shows the response. Headers are names and values in turn. */
	static HttpResponse<String> call(String name, String method, String address, String body, String... headers) throws Exception {
		var request = HttpRequest.newBuilder(URI.create(address)).timeout(Duration.ofSeconds(30))
				.header("Content-Type", "application/json").header("x-goog-api-key", KEY);
		if (headers.length > 0) {
			request.headers(headers);
		}
		request.method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
		var response = client.send(request.build(), BodyHandlers.ofString());
		var type = response.headers().firstValue("Content-Type").orElse("no content type");
		System.out.printf("=== %s%n%s %d %s%n%s%n", name, response.version(), response.statusCode(), type, response.body());
		return response;
	}

	/** The first text of a name in some JSON. */
	static String field(String name, String json) {
		var found = Pattern.compile("\"" + name + "\":\\s*\"([^\"]*)\"").matcher(json);
		if (!found.find()) {
			throw new IllegalStateException("there is no " + name + " in " + json);
		}
		return found.group(1);
	}

	static void calls(String half) throws Exception {
		call(half + " generate", "POST", MODEL + ":generateContent", ASK);
		call(half + " stream", "POST", STREAM, ASK);
		call(half + " count tokens", "POST", MODEL + ":countTokens", ASK);
		call(half + " embeddings", "POST", BASE + "/v1beta/models/gemini-embedding-001:embedContent", """
				{"content": {"parts": [{"text": "dam"}]}}""");
		call(half + " error", "POST", BASE + "/v1beta/models/no-such-model:generateContent", ASK);
		call(half + " chat", "POST", BASE + "/v1beta/openai/chat/completions", CHAT.formatted(false));
		call(half + " chat, streamed", "POST", BASE + "/v1beta/openai/chat/completions", CHAT.formatted(true));

		var water = "water ".repeat(100_000);
		var begun = call(half + " file, begun", "POST", BASE + "/upload/v1beta/files", "{}",
				"X-Goog-Upload-Protocol", "resumable", "X-Goog-Upload-Command", "start",
				"X-Goog-Upload-Header-Content-Type", "text/plain", "X-Goog-Upload-Header-Content-Length", "" + water.length());
		var address = begun.headers().firstValue("X-Goog-Upload-URL").orElseThrow();
		var file = call(half + " file, sent", "POST", address, water,
				"X-Goog-Upload-Offset", "0", "X-Goog-Upload-Command", "upload, finalize").body();
		call(half + " file, asked about", "POST", MODEL + ":generateContent", """
				{"contents": [{"parts": [{"text": "What is in it?"}, {"fileData": {"mimeType": "text/plain", "fileUri": "%s"}}]}]}
				""".formatted(field("uri", file)));
		call(half + " files", "GET", BASE + "/v1beta/files", null);
		call(half + " file, deleted", "DELETE", BASE + "/v1beta/" + field("name", file), null);
	}

	public static void main(String[] arguments) throws Exception {
		calls("first");
		call("middle", "GET", MODEL, null);
		calls("second");
	}
}
