"""How a task ends, and why: five outcomes, each with a reason that code and people can both read."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from airworthy.core.canonical import NotSerialisable, decode, encode
from airworthy.core.errors import storable_text


class Outcome(StrEnum):
    ANSWERED = "answered"
    DECLINED = "declined"
    ESCALATED = "escalated"
    DEAD_LETTERED = "dead_lettered"
    CANCELLED = "cancelled"


class ReasonCode(StrEnum):
    """Closed set: what a rule, a chart or a runbook may branch on."""

    DONE = "done"
    AGENT_DECLINED = "agent_declined"
    AGENT_ESCALATED = "agent_escalated"
    BLOCKED_INPUT = "blocked_input"
    BLOCKED_OUTPUT = "blocked_output"
    INVALID_OUTPUT = "invalid_output"
    LIMIT_STEPS = "limit_steps"
    LIMIT_TOOL_CALLS = "limit_tool_calls"
    LIMIT_SECONDS = "limit_seconds"
    LIMIT_TOKENS_IN = "limit_tokens_in"
    LIMIT_TOKENS = "limit_tokens"
    LIMIT_COST = "limit_cost"
    BUDGET = "budget"
    LOOP_IDENTICAL = "loop_identical"
    LOOP_CYCLE = "loop_cycle"
    NO_PROGRESS = "no_progress"
    OFF_TRACK = "off_track"
    OUT_OF_SCOPE = "out_of_scope"
    IN_DOUBT = "in_doubt"
    DIVERGENCE = "divergence"
    POLICY_STOP = "policy_stop"
    TOOL_FAILURE = "tool_failure"
    MODEL_FAILURE = "model_failure"
    AGENT_ERROR = "agent_error"
    CRASHED = "crashed"
    CANCELLED = "cancelled"
    MANUAL = "manual"


def _words(value: object) -> object:
    return storable_text(value) if isinstance(value, str) else value


def _plain(value: object) -> object:
    """Evidence is for people: what has no JSON form is shown as Python shows it, and costs no task its outcome."""
    try:
        return decode(encode(value))
    except NotSerialisable:
        if isinstance(value, Mapping):
            return {storable_text(str(key)): _plain(each) for key, each in value.items()}
        return f"{type(value).__name__} without a JSON form"


Words = Annotated[str, BeforeValidator(_words)]
Evidence = Annotated[dict[str, Any], BeforeValidator(_plain)]


class ErrorFact(BaseModel):
    """An error as data: journaled, replayed, shown. Never carries a secret: it is redacted when written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    message: Words
    mend: Words = ""
    step: Words = ""
    dependency: Words = ""
    attempt: int = 0
    retryable: bool = False
    trace: Words = ""


class Reason(BaseModel):
    """Why a task ended or stopped. `text` is a sentence for a person who has not seen the task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: ReasonCode
    text: Words
    to: Words = ""
    evidence: Evidence = {}
    error: ErrorFact | None = None
