"""A service in Python with OpenAI's client, and with LangChain. It knows an address and an API key, and prints what it gets."""

import os

import openai
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from transcript import show

MODEL = "gemini-3.5-flash"
EMBEDDER = "gemini-embedding-001"
BASE = os.environ["BASE_URL"] + "/v1beta/openai"
KEY = os.environ["API_KEY"]
client = openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0)

ask = [{"role": "user", "content": "Why do dams have spillways?"}]
function = {"type": "function", "function": {"name": "level", "parameters": {"type": "object", "properties": {}}}}
chain = ChatOpenAI(model=MODEL, base_url=BASE, api_key=KEY, max_retries=0)
embedder = OpenAIEmbeddings(model=EMBEDDER, base_url=BASE, api_key=KEY, check_embedding_ctx_length=False, max_retries=0)


@tool
def level() -> str:
    """The level of the water."""
    return "high"


def body(method, **asked):
    """The bytes of a response."""
    return method.with_raw_response.create(**asked).http_response.text


def chat(**more):
    return body(client.chat.completions, model=MODEL, messages=ask, **more)


def message(body):
    """What an error says. Google puts it into a list, where OpenAI's client does not look; the sidecar where it does."""
    return (body[0] if isinstance(body, list) else body)["error"]["message"]


def calls(half):
    show(f"{half} chat", chat())
    show(f"{half} tools", chat(tools=[function], tool_choice="required"))
    show(f"{half} stream", streamed())
    show(f"{half} stream with usage", streamed(stream_options={"include_usage": True}))
    show(f"{half} embeddings", body(client.embeddings, model=EMBEDDER, input=["dam", "water"], encoding_format="float"))
    show(f"{half} models", list(client.models.list()))
    try:
        client.chat.completions.create(model="no-such-model", messages=ask)
    except openai.NotFoundError as error:
        show(f"{half} error", message(error.response.json()))
    else:
        raise SystemExit("a model that does not exist has responded")

    show(f"{half} LangChain", chain.invoke("Why do dams have spillways?").content)
    show(f"{half} LangChain, stream", [piece.content for piece in chain.stream("Why do dams have spillways?")])
    show(f"{half} LangChain, tools", chain.bind_tools([level], tool_choice="required").invoke("?").tool_calls[0]["name"])
    # The client asks for 32-bit numbers in base64, and also takes decimal ones: they are the same to seven digits.
    vectors = embedder.embed_documents(["dam", "water"])
    show(f"{half} LangChain, embeddings", [[round(number, 6) for number in vector] for vector in vectors])


def streamed(**more):
    asked = client.chat.completions.with_streaming_response
    with asked.create(model="gemini-3.8-flash", messages=ask, stream=True, **more) as response:
        return response.read().decode()


calls("first")
show("middle", client.models.retrieve(MODEL))
calls("second")
