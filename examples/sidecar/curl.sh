#!/bin/sh
# A service as a shell script with curl. It knows an address and an API key, and prints headers and bodies as they come.
set -eu

model="$BASE_URL/v1beta/models/gemini-3.5-flash"
ask='{"contents": [{"role": "user", "parts": [{"text": "Why do dams have spillways?"}]}]}'
case $BASE_URL in
https:*) protocols='--http1.1 --http2' ;;
*) protocols='--http1.1 --http2-prior-knowledge' ;;
esac

# call NAME ARGUMENT...: one request with curl's arguments, by the protocol of $http. It leaves header and body.
call() {
	printf '=== %s, %s\n' "$half $1" "$http"
	shift
	version=$(curl --silent --show-error --max-time 30 "$http" --header 'Content-Type: application/json' \
		--dump-header header --output body --write-out '%{http_version}' "$@")
	case $http in
	*"$version"*) ;;
	*) echo "the response came by HTTP/$version" >&2 && exit 1 ;;
	esac
	# The names of headers have neither case nor order.
	awk -F: '{ name = tolower($1); sub(/^[^:]*/, ""); print name $0 }' header | sort
	cat body
	printf '\n'
}

# keyed is call with the API key.
keyed() { call "$@" --header "X-Goog-Api-Key: $API_KEY"; }

# field NAME: the first text of a name in the body.
field() { sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p' body | head -n 1; }

calls() {
	keyed generate "$model:generateContent" --data "$ask"
	keyed stream "$BASE_URL/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse" --data "$ask"
	keyed 'stream as an array' "$BASE_URL/v1beta/models/gemini-3.8-flash:streamGenerateContent" --data "$ask"
	keyed 'count tokens' "$model:countTokens" --data "$ask"
	keyed embeddings "$BASE_URL/v1beta/models/gemini-embedding-001:embedContent" --data '{"content": {"parts": [{"text": "dam"}]}}'
	call 'key in the URL' "$model:generateContent?key=$API_KEY" --data "$ask"
	keyed error "$BASE_URL/v1beta/models/no-such-model:generateContent" --data "$ask"
	keyed 'a body in chunks' "$model:generateContent" --data "$ask" --header 'Transfer-Encoding: chunked'
	keyed 'a large body' "$model:generateContent" --data @large --header 'Expect: 100-continue'
	keyed 'no JSON' "$model:generateContent" --data '{"contents": '
	keyed chat "$BASE_URL/v1beta/openai/chat/completions" --data '{"model": "gemini-3.5-flash", "messages": [{"role": "user", "content": "Hello"}]}'

	keyed 'file, begun' "$BASE_URL/upload/v1beta/files" --data '{"file": {"displayName": "water"}}' \
		--header 'X-Goog-Upload-Protocol: resumable' --header 'X-Goog-Upload-Command: start' \
		--header 'X-Goog-Upload-Header-Content-Type: text/plain' --header 'X-Goog-Upload-Header-Content-Length: 36'
	address=$(tr -d '\r' <header | awk 'tolower($1) == "x-goog-upload-url:" { print $2 }')
	call 'file, sent' "$address" --data-binary 'water water water water water water ' \
		--header 'X-Goog-Upload-Offset: 0' --header 'X-Goog-Upload-Command: upload, finalize'
	file=$(field name) uri=$(field uri)
	printf -- '--piece\r\nContent-Type: application/json\r\n\r\n{"file": {"displayName": "more"}}\r\n' >parts
	printf -- '--piece\r\nContent-Type: text/plain\r\n\r\nwater\r\n--piece--\r\n' >>parts
	keyed 'another file, at once' "$BASE_URL/upload/v1beta/files" --data-binary @parts \
		--header 'X-Goog-Upload-Protocol: multipart' --header 'Content-Type: multipart/related; boundary=piece'
	more=$(field name)
	keyed 'file, asked about' "$model:generateContent" \
		--data '{"contents": [{"parts": [{"text": "What is in it?"}, {"fileData": {"mimeType": "text/plain", "fileUri": "'"$uri"'"}}]}]}'
	keyed 'file, read' "$BASE_URL/v1beta/$file"
	keyed 'files' "$BASE_URL/v1beta/files"
	keyed 'file, deleted' "$BASE_URL/v1beta/$file" --request DELETE
	keyed 'another file, deleted' "$BASE_URL/v1beta/$more" --request DELETE
}

{
	printf '{"contents": [{"parts": [{"inlineData": {"mimeType": "text/plain", "data": "'
	head -c 3000000 /dev/zero | tr '\0' A
	printf '"}}]}]}'
} >large

for half in first second; do
	for http in $protocols; do
		calls
	done
	[ $half = second ] || keyed middle "$model"
done
