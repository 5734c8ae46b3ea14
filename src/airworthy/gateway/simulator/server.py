"""The simulator as a provider: which path is which protocol, what is counted, and who is let in."""

import hmac
import random
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import replace

import orjson

from airworthy.core.asgi import Receive, Scope, Send
from airworthy.core.canonical import digest, encode
from airworthy.core.errors import ConfigError
from airworthy.gateway.simulator import embeddings, making, wire
from airworthy.gateway.simulator.answer import Answer
from airworthy.gateway.simulator.conversation import (
    BadRequest,
    Conversation,
    Json,
    OverWindow,
    as_dict,
    as_list,
    as_text,
    parse,
)
from airworthy.gateway.simulator.delivery import deliver
from airworthy.gateway.simulator.dialects import chat, messages, messages_request, responses
from airworthy.gateway.simulator.dialects.anthropic import Anthropic
from airworthy.gateway.simulator.dialects.openai import OpenAI
from airworthy.gateway.simulator.dialects.port import Dialect, House
from airworthy.gateway.simulator.faults import CallKey, Fault, FaultPlan
from airworthy.gateway.simulator.limits import Meters, RateLimits, Unit
from airworthy.gateway.simulator.making import Made, Turn
from airworthy.gateway.simulator.rules import Rules

MODELS = ("sim-large-2026-11-01", "sim-small-2026-11-01")
WINDOW_TOKENS = 128_000
REQUEST_BYTES_MAX = 8 * 1024 * 1024
# Attempts are remembered for this many different requests; the oldest count as new again.
REMEMBERED_MAX = 65_536
MODELS_PATH = "/v1/models"


class RequestTooLarge(BadRequest):
    """The body is over REQUEST_BYTES_MAX."""


class Simulator:
    """A provider without a model. Counters live here; everything else is a value.

    `windows` gives a model's context window in tokens where it is not WINDOW_TOKENS. Without `api_key`
    any key is good. `limits` are enforced; without them the headers are constant and nothing is.
    """

    def __init__(
        self,
        seed: int = 7,
        rules: Rules | None = None,
        faults: FaultPlan | None = None,
        models: tuple[str, ...] = MODELS,
        api_key: str | None = None,
        windows: Mapping[str, int] | None = None,
        limits: RateLimits | None = None,
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
        self.calls_limited = 0
        self.calls_abandoned = 0
        self.calls_by_fault: Counter[str] = Counter()
        self.calls_by_rule: Counter[str] = Counter()
        self._api_key = api_key
        self._windows = dict(windows or {})
        self._meters = Meters(limits) if limits is not None else None
        self._attempts: OrderedDict[bytes, int] = OrderedDict()
        self._chat = chat.Chat()
        self._dialects: dict[str, Dialect] = {
            chat.PATH: self._chat,
            messages.PATH: messages.Messages(),
            responses.PATH: responses.Responses(),
        }
        self._openai: House = OpenAI()
        self._anthropic: House = Anthropic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            answer = self.answered(scope["method"], scope["path"], headers, await _body(receive))
        except RequestTooLarge as problem:
            answer = self._house(scope["path"], headers).refused(problem)
        if not await deliver(answer, scope, receive, send):
            self.calls_abandoned += 1

    def stats(self) -> dict[str, Json]:
        limited: dict[str, Json] = {} if self._meters is None else {"limited": self.calls_limited}
        return {
            "calls": self.calls,
            "faults": dict(self.calls_by_fault),
            "rules": dict(self.calls_by_rule),
            "seed": self.seed,
            **limited,
        }

    def answered(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Any request of any protocol, for every door. Waits for nothing: what is to be waited is in the answer."""
        heard = {name.lower(): value for name, value in headers.items()}
        house = self._house(path, heard)
        if (method, path) == ("GET", "/sim/stats"):
            return wire.json_answer(self.stats())
        if not self.accepts(_key(heard)):
            return house.wrong_key()
        try:
            return self._routed(method, path, heard, body)
        except BadRequest as problem:
            return house.refused(problem)

    def answer(self, body: bytes) -> Answer:
        """One chat completion. Counts the call; without faults the body depends on seed and request alone.

        Raises: BadRequest.
        """
        return self._called(self._chat, _request(body), {})

    def accepts(self, api_key: str) -> bool:
        return self._api_key is None or hmac.compare_digest(api_key.encode(), self._api_key.encode())

    def _house(self, path: str, headers: Mapping[str, str]) -> House:
        anthropic = path.startswith(messages.PATH) or "anthropic-version" in headers
        return self._anthropic if anthropic else self._openai

    def _routed(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Raises: BadRequest."""
        house = self._house(path, headers)
        if method == "POST":
            dialect = self._dialects.get(path)
            if dialect is not None:
                return self._called(dialect, _request(body), headers)
            if path == embeddings.PATH:
                return self._embedded(_request(body))
            if path == messages.COUNT_PATH:
                messages_request.check_version(headers)
                request = _request(body)
                self._model(as_text(request.get("model")))
                count = parse(messages_request.as_chat(request)).prompt_tokens
                return wire.json_answer({"input_tokens": count})
        if (method, path) == ("GET", MODELS_PATH):
            return house.model_list(self.models)
        if method == "GET" and path.startswith(f"{MODELS_PATH}/"):
            return house.model_entry(self._model(path.removeprefix(f"{MODELS_PATH}/")))
        return house.no_such_path(method, path)

    def _called(self, dialect: Dialect, request: dict[str, Json], headers: Mapping[str, str]) -> Answer:
        """One call of the model. Raises: BadRequest."""
        model = self._model(as_text(request.get("model")))
        asked = dialect.read(request, headers)
        conversation = parse(asked.chat)
        self._check_window(conversation, model)
        prompt = conversation.prompt_tokens
        refused = self._too_fast(dialect.house, model, prompt, conversation.tokens_max or 0)
        if refused is not None:
            return refused
        mark = digest(b"%d" % self.seed, encode(asked.drawn_from))
        number = self._number()
        faults = self._drawn(mark, number, _opening(asked.chat), conversation.user)
        made = making.made(Turn(dialect, asked, conversation, mark, self.models), faults, self.rules)
        if made.spoken is not None:
            dialect.remember(made.spoken, asked)
        written = made.spoken.tokens[2] if made.spoken is not None else 0
        limits = self._used(dialect.house, model, prompt, written)
        return self._counted(made, dialect.house.call_headers(number, mark, prompt) | limits)

    def _embedded(self, request: dict[str, Json]) -> Answer:
        """Raises: BadRequest."""
        model = self._model(as_text(request.get("model")))
        texts = embeddings.texts(request)
        body = embeddings.body(request, texts, model, self.seed)
        prompt = embeddings.prompt_tokens(texts)
        refused = self._too_fast(self._openai, model, prompt, 0)
        if refused is not None:
            return refused
        mark = digest(b"%d" % self.seed, encode(request))
        number = self._number()
        faults = self._drawn(mark, number, mark, texts[-1])
        chance = random.Random(int.from_bytes(mark, "big"))  # noqa: S311  # a form of a fault, not secrets
        made = making.embedded(body, faults, self.models, chance)
        limits = self._used(self._openai, model, prompt, 0)
        return self._counted(made, self._openai.call_headers(number, mark, prompt) | limits)

    def _number(self) -> int:
        self.calls += 1
        return self.calls

    def _counted(self, made: Made, headers: dict[str, str]) -> Answer:
        if made.fault is not None:
            self.calls_by_fault[made.fault.kind] += 1
            headers["x-sim-fault"] = made.fault.kind
        if made.rule is not None:
            self.calls_by_rule[made.rule] += 1
            # A header is Latin-1; a rule may be named in any script.
            headers["x-sim-rule"] = made.rule.encode("ascii", "backslashreplace").decode()
        return replace(made.answer, headers={**headers, **made.answer.headers})

    def _drawn(self, mark: bytes, number: int, conversation: bytes, user: str) -> tuple[Fault, ...]:
        if not self.faults:
            return ()
        attempt = self._attempts.pop(mark, 0) + 1
        self._attempts[mark] = attempt
        if len(self._attempts) > REMEMBERED_MAX:
            self._attempts.popitem(last=False)
        return self.faults.draw(self.seed, CallKey(number, attempt, mark, conversation, user))

    def _too_fast(self, house: House, model: str, prompt: int, writes_max: int) -> Answer | None:
        if self._meters is None:
            return None
        shortage = self._meters.shortage(model, _amounts(prompt, writes_max))
        if shortage is None:
            return None
        self.calls_limited += 1
        refused = house.too_fast(model, shortage)
        return replace(
            refused, headers={**house.limit_headers(self._meters.levels(model)), **refused.headers}
        )

    def _used(self, house: House, model: str, prompt: int, written: int) -> dict[str, str]:
        if self._meters is None:
            return {}
        self._meters.use(model, _amounts(prompt, written))
        return house.limit_headers(self._meters.levels(model))

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
            raise OverWindow(window, conversation.prompt_tokens)


def _request(body: bytes) -> dict[str, Json]:
    try:
        return as_dict(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from error


def _key(headers: Mapping[str, str]) -> str:
    """Either protocol's header; both are taken on every path, as gateways in between may not know better."""
    return headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")


def _amounts(prompt: int, written: int) -> dict[Unit, int]:
    return {"requests": 1, "tokens": prompt + written, "input_tokens": prompt, "output_tokens": written}


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
