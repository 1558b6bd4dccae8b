"""The transcript of a client in Python: a line that names each call, and what the SDK made of the response.

Texts are printed as they are: bodies are among them."""

import json

import pydantic


def plain(value):
    """What JSON can say of a value of the SDK's. HTTP headers are not the SDK's."""
    if isinstance(value, pydantic.BaseModel):
        return value.model_dump(mode="json", exclude_none=True, exclude={"sdk_http_response"})
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def show(name, value):
    print(f"=== {name}")
    for one in value if isinstance(value, list) else [value]:
        print(one if isinstance(one, str) else json.dumps(plain(one), sort_keys=True, ensure_ascii=False))
