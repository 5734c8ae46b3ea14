"""From a span as it was sent to a span as we know it: one way for every convention.

What the sender said is kept whole in the payload; what is read out of it stands in the labels. An attribute that became
the payload's `input` or `output` is moved there, not copied, and `moved` says which it was.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from airworthy.core.money import nano_from_usd
from airworthy.core.outcome import Outcome
from airworthy.core.redact import Redactor
from airworthy.recorder.otel import messages, names, times
from airworthy.recorder.otel.bounds import ERROR_CHARS_MAX, LABEL_CHARS_MAX, NAME_CHARS_MAX, Bounds
from airworthy.recorder.otel.nesting import Nesting
from airworthy.recorder.otel.payload import About, Written, finished, written
from airworthy.recorder.otel.raw import Attributes, RawSpan
from airworthy.recorder.traces.span import Span, SpanKind

_OUTCOMES: Final = frozenset(outcome.value for outcome in Outcome)
_USD_MAX: Final = 1_000_000.0  # of one call
_TOKENS_MAX: Final = 2**31 - 1  # a column's width
_DIRECT: Final = 3  # Up to this rank an attribute holds just what went in or came out.
_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16

_Found = dict[str, tuple[int, Any]]
_Label = Callable[[Any, int], str]


class Price(Protocol):
    def __call__(
        self, provider: str, model: str, tokens_in: int | None, tokens_out: int | None, cached: int | None
    ) -> int | None:
        """nano-USD; None: no price is known. `cached`: how many of `tokens_in`."""
        ...


@dataclass(slots=True)
class Reading:
    """What requests are read with; one of a receiver, as `nesting` remembers from one request to the next."""

    redactor: Redactor
    bounds: Bounds = field(default_factory=Bounds)
    price: Price | None = None
    nesting: Nesting = field(default_factory=Nesting)


class Refused(ValueError):
    """A span that cannot stand among others: its ids are none."""


@dataclass(slots=True)
class Draft:
    """A span that is read but for what the redactor has to say."""

    raw: RawSpan
    about: About
    parent_id: str
    kind: SpanKind
    found: _Found
    error: tuple[str, str]
    times_us: tuple[int, int]
    written: Written


def draft_of(raw: RawSpan, about: About, reading: Reading, now_us: int) -> Draft:
    """`about`: of `raw.origin`. Takes what it moves out of `raw.attributes`. Raises: Refused."""
    parent_id = _checked_ids(raw)
    found, families = _places(raw.attributes)
    if about.found:
        found = {**about.found, **found}
    kind = _kind(found, raw)
    payload: dict[str, Any] = {"name": raw.name}
    taken = _add_content(payload, raw, found, families, is_tool=kind is SpanKind.TOOL)
    error = _error(raw, found)
    if error[0]:
        payload["error"] = {"type": error[0], "text": error[1]}
    if times.plain(raw.start, raw.end, now_us):
        times_us = int(raw.start) // 1_000, int(raw.end) // 1_000
    else:
        mended = times.mended(raw.start, raw.end, now_us, reading.bounds.ahead_us_max)
        times_us = mended.started_us, mended.ended_us
        if mended.notes:
            payload["notes"] = mended.notes
    made = written(payload, raw, taken, reading.bounds)
    return Draft(raw, about, parent_id, kind, found, error, times_us, made)


def span_of(raw: RawSpan, about: About, reading: Reading, now_us: int) -> Span:
    """Both steps for a span alone. Raises: Refused."""
    return finish(draft_of(raw, about, reading, now_us), reading, is_clean=False)


def finish(draft: Draft, reading: Reading, *, is_clean: bool) -> Span:
    """`is_clean`: it is known that no secret is in what was written of it."""
    raw, about, kind, found = draft.raw, draft.about, draft.kind, draft.found
    body, text, is_clean = finished(draft.written, about, reading.redactor, reading.bounds, is_clean=is_clean)
    label = label_of if is_clean else _redacting(reading.redactor)
    error_type, error_text = draft.error
    span = Span(
        raw.trace_id, raw.span_id, draft.parent_id, kind, label(raw.name, NAME_CHARS_MAX) or kind.value,
        *draft.times_us,
        label(error_type, LABEL_CHARS_MAX) if error_type else "",
        label(error_text, ERROR_CHARS_MAX) if error_text else "",
        payload=body, text=text,
    )  # fmt: skip
    _add_labels(span, found, about, label)
    if kind is SpanKind.MODEL or kind is SpanKind.EMBEDDING:
        _add_usage(span, found, reading.price)
    return span


def label_of(value: Any, chars_max: int) -> str:
    """One line that nothing hides in, whatever was sent."""
    text = value if type(value) is str else _told(value)
    if len(text) <= chars_max and text.isprintable():
        return text
    kept = text[: 4 * chars_max]
    return "".join(char if char.isprintable() else " " for char in kept)[:chars_max].strip()


def is_id(text: str, empty: str) -> bool:
    """Hex of the length of `empty`, which is the one that is no id."""
    if len(text) != len(empty) or text == empty:
        return False
    try:
        return 2 * len(bytes.fromhex(text)) == len(empty)  # It looks over spaces.
    except ValueError:
        return False


def _told(value: Any) -> str:
    if value is None or isinstance(value, bool | dict | list):
        return ""
    return str(value)


def _redacting(redactor: Redactor) -> _Label:
    def label(value: Any, chars_max: int) -> str:
        return label_of(redactor.redact_text(_told(value)), chars_max)

    return label


def _checked_ids(raw: RawSpan) -> str:
    """The parent's id, "" where there is none."""
    if not is_id(raw.trace_id, _NO_TRACE):
        raise Refused(f"A span has the trace id {raw.trace_id[:40]!r}.")
    if not is_id(raw.span_id, _NO_SPAN):
        raise Refused(f"A span has the span id {raw.span_id[:40]!r}.")
    parent_id = raw.parent_id
    return parent_id if parent_id and is_id(parent_id, _NO_SPAN) and parent_id != raw.span_id else ""


def places_of(attributes: Attributes) -> _Found:
    return _places(attributes)[0]


def _places(attributes: Attributes) -> tuple[_Found, list[str]]:
    """What each slot holds, with its rank; and the keys with numbers in them."""
    found: _Found = {}
    families: list[str] = []
    known, starts = names.PLACES, names.FAMILY_STARTS
    for key, value in attributes.items():
        place = known.get(key)
        if place is None:
            if key.startswith(starts):
                families.append(key)
        elif value is not None and value != "":
            slot, rank = place
            held = found.get(slot)
            if held is None or rank < held[0]:
                found[slot] = (rank, value)
    return found, families


def _kind(found: _Found, raw: RawSpan) -> SpanKind:
    for slot, kinds in (
        ("operation", names.OPERATIONS),
        ("inference", names.INFERENCE),
        ("loop", names.LOOP),
        ("step", names.STEPS),
        ("request", names.REQUESTS),
    ):
        said = found.get(slot)
        if said is not None and isinstance(said[1], str):
            kind = kinds.get(said[1])
            if kind is not None:
                return kind
    if "operation" in found:
        return SpanKind.STEP
    if "tool" in found or ("method" in found and found["method"][1] == "tools/call"):
        return SpanKind.TOOL
    if raw.attributes.get(names.AGENT_KEYS.get(raw.origin.scope, "")) is not None:
        return SpanKind.AGENT
    if "model" in found and "tokens_in" in found:
        return SpanKind.MODEL
    return SpanKind.STEP


def _add_content(
    payload: dict[str, Any], raw: RawSpan, found: _Found, families: list[str], *, is_tool: bool
) -> dict[str, str]:
    """Puts `input` and `output` in; where each was taken from."""
    attributes, taken = raw.attributes, dict[str, str]()
    lifted: dict[str, tuple[str, Any, list[str]]] = {}
    if families:
        for slot, name, value, members in messages.lifted(attributes, families):
            lifted.setdefault(slot, (name, value, members))
    for slot in ("input", "output"):
        said = found.get(slot)
        if slot in lifted and (said is None or said[0] > _DIRECT):
            name, payload[slot], members = lifted[slot]
            for key in members:
                del attributes[key]
            taken[slot] = f"{name}.*"
        elif said is not None:
            key = names.KEYS[slot][said[0]]
            payload[slot] = messages.parsed(said[1])
            if attributes.pop(key, None) is not None:
                taken[slot] = key
    if len(taken) < 2 and ("events" in found or raw.events):
        _add_told(payload, raw, found, taken, is_tool=is_tool)
    return taken


def _add_told(
    payload: dict[str, Any], raw: RawSpan, found: _Found, taken: dict[str, str], *, is_tool: bool
) -> None:
    """What went in and out as events tell it, where no attribute does."""
    said: tuple[Any, Any] = (None, None)
    if "events" in found:
        said = messages.of_event_list(found["events"][1])
    elif any(event.name in names.MESSAGE_EVENTS for event in raw.events):
        said = messages.of_tool_events(raw.events) if is_tool else messages.of_events(raw.events)
        for event in raw.events:
            if event.name in names.MESSAGE_EVENTS and not taken:
                event.attributes = {}  # It stands in input or output now.
    for slot, value in zip(("input", "output"), said, strict=True):
        if value is not None and slot not in payload:
            payload[slot] = value
            taken[slot] = "events"


def _error(raw: RawSpan, found: _Found) -> tuple[str, str]:
    if not raw.is_error and "error" not in found:
        return "", ""
    kind: Any = found["error"][1] if "error" in found else ""
    text: Any = raw.message
    for event in reversed(raw.events):
        if event.name == "exception":
            kind = kind or event.attributes.get("exception.type")
            text = text or event.attributes.get("exception.message")
            break
    return _told(kind)[:ERROR_CHARS_MAX] or "error", _told(text)[: 4 * ERROR_CHARS_MAX]


def _add_labels(span: Span, found: _Found, about: About, label: _Label) -> None:
    kind = span.kind

    def of(slot: str) -> str:
        said = found.get(slot)
        return label(said[1], LABEL_CHARS_MAX) if said is not None else ""

    span.agent = of("agent")
    if not span.agent:
        if kind is SpanKind.AGENT:
            span.agent = of("entity") or span.name.removeprefix("invoke_agent ")[:LABEL_CHARS_MAX]
        elif not span.parent_id:
            span.agent = about.service
    if kind is SpanKind.TOOL:
        span.tool = of("tool") or of("entity") or span.name.removeprefix("execute_tool ")[:LABEL_CHARS_MAX]
    elif kind is not SpanKind.AGENT and kind is not SpanKind.STEP:
        span.model = of("model")
        span.provider = of("provider").lower()
    span.release = of("release") or about.release
    span.session, span.user, span.feature = of("session"), of("user"), of("feature")
    outcome = of("outcome")
    if outcome in _OUTCOMES:
        span.outcome = outcome


def _add_usage(span: Span, found: _Found, price: Price | None) -> None:
    span.tokens_in, span.tokens_out = _count(found.get("tokens_in")), _count(found.get("tokens_out"))
    span.cost_nano = _nano(found.get("cost"))
    if span.cost_nano is None and "cost_in" in found and "cost_out" in found:
        parts = (_nano(found["cost_in"]), _nano(found["cost_out"]))
        if parts[0] is not None and parts[1] is not None:
            span.cost_nano = parts[0] + parts[1]
    if span.cost_nano is None and price is not None and span.model:
        cached = _count(found.get("cached"))
        span.cost_nano = price(span.provider, span.model, span.tokens_in, span.tokens_out, cached)


def _number(said: tuple[int, Any] | None) -> float | int | None:
    if said is None:
        return None
    value = said[1]
    if isinstance(value, str) and len(value) <= 40:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return None
    return value


def _count(said: tuple[int, Any] | None) -> int | None:
    value = _number(said)
    return None if value is None else min(int(value), _TOKENS_MAX)


def _nano(said: tuple[int, Any] | None) -> int | None:
    value = _number(said)
    return None if value is None or value > _USD_MAX else nano_from_usd(value)
