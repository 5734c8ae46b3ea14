"""One closed run of ours as spans by the GenAI conventions: `invoke_agent`, and beneath it each call that was made.

Ids follow from the task and the step, so that what is sent twice is the same span. A task that was opened again is
one more `invoke_agent` of the same trace, with the steps since then.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, Literal

import orjson

from airworthy.core.money import NANO_PER_USD
from airworthy.core.outcome import Outcome, Reason
from airworthy.recorder.otel.raw import Attributes, Origin, RawEvent, RawSpan
from airworthy.recorder.steps import Recorded, StepState
from airworthy.recorder.traces import ours

Content = Literal["full", "facts"]

SCOPE: Final = "airworthy"
VALUE_CHARS_MAX: Final = 64 << 10  # of one attribute that is sent
_SILENT: Final = frozenset({"input", "outcome", "now", "random", "uuid"})
_FAILED: Final = frozenset({Outcome.DEAD_LETTERED})
_FINISHES: Final = {"tool_calls": "tool_call"}


@dataclass(frozen=True, slots=True)
class Closing:
    """A task as it ended once. `seq`: of the step that holds the outcome. `release`: of its policy."""

    task_id: str
    trace_id: str
    agent: str
    release: str
    session: str
    user: str
    feature: str
    opened_us: int
    seq: int
    mode: str = ours.LIVE


def spans_of(closing: Closing, steps: Sequence[Recorded], origin: Origin, content: Content) -> list[RawSpan]:
    """`steps`: all of the task. With `content` "facts" nothing that people, models or tools said is in them."""
    before = max(
        (step.seq for step in steps if step.kind == "outcome" and step.seq < closing.seq), default=None
    )
    own = [step for step in steps if (before is None or step.seq > before) and step.seq <= closing.seq]
    outcome = next((step for step in own if step.seq == closing.seq and step.kind == "outcome"), None)
    if outcome is None:
        return []  # It was erased meanwhile.
    root_id = span_id_of(closing.task_id, closing.seq)
    opened_us = closing.opened_us if before is None else own[0].started_us
    root = _root(closing, steps[0], outcome, origin, content)
    root.span_id, root.start = root_id, opened_us * 1_000
    spans = [_step(closing, step, root_id, origin, content) for step in own if step.kind not in _SILENT]
    # Some collectors show a trace only once its root has come; the last of a request comes last.
    return [*spans, root]


def span_id_of(task_id: str, seq: int) -> str:
    return blake2b(f"{task_id}/{seq}".encode(), digest_size=8).hexdigest()


def origin_of(version: str) -> Origin:
    """Who sends it. `version`: of this package."""
    return Origin({"service.name": SCOPE, "service.version": version}, SCOPE, version, {})


def _root(closing: Closing, first: Recorded, outcome: Recorded, origin: Origin, content: Content) -> RawSpan:
    reason = Reason.model_validate(outcome.arguments) if isinstance(outcome.arguments, dict) else None
    said = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": closing.agent,
        "gen_ai.agent.version": closing.release,
        "gen_ai.conversation.id": closing.session,
        "user.id": closing.user,
        "airworthy.feature": closing.feature,
        "airworthy.task.id": closing.task_id,
        "airworthy.outcome": outcome.name,
        "airworthy.reason.code": reason.code.value if reason is not None else "",
        "airworthy.mode": closing.mode
        if closing.mode != ours.LIVE
        else "",  # A rehearsal or a fork did nothing.
    }
    if content == "full":
        said["gen_ai.input.messages"] = _messages("user", first.arguments)
        if outcome.result is not None:
            said["gen_ai.output.messages"] = _messages("assistant", outcome.result, finish="stop")
        if reason is not None:
            said["airworthy.reason.text"] = reason.text
    failed = outcome.name in _FAILED
    error = reason.error if reason is not None else None
    if failed:
        said["error.type"] = error.type if error is not None else said["airworthy.reason.code"]
    text = reason.text if failed and reason is not None and content == "full" else ""
    return RawSpan(
        closing.trace_id, "", "", f"invoke_agent {closing.agent}", 0,
        (outcome.ended_us or outcome.started_us) * 1_000, _set(said), origin, failed, text,
    )  # fmt: skip


def _step(closing: Closing, step: Recorded, root_id: str, origin: Origin, content: Content) -> RawSpan:
    facts = step.facts
    said: Attributes = {
        "gen_ai.conversation.id": closing.session,
        "airworthy.step": f"{closing.task_id}/{step.seq}",
        "airworthy.step.state": step.state.value,
        "airworthy.attempts": facts.attempts if facts.attempts > 1 else None,
        "airworthy.run": step.run if step.run > 1 else None,
    }
    match step.kind:
        case "model":
            name = _model(said, step, content)
        case "tool" | "refused":
            name = f"execute_tool {step.name}"
            said |= {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": step.name,
                "gen_ai.tool.type": "function",
                "airworthy.effect": step.effect,
            }
            if content == "full":
                said["gen_ai.tool.call.arguments"] = _json(step.arguments)
                said["gen_ai.tool.call.result"] = _json(step.result)
        case _:
            name = step.name if step.kind in {"step", step.name} else f"{step.kind} {step.name}"
            said["airworthy.step.kind"] = "check" if step.kind == "check" else "step"
            if content == "full":
                said["input.value"] = _json(step.arguments) if step.arguments not in ([], {}, None) else None
                said["output.value"] = _json(step.result)
    failed = step.error is not None or step.state in (StepState.FAILED, StepState.IN_DOUBT)
    text = ""
    if failed:
        said["error.type"] = step.error.type if step.error is not None else step.state.value
        text = step.error.message if step.error is not None and content == "full" else ""
    ended_us = step.ended_us if step.ended_us is not None else step.started_us
    return RawSpan(
        closing.trace_id, span_id_of(closing.task_id, step.seq), root_id, name, step.started_us * 1_000,
        ended_us * 1_000, _set(said), origin, failed, text, list(_events(step)),
    )  # fmt: skip


def _model(said: Attributes, step: Recorded, content: Content) -> str:
    facts = step.facts
    asked = step.arguments if isinstance(step.arguments, dict) else {}
    reply = step.result if isinstance(step.result, dict) else {}
    model = str(facts.model or asked.get("model") or step.name)
    usage = reply.get("usage") if isinstance(reply.get("usage"), dict) else {}
    said |= {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": model,
        "gen_ai.response.model": reply.get("model"),
        "gen_ai.usage.input_tokens": facts.tokens_in,
        "gen_ai.usage.output_tokens": facts.tokens_out,
        "gen_ai.usage.cache_read.input_tokens": (usage or {}).get("cached") or None,
        "airworthy.cost_usd": facts.cost_nano / NANO_PER_USD if facts.cost_nano is not None else None,
    }
    finish = reply.get("finish")
    if isinstance(finish, str):
        said["gen_ai.response.finish_reasons"] = [_FINISHES.get(finish, finish)]
    if content == "full":
        said["gen_ai.input.messages"] = _json(asked.get("messages"))
        if reply:
            said["gen_ai.output.messages"] = _json([_answered(reply)])
    return f"chat {model}"


def _answered(reply: dict[str, Any]) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    if reply.get("text"):
        parts.append({"type": "text", "content": reply["text"]})
    parts.extend({"type": "tool_call", **call} for call in reply.get("tool_calls") or ())
    finish = reply.get("finish")
    return {"role": "assistant", "parts": parts, "finish_reason": _FINISHES.get(str(finish), finish)}


def _messages(role: str, value: Any, finish: str = "") -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    message: dict[str, Any] = {"role": role, "parts": [{"type": "text", "content": text}]}
    if finish:
        message["finish_reason"] = finish
    return orjson.dumps([message]).decode()


def _events(step: Recorded) -> Iterable[RawEvent]:
    """What the record notes beside a call (a retry, a fallback, an approval), by its name alone."""
    at_ns = (step.ended_us or step.started_us) * 1_000
    for note in step.facts.notes[:20]:
        for name in list(note)[:1]:
            yield RawEvent(f"airworthy.{name}", at_ns, {})


def _json(value: Any) -> str | None:
    """Text as it is, anything else as JSON."""
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


def _set(said: Attributes) -> Attributes:
    """Without what is unknown; long texts cut, as senders cut theirs."""
    return {
        key: value[:VALUE_CHARS_MAX] if isinstance(value, str) else value
        for key, value in said.items()
        if value not in (None, "", False)
    }
