"""A service in Python with Google's SDK. It knows an address and an API key, and prints what it gets."""

import io
import os

from google import genai
from google.genai import errors

from transcript import show

MODEL = "gemini-3.5-flash"
EMBEDDER = "gemini-embedding-001"
client = genai.Client(api_key=os.environ["API_KEY"], http_options={"base_url": os.environ["BASE_URL"]})


def calls(half):
    show(f"{half} generate", client.models.generate_content(model=MODEL, contents="Why do dams have spillways?"))
    pieces = list(client.models.generate_content_stream(model="gemini-3.8-flash", contents="Why do dams have spillways?"))
    assert len(pieces) > 1, "the stream came in one piece"
    show(f"{half} stream", pieces)

    chat = client.chats.create(model=MODEL)
    show(f"{half} chat", [chat.send_message("Hello"), chat.send_message("And again"), *chat.get_history()])
    show(f"{half} count tokens", client.models.count_tokens(model=MODEL, contents="Hello, spillway"))
    show(f"{half} embeddings", client.models.embed_content(model=EMBEDDER, contents=["dam", "water"]))

    # The file goes in chunks to an address that the first response names.
    held = client.files.upload(file=io.BytesIO(b"water " * 100_000), config={"mime_type": "text/plain"})
    used = client.models.generate_content(model=MODEL, contents=["What is in it?", held])
    show(f"{half} file", [held, client.files.get(name=held.name), used, *client.files.list()])
    show(f"{half} file, deleted", client.files.delete(name=held.name))

    try:
        client.models.generate_content(model="no-such-model", contents="Hello")
    except errors.ClientError as error:
        show(f"{half} error", error.details)
    else:
        raise SystemExit("a model that does not exist has responded")


calls("first")
show("middle", client.models.get(model=MODEL))
calls("second")
