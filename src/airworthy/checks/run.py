"""Runs checks in order and fails closed: whatever goes wrong inside a check blocks the task."""

import asyncio
import inspect
import traceback
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from airworthy.checks.check import Check, CheckContext, Verdict, blocked, passed
from airworthy.core.redact import Redactor

REASON_CHARS_MAX = 500


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    verdict: Verdict
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """What the checks that ran found, in their order; the last one is the block, if there is one."""

    findings: tuple[Finding, ...] = ()

    @property
    def block(self) -> Finding | None:
        return next((finding for finding in self.findings if finding.verdict.kind == "blocked"), None)

    @property
    def flags(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.verdict.kind == "flagged")


@dataclass(frozen=True, slots=True)
class _Raised:
    error: Exception


@dataclass(frozen=True, slots=True)
class _TimedOut:
    seconds: float


async def run_checks(
    checks: Sequence[Check], value: object, context: CheckContext, *, redactor: Redactor | None = None
) -> Report:
    """All of `checks` in order, up to the first that blocks.

    Never raises for what a check does: one that raises, takes longer than its `timeout_s` or answers
    something that is no verdict counts as blocked, and a person looks at the task. Reasons and details pass
    through `redactor`; evidence is redacted where it is stored.
    """
    clean = redactor if redactor is not None else Redactor()
    loop = asyncio.get_running_loop()
    findings: list[Finding] = []
    for each in checks:
        started = loop.time()
        verdict = _settled(each, await _answer(each, value, context), clean)
        findings.append(Finding(each.name, verdict, loop.time() - started))
        if verdict.kind == "blocked":
            break
    return Report(tuple(findings))


async def _answer(each: Check, value: object, context: CheckContext) -> object:
    if each.inline:
        answered = _called(each, value, context)
        return await _awaited(each, answered) if inspect.isawaitable(answered) else answered
    if inspect.iscoroutinefunction(each.function):
        return await _awaited(each, each.function(value, context))
    # The thread of a check that hangs cannot be ended; when such threads fill the pool, checks wait for
    # their turn, time out and so block: no task passes unchecked.
    answered = await _awaited(each, asyncio.to_thread(_called, each, value, context))
    return await _awaited(each, answered) if inspect.isawaitable(answered) else answered


def _called(each: Check, value: object, context: CheckContext) -> object:
    try:
        return each.function(value, context)
    except Exception as error:  # noqa: BLE001 - a failing check is a fact about the task, see _settled
        return _Raised(error)


async def _awaited(each: Check, answer: Awaitable[object]) -> object:
    try:
        async with asyncio.timeout(each.timeout_s) as limit:
            return await answer
    except Exception as error:  # noqa: BLE001 - a failing check is a fact about the task, see _settled
        return _TimedOut(each.timeout_s) if limit.expired() else _Raised(error)


def _settled(each: Check, answer: object, clean: Redactor) -> Verdict:
    match answer:
        case None:
            return passed()
        case Verdict(kind="passed" | "flagged" | "blocked"):
            verdict = answer
        case str() if answer.strip():
            verdict = blocked(answer)
        case _Raised(error):
            # The type and the place, never the message: it may quote the value.
            verdict = _failed(each, type(error).__name__, f"raised {type(error).__name__}{_place(error)}")
        case _TimedOut(seconds):
            verdict = _failed(each, "timeout", f"took longer than {seconds:g} s")
        case bool():
            verdict = _failed(each, "bool", "answered a bool; let it return passed(), flagged() or blocked()")
        case _:
            kind = type(answer).__name__
            verdict = _failed(each, kind, f"answered {kind}; let it return a Verdict, text or None")
    if verdict.kind == "blocked" and verdict.then not in ("decline", "escalate"):
        verdict = replace(verdict, then="decline" if each.on == "input" else "escalate")
    reason = verdict.reason or (
        f"This did not pass the check {each.name!r}." if verdict.kind == "blocked" else ""
    )
    return replace(verdict, reason=_text(reason, clean), detail=_text(verdict.detail, clean))


def _failed(each: Check, what: str, detail: str) -> Verdict:
    return blocked(
        f"We could not finish the check {each.name!r} ({what}), so a person will look at this.",
        detail=f"Check {each.name!r} {detail}.",
        evidence={"failed_closed": what},
        then="escalate",
    )


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def _text(text: object, clean: Redactor) -> str:
    # A reason may quote what an outsider wrote: no control characters, no second line in a log.
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)[: 4 * REASON_CHARS_MAX]).split())
    return clean.redact_text(line)[:REASON_CHARS_MAX]
