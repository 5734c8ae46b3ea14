"""A circuit breaker as a table: values in, values out. Rule 1: no other file changes a BreakerState."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal, assert_never

from airworthy.core import canonical
from airworthy.core.clock import US_PER_S
from airworthy.core.errors import ConfigError
from airworthy.resilience._window import Window

Result = Literal["ok", "failure", "neutral"]  # neutral: says nothing about the dependency (a cancelled call)


class Mode(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Breaker:
    """Opens when `failure_share` of at least `calls_min` calls within `window_s` failed.

    After `open_s` it lets one call at a time through; `probes` of them in a row must succeed to close it.
    A probe that has not come back after `probe_s_max` is given up, so that a lost one cannot block for ever.
    """

    failure_share: float = 0.5
    calls_min: int = 8
    window_s: float = 30.0
    open_s: float = 15.0
    probes: int = 1
    probe_s_max: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.failure_share <= 1:
            raise ConfigError(
                f"A breaker's failure_share of {self.failure_share} is not a share.",
                mend="Set it above 0 and at most 1.",
            )
        for name in ("calls_min", "window_s", "open_s", "probes", "probe_s_max"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(f"A breaker's {name} of {getattr(self, name)} is not positive and finite.")


@dataclass(frozen=True, slots=True)
class BreakerState:
    """What a breaker remembers. `term` counts openings and closings: a result of an earlier term is late."""

    mode: Mode = Mode.CLOSED
    term: int = 0
    reason: str = "new"
    window: Window = field(default_factory=Window)  # (ok, failures)
    until_us: int = 0  # open: when probing may begin
    forced: bool = False  # opened by hand: only a hand closes it
    probe: int | None = None  # half open: the serial of the probe on its way
    probe_until_us: int = 0
    probes_ok: int = 0
    serial: int = 0

    def to_json(self) -> bytes:
        return canonical.encode(self)

    @staticmethod
    def from_json(data: bytes) -> "BreakerState":
        plain = canonical.decode(data)
        slots = tuple((int(a), int(b), int(c)) for a, b, c in plain.pop("window")["slots"])
        return BreakerState(**{**plain, "mode": Mode(plain["mode"]), "window": Window(slots)})


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to make one call; hand it back to `after` with the result."""

    term: int
    probe: int | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    retry_after_s: float
    reason: str


def allow(policy: Breaker, state: BreakerState, now_us: int) -> tuple[Permit | Refusal, BreakerState]:
    """May this call be made? The state changes only when the answer hands out a probe."""
    match state.mode:
        case Mode.CLOSED:
            return Permit(state.term), state
        case Mode.OPEN:
            if state.forced:
                return Refusal(policy.open_s, state.reason), state
            if now_us < state.until_us:
                return Refusal((state.until_us - now_us) / US_PER_S, state.reason), state
            probing = replace(state, mode=Mode.HALF_OPEN, probe=None, probes_ok=0)
            return _hand_out_probe(policy, probing, now_us)
        case Mode.HALF_OPEN:
            if state.probe is not None and now_us < state.probe_until_us:
                # Nobody knows when the probe returns; open_s is how often anybody should ask.
                wait_s = min(policy.open_s, (state.probe_until_us - now_us) / US_PER_S)
                return Refusal(wait_s, f"one probe is on its way; {state.reason}"), state
            return _hand_out_probe(policy, state, now_us)
    assert_never(state.mode)


def after(policy: Breaker, state: BreakerState, now_us: int, permit: Permit, result: Result) -> BreakerState:
    """Books a result. One that belongs to an earlier term, or to a probe given up, changes nothing."""
    if permit.term != state.term:
        return state
    match state.mode:
        case Mode.CLOSED:
            return _book(policy, state, now_us, result)
        case Mode.OPEN:
            return state
        case Mode.HALF_OPEN:
            if permit.probe is None or permit.probe != state.probe:
                return state
            if result == "neutral":
                return replace(state, probe=None)
            if result == "failure":
                return _open(policy, state, now_us, "a probe failed")
            if state.probes_ok + 1 < policy.probes:
                return replace(state, probe=None, probes_ok=state.probes_ok + 1)
            return _close(
                state, "a probe succeeded" if policy.probes == 1 else f"{policy.probes} probes succeeded"
            )
    assert_never(state.mode)


def counted(
    policy: Breaker, state: BreakerState, now_us: int, window: Window, *, failed: bool
) -> BreakerState:
    """A closed breaker with these counts instead of its own, as when those of several processes are added up.

    They open it only if a failure is among what was added.
    """
    if state.mode is not Mode.CLOSED:
        return state
    state = replace(state, window=window)
    return _judge(policy, state, now_us) if failed else state


def force_open(policy: Breaker, state: BreakerState, now_us: int, reason: str) -> BreakerState:
    """Open until `force_close`, whatever the calls say."""
    return replace(_open(policy, state, now_us, f"opened by hand: {reason}"), forced=True)


def force_close(state: BreakerState, reason: str = "") -> BreakerState:
    """Closed with an empty window, from any mode."""
    return _close(state, f"closed by hand: {reason}" if reason else "closed by hand")


def _book(policy: Breaker, state: BreakerState, now_us: int, result: Result) -> BreakerState:
    if result == "neutral":
        return state
    failed = result == "failure"
    window = state.window.add(now_us, policy.window_s, first=int(not failed), second=int(failed))
    return counted(policy, state, now_us, window, failed=failed)


def _judge(policy: Breaker, state: BreakerState, now_us: int) -> BreakerState:
    ok, failures = state.window.counts(now_us, policy.window_s)
    total = ok + failures
    if total < policy.calls_min or failures < policy.failure_share * total:
        return state
    return _open(policy, state, now_us, f"{failures} of {total} calls failed within {policy.window_s:g} s")


def _open(policy: Breaker, state: BreakerState, now_us: int, reason: str) -> BreakerState:
    return BreakerState(
        mode=Mode.OPEN,
        term=state.term + 1,
        reason=reason,
        until_us=now_us + round(policy.open_s * US_PER_S),
        serial=state.serial,
    )


def _close(state: BreakerState, reason: str) -> BreakerState:
    return BreakerState(term=state.term + 1, reason=reason, serial=state.serial)


def _hand_out_probe(policy: Breaker, state: BreakerState, now_us: int) -> tuple[Permit, BreakerState]:
    serial = state.serial + 1
    until_us = now_us + round(policy.probe_s_max * US_PER_S)
    return (
        Permit(state.term, probe=serial),
        replace(state, probe=serial, probe_until_us=until_us, serial=serial),
    )
