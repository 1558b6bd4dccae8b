import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpClient.Version;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.concurrent.CompletableFuture;
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

	/** A request with the API key. Headers are names and values in turn. */
	static HttpRequest.Builder request(String address, String... headers) {
		var request = HttpRequest.newBuilder(URI.create(address)).timeout(Duration.ofSeconds(30))
				.header("Content-Type", "application/json").header("x-goog-api-key", KEY);
		return headers.length == 0 ? request : request.headers(headers);
	}

	static HttpResponse<String> post(String name, String address, String body, String... headers) throws Exception {
		return call(200, name, request(address, headers).POST(BodyPublishers.ofString(body)));
	}

	/** Sends a request and shows the response, which must have a status. */
	static HttpResponse<String> call(int want, String name, HttpRequest.Builder request) throws Exception {
		var response = client.send(request.build(), BodyHandlers.ofString());
		if (response.statusCode() != want || response.version() != (BASE.startsWith("https:") ? Version.HTTP_2 : Version.HTTP_1_1)) {
			throw new IllegalStateException(name + ": " + response + " by " + response.version());
		}
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
		post(half + " generate", MODEL + ":generateContent", ASK);
		post(half + " stream", STREAM, ASK);
		post(half + " count tokens", MODEL + ":countTokens", ASK);
		post(half + " embeddings", BASE + "/v1beta/models/gemini-embedding-001:embedContent", """
				{"content": {"parts": [{"text": "dam"}]}}""");
		call(404, half + " error", request(BASE + "/v1beta/models/no-such-model:generateContent").POST(BodyPublishers.ofString(ASK)));
		post(half + " chat", BASE + "/v1beta/openai/chat/completions", CHAT.formatted(false));
		post(half + " chat, streamed", BASE + "/v1beta/openai/chat/completions", CHAT.formatted(true));

		// On https they share a connection. The ids of the responses are in any order.
		System.out.printf("=== %s twenty at once%n", half);
		var atOnce = new ArrayList<CompletableFuture<HttpResponse<String>>>();
		for (int i = 0; i < 20; i++) {
			var ask = ASK.replace("Why", i + ": why");
			atOnce.add(client.sendAsync(request(MODEL + ":generateContent").POST(BodyPublishers.ofString(ask)).build(), BodyHandlers.ofString()));
		}
		for (var response : atOnce) {
			System.out.println(field("text", response.get().body()));
		}

		// A body of unknown length: chunks in HTTP/1.1.
		call(200, half + " generate, from a stream", request(MODEL + ":generateContent")
				.POST(BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(ASK.getBytes()))));
		call(200, half + " generate, after 100 Continue", request(MODEL + ":generateContent").expectContinue(true)
				.POST(BodyPublishers.ofString(ASK)));

		var water = "water ".repeat(100_000);
		var begun = post(half + " file, begun", BASE + "/upload/v1beta/files", "{}",
				"X-Goog-Upload-Protocol", "resumable", "X-Goog-Upload-Command", "start",
				"X-Goog-Upload-Header-Content-Type", "text/plain", "X-Goog-Upload-Header-Content-Length", "" + water.length());
		var address = begun.headers().firstValue("X-Goog-Upload-URL").orElseThrow();
		var file = post(half + " file, sent", address, water,
				"X-Goog-Upload-Offset", "0", "X-Goog-Upload-Command", "upload, finalize").body();
		post(half + " file, asked about", MODEL + ":generateContent", """
				{"contents": [{"parts": [{"text": "What is in it?"}, {"fileData": {"mimeType": "text/plain", "fileUri": "%s"}}]}]}
				""".formatted(field("uri", file)));
		call(200, half + " files", request(BASE + "/v1beta/files"));
		call(200, half + " file, deleted", request(BASE + "/v1beta/" + field("name", file)).DELETE());
	}

	public static void main(String[] arguments) throws Exception {
		calls("first");
		call(200, "middle", request(MODEL));
		calls("second");
	}
}
