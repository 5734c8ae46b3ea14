"""What the gateway benchmark sends and what its upstream answers, as bytes. Knows neither sockets nor time."""

import json
from collections.abc import Sequence

MODEL = "gpt-4o-mini-2024-07-18"
PATH = "/v1/chat/completions"
SPACED = "[spaced]"  # In the words of a question: the upstream takes its time between the events.
QUESTION = "Please tell me under which terms an order may be returned, and who pays for the way back. "
# About fifty words, so that a stream has about as many events.
SPOKEN = (
    "An order may be returned within thirty days of delivery, in its packaging and with the receipt. We pay for"
    " the way back when something was wrong; otherwise you do. The money is sent within five working days after"
    " the parcel has been looked at by our people in the warehouse."
)
END_OF_CHUNKS = b"0\r\n\r\n"
END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length:"
_HOP_BY_HOP = frozenset({"content-length", "transfer-encoding", "connection", "date", "server"})


def question(streamed: bool, spaced: bool = False) -> bytes:
    """The body of a request, a bit over 400 bytes."""
    asked = f"{SPACED if spaced else ''}{QUESTION * 4}"
    body = {"model": MODEL, "messages": [{"role": "user", "content": asked}], "max_tokens": 256}
    if streamed:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(body, separators=(",", ":")).encode()


def request(key: str, body: bytes, path: str = PATH) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def whole(headers: Sequence[tuple[str, str]], body: bytes) -> bytes:
    """An answer of status 200."""
    return _head(headers, f"content-length: {len(body)}") + body


def stream_head(headers: Sequence[tuple[str, str]]) -> bytes:
    return _head(headers, "transfer-encoding: chunked")


def stream_parts(body: bytes) -> list[bytes]:
    """Each event as an HTTP chunk of its own; the last brings the end along."""
    events = [event + b"\n\n" for event in body.split(b"\n\n") if event]
    parts = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
    return [*parts[:-1], parts[-1] + END_OF_CHUNKS]


def length_of(head: bytes) -> int | None:
    """What `head`, of a request or a reply, says about the length of its body; None when it says nothing."""
    lower = head.lower()
    at = lower.find(_LENGTH)
    if at < 0:
        return None
    return int(lower[at + len(_LENGTH) :].split(b"\r\n", 1)[0])


def asks_for_stream(body: bytes) -> bool:
    return b'"stream":true' in body or b'"stream": true' in body


def is_complete(reply: bytes | bytearray) -> bool:
    """Whether all of a reply is here. The chunked ones of this benchmark never hold `END_OF_CHUNKS` within."""
    end = reply.find(END_OF_HEAD)
    if end < 0:
        return False
    length = length_of(bytes(reply[:end]) + b"\r\n")
    if length is None:
        return reply.endswith(END_OF_CHUNKS)
    return len(reply) >= end + len(END_OF_HEAD) + length


def is_good(reply: bytes | bytearray, streamed: bool) -> bool:
    """Of status 200 and with the words that only a whole answer has."""
    return reply[9:12] == b"200" and (b"[DONE]" if streamed else b'"usage"') in reply


def _head(headers: Sequence[tuple[str, str]], framing: str) -> bytes:
    kept = [f"{name}: {value}" for name, value in headers if name.lower() not in _HOP_BY_HOP]
    return "\r\n".join(["HTTP/1.1 200 OK", *kept, framing, "", ""]).encode()
