"""Server-sent events as bytes."""

import orjson

from airworthy.gateway.simulator.conversation import Json

DONE = b"data: [DONE]\n\n"


def data(value: dict[str, Json]) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(value)


def event(name: str, value: dict[str, Json]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(value))
