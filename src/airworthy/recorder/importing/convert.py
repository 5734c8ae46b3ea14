"""From a line to spans as OTLP would have brought them: so they are bounded, redacted, priced and labelled alike."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from pydantic import ValidationError

from airworthy.recorder.importing.identity import root_id, span_id, trace_id
from airworthy.recorder.importing.lines import Line
from airworthy.recorder.importing.messages import trace_of_messages
from airworthy.recorder.importing.values import SPANS_DEEP_MAX, ImportSpan, ImportTrace, Labelled
from airworthy.recorder.otel.decode import about_of
from airworthy.recorder.otel.normalise import Reading, span_of
from airworthy.recorder.otel.raw import Attributes, Origin, RawSpan
from airworthy.recorder.traces.span import Span

NS_PER_US: Final = 1_000
SPANS_MAX: Final = 1_000_000  # of one line
_OPERATIONS: Final = {
    "agent": "invoke_agent", "model": "chat", "tool": "execute_tool", "retrieval": "retrieval",
    "embedding": "embeddings", "check": "check", "step": "step",
}  # fmt: skip
_ORIGIN: Final = Origin({}, "airworthy import", "", {})


class Unreadable(ValueError):
    """A line that is JSON and no trace; says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for lines that do not say it."""

    agent: str = ""
    release: str = ""


Reader = Callable[[Any], ImportTrace | ImportSpan]


def spans_in(line: Line, form: str, reading: Reading, defaults: Defaults, now_us: int) -> list[Span]:
    """`form`: traces or messages. Raises: Unreadable."""
    try:
        read = FORMS[form](line.value)
    except ValidationError as error:
        raise Unreadable(_told(error)) from None
    except RecursionError:
        raise Unreadable("Its steps are nested too deep.") from None
    if isinstance(read, ImportSpan):
        raws = list(_of_span(read, line.raw, now_us))
    else:
        raws = list(_of_trace(read, trace_id(read.trace, line.raw), defaults, now_us))
    about = about_of(_ORIGIN, reading)
    return [span_of(raw, about, reading, now_us) for raw in raws]


def _traces(value: Any) -> ImportTrace | ImportSpan:
    if not isinstance(value, dict):
        raise Unreadable("It is no JSON object.")
    kind = value.get("type")
    if kind not in (None, "trace", "span"):
        raise Unreadable(f"Its type is {str(kind)[:40]!r}, and neither trace nor span.")
    alone = kind == "span" or (
        kind is None and not value.keys() & {"spans"} and bool(value.keys() & {"id", "kind", "parent"})
    )
    if not alone:
        return ImportTrace.model_validate(value)
    span = ImportSpan.model_validate(value)
    if not span.trace:
        raise Unreadable("A span by itself needs `trace`, the id of its trace.")
    return span


def _messages(value: Any) -> ImportTrace:
    if isinstance(value, list):
        value = {"messages": value}
    if not isinstance(value, dict) or not isinstance(value.get("messages"), list):
        raise Unreadable("It has no list `messages`.")
    try:
        return trace_of_messages(value)
    except ValueError as error:
        if isinstance(error, ValidationError):
            raise
        raise Unreadable(str(error)) from None


FORMS: Final[Mapping[str, Reader]] = {"traces": _traces, "messages": _messages}


def _of_span(span: ImportSpan, raw: bytes, now_us: int) -> Iterator[RawSpan]:
    trace = trace_id(span.trace, b"")
    parent = span_id(trace, span.parent) if span.parent else ""
    own = span.id or trace_id("", raw)
    yield from _with_children(span, trace, (own, parent), [span.start or now_us], 0)


def _of_trace(trace: ImportTrace, id_: str, defaults: Defaults, now_us: int) -> Iterator[RawSpan]:
    """The trace's own span around its steps."""
    root = root_id(id_)
    count = _counted(trace.spans, 0)
    # Where no time is said, steps follow each other by a microsecond, up to now.
    clock = [trace.start or _first(trace.spans) or max(1, now_us - count - 1)]
    started_us = clock[0]
    made: list[RawSpan] = []
    for number, span in enumerate(trace.spans):
        parent = span_id(id_, span.parent) if span.parent else root
        made += _with_children(span, id_, (span.id or f"#{number}", parent), clock, 0)
    ended_us = trace.end or max([started_us, *(int(raw.end) // NS_PER_US for raw in made)])
    attributes = _attributes(trace, defaults)
    attributes["gen_ai.operation.name"] = _OPERATIONS["agent"]
    name = trace.name or trace.agent or defaults.agent or "trace"
    yield _raw(trace, (id_, root, ""), name, (started_us, ended_us), attributes)
    yield from made


def _with_children(
    span: ImportSpan, trace: str, ids: tuple[str, str], clock: list[int], depth: int
) -> Iterator[RawSpan]:
    """`ids`: its own, unique in the trace, and its parent's. `clock`: when a step begins that does not say it."""
    if depth > SPANS_DEEP_MAX:
        raise Unreadable(f"Its steps are nested more than {SPANS_DEEP_MAX} deep.")
    said, parent = ids
    own = span_id(trace, said)
    started_us = span.start or clock[0]
    clock[0] = started_us + 1
    inside: list[RawSpan] = []
    for number, child in enumerate(span.spans):
        inside += _with_children(child, trace, (child.id or f"{said}/{number}", own), clock, depth + 1)
    ended_us = span.end or max([started_us, *(int(raw.end) // NS_PER_US for raw in inside)])
    clock[0] = max(clock[0], ended_us)
    attributes = _attributes(span, Defaults())
    attributes["gen_ai.operation.name"] = _OPERATIONS[span.kind]
    for key, value in (
        ("gen_ai.provider.name", span.provider), ("gen_ai.response.model", span.model), ("gen_ai.tool.name", span.tool),
        ("gen_ai.usage.input_tokens", span.tokens_in), ("gen_ai.usage.output_tokens", span.tokens_out),
        ("airworthy.cost_usd", span.cost_usd),
    ):  # fmt: skip
        if value not in (None, ""):
            attributes[key] = value
    name = span.name or span.tool or span.model or span.kind
    yield _raw(span, (trace, own, parent), name, (started_us, ended_us), attributes)
    yield from inside


def _raw(
    said: Labelled, ids: tuple[str, str, str], name: str, times: tuple[int, int], attributes: Attributes
) -> RawSpan:
    message = ""
    if said.error is not None:
        attributes["error.type"], message = said.error.type, said.error.message
    start, end = (at_us * NS_PER_US for at_us in times)
    return RawSpan(*ids, name, start, end, attributes, _ORIGIN, said.error is not None, message)


def _attributes(said: Labelled, defaults: Defaults) -> Attributes:
    found: Attributes = dict(said.attributes)
    for key, value in (
        ("gen_ai.agent.name", said.agent or defaults.agent), ("airworthy.release", said.release or defaults.release),
        ("airworthy.session", said.session), ("user.id", said.user), ("airworthy.feature", said.feature),
        ("airworthy.outcome", said.outcome), ("input.value", said.input), ("output.value", said.output),
    ):  # fmt: skip
        if value not in (None, ""):
            found[key] = value
    return found


def _first(spans: tuple[ImportSpan, ...]) -> int | None:
    said = [span.start for span in spans if span.start is not None]
    return min(said, default=None)


def _counted(spans: tuple[ImportSpan, ...], depth: int) -> int:
    if depth > SPANS_DEEP_MAX:
        raise Unreadable(f"Its steps are nested more than {SPANS_DEEP_MAX} deep.")
    count = sum(1 + _counted(span.spans, depth + 1) for span in spans)
    if count > SPANS_MAX:
        raise Unreadable(f"It has more than {SPANS_MAX:,} steps.")
    return count


def _told(error: ValidationError) -> str:
    """The first things that are wrong, without the values: they may be secrets."""
    found = []
    for problem in error.errors(include_url=False, include_input=False)[:3]:
        place = ".".join(map(str, problem["loc"])) or "it"
        if problem["type"] == "extra_forbidden":
            near = get_close_matches(str(problem["loc"][-1]), list(ImportSpan.model_fields), n=1)
            hint = f"did you mean {near[0]}?" if near else "what is not in the format goes under attributes"
            found.append(f"{place[:80]}: there is no such field; {hint}")
        else:
            found.append(f"{place[:80]}: {problem['msg'].removeprefix('Value error, ')}")
    return "; ".join(found) + "."
