"""What an agent's function came to, as the end of its run: its answer in the declared form, or what its error means."""

import traceback

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from airworthy.core.canonical import NotSerialisable, encode
from airworthy.core.errors import AirworthyError, told
from airworthy.core.halt import Halt, NeedsMending, Stop, TryLater
from airworthy.core.outcome import ErrorFact, Outcome, Reason, ReasonCode
from airworthy.gateway import ModelAuthFailed, ModelError, ModelUnknown
from airworthy.policy import Policy
from airworthy.policy.stops import stop
from airworthy.recorder import Diverged
from airworthy.resilience import TimedOut, WorkCrashed
from airworthy.runtime.agent import Agent
from airworthy.runtime.loop import NoAnswer
from airworthy.tools import ToolError

TRACE_CHARS_MAX = 4000

_IN_AGENT = ErrorFact(type="", message="", step="the agent's function", attempt=1)
_IN_ANSWER = ErrorFact(type="", message="", step="the answer", attempt=1)


def serialised(agent: Agent, value: object) -> bytes:
    """The answer as JSON. Raises: Stop when it is not of the form that the agent declares."""
    try:
        adapter = agent.output_adapter
        if adapter is None:
            return encode(value)
        return adapter.dump_json(adapter.validate_python(value), by_alias=True)
    except (ValidationError, PydanticSerializationError, NotSerialisable) as error:
        text = "The agent's answer is not of the declared form."
        evidence = {"problem": told(error)[:TRACE_CHARS_MAX]}
        raise stop(
            agent.policy, "blocked_output", ReasonCode.INVALID_OUTPUT, text, evidence=evidence
        ) from error


def halt_for(policy: Policy, error: Exception) -> Halt:
    """What an exception that left the agent's function means for its task."""
    match error:
        case Diverged():
            evidence = {"unmet": list(error.unmet)}
            return stop(policy, "divergence", ReasonCode.DIVERGENCE, str(error), evidence=evidence)
        case TimedOut():
            text = f"The task has worked for {policy.limits.seconds:g} s, its limit, and was still busy."
            return stop(policy, "limit", ReasonCode.LIMIT_SECONDS, text)
        case ModelAuthFailed() | ModelUnknown():
            return NeedsMending(_of_model(error), error.seq)
        case ModelError() if error.retryable:
            return TryLater(_of_model(error), error.seq)
        case ModelError():
            return dead(
                ReasonCode.MODEL_FAILURE,
                f"No model could be used: {error.message}",
                fact_of(error, _of_model(error)),
            )
        case NoAnswer():
            return stop(
                policy,
                "blocked_output",
                ReasonCode.INVALID_OUTPUT,
                str(error),
                error=fact_of(error, _IN_ANSWER),
            )
        case ToolError():
            text = f"The agent could not go on without a tool: {error.message}"
            return stop(policy, "tool_failure", ReasonCode.TOOL_FAILURE, text, error=error.fact)
        case _:
            original = error.original if isinstance(error, WorkCrashed) else error
            text = f"The agent's function failed with {type(original).__name__}: {told(original)}"
            return dead(ReasonCode.AGENT_ERROR, text[:TRACE_CHARS_MAX], fact_of(original))


def dead(code: ReasonCode, text: str, fact: ErrorFact) -> Stop:
    return Stop(Outcome.DEAD_LETTERED, Reason(code=code, text=text, error=fact))


def _of_model(error: ModelError) -> ErrorFact:
    return error.fact(f"model call {error.seq}" if error.seq else "model call", "the model", 1)


def fact_of(error: BaseException, where: ErrorFact = _IN_AGENT) -> ErrorFact:
    """`where`: whose step, dependency and attempt it has."""
    trace = "".join(traceback.format_exception(error))[-TRACE_CHARS_MAX:]
    return ErrorFact(
        type=type(error).__name__,
        message=told(error)[:TRACE_CHARS_MAX],
        mend=error.mend if isinstance(error, AirworthyError) else "",
        step=where.step,
        dependency=where.dependency,
        attempt=where.attempt,
        retryable=where.retryable,
        trace=trace,
    )
