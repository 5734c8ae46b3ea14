"""The layers between a decision to call a tool and the call: bulkhead, pace, breaker, retry, timeout."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.errors import AirworthyError, told
from airworthy.policy import ToolRule
from airworthy.resilience import (
    NO,
    Abandoned,
    Bulkhead,
    Compartment,
    Decision,
    GaveUp,
    Pace,
    Pacer,
    Refused,
    Result,
    Retrier,
    Retry,
    TimedOut,
    Yes,
    bounded,
    bounded_in_thread,
)
from airworthy.tools.dependencies import QUEUE_MAX, Dependency
from airworthy.tools.errors import Happened, LockedOut, Permanent, Transient, happened, is_transient
from airworthy.tools.exchange import Exchange, exchanging
from airworthy.tools.tool import KEY_PARAMETER, SchemaBroken, Tool

if TYPE_CHECKING:
    from airworthy.policy.kinds import Rate
    from airworthy.resilience.shared import Allowance

_FREE = nullcontext()


class ResultTooLarge(AirworthyError):
    """The tool returned more than the policy lets through."""

    code = "result_too_large"


@dataclass(slots=True)
class Tried:
    """What a guarded call came to: `result` is JSON, or `error` is set."""

    result: bytes | None = None
    value: Any = None  # The result as a replay will read it.
    raw: Any = None  # What the function returned, whether or not it is as its type declares.
    error: Exception | None = None
    returned: bool = False  # The function came back normally, so the act took place.
    doubtful: bool = False  # An earlier try may have acted: no later "no" can speak for it.
    attempts: int = 1
    notes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def retryable(self) -> bool:
        return self.error is not None and (
            isinstance(self.error, Refused | TimedOut) or is_transient(self.error)
        )

    @property
    def unavailable(self) -> bool:
        """It is the dependency that fails, not this one call: what the policy names takes its place."""
        return self.retryable or isinstance(self.error, LockedOut)

    @property
    def happened(self) -> Happened:
        if self.doubtful:
            return "maybe"
        if isinstance(self.error, Refused) or self.attempts == 0:
            return "no"
        return happened(self.error) if self.error is not None else "maybe"


class Guards:
    """The memory of every layer for one agent's tools: places and pace by tool; the rest is its dependency's."""

    def __init__(
        self,
        clock: Clock,
        dependency_of: Callable[[str], Dependency],
        on_abandoned: Callable[[Abandoned], None] | None = None,
        allowance_of: "Callable[[str, Rate], Allowance | None]" = lambda *_: None,
    ) -> None:
        """`allowance_of` a tool and its rate: what all processes share of it."""
        self._clock = clock
        self._allowance_of = allowance_of
        self._dependency_of = dependency_of
        self._on_abandoned = on_abandoned
        self._places: dict[str, Compartment] = {}
        self._pacers: dict[str, Pacer] = {}
        self._retriers: dict[str, Retrier] = {}

    async def run(
        self,
        tool: Tool,
        rule: ToolRule,
        values: Mapping[str, Any],
        *,
        key: str | None,
        deadline_us: int,
        again: bool = False,
        before: Callable[[], None] | None = None,
    ) -> Tried:
        """Never raises but for halts and cancellation: what went wrong is in the answer.

        `before` is asked ahead of each try and may raise a halt. `again`: the act was begun before, by a run that
        never learned what came of it.
        """
        tried = Tried(attempts=0, doubtful=again)
        dependency = self._dependency_of(tool.name)

        async def attempt() -> tuple[bytes, Any]:
            if before is not None:
                before()
            tried.attempts += 1
            value = await self._act(dependency, tool, rule, values, key)
            tried.returned, tried.raw = True, value
            return _checked(tool, rule, value)

        def note(attempt: int, error: Exception, wait_s: float) -> None:
            tried.returned = False
            tried.doubtful = tried.doubtful or happened(error) == "maybe"
            tried.notes.append({"attempt": attempt, "error": _shown(error), "wait_s": round(wait_s, 3)})

        try:
            self._check_open(dependency)
            shared_places = dependency.places.hold(deadline_us) if dependency.places is not None else _FREE
            async with self._place(tool, rule).hold(deadline_us), shared_places:
                if rule.rate is not None:
                    await self._pacer(tool, rule).wait(deadline_us)
                if dependency.pacer is not None:
                    await dependency.pacer.wait(deadline_us)
                async with dependency.circuit.guard(_judge):
                    tried.result, tried.value = await self._retrier(tool, rule, dependency).run(
                        attempt, classify=_classifier(tool), deadline_us=deadline_us, on_retry=note
                    )
        except GaveUp as gave_up:
            tried.error = gave_up.error
            tried.notes.append({"gave_up": gave_up.why})
        except Exception as error:  # noqa: BLE001  # whatever a tool raises becomes a fact of the journal
            tried.error = error
        return tried

    def _check_open(self, dependency: Dependency) -> None:
        """Nobody waits for a place or a turn only to be refused. Raises: CircuitOpen."""
        refused = dependency.circuit.closed_to(self._clock.now_us())
        if refused is not None:
            raise refused

    async def _act(
        self, dependency: Dependency, tool: Tool, rule: ToolRule, values: Mapping[str, Any], key: str | None
    ) -> Any:
        arguments = dict(values)
        if tool.takes_key:
            arguments[KEY_PARAMETER] = key or ""
        if tool.client_parameter is None:
            return await self._called(tool, rule, arguments)
        client = dependency.client() if tool.is_async else dependency.sync_client()
        arguments[tool.client_parameter] = client
        with exchanging(Exchange(key or "", tool.accepts)):
            return await self._called(tool, rule, arguments)

    async def _called(self, tool: Tool, rule: ToolRule, arguments: Mapping[str, Any]) -> Any:
        if tool.is_async:
            return await bounded(
                lambda: tool.function(**arguments), rule.timeout_s, name=f"tool {tool.name}",
                on_abandoned=self._on_abandoned,
            )  # fmt: skip
        return await bounded_in_thread(
            lambda: tool.function(**arguments), rule.timeout_s, name=f"tool {tool.name}",
            on_abandoned=self._on_abandoned,
        )  # fmt: skip

    def _place(self, tool: Tool, rule: ToolRule) -> Compartment:
        if tool.name not in self._places:
            bulkhead = Bulkhead(rule.concurrency, QUEUE_MAX)
            self._places[tool.name] = Compartment(bulkhead, self._clock, name=tool.name)
        return self._places[tool.name]

    def _retrier(self, tool: Tool, rule: ToolRule, dependency: Dependency) -> Retrier:
        if tool.name not in self._retriers:
            retry = Retry(rule.attempts, rule.retry_wait_s, max(rule.retry_wait_s_max, rule.retry_wait_s))
            self._retriers[tool.name] = Retrier(retry, self._clock, account=dependency.account)
        return self._retriers[tool.name]

    def _pacer(self, tool: Tool, rule: ToolRule) -> Pacer:
        if tool.name not in self._pacers:
            assert rule.rate is not None
            pace = Pace(f"{rule.rate.calls}/{round(rule.rate.per_s)}s")
            shared = self._allowance_of(tool.name, rule.rate)
            self._pacers[tool.name] = Pacer(pace, self._clock, name=tool.name, shared=shared)
        return self._pacers[tool.name]


def deadline_us(clock: Clock, seconds_left: float) -> int:
    return clock.now_us() + round(seconds_left * US_PER_S)


def _checked(tool: Tool, rule: ToolRule, value: Any) -> tuple[bytes, Any]:
    try:
        result = tool.write_result(value)
        read = tool.read_result(result)
    except SchemaBroken as error:
        # A service that answers nonsense once may answer well the next time.
        raise Transient(f"The result of {tool.name} breaks its schema: {error}.", happened="maybe") from error
    if len(result) > rule.result_bytes_max:
        raise ResultTooLarge(
            f"The result of {tool.name} has {len(result)} bytes; {rule.result_bytes_max} are allowed.",
            mend="Make the tool return less, or raise result_bytes_max in the policy.",
        )
    return result, read


def _classifier(tool: Tool) -> Callable[[Exception], Decision]:
    repeatable = tool.keyed or not tool.effect.acts

    def classify(error: Exception) -> Decision:
        transient = isinstance(error, TimedOut) or is_transient(error)
        if not transient or not (repeatable or happened(error) == "no"):
            return NO
        return Yes(error.retry_after_s if isinstance(error, Transient) else None)

    return classify


def _judge(error: Exception) -> Result:
    """What says something about the dependency: its own no does not, nor does a bug of ours."""
    actual = error.error if isinstance(error, GaveUp) else error
    if isinstance(actual, Permanent):
        return "ok"
    return "failure" if isinstance(actual, TimedOut) or is_transient(actual) else "neutral"


def _shown(error: BaseException) -> str:
    return f"{type(error).__name__}: {told(error)}"[:300]
