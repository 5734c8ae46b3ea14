"""What a check is and what it may answer; runs none."""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from airworthy.core.errors import AirworthyError

Side = Literal["input", "output"]
Then = Literal["decline", "escalate"]
Kind = Literal["passed", "flagged", "blocked"]

TIMEOUT_S = 5.0  # longer than any check of ours needs; a person should not wait for a check


class BadCheck(AirworthyError):
    """A function cannot serve as a check, or a check answered something that is no verdict."""

    code = "bad_check"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found. Build it with `passed`, `flagged` or `blocked`.

    `reason` is a sentence the end user may read. `detail` and `evidence` are for the operator.
    `then` says how a blocked task ends; None: an input is declined, an answer goes to a person.
    """

    kind: Kind
    reason: str = ""
    detail: str = ""
    evidence: Mapping[str, object] = field(default_factory=dict)
    then: Then | None = None


def passed() -> Verdict:
    return _PASSED


def flagged(reason: str, *, detail: str = "", evidence: Mapping[str, object] | None = None) -> Verdict:
    """Noted beside the task; nothing stops."""
    return Verdict("flagged", reason, detail, evidence or {})


def blocked(
    reason: str,
    *,
    detail: str = "",
    evidence: Mapping[str, object] | None = None,
    then: Then | None = None,
) -> Verdict:
    """Stops the task. `reason`: a polite sentence, since the end user may read it."""
    return Verdict("blocked", reason, detail, evidence or {}, then)


_PASSED = Verdict("passed")


class ToolResult(NamedTuple):
    """One tool call of this run and what came back."""

    tool: str
    arguments: Mapping[str, object]
    result: object


def _accept(value: object) -> object:
    return value


@dataclass(frozen=True, slots=True)
class Settings:
    """What the policy says, as far as checks ask. Build one for the input and one for the output.

    `bytes_max` and `chars_min` default to what a policy that sets nothing has. `validate` raises when the
    decoded answer is not of the declared type. `own` is for users' checks.
    """

    languages: tuple[str, ...] = ()
    bytes_max: int = 1_048_576
    chars_min: int = 2
    refuse_patterns: tuple[str, ...] = ()
    forbid_patterns: tuple[str, ...] = ()
    validate: Callable[[Any], object] = _accept
    own: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What a check may know beside the value it looks at. `facts`: what tools returned, oldest first."""

    agent: str
    task_id: str
    input: object = None
    input_text: str = ""
    facts: tuple[ToolResult, ...] = ()
    settings: Settings = Settings()


Answered = Verdict | str | None
# The first parameter is whatever type the user's agent takes or returns.
Function = Callable[[Any, CheckContext], Answered | Awaitable[Answered]]


@dataclass(frozen=True, slots=True)
class Check:
    """A named function and the side it looks at; calling it calls the function."""

    name: str
    on: Side
    function: Function
    timeout_s: float = TIMEOUT_S
    inline: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", self.name):
            raise BadCheck(
                f"{self.name!r} is no name for a check.",
                mend="Start with a small letter; use at most 64 small letters, digits and _.",
            )
        if self.on not in ("input", "output"):
            raise BadCheck(f"Check {self.name!r} is on {self.on!r}.", mend='Say on="input" or on="output".')
        if not 0 < self.timeout_s <= 300:
            raise BadCheck(
                f"Check {self.name!r} has a timeout of {self.timeout_s} s.", mend="Give 0 < timeout_s <= 300."
            )
        if self.inline and inspect.iscoroutinefunction(self.function):
            raise BadCheck(f"Check {self.name!r} is async and inline.", mend="Drop inline=True.")
        _accept_signature(self.name, self.function)

    def __call__(self, value: Any, context: CheckContext) -> Answered | Awaitable[Answered]:
        return self.function(value, context)


def check(
    *, on: Side, name: str | None = None, timeout_s: float = TIMEOUT_S, inline: bool = False
) -> Callable[[Function], Check]:
    """Makes a check of a function `(value, context)`, sync or async; its name becomes the check's name.

    The function returns a Verdict; None means passed, and text means blocked for that reason. A sync
    function runs in a thread, so it may do I/O; `inline=True` spares the thread and with it the timeout, so
    it is only for pure functions that take microseconds.
    """

    def of(function: Function) -> Check:
        given = name if name is not None else getattr(function, "__name__", "check")
        return Check(given, on, function, timeout_s, inline)

    return of


def _accept_signature(name: str, function: Function) -> None:
    try:
        signature = inspect.signature(function)
        signature.bind(None, None)
    except (TypeError, ValueError) as error:
        raise BadCheck(
            f"Check {name!r} cannot be called with a value and a context: {error}.",
            mend="Give it two parameters: `def my_check(value, context): ...`.",
        ) from error
    if signature.return_annotation in (bool, "bool"):
        raise BadCheck(
            f"Check {name!r} returns a bool, which does not say why.",
            mend="Return passed(), flagged(reason) or blocked(reason).",
        )
