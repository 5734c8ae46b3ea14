"""How a task ends, and why: five outcomes, each with a reason that code and people can both read."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


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
    UNKNOWN_AGENT = "unknown_agent"
    CANCELLED = "cancelled"


class ErrorFact(BaseModel):
    """An error as data: journaled, replayed, shown. Never carries a secret: it is redacted when written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    message: str
    mend: str = ""
    step: str = ""
    dependency: str = ""
    attempt: int = 0
    retryable: bool = False
    trace: str = ""


class Reason(BaseModel):
    """Why a task ended or stopped. `text` is a sentence for a person who has not seen the task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: ReasonCode
    text: str
    to: str = ""
    evidence: dict[str, Any] = {}
    error: ErrorFact | None = None
