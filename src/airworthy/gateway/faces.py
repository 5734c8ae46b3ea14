"""What callers over HTTP see: answers, errors and stops in their own protocol. Decides nothing."""

from airworthy.core.errors import AirworthyError
from airworthy.core.money import NANO_PER_USD
from airworthy.gateway.bill import Stopped
from airworthy.gateway.call import Answer, Call, Headers
from airworthy.gateway.errors import ModelError, ModelNotAllowed
from airworthy.gateway.place import Place
from airworthy.policy import Policy
from airworthy.store import StoreError

JSON = (b"content-type", b"application/json")
EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
# The OpenAI and Anthropic SDKs obey it, whatever the status says.
NO_RETRY = (b"x-should-retry", b"false")
COME_BACK = (b"retry-after", b"5")
RETRY_AFTER_S_MAX = 86_400
# What OpenAI's own clients look for; everything else goes by our own names.
_CODES = {"context_overflow": "context_length_exceeded", "model_filtered": "content_filter"}
_NEVER_A_MESSAGE = frozenset({"embeddings", "count_tokens"})


def headers(call: Call, place: Place, cost_nano: int | None, *, streamed: bool = False) -> Headers:
    found = [EVENTS if streamed else JSON, (b"x-airworthy-call", call.id.encode())]
    found.append((b"x-airworthy-model", place.rule.name.encode()))
    if cost_nano is not None:
        found.append((b"x-airworthy-cost-usd", b"%.9f" % (cost_nano / NANO_PER_USD)))
    return found


def cached(call: Call, model: str) -> Headers:
    marks = [(b"x-airworthy-call", call.id.encode()), (b"x-airworthy-model", model.encode())]
    kind = EVENTS if call.facts.stream else JSON
    return [kind, *marks, (b"x-airworthy-cache", b"hit"), (b"x-airworthy-cost-usd", b"0")]


def of_error(call: Call, error: ModelError) -> Answer:
    body = call.dialect.error_body(error.status, "", str(error), _CODES.get(error.code, error.code))
    found = [JSON, (b"x-airworthy-call", call.id.encode())]
    if error.retry_after_s is not None:
        found.append((b"retry-after", b"%d" % (min(error.retry_after_s, RETRY_AFTER_S_MAX) + 0.999)))
    if not error.retryable:
        found.append(NO_RETRY)
    return Answer(error.status, found, body)


def of_stop(call: Call, policy: Policy, stopped: Stopped) -> Answer:
    """As an ordinary last message no framework tries again, and none takes it to another model."""
    marks = [(b"x-airworthy-call", call.id.encode()), (b"x-airworthy-stop", stopped.code.encode())]
    if stopped.code == "store_down":  # It passes, and nothing is spent by asking again.
        body = call.dialect.error_body(503, "", stopped.text, stopped.code)
        return Answer(503, [JSON, *marks, COME_BACK], body)
    marks.append(NO_RETRY)
    if policy.gateway.on_stop == "error" or call.dialect.name in _NEVER_A_MESSAGE:
        return Answer(402, [JSON, *marks], call.dialect.error_body(402, "", stopped.text, stopped.code))
    evidence = {"code": stopped.code, "text": stopped.text, **stopped.evidence}
    pieces = call.dialect.stop_reply(call.facts.model, f"Stopped: {stopped.text}", call.facts, evidence)
    return Answer(200, [EVENTS if call.facts.stream else JSON, *marks], b"".join(pieces))


def of_ours(call: Call, error: AirworthyError) -> Answer:
    status = 404 if isinstance(error, ModelNotAllowed) else 503
    body = call.dialect.error_body(status, "", str(error), error.code)
    mark = COME_BACK if isinstance(error, StoreError) else NO_RETRY
    return Answer(status, [JSON, (b"x-airworthy-call", call.id.encode()), mark], body)


def no_agent(call: Call) -> Answer:
    text = f"No agent {call.caller.agent!r} is served here."
    return Answer(403, [JSON, NO_RETRY], call.dialect.error_body(403, "", text, "unknown_agent"))


def no_time(seconds: float) -> Stopped:
    return Stopped("limit_seconds", f"The call took {seconds:g} s, the limit of a task.", {})


def store_down(waiting: int) -> Stopped:
    return Stopped(
        "store_down",
        f"Calls cannot be recorded now ({waiting} wait to be written), so none are made.",
        {"waiting": waiting},
    )


def last_event(call: Call, error: ModelError) -> bytes:
    """The end of a stream that broke: an error that every SDK raises, and no mark of a whole answer."""
    body = call.dialect.error_body(error.status, "", str(error), error.code)
    return (b"data: " if call.dialect.name == "chat" else b"event: error\ndata: ") + body + b"\n\n"
