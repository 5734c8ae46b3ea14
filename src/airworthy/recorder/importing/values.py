"""What a line of the import format may hold, as checked values. The reference page is made from these fields."""

import math
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Kind = Literal["agent", "model", "tool", "retrieval", "embedding", "check", "step"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
Ending = Literal["answered", "declined", "escalated", "dead_lettered", "cancelled"]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Numbers tell their unit by their size, as all that matters lies between 1973 and 5138.
_UNITS: Final = ((10**17, 1_000), (10**14, 1), (10**11, 10**-3), (10**8, 10**-6))
SPANS_DEEP_MAX: Final = 100


def time_us(value: Any) -> int:
    """RFC 3339, without a zone: UTC; or seconds, milli-, micro- or nanoseconds since 1970. Raises: ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        # As pydantic wants it of a validator.
        raise ValueError("it is no time; write 2026-11-26T08:00:00Z or seconds since 1970")  # noqa: TRY004
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value[:60]!r} is no time; write it as 2026-11-26T08:00:00Z") from None
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        at_us = (moment - _EPOCH) // timedelta(microseconds=1)
        if at_us <= 0:
            raise ValueError(f"{value[:60]!r} is before 1970")
        return at_us
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("it is no time")
    for least, divisor in _UNITS:
        if value >= least:
            return int(value // divisor) if isinstance(divisor, int) else round(value / divisor)
    raise ValueError(f"{value} is no time after 1973")


Moment = Annotated[int, BeforeValidator(time_us)]
Label = Annotated[str, Field(max_length=500)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]


class Failure(BaseModel):
    """What went wrong in a step; a plain text is taken for its type."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Annotated[str, Field(max_length=500, min_length=1)] = Field(
        description="What kind of error, in a word."
    )
    message: str = Field(default="", description="What it said.")


def _error(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


class Labelled(BaseModel):
    """What both a trace and a span may say."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: Label = Field(default="", description="What it is called in lists.")
    start: Moment | None = Field(
        default=None, description="When it began: RFC 3339, or a number of s, ms, us or ns since 1970."
    )
    end: Moment | None = Field(
        default=None, description="When it ended, likewise; left out: when its last step did."
    )
    agent: Label = Field(default="", description="The agent it was done by.")
    release: Label = Field(default="", description="The agent's version.")
    session: Label = Field(default="", description="The conversation it is part of.")
    user: Label = Field(default="", description="The user it was for.")
    feature: Label = Field(default="", description="The feature of yours it is part of.")
    outcome: Ending | None = Field(default=None, description="How it ended, if it did so for good.")
    error: Annotated[Failure | None, BeforeValidator(_error)] = Field(
        default=None, description="What went wrong: a text, or `{type, message}`."
    )
    input: Any = Field(default=None, description="What went in: a text, messages, arguments; any JSON.")
    output: Any = Field(default=None, description="What came out; any JSON.")
    attributes: dict[str, Any] = Field(
        default={},
        description="Whatever else; attributes of OpenTelemetry GenAI and OpenInference are understood.",
    )


class ImportSpan(Labelled):
    """One step."""

    type: Literal["span"] = Field(default="span", description="So that the line says what it is.")
    trace: Label = Field(
        default="", description="The trace it belongs to. Needed where it stands by itself on a line."
    )
    id: Label = Field(default="", description="Its own id; left out: made from what it says.")
    parent: Label = Field(
        default="", description="The id of the step around it; left out, inside a trace: the trace."
    )
    kind: Kind = Field(default="step", description=f"One of {', '.join(KINDS)}.")
    provider: Label = Field(default="", description="Of a model: who serves it, as openai; for the price.")
    model: Label = Field(default="", description="Of a model call: the model that answered.")
    tool: Label = Field(default="", description="Of a tool call: the tool; left out: `name`.")
    tokens_in: Count | None = Field(default=None, description="Of a model call: tokens sent.")
    tokens_out: Count | None = Field(default=None, description="Of a model call: tokens answered.")
    cost_usd: Annotated[float, Field(ge=0, le=1_000_000)] | None = Field(
        default=None, description="Of a model call, in USD; left out: by the price list, else unpriced."
    )
    spans: tuple["ImportSpan", ...] = Field(default=(), description="Steps inside this one, in order.")


class ImportTrace(Labelled):
    """One run with its steps."""

    type: Literal["trace"] = Field(default="trace", description="So that the line says what it is.")
    trace: Label = Field(default="", description="Its id; left out: made from what it says.")
    spans: tuple[ImportSpan, ...] = Field(
        default=(), description="Its steps, in order; each may hold steps of its own."
    )
