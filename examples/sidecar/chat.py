"""What a service does with OpenAI's client, and with LangChain, through the sidecar. It knows only the address.

Its responses equal, byte for byte, those that Google gives without the sidecar.
"""

import http.client
import json
import os
import urllib.parse
import urllib.request

import openai
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

MODEL = "gemini-3.5-flash"
BASE = os.environ["SPILLWAY_URL"] + "/openai/v1"
GOOGLE = os.environ["GOOGLE_URL"] + "/v1beta/openai"
KEY = os.environ["SPILLWAY_TOKEN"]
client = openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0)


def check(what, good, got):
    if not good:
        raise SystemExit(f"{what}: wrong: {got!r}")
    print(f"{what}: {got}")


def raw(base, path, body, key):
    """The bytes of a response, without what differs from call to call."""
    url = urllib.parse.urlsplit(base)
    connection = http.client.HTTPConnection(url.hostname, url.port)
    connection.request("POST", url.path + path, json.dumps(body), {"Authorization": "Bearer " + key, "Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read().decode()
    for line in [text] if text.startswith("{") else text.splitlines():
        payload = line.removeprefix("data: ")
        if payload.startswith("{"):
            chunk = json.loads(payload)
            for name in "id", "created":
                if name in chunk:
                    text = text.replace(str(chunk[name]), name)
    return response.status, response.getheader("Content-Type"), text


def streamed(prompt, **more):
    chunks = list(client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": prompt}], stream=True, **more))
    return chunks, "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def endpoint(prompt):
    response = client.chat.completions.with_raw_response.create(model=MODEL, messages=[{"role": "user", "content": prompt}])
    return response.headers["spillway-endpoint"], response.parse().choices[0].message.content


ask = [{"role": "user", "content": "Why do dams have spillways?"}]
function = {"type": "function", "function": {"name": "level", "parameters": {"type": "object", "properties": {}}}}
bodies = {
    "chat": ("/chat/completions", {"model": MODEL, "messages": ask}),
    "stream": ("/chat/completions", {"model": MODEL, "messages": ask, "stream": True}),
    "stream with usage": ("/chat/completions", {"model": MODEL, "messages": ask, "stream": True, "stream_options": {"include_usage": True}}),
    "tools": ("/chat/completions", {"model": MODEL, "messages": ask, "tools": [function], "tool_choice": "required"}),
    "embeddings": ("/embeddings", {"model": "gemini-embedding-001", "input": ["dam", "water"]}),
    "a model that does not exist": ("/chat/completions", {"model": "no-such-model", "messages": ask}),
}
same = {name: raw(BASE, path, body, KEY) == raw(GOOGLE, path, body, "main-key") for name, (path, body) in bodies.items()}
check("byte for byte as without the sidecar", all(same.values()), ", ".join(same) if all(same.values()) else same)

where, text = endpoint("Why do dams have spillways?")
check("chat", text and where.startswith("main/"), f"{where} says {text!r}")
chunks, together = streamed("Why do dams have spillways?")
check("stream", len(chunks) > 1 and together == text and not any(c.usage for c in chunks), f"{len(chunks)} chunks, together the same")
chunks, _ = streamed("Why do dams have spillways?", stream_options={"include_usage": True})
check("stream with usage", chunks[-1].usage.completion_tokens > 0, chunks[-1].usage.total_tokens)
called = client.chat.completions.create(model=MODEL, messages=ask, tools=[function], tool_choice="required")
check("tools", called.choices[0].message.tool_calls[0].function.name == "level", called.choices[0].finish_reason)
vectors = client.embeddings.create(model="gemini-embedding-001", input=["dam", "water"], encoding_format="float")
check("embeddings", len(vectors.data) == 2 and vectors.data[0].embedding, f"{len(vectors.data)} vectors")
models = [model.id for model in client.models.list()]
check("models", "models/" + MODEL in models, f"{len(models)} models")
try:
    client.chat.completions.create(model="no-such-model", messages=ask)
    raise SystemExit("a model that does not exist answered")
except openai.NotFoundError as error:
    check("error", error.status_code == 404, error.status_code)


@tool
def level() -> str:
    """The level of the water."""
    return "high"


chain = ChatOpenAI(model=MODEL, base_url=BASE, api_key=KEY, max_retries=0)
check("LangChain", chain.invoke("Why do dams have spillways?").content == text, "the same")
check("LangChain, streamed", "".join(piece.content for piece in chain.stream("Why do dams have spillways?")) == text, "the same")
check("LangChain, tools", chain.bind_tools([level], tool_choice="required").invoke("?").tool_calls[0]["name"] == "level", "called")
embedder = OpenAIEmbeddings(model="gemini-embedding-001", base_url=BASE, api_key=KEY, check_embedding_ctx_length=False)
check("LangChain, embeddings", len(embedder.embed_documents(["dam", "water"])) == 2, "2 vectors")

# The failover: the key used so far is revoked. All that changes here is the endpoint.
urllib.request.urlopen(urllib.request.Request(os.environ["REVOKE_URL"], method="POST")).close()
chunks, together = streamed("Why do dams have spillways?")
check("stream, with the key revoked", len(chunks) > 1 and together == text, f"{len(chunks)} chunks")
where, again = endpoint("Why do dams have spillways?")
check("chat, with the key revoked", again == text and where.startswith("spare/"), where)
check("LangChain, with the key revoked", chain.invoke("Why do dams have spillways?").content == text, "the same")
