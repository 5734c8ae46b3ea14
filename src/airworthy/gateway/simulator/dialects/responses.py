"""OpenAI's Responses: reads a request, remembers its answers, and writes them down whole."""

from collections import OrderedDict
from collections.abc import Mapping

import orjson

from airworthy.gateway.simulator.conversation import BadRequest, Json, as_dict, as_list, as_text
from airworthy.gateway.simulator.dialects import responses_request, responses_stream, sse
from airworthy.gateway.simulator.dialects.openai import OpenAI
from airworthy.gateway.simulator.dialects.port import Asked, Stream
from airworthy.gateway.simulator.spoken import Spoken

PATH = "/v1/responses"
REMEMBERED_MAX = 4_096
REMEMBERED_BYTES_MAX = 64 * 1024 * 1024
_UNFINISHED = {"length": "max_output_tokens", "content_filter": "content_filter"}
# What a request may set and the response repeats, with what stands there if it does not.
_ECHOED: dict[str, Json] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


class Responses:
    """Has a memory, because `previous_response_id` refers to an answer; the oldest are forgotten."""

    house = OpenAI()

    def __init__(self, remembered_max: int = REMEMBERED_MAX, bytes_max: int = REMEMBERED_BYTES_MAX) -> None:
        self._remembered_max = remembered_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._remembered: OrderedDict[str, bytes] = OrderedDict()

    def read(self, request: dict[str, Json], headers: Mapping[str, str]) -> Asked:  # noqa: ARG002  # the port's
        """Raises: BadRequest."""
        if request.get("background"):
            raise BadRequest(
                "Background responses are not supported by the simulator.",
                param="background",
                wire="unsupported_value",
            )
        earlier = self._recalled(as_text(request.get("previous_response_id")))
        drawn = responses_request.as_chat(request, earlier, responses_request.messages(request.get("input")))
        limit = request.get("max_output_tokens")
        chat = drawn if limit is None else drawn | {"max_completion_tokens": limit}
        return Asked(request, chat, drawn, stream=request.get("stream") is True)

    def plain(self, spoken: Spoken, asked: Asked) -> dict[str, Json]:
        reason = _UNFINISHED.get(spoken.finish)
        items: list[Json] = [*responses_stream.items(spoken)]
        made = body(spoken, asked, "completed" if reason is None else "incomplete", items)
        made["incomplete_details"] = None if reason is None else {"reason": reason}
        prompt, cached, written = spoken.tokens
        usage = spoken.counted(
            {
                "input_tokens": prompt,
                "input_tokens_details": {"cached_tokens": cached},
                "output_tokens": written,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": prompt + written,
            }
        )
        return made if usage is None else made | {"usage": usage}

    def stream(self, spoken: Spoken, asked: Asked) -> Stream:
        begun = body(spoken, asked, "in_progress", []) | {"usage": None}
        return responses_stream.stream(spoken, begun, self.plain(spoken, asked))

    def error_event(self, number: int) -> bytes:
        told: dict[str, Json] = {
            "type": "error",
            "sequence_number": number,
            "code": "server_error",
            "param": None,
        }
        return sse.event(
            "error", told | {"message": "The server had an error while processing your request."}
        )

    def broken_event(self) -> bytes:
        return b'event: response.output_text.delta\ndata: {"type":"response.output_te\n\n'

    def remember(self, spoken: Spoken, asked: Asked) -> None:
        if asked.request.get("store") is False:
            return
        # Instructions are of one request only; they are not part of what a later one goes on from.
        said = as_list(asked.chat["messages"])[1 if as_text(asked.request.get("instructions")) else 0 :]
        answer = {name: spoken.message.get(name) for name in ("role", "content", "tool_calls")}
        kept = orjson.dumps([*said, {name: value for name, value in answer.items() if value is not None}])
        if len(kept) > self._bytes_max:
            return
        name = response_id(spoken)
        self._bytes += len(kept) - len(self._remembered.pop(name, b""))
        self._remembered[name] = kept
        while len(self._remembered) > self._remembered_max or self._bytes > self._bytes_max:
            self._bytes -= len(self._remembered.popitem(last=False)[1])

    def _recalled(self, name: str) -> list[Json]:
        if not name:
            return []
        kept = self._remembered.get(name)
        if kept is None:
            raise BadRequest(
                f"Previous response with id '{name}' not found.",
                param="previous_response_id",
                wire="previous_response_not_found",
            )
        return as_list(orjson.loads(kept))


def response_id(spoken: Spoken) -> str:
    return spoken.spelt("resp", 0, 48)


def body(spoken: Spoken, asked: Asked, status: str, output: list[Json]) -> dict[str, Json]:
    echoed = {
        name: usual if asked.request.get(name) is None else asked.request[name]
        for name, usual in _ECHOED.items()
    }
    echoed["reasoning"] = as_dict(_ECHOED["reasoning"]) | as_dict(echoed["reasoning"])
    return {
        "id": response_id(spoken),
        "object": "response",
        "created_at": spoken.created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": spoken.model,
        "output": output,
        "service_tier": "default",
        **echoed,
    }
