"""What a Python service does with the official SDK through the sidecar. It knows only the address, and its token."""

import asyncio
import io
import os
import urllib.request

from google import genai
from google.genai import errors

MODEL = "gemini-3.5-flash"
client = genai.Client(api_key=os.environ["SPILLWAY_TOKEN"], http_options={"base_url": os.environ["SPILLWAY_URL"]})


def check(what, good, got):
    if not good:
        raise SystemExit(f"{what}: wrong: {got!r}")
    print(f"{what}: {got}")


def endpoint(response):
    headers = response.sdk_http_response.headers
    return {name.lower(): value for name, value in headers.items()}["spillway-endpoint"]


def streamed(prompt):
    pieces = [piece.text or "" for piece in client.models.generate_content_stream(model=MODEL, contents=prompt)]
    return len(pieces), "".join(pieces)


answer = client.models.generate_content(model=MODEL, contents="Why do dams have spillways?")
check("generate", answer.text and endpoint(answer).startswith("main/"), f"{endpoint(answer)} says {answer.text!r}")

count, text = streamed("Why do dams have spillways?")
check("stream", count > 1 and text == answer.text, f"{count} pieces, together the same")

chat = client.chats.create(model=MODEL)
first, second = chat.send_message("Hello"), chat.send_message("And again")
longer = second.usage_metadata.prompt_token_count > first.usage_metadata.prompt_token_count
check("chat", longer and len(chat.get_history()) == 4, f"{len(chat.get_history())} contents")

tokens = client.models.count_tokens(model=MODEL, contents="Hello, spillway")
check("count tokens", tokens.total_tokens > 0, tokens.total_tokens)

vectors = client.models.embed_content(model="gemini-embedding-001", contents=["dam", "water"])
check("embed", len(vectors.embeddings) == 2 and len(vectors.embeddings[0].values) > 0, f"{len(vectors.embeddings)} vectors")

# A file is sent in chunks to an address in the first response, which must be the sidecar's.
held = client.files.upload(file=io.BytesIO(b"water " * 100_000), config={"mime_type": "text/plain"})
seen = client.models.generate_content(model=MODEL, contents=["What is in it?", held])
listed = [file.name for file in client.files.list()]
client.files.delete(name=held.name)
check("file", held.size_bytes == 600_000 and seen.text and held.name in listed, f"{held.size_bytes} bytes, sent, used, listed and deleted")

try:
    client.models.generate_content(model="no-such-model", contents="Hello")
    raise SystemExit("a model that does not exist answered")
except errors.ClientError as error:
    check("error", error.code == 404 and error.status == "NOT_FOUND", f"{error.code} {error.status}")

# The failover: the key used so far is revoked. All that changes here is the endpoint.
urllib.request.urlopen(urllib.request.Request(os.environ["REVOKE_URL"], method="POST")).close()
answer = client.models.generate_content(model=MODEL, contents="Are you still there?")
check("generate, with the key revoked", answer.text and endpoint(answer).startswith("spare/"), endpoint(answer))
count, text = streamed("Are you still there?")
check("stream, with the key revoked", count > 1 and text == answer.text, f"{count} pieces")


async def several():
    ask = client.aio.models.generate_content
    return await asyncio.gather(*(ask(model=MODEL, contents=f"Question {i}") for i in range(5)))


answers = asyncio.run(several())
check("five at once", all(a.text for a in answers), {endpoint(a) for a in answers})
