"""One step for a person: a line of facts, then what went in and out, in brief or whole."""

from collections.abc import Sequence
from typing import Any

from airworthy.cli import show
from airworthy.core.money import usd_text
from airworthy.recorder import Recorded
from airworthy.runtime import documents

PAYLOAD_CHARS_MAX = 160
INDENT = " " * 5


def show_step(step: Recorded, *, full: bool) -> None:
    state = step.state.value
    name = f"{step.kind} {step.name}" if step.kind != step.name else step.kind
    about = ", ".join(part for part in _about(step) if part)
    head = f"{step.seq:>3}  {show.plain(name)}  {state}" + (f"  ({about})" if about else "")
    show.say(head, style=show.STYLES.get(state, "") if state != "done" else "")
    for label, value in _payloads(step) if full else _briefs(step):
        _show_payload(label, value, full=full)


def is_clipped(step: Recorded) -> bool:
    return step.kind in ("model", "check") or any(
        len(show.readable(value)) > PAYLOAD_CHARS_MAX for _, value in _payloads(step)
    )


def _about(step: Recorded) -> list[str]:
    facts = step.facts
    took_us = 0 if step.ended_us is None else step.ended_us - step.started_us
    return [
        f"{took_us / 1e6:.2f} s" if took_us and step.kind not in ("input", "outcome", "check") else "",
        f"run {step.run}" if step.run > 1 else "",
        show.counted(facts.attempts, "try", "tries") if facts.attempts > 1 else "",
        facts.model or "",
        f"{facts.tokens_in}+{facts.tokens_out} tokens" if facts.tokens_in is not None else "",
        usd_text(facts.cost_nano) if step.kind == "model" else "",
        "done anew later" if documents.superseded(step) else "",
    ]


def _briefs(step: Recorded) -> Sequence[tuple[str, object]]:
    match step.kind:
        case "model" if isinstance(step.result, dict):
            return [("said", _said(step.result)), *_troubles(step)]
        case "check" if isinstance(step.result, dict):
            return [("found", _found(step.result))]
        case "context" if isinstance(step.result, dict):
            return [("cut", _cut(step.result))]
        case "outcome" if isinstance(step.arguments, dict):
            return [("why", step.arguments.get("text", ""))]
        case _:
            return _payloads(step)


def _payloads(step: Recorded) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    if step.arguments not in (None, [], {}, ""):
        found.append(("why" if step.kind == "outcome" else "with", step.arguments))
    if step.result is not None:
        found.append(("gave", step.result))
    return found + _troubles(step)


def _troubles(step: Recorded) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    if step.error is not None:
        found.append(("error", step.error.message))
        if step.error.mend:
            found.append(("mend", step.error.mend))
    return found + [("note", note) for note in step.facts.notes]


def _said(reply: dict[str, Any]) -> str:
    """What a model answered, without the envelope."""
    calls = [f"{call.get('name')}({call.get('arguments')})" for call in reply.get("tool_calls") or ()]
    parts = [reply.get("refusal"), reply.get("text"), " ".join(calls)]
    return " ".join(str(part) for part in parts if part) or str(reply.get("finish", ""))


def _found(report: dict[str, Any]) -> str:
    checks = report.get("checks") or []
    telling = [check for check in checks if check.get("verdict") != "passed"]
    if not telling:
        return f"{show.counted(len(checks), 'check')} passed"
    return "; ".join(
        f"{check.get('check')} {check.get('verdict')}: {check.get('reason', '')}" for check in telling
    )


def _cut(facts: dict[str, Any]) -> str:
    """What of a conversation was not sent, and why."""
    what = [
        show.counted(len(facts["left"]), "message") + " left out" if facts["left"] else "",
        show.counted(len(facts["emptied"]), "result") + " left out" if facts["emptied"] else "",
        "a summary in their place" if facts["summary"] else str(facts.get("note", "")),
    ]
    tokens = f"{facts['tokens']:,} tokens became {facts['tokens_left']:,}, of {facts['room']:,} allowed"
    return "; ".join([tokens, *filter(None, what), str(facts["strategy"])])


def _show_payload(label: str, value: object, *, full: bool) -> None:
    if full:
        first, *others = show.plain_lines(show.readable(value, indent=2))
        text = "\n".join([first, *(f"{INDENT}       {line}" for line in others)])
    else:
        text = show.clipped(show.readable(value), PAYLOAD_CHARS_MAX)
    show.say_lines(f"{INDENT}{label:<5}  {text}", style="red" if label == "error" else "")
