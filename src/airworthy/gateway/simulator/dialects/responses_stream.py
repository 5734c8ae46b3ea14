"""The typed events of a streamed response, numbered in their order."""

from collections.abc import Iterator

from airworthy.gateway.simulator.conversation import Json, as_dict, as_list, as_text
from airworthy.gateway.simulator.dialects import sse
from airworthy.gateway.simulator.dialects.port import Stream
from airworthy.gateway.simulator.spoken import Spoken, pieces


def items(spoken: Spoken) -> Iterator[dict[str, Json]]:
    """The finished items of the output: what was said, then each call."""
    status = "incomplete" if spoken.finish in ("length", "content_filter") else "completed"
    part: dict[str, Json] | None = None
    if spoken.refusal:
        part = {"type": "refusal", "refusal": spoken.refusal}
    elif spoken.text:
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": spoken.text}
    if part is not None:
        yield {
            "id": spoken.spelt("msg", 1, 48),
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": [part],
        }
    for index, call in enumerate(spoken.calls):
        yield {
            "id": spoken.spelt("fc", 2 + index, 48),
            "type": "function_call",
            "status": status,
            "arguments": call.arguments,
            "call_id": f"call_{call.id}",
            "name": call.name,
        }


def stream(spoken: Spoken, begun: dict[str, Json], ended: dict[str, Json]) -> Stream:
    """`begun` and `ended` are the response before its first word and after its last."""
    written = _Numbered()
    opening = [
        written.event("response.created", {"response": begun}),
        written.event("response.in_progress", {"response": begun}),
    ]
    content: list[bytes] = []
    for index, item in enumerate(items(spoken)):
        place: dict[str, Json] = {"output_index": index}
        if item["type"] == "function_call":
            content += _call(written, item, place)
        else:
            heads, words = _message(written, item, place)
            opening += heads
            content += words
    name = f"response.{as_text(ended['status'])}"
    return Stream(tuple(opening), tuple(content), (written.event(name, {"response": ended}),))


class _Numbered:
    def __init__(self) -> None:
        self._count = 0

    def event(self, name: str, rest: dict[str, Json]) -> bytes:
        made = sse.event(name, {"type": name, "sequence_number": self._count, **rest})
        self._count += 1
        return made


def _message(
    written: _Numbered, item: dict[str, Json], place: dict[str, Json]
) -> tuple[list[bytes], list[bytes]]:
    part = as_dict(as_list(item["content"])[0])
    refuses = part["type"] == "refusal"
    kind, field = ("refusal", "refusal") if refuses else ("output_text", "text")
    whole = as_text(part[field])
    inside = {"item_id": item["id"], **place, "content_index": 0}
    more: dict[str, Json] = {} if refuses else {"logprobs": []}
    heads = [
        written.event(
            "response.output_item.added", {**place, "item": item | {"status": "in_progress", "content": []}}
        ),
        written.event("response.content_part.added", {**inside, "part": part | {field: ""}}),
    ]
    words = [
        written.event(f"response.{kind}.delta", {**inside, "delta": piece, **more}) for piece in pieces(whole)
    ]
    words += [
        written.event(f"response.{kind}.done", {**inside, field: whole, **more}),
        written.event("response.content_part.done", {**inside, "part": part}),
        written.event("response.output_item.done", {**place, "item": item}),
    ]
    return heads, words


def _call(written: _Numbered, item: dict[str, Json], place: dict[str, Json]) -> list[bytes]:
    inside = {"item_id": item["id"], **place}
    whole = as_text(item["arguments"])
    begun = item | {"status": "in_progress", "arguments": ""}
    return [
        written.event("response.output_item.added", {**place, "item": begun}),
        *(
            written.event("response.function_call_arguments.delta", {**inside, "delta": piece})
            for piece in pieces(whole)
        ),
        written.event(
            "response.function_call_arguments.done", {**inside, "name": item["name"], "arguments": whole}
        ),
        written.event("response.output_item.done", {**place, "item": item}),
    ]
