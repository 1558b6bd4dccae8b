"""A service in Python with the asynchronous half of Google's SDK, over httpx, or over aiohttp where that is installed."""

import asyncio
import io
import os

from google import genai
from google.genai import errors

from transcript import show

MODEL = "gemini-3.5-flash"
LIVE = "gemini-3.1-flash-live-preview"
EMBEDDER = "gemini-embedding-001"
client = genai.Client(api_key=os.environ["API_KEY"], http_options={"base_url": os.environ["BASE_URL"]}).aio


async def calls(half):
    show(f"{half} generate", await client.models.generate_content(model=MODEL, contents="Why do dams have spillways?"))
    stream = await client.models.generate_content_stream(model="gemini-3.8-flash", contents="Why do dams have spillways?")
    pieces = [piece async for piece in stream]
    assert len(pieces) > 1, "the stream came in one piece"
    show(f"{half} stream", pieces)
    at_once = (client.models.generate_content(model=MODEL, contents=f"Question {i}") for i in range(5))
    show(f"{half} five at once", [response.text for response in await asyncio.gather(*at_once)])

    chat = client.chats.create(model=MODEL)
    show(f"{half} chat", [await chat.send_message("Hello"), await chat.send_message("And again"), *chat.get_history()])
    show(f"{half} count tokens", await client.models.count_tokens(model=MODEL, contents="Hello, spillway"))
    show(f"{half} embeddings", await client.models.embed_content(model=EMBEDDER, contents=["dam", "water"]))

    held = await client.files.upload(file=io.BytesIO(b"water " * 100_000), config={"mime_type": "text/plain"})
    used = await client.models.generate_content(model=MODEL, contents=["What is in it?", held])
    listed = [file async for file in await client.files.list()]
    show(f"{half} file", [held, await client.files.get(name=held.name), used, *listed])
    show(f"{half} file, deleted", await client.files.delete(name=held.name))

    try:
        await client.models.generate_content(model="no-such-model", contents="Hello")
    except errors.ClientError as error:
        show(f"{half} error", error.details)
    else:
        raise SystemExit("a model that does not exist has responded")


async def turn(name, session, text):
    await session.send_client_content(turns={"role": "user", "parts": [{"text": text}]})
    show(name, [message async for message in session.receive()])


async def main():
    if not os.environ["BASE_URL"].startswith("https:"):  # the SDK's Live sessions are always over TLS
        await calls("first")
        show("middle", await client.models.get(model=MODEL))
        await calls("second")
        return
    async with client.live.connect(model=LIVE) as session:
        await turn("first live", session, "Hello")
        await calls("first")
        show("middle", await client.models.get(model=MODEL))
        await turn("second live, the same session", session, "And again")
    async with client.live.connect(model=LIVE) as session:
        await turn("second live", session, "Hello")
    await calls("second")


asyncio.run(main())
