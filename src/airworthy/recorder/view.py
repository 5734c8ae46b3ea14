"""What happened in a run as one list of entries, be they steps of ours or spans of others. Values only; reads nothing.

An entry's texts are as they were recorded: whoever shows them makes them safe.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from airworthy.core.outcome import ErrorFact
from airworthy.recorder.notes import texts_of
from airworthy.recorder.steps import Recorded, StepState
from airworthy.recorder.summary import Deed, fallback_of

SPAN_PREFIX: Final = "s"  # So that no span's key is also a step's number.


class SpanLike(Protocol):
    """A row of `spans`; ids are hex, "" is no parent."""

    @property
    def span_id(self) -> str: ...
    @property
    def parent_id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def started_us(self) -> int: ...
    @property
    def ended_us(self) -> int: ...
    @property
    def error_type(self) -> str | None: ...
    @property
    def model(self) -> str | None: ...
    @property
    def tokens_in(self) -> int | None: ...
    @property
    def tokens_out(self) -> int | None: ...
    @property
    def cost_nano(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Wait:
    """A time in which nothing was done: `why` in words, in the past tense."""

    started_us: int
    ended_us: int
    why: str


@dataclass(slots=True)
class Entry:
    """`key` names it in addresses: a step's number, or "s" and a span's id. `state`: a step's state; of spans: done or
    failed. `priced`: its cost belongs here; `cost_nano` None is unpriced then. `foreign`: told by another program.
    """

    key: str
    parent: str
    kind: str
    name: str
    state: str
    started_us: int
    ended_us: int | None
    run: int = 1
    attempts: int = 1
    model: str = ""
    fallback: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_nano: int | None = None
    priced: bool = False
    error_type: str = ""
    error: ErrorFact | None = None
    effect: str = ""
    deed: Deed | None = None
    notes: tuple[str, ...] = ()
    waits: tuple[Wait, ...] = ()
    superseded: bool = False
    foreign: bool = False

    @property
    def took_us(self) -> int | None:
        return None if self.ended_us is None else max(0, self.ended_us - self.started_us)


def of_steps(steps: Sequence[Recorded], deeds: Mapping[int, Deed]) -> list[Entry]:
    """`deeds`: by number of the step, see `summary.Deed`."""
    return [_of_step(step, deeds.get(step.seq)) for step in steps]


def of_spans(spans: Sequence[SpanLike]) -> list[Entry]:
    return [_of_span(span) for span in spans]


def key_of(span_id: str) -> str:
    return SPAN_PREFIX + span_id if span_id else ""


def _of_step(step: Recorded, deed: Deed | None) -> Entry:
    facts = step.facts
    return Entry(
        key=str(step.seq),
        parent="",
        kind=step.kind,
        name=step.name,
        state=step.state.value,
        started_us=step.started_us,
        ended_us=step.ended_us,
        run=step.run,
        attempts=facts.attempts,
        model=facts.model or "",
        fallback=fallback_of(step),
        tokens_in=facts.tokens_in,
        tokens_out=facts.tokens_out,
        cost_nano=facts.cost_nano,
        priced=step.kind == "model",
        error_type=step.error.type if step.error is not None else step.error_type or "",
        error=step.error,
        effect=step.effect if step.effect not in (None, "read") else "",
        deed=deed,
        notes=tuple(texts_of(facts.notes)),
        waits=_waits(step, deed),
        superseded=step.key is None and step.kind not in ("input", "outcome"),
    )


def _waits(step: Recorded, deed: Deed | None) -> tuple[Wait, ...]:
    """While a person was asked about this very step."""
    if step.kind == "ask" and step.ended_us is not None:
        by = next(
            (str(note["answered_by"]) for note in step.facts.notes if note.get("answered_by")), "a person"
        )
        return (Wait(step.started_us, step.ended_us, f"{by} was asked"),)
    if deed is None or deed.decided_us is None or step.state is StepState.IN_DOUBT:
        return ()
    began_us = min(step.started_us, deed.decided_us)
    late = step.ended_us is not None and deed.decided_us > step.ended_us
    return () if late else (Wait(began_us, deed.decided_us, f"{deed.by or 'a person'} was asked"),)


def _of_span(span: SpanLike) -> Entry:
    failed = bool(span.error_type)
    return Entry(
        key=key_of(span.span_id),
        parent=key_of(span.parent_id),
        kind=span.kind,
        name=span.name,
        state=(StepState.FAILED if failed else StepState.DONE).value,
        started_us=span.started_us,
        ended_us=span.ended_us,
        model=span.model or "",
        tokens_in=span.tokens_in,
        tokens_out=span.tokens_out,
        cost_nano=span.cost_nano,
        priced=span.kind in ("model", "embedding"),
        error_type=span.error_type or "",
        foreign=True,
    )
