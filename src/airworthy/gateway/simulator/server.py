"""The simulator as an ASGI application: reads a request, lets brain and faults decide, sends the bytes."""

import asyncio
import hmac
import random
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import replace
from typing import Any, TypeAlias

import orjson

from airworthy.core.canonical import digest, encode
from airworthy.core.errors import ConfigError
from airworthy.gateway.simulator import brain, misconduct, spoiling, wire
from airworthy.gateway.simulator.conversation import (
    BadRequest,
    Conversation,
    Json,
    as_dict,
    as_list,
    as_text,
    parse,
)
from airworthy.gateway.simulator.faults import CallKey, Fault, FaultPlan
from airworthy.gateway.simulator.rules import Rules
from airworthy.gateway.simulator.wire import Answer

# ASGI's messages are dicts of anything by its specification.
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MODELS = ("sim-large-2026-11-01", "sim-small-2026-11-01")
WINDOW_TOKENS = 128_000
REQUEST_BYTES_MAX = 8 * 1024 * 1024
# Attempts are remembered for this many different requests; the oldest count as new again.
REMEMBERED_MAX = 65_536


class RequestTooLarge(BadRequest):
    """The body is over REQUEST_BYTES_MAX."""


class Simulator:
    """An OpenAI-compatible provider without a model. Counters live here; everything else is a value.

    `windows` gives a model's context window in tokens where it is not WINDOW_TOKENS. Without `api_key`
    any key is good.
    """

    def __init__(
        self,
        seed: int = 7,
        rules: Rules | None = None,
        faults: FaultPlan | None = None,
        models: tuple[str, ...] = MODELS,
        api_key: str | None = None,
        windows: Mapping[str, int] | None = None,
    ) -> None:
        strangers = [model for model in windows or {} if model not in models]
        if not models or strangers:
            raise ConfigError(
                f"A window is given for {strangers[0]!r}, which is not served."
                if strangers
                else "No model is served.",
                mend="Name each model in `models`.",
            )
        self.seed = seed
        self.rules = rules
        self.faults = faults if faults is not None else FaultPlan()
        self.models = models
        self.calls = 0
        self.calls_by_fault: Counter[str] = Counter()
        self.calls_by_rule: Counter[str] = Counter()
        self._api_key = api_key
        self._windows = dict(windows or {})
        self._attempts: OrderedDict[bytes, int] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            answer = self._routed(scope, await _body(receive))
        except BadRequest as problem:
            answer = wire.refused(problem)
        if answer.delay_s:
            await asyncio.sleep(answer.delay_s)
        await _respond(answer, scope, receive, send)

    def stats(self) -> dict[str, Json]:
        return {
            "calls": self.calls,
            "faults": dict(self.calls_by_fault),
            "rules": dict(self.calls_by_rule),
            "seed": self.seed,
        }

    def _routed(self, scope: Scope, body: bytes) -> Answer:
        method, path = scope["method"], scope["path"]
        if (method, path) == ("GET", "/sim/stats"):
            return wire.json_answer(self.stats())
        if not self._is_authorised(scope["headers"]):
            return wire.wrong_key()
        if (method, path) == ("POST", "/v1/chat/completions"):
            return self.answer(body)
        if (method, path) == ("GET", "/v1/models"):
            return wire.model_list(self.models)
        if method == "GET" and path.startswith("/v1/models/"):
            return wire.json_answer(wire.model_entry(self._model(path.removeprefix("/v1/models/"))))
        return wire.error(404, f"Invalid URL ({method} {path}).", kind="invalid_request_error")

    def answer(self, body: bytes) -> Answer:
        """One chat completion. Counts the call; without faults the body depends on seed and request alone.

        Raises: BadRequest.
        """
        try:
            request = as_dict(orjson.loads(body))
        except orjson.JSONDecodeError as error:
            raise BadRequest(f"The body is not JSON: {error}.") from error
        model = self._model(as_text(request.get("model")))
        conversation = parse(request)
        self._check_window(conversation, model)
        self.calls += 1
        number = self.calls
        canonical = encode(request)
        mark = digest(b"%d" % self.seed, canonical)
        headers = wire.call_headers(number, mark, conversation.prompt_tokens)
        faults = self._drawn(request, mark, number, conversation)
        made, applied, rule = self._made(conversation, mark, faults)
        if applied is not None:
            self.calls_by_fault[applied.kind] += 1
            headers["x-sim-fault"] = applied.kind
        if rule is not None:
            self.calls_by_rule[rule] += 1
            # A header is Latin-1; a rule may be named in any script.
            headers["x-sim-rule"] = rule.encode("ascii", "backslashreplace").decode()
        return replace(made, headers={**headers, **made.headers})

    def _made(
        self, conversation: Conversation, mark: bytes, faults: tuple[Fault, ...]
    ) -> tuple[Answer, Fault | None, str | None]:
        """The answer, the first of the drawn faults that could apply, and the rule that decided."""
        model = conversation.model
        if faults and faults[0].kind in spoiling.BEFORE:
            return spoiling.instead(faults[0], model), faults[0], None
        chance = random.Random(int.from_bytes(mark, "big"))  # noqa: S311  # wording, not secrets
        decision = brain.decide(conversation, self.rules, chance)
        for fault in faults:
            if fault.kind in misconduct.KINDS:
                worse = misconduct.misconducted(decision, conversation, fault, chance)
                if worse is None:
                    continue
                body = wire.completion(worse, conversation, model, mark)
                return spoiling.encoded(body), fault, worse.rule
            if fault.kind in spoiling.BEFORE:
                return spoiling.instead(fault, model), fault, None
            body = wire.completion(decision, conversation, model, mark)
            if fault.kind in spoiling.BODY:
                body = spoiling.body(body, fault, conversation, self.models)
                return spoiling.encoded(body), fault, decision.rule
            return spoiling.sent(spoiling.encoded(body), fault), fault, decision.rule
        return spoiling.encoded(wire.completion(decision, conversation, model, mark)), None, decision.rule

    def _drawn(
        self, request: dict[str, Json], mark: bytes, number: int, conversation: Conversation
    ) -> tuple[Fault, ...]:
        if not self.faults:
            return ()
        attempt = self._attempts.pop(mark, 0) + 1
        self._attempts[mark] = attempt
        if len(self._attempts) > REMEMBERED_MAX:
            self._attempts.popitem(last=False)
        key = CallKey(number, attempt, mark, _opening(request), conversation.user)
        return self.faults.draw(self.seed, key)

    def _model(self, name: str) -> str:
        if name not in self.models:
            raise BadRequest(
                f"The model {name!r} does not exist. Served are: {', '.join(self.models)}.",
                status=404,
                param="model",
                wire="model_not_found",
            )
        return name

    def _check_window(self, conversation: Conversation, model: str) -> None:
        window = self._windows.get(model, WINDOW_TOKENS)
        if conversation.prompt_tokens > window:
            raise BadRequest(
                f"This model's maximum context length is {window} tokens."
                f" However, your messages resulted in {conversation.prompt_tokens} tokens.",
                param="messages",
                wire="context_length_exceeded",
            )

    def accepts(self, api_key: str) -> bool:
        return self._api_key is None or hmac.compare_digest(api_key.encode(), self._api_key.encode())

    def _is_authorised(self, headers: list[tuple[bytes, bytes]]) -> bool:
        if self._api_key is None:
            return True
        given = next((value for name, value in headers if name == b"authorization"), b"")
        return self.accepts(given.removeprefix(b"Bearer ").decode("latin-1"))


def _opening(request: dict[str, Json]) -> bytes:
    """What stays the same through a conversation: its messages up to and with the user's first."""
    opening: list[Json] = []
    for message in as_list(request.get("messages")):
        opening.append(message)
        if as_dict(message).get("role") == "user":
            break
    return digest(encode(opening))


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > REQUEST_BYTES_MAX:
            raise RequestTooLarge(f"The body is larger than {REQUEST_BYTES_MAX} bytes.", status=413)
        if not message.get("more_body"):
            return bytes(body)


async def _respond(answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    # Without `serving` there is no way to drop a connection; the application's end is then all a server sees.
    drop = scope.get("extensions", {}).get("airworthy.drop", {}).get("drop")
    if answer.ending == "reset":
        if drop is not None:
            drop(flush=False)
            await receive()
        return
    headers = [(b"content-length", b"%d" % len(answer.body))]
    headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if answer.ending == "half":
        await send(
            {"type": "http.response.body", "body": answer.body[: len(answer.body) // 2], "more_body": True}
        )
        if drop is not None:
            drop(flush=True)
            await receive()
        return
    await send({"type": "http.response.body", "body": answer.body})
