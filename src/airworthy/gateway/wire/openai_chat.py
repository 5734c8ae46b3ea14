"""The OpenAI chat-completions protocol."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from airworthy.gateway.wire import asking
from airworthy.gateway.wire.chat_reply import ChatReader, read_completion
from airworthy.gateway.wire.facts import ReplyFacts, RequestFacts
from airworthy.gateway.wire.failure import ProtocolName
from airworthy.gateway.wire.openai_form import error_body, sse, user_of
from airworthy.gateway.wire.splice import set_keys, spans

# A prefix names the provider.
_REASONING = re.compile(r"(?:.*/)?(o\d|gpt-5)")
_NEWER, _OLDER = "max_completion_tokens", "max_tokens"
_NO_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


def bound_name(model: str) -> str:
    """Reasoning models refuse the older name of the bound on output; other servers know no newer one."""
    return _NEWER if _REASONING.match(model) else _OLDER


class ChatCompletions:
    name = "chat"
    protocol: ProtocolName = "openai"
    path = "/chat/completions"

    def read_request(self, raw: bytes) -> RequestFacts:
        body = asking.parsed(raw)
        model = asking.model_of(body)
        asking.needed(body, "messages", (list,), "a list of messages")
        bounds = [value for key in (_NEWER, _OLDER) if (value := asking.bound(body, key)) is not None]
        stream = asking.flag(body, "stream")
        options = body.get("stream_options")
        if options is not None and type(options) is not dict:
            raise asking.BadCall(
                "`stream_options` is no object.", mend="Set it to an object, or leave it out."
            )
        return RequestFacts(
            model=model,
            stream=stream,
            body=body,
            output_tokens_max=max(bounds) if bounds else None,
            choices=asking.choices(body),
            wants_usage=not stream or (options or {}).get("include_usage") is True,
            tools=_tools(body),
            user=user_of(body),
        )

    def spliced(
        self,
        raw: bytes,
        facts: RequestFacts,
        *,
        model: str | None,
        output_tokens_max: int | None,
        include_usage: bool,
    ) -> bytes:
        body = facts.body
        values: dict[str, bytes] = {}
        if model is not None and model != facts.model:
            values["model"] = orjson.dumps(model)
        if output_tokens_max is not None:
            used = [key for key in (_NEWER, _OLDER) if body.get(key) is not None]
            for key in used or (bound_name(model or facts.model),):
                if body.get(key) != output_tokens_max:
                    values[key] = b"%d" % output_tokens_max
        if include_usage and facts.stream and not facts.wants_usage:
            values["stream_options"] = _with_usage(raw, body.get("stream_options"))
        if not values:
            return raw
        return set_keys(raw, values, present=frozenset(key for key in values if key in body))

    def read_reply(self, raw: bytes) -> ReplyFacts:
        return read_completion(raw)

    def stream_reader(self, bytes_max: int) -> ChatReader:
        return ChatReader(bytes_max)

    def error_body(self, status: int, kind: str, message: str, code: str) -> bytes:
        return error_body(status, kind, message, code)

    def stop_reply(
        self, model: str, text: str, facts: RequestFacts, evidence: Mapping[str, Any]
    ) -> list[bytes]:
        head = {"id": "chatcmpl-airworthy-stop", "created": 0, "model": model}
        indexes = range(facts.choices)
        if not facts.stream:
            message = {"role": "assistant", "content": text, "refusal": None}
            choices = [
                {"index": index, "message": message, "logprobs": None, "finish_reason": "stop"}
                for index in indexes
            ]
            body = {**head, "object": "chat.completion", "choices": choices, "usage": _NO_USAGE}
            return [orjson.dumps({**body, "airworthy": {"stop": dict(evidence)}}, default=str)]
        chunks: list[bytes] = []
        head["object"] = "chat.completion.chunk"
        for delta, reason in (
            ({"role": "assistant", "content": ""}, None),
            ({"content": text}, None),
            ({}, "stop"),
        ):
            for index in indexes:
                choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}
                chunks.append(sse({**head, "choices": [choice]}))
        if facts.wants_usage:
            chunks.append(sse({**head, "choices": [], "usage": _NO_USAGE}))
        return [*chunks, b"data: [DONE]\n\n"]


def _with_usage(raw: bytes, options: dict[str, Any] | None) -> bytes:
    if not options:
        return b'{"include_usage":true}'
    start, end = spans(raw, "stream_options")[-1]
    present = frozenset(("include_usage",)) & options.keys()
    return set_keys(raw[start:end], {"include_usage": b"true"}, present=present)


def _tools(body: dict[str, Any]) -> tuple[str, ...]:
    listed = body.get("tools")
    if type(listed) is list:
        found = []
        for tool in listed:
            if type(tool) is dict:
                inner = tool.get("function") or tool.get("custom")
                found.append(inner.get("name") if type(inner) is dict else tool.get("type"))
        return asking.names(found)
    old = body.get("functions")
    if type(old) is list:
        return asking.names(function.get("name") for function in old if type(function) is dict)
    return ()
