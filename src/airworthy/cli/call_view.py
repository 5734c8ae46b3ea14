"""One call over HTTP for a person: a sentence, its facts, what happened on the way, and what was said."""

import json
from collections.abc import Mapping
from typing import Any

from airworthy.cli import show
from airworthy.core.clock import US_PER_S
from airworthy.core.money import usd_text
from airworthy.gateway.reading import Bodies, CallRow
from airworthy.runtime.documents import Document, usd

_PROTOCOLS = {
    "chat": "OpenAI chat completions",
    "responses": "OpenAI responses",
    "embeddings": "OpenAI embeddings",
    "messages": "Anthropic messages",
    "count_tokens": "Anthropic token count",
}


def line(row: CallRow) -> tuple[str, ...]:
    """For a table of calls."""
    ended = row.ended_as if not row.code else f"{row.ended_as}: {row.code}"
    return (
        row.id, show.when(row.started_us), row.agent, row.model or row.asked, ended, f"{_seconds(row):.1f} s",
        _cost(row),
    )  # fmt: skip


def sentence(row: CallRow) -> str:
    """What became of it, as a person would say it."""
    end = {
        "answered": f" (answered by {row.answered or row.model})",
        "cached": f" (answered from the cache, as {row.model} once did)",
        "stopped": f", and was stopped ({row.code})",
        "left": ", and left before the answer was whole",
    }.get(row.ended_as, f", and got no whole answer ({row.code or 'failed'})")
    tries = show.counted(row.attempts, "attempt") if row.attempts else ""
    parts = [f"Asked {row.asked}{end}", tries, _cost(row), f"{_seconds(row):.1f} s"]
    return ", ".join(part for part in parts if part) + "."


def document(row: CallRow) -> Document:
    return {
        "id": row.id,
        "task": row.task_id,
        "agent": row.agent,
        "key": row.key_id,
        "session": row.session,
        "user": row.user,
        "feature": row.feature,
        "operation": row.operation,
        "streamed": row.streamed,
        "ended_as": row.ended_as,
        "code": row.code or None,
        "finish": row.finish or None,
        "status": row.status or None,
        "asked": row.asked,
        "model": row.model or None,
        "place": row.place or None,
        "answered": row.answered or None,
        "fingerprint": row.fingerprint or None,
        "started": show.iso(row.started_us),
        "first": show.iso(row.first_us),
        "ended": show.iso(row.ended_us),
        "seconds": _seconds(row),
        "attempts": row.attempts,
        "tokens_in": row.tokens_in,
        "tokens_out": row.tokens_out,
        "cached": row.cached,
        "cost_usd": usd(row.cost_nano),
        "estimated": row.estimated,
        "notes": list(row.notes),
        "summary": sentence(row),
    }


def said(bodies: Bodies | None) -> Document:
    """JSON as such, all else as text; None where it was not kept."""
    if bodies is None:
        return {"request": None, "reply": None}
    return {"request": _parsed(bodies.request), "reply": _parsed(bodies.reply) if bodies.reply else None}


def show_call(row: CallRow, bodies: Bodies | None, *, full: bool) -> None:
    show.say(sentence(row), style="bold")
    show.say()
    _show_facts(row)
    if row.notes:
        show.say()
        show.say("On the way", style="dim")
        for note in row.notes:
            show.say(f"  {told(note)}")
    if not full:
        show.note(f"What was said: airworthy call show {row.id} --full")
        return
    for name, value in said(bodies).items():
        show.say()
        show.say(name.capitalize(), style="dim")
        if value is None:
            show.say("  was not kept: the policy keeps only facts, or it was too long.")
        else:
            text = show.readable(value, indent=2)
            show.say_lines("\n".join(f"  {one}" for one in text.replace("\r\n", "\n").split("\n")))


def told(note: Mapping[str, Any]) -> str:
    """One thing that happened on the way."""
    about = dict(note)
    model, error = about.pop("model", ""), about.pop("error", "")
    if "attempt" in about:
        return f"{model}: attempt {about['attempt']} failed ({error}), tried again after {about.get('wait_s', 0)} s"
    if error:
        return f"{model}: given up ({error}: {about.get('message', '')})"
    text = about.pop("note", "")
    rest = ", ".join(f"{name} {value}" for name, value in about.items() if value not in ("", None))
    return ": ".join(part for part in (str(model), str(text), rest) if part)


def _show_facts(row: CallRow) -> None:
    first_s = None if row.first_us is None else (row.first_us - row.started_us) / US_PER_S
    tokens = None if row.tokens_in is None else f"{row.tokens_in} in, {row.tokens_out} out"
    if tokens and row.cached:
        tokens += f", {row.cached} of them from the provider's cache"
    protocol = _PROTOCOLS.get(row.operation, row.operation)
    show.facts(
        [
            ("Call", row.id),
            ("Run", row.task_id if row.task_id != row.id else ""),
            ("Agent", row.agent),
            ("Key", row.key_id),
            ("Session", row.session),
            ("User", row.user),
            ("Feature", row.feature),
            ("Protocol", f"{protocol}, as a stream" if row.streamed else protocol),
            ("Ended", row.ended_as),
            ("Code", row.code),
            ("Status", row.status),
            ("Finish", row.finish),
            ("Asked", row.asked),
            ("Pin", row.model),
            ("Place", row.place),
            ("Answered as", row.answered),
            ("Fingerprint", row.fingerprint),
            ("Began", show.when(row.started_us)),
            ("First words", f"after {first_s:.2f} s" if first_s is not None else ""),
            ("Took", f"{_seconds(row):.2f} s"),
            ("Attempts", row.attempts),
            ("Tokens", tokens),
            ("Cost", _cost(row)),
        ]
    )


def _cost(row: CallRow) -> str:
    """Empty where nothing was asked that could cost."""
    if row.cost_nano is None and not row.attempts:
        return ""
    text = usd_text(row.cost_nano)
    return f"about {text}" if row.estimated else text


def _seconds(row: CallRow) -> float:
    return (row.ended_us - row.started_us) / US_PER_S


def _parsed(body: bytes) -> Any:
    text = body.decode("utf-8", "backslashreplace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
