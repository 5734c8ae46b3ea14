"""OpenAI's chat completions: the protocol that the neutral form is written in, so that only the stream is new."""

from collections.abc import Iterator, Mapping

from airworthy.gateway.simulator.conversation import Json, as_dict
from airworthy.gateway.simulator.dialects import sse
from airworthy.gateway.simulator.dialects.openai import OpenAI
from airworthy.gateway.simulator.dialects.port import Asked, Stream
from airworthy.gateway.simulator.spoken import Spoken, pieces

PATH = "/v1/chat/completions"


class Chat:
    house = OpenAI()

    def read(self, request: dict[str, Json], headers: Mapping[str, str]) -> Asked:  # noqa: ARG002  # the port's
        if not request.get("stream"):
            return Asked(request, request, request)
        wants_usage = as_dict(request.get("stream_options")).get("include_usage") is True
        drawn = {name: value for name, value in request.items() if name not in ("stream", "stream_options")}
        return Asked(request, request, drawn, stream=True, wants_usage=wants_usage)

    def plain(self, spoken: Spoken, asked: Asked) -> dict[str, Json]:  # noqa: ARG002  # the port's
        usage = spoken.counted(as_dict(spoken.whole["usage"]))
        if usage is None:
            return {name: value for name, value in spoken.whole.items() if name != "usage"}
        return spoken.whole | {"usage": usage}

    def stream(self, spoken: Spoken, asked: Asked) -> Stream:
        usage = spoken.counted(as_dict(spoken.whole["usage"])) if asked.wants_usage else None
        shared: dict[str, Json] = {
            "id": spoken.whole["id"],
            "object": "chat.completion.chunk",
            "created": spoken.whole["created"],
            "model": spoken.model,
            "service_tier": "default",
            "system_fingerprint": spoken.whole["system_fingerprint"],
        }
        # Null in every chunk but the last, if it was asked for; otherwise not there at all.
        between: dict[str, Json] = {"usage": None} if asked.wants_usage else {}

        def chunk(delta: dict[str, Json], finish: str | None = None) -> bytes:
            choice: Json = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            return sse.data(shared | {"choices": [choice]} | between)

        tail = [] if usage is None else [sse.data(shared | {"choices": [], "usage": usage})]
        if spoken.choice is None:
            return Stream((sse.data(shared | {"choices": []} | between),), (), (*tail, sse.DONE))
        opening: Json = None if spoken.calls or not spoken.text else ""
        return Stream(
            opening=(chunk({"role": "assistant", "content": opening, "refusal": None}),),
            content=tuple(map(chunk, _deltas(spoken))),
            ending=(chunk({}, spoken.finish), *tail, sse.DONE),
        )

    def error_event(self, number: int) -> bytes:  # noqa: ARG002  # the port's
        message = "The server had an error while processing your request."
        return sse.data({"error": {"message": message, "type": "server_error", "param": None, "code": None}})

    def broken_event(self) -> bytes:
        return b'data: {"id":"chatcmpl-\xef\xbf\xbd","object":"chat.compl\n\n'

    def remember(self, spoken: Spoken, asked: Asked) -> None:
        """Each request says everything again; there is nothing to keep."""


def _deltas(spoken: Spoken) -> Iterator[dict[str, Json]]:
    for piece in pieces(spoken.text):
        yield {"content": piece}
    for piece in pieces(spoken.refusal):
        yield {"refusal": piece}
    for index, call in enumerate(spoken.calls):
        function: Json = {"name": call.name, "arguments": ""}
        yield {
            "tool_calls": [
                {"index": index, "id": f"call_{call.id}", "type": "function", "function": function}
            ]
        }
        for piece in pieces(call.arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
