"""One test input with its acceptance ranges. Built from YAML, CSV or Python, or from a recorded task."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

OutcomeName = Literal["answered", "declined", "escalated", "dead_lettered", "cancelled"]


class Severity(StrEnum):
    """How bad it is when this case fails, whatever the statistics say. One failed `critical` case is a no-go."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Number(_Strict):
    """A range, both ends included; an end that is left out is open."""

    min: float | None = None
    max: float | None = None


class ToolExpect(_Strict):
    """A call that must be made. `arguments`: those named must be so; a text in slashes is a regular expression, a
    mapping with min or max a range. `times`: how often; default: at least once.
    """

    name: str
    arguments: Mapping[str, Any] = Field(default_factory=dict)
    times: Number = Number(min=1)


class Expect(_Strict):
    """All of it must hold jointly. What is left out accepts anything.

    `facts`, `not_facts`: texts that the answer (as text or JSON, in any case) must or must not hold; in slashes:
    regular expressions. `json_schema`: of the answer. `in_order`: `tools` must be called in the order written.
    `acts`: effects that must reach the world, and no others, when given; `no_acts`: nothing may. `approval`: tools for
    which a person must be asked. `judge`: the least score, 0 to 1, of the judge under `rubric`.
    """

    outcome: tuple[OutcomeName, ...] = ()
    reason: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    not_facts: tuple[str, ...] = ()
    json_schema: Mapping[str, Any] | None = None
    tools: tuple[ToolExpect, ...] = ()
    in_order: bool = False
    not_tools: tuple[str, ...] = ()
    acts: tuple[ToolExpect, ...] | None = None
    no_acts: bool = False
    approval: tuple[str, ...] = ()
    steps: Number = Number()
    cost_usd: Number = Number()
    seconds: Number = Number()
    rubric: str = ""
    judge: float | None = Field(default=None, ge=0, le=1)


class Case(_Strict):
    """`tags`: `normal`, `edge` and `failure` are counted by the readiness checklist; any others are yours.

    `people`: what the stand-in for people does with calls that wait for approval; `answers`: to `run.ask`, by a part of
    the question. `results`: of tools, as recorded: [{tool, arguments, result}], before anything else is asked.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")
    input: Any
    expect: Expect = Expect()
    severity: Severity = Severity.MAJOR
    tags: tuple[str, ...] = ()
    session: str = ""
    user: str = ""
    feature: str = ""
    source: str = ""
    people: Literal["approve", "reject"] = "approve"
    answers: Mapping[str, str] = Field(default_factory=dict)
    results: tuple[Mapping[str, Any], ...] = ()
    note: str = ""
    origin: str = ""
