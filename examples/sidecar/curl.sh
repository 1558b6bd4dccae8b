#!/bin/sh
# A service as a shell script with curl. It knows an address and an API key, and prints headers and bodies as they come.
set -eu

model="$BASE_URL/v1beta/models/gemini-3.5-flash"
type=application/json
ask='{"contents": [{"role": "user", "parts": [{"text": "Why do dams have spillways?"}]}]}'
case $BASE_URL in
https:*) protocols='--http1.1 --http2' ;;
*) protocols='--http1.1 --http2-prior-knowledge' ;;
esac

# call STATUS NAME ARGUMENT...: one request with curl's arguments, by $http, with a body of type $type.
# It leaves header and body.
call() {
	want="$1 $version" name="$half $2, $http"
	shift 2
	printf '=== %s\n' "$name"
	got=$(curl --silent --show-error --max-time 30 "$http" --header "Content-Type: $type" \
		--dump-header header --output body --write-out '%{http_code} %{http_version}' "$@")
	# The names of headers have neither case nor order.
	awk -F: '{ name = tolower($1); sub(/^[^:]*/, ""); print name $0 }' header | sort
	cat body
	printf '\n'
	[ "$got" = "$want" ] || { printf '%s: got %s, want %s\n' "$name" "$got" "$want" >&2 && exit 1; }
}

# keyed is call with the API key.
keyed() { call "$@" --header "X-Goog-Api-Key: $API_KEY"; }

# field NAME: the first text of a name in the body.
field() { sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p' body | head -n 1; }

calls() {
	keyed 200 generate "$model:generateContent" --data "$ask"
	keyed 200 stream "$BASE_URL/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse" --data "$ask"
	keyed 200 'stream as an array' "$BASE_URL/v1beta/models/gemini-3.8-flash:streamGenerateContent" --data "$ask"
	keyed 200 'count tokens' "$model:countTokens" --data "$ask"
	keyed 200 embeddings "$BASE_URL/v1beta/models/gemini-embedding-001:embedContent" --data '{"content": {"parts": [{"text": "dam"}]}}'
	call 200 'key in the URL' "$model:generateContent?key=$API_KEY" --data "$ask"
	keyed 404 error "$BASE_URL/v1beta/models/no-such-model:generateContent" --data "$ask"
	keyed 200 'a body in chunks' "$model:generateContent" --data "$ask" --header 'Transfer-Encoding: chunked'
	keyed 200 'a large body' "$model:generateContent" --data @large --header 'Expect: 100-continue'
	keyed 400 'no JSON' "$model:generateContent" --data '{"contents": '
	keyed 200 chat "$BASE_URL/v1beta/openai/chat/completions" --data '{"model": "gemini-3.5-flash", "messages": [{"role": "user", "content": "Hello"}]}'

	keyed 200 'file, begun' "$BASE_URL/upload/v1beta/files" --data '{"file": {"displayName": "water"}}' \
		--header 'X-Goog-Upload-Protocol: resumable' --header 'X-Goog-Upload-Command: start' \
		--header 'X-Goog-Upload-Header-Content-Type: text/plain' --header 'X-Goog-Upload-Header-Content-Length: 36'
	address=$(tr -d '\r' <header | awk 'tolower($1) == "x-goog-upload-url:" { print $2 }')
	call 200 'file, sent' "$address" --data-binary 'water water water water water water ' \
		--header 'X-Goog-Upload-Offset: 0' --header 'X-Goog-Upload-Command: upload, finalize'
	file=$(field name) uri=$(field uri)
	type='multipart/related; boundary=piece'
	keyed 200 'another file, at once' "$BASE_URL/upload/v1beta/files" --data-binary @parts --header 'X-Goog-Upload-Protocol: multipart'
	type=application/json
	more=$(field name)
	keyed 200 'file, asked about' "$model:generateContent" \
		--data '{"contents": [{"parts": [{"text": "What is in it?"}, {"fileData": {"mimeType": "text/plain", "fileUri": "'"$uri"'"}}]}]}'
	keyed 200 'file, read' "$BASE_URL/v1beta/$file"
	keyed 200 'files' "$BASE_URL/v1beta/files"
	keyed 200 'file, deleted' "$BASE_URL/v1beta/$file" --request DELETE
	keyed 200 'another file, deleted' "$BASE_URL/v1beta/$more" --request DELETE
}

{
	printf '{"contents": [{"parts": [{"inlineData": {"mimeType": "text/plain", "data": "'
	head -c 3000000 /dev/zero | tr '\0' A
	printf '"}}]}]}'
} >large
{
	printf -- '--piece\r\nContent-Type: application/json\r\n\r\n{"file": {"displayName": "more"}}\r\n'
	printf -- '--piece\r\nContent-Type: text/plain\r\n\r\nwater\r\n--piece--\r\n'
} >parts

for half in first second; do
	for http in $protocols; do
		case $http in
		*1.1) version=1.1 ;;
		*) version=2 ;;
		esac
		calls
	done
	[ $half = second ] || keyed 200 middle "$model"
done
