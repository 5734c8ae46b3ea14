"""The breaker as a table, as a machine under random use, and in its shell."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from airworthy.core.clock import US_PER_S, ManualClock
from airworthy.core.errors import ConfigError
from airworthy.core.halt import Suspend
from airworthy.resilience import (
    Breaker,
    BreakerState,
    Change,
    Circuit,
    CircuitOpen,
    Mode,
    Permit,
    Refusal,
    Result,
    breaker,
)

POLICY = Breaker(failure_share=0.5, calls_min=4, window_s=10, open_s=5, probe_s_max=30)
T0 = 1_764_000_000 * US_PER_S


def _at(seconds: float) -> int:
    return T0 + round(seconds * US_PER_S)


def _play(policy: Breaker, results: str, every_s: float = 0.1) -> BreakerState:
    """Calls one after another; `+` succeeds, `-` fails, `0` is neutral."""
    words: dict[str, Result] = {"+": "ok", "-": "failure", "0": "neutral"}
    state = BreakerState()
    for number, sign in enumerate(results):
        permit, state = breaker.allow(policy, state, _at(number * every_s))
        assert isinstance(permit, Permit)
        state = breaker.after(policy, state, _at(number * every_s), permit, words[sign])
    return state


def _opened() -> BreakerState:
    state = _play(POLICY, "----", every_s=0)
    assert state.mode is Mode.OPEN
    return state


def _probe(state: BreakerState, seconds: float) -> tuple[Permit, BreakerState]:
    permit, state = breaker.allow(POLICY, state, _at(seconds))
    assert isinstance(permit, Permit)
    assert permit.probe is not None
    return permit, state


@pytest.mark.parametrize(
    ("results", "every_s", "mode", "why"),
    [
        ("---", 0.1, Mode.CLOSED, "fewer calls than calls_min prove nothing"),
        ("----", 0.1, Mode.OPEN, "calls_min reached and all failed"),
        ("++--", 0.1, Mode.OPEN, "exactly the share opens"),
        ("+++--", 0.1, Mode.CLOSED, "below the share"),
        ("---+", 0.1, Mode.CLOSED, "a success never opens, even as the call that reaches calls_min"),
        ("---+-", 0.1, Mode.OPEN, "the next failure does"),
        ("---0000", 0.1, Mode.CLOSED, "neutral results are not calls"),
        ("----", 4.0, Mode.CLOSED, "failures that left the window do not count"),
        ("++++++++++----------", 0.1, Mode.OPEN, "old successes are outweighed"),
    ],
)
def test_opens_by_share_of_failures_in_the_window(results: str, every_s: float, mode: Mode, why: str) -> None:
    assert _play(POLICY, results, every_s).mode is mode, why


def test_an_open_breaker_refuses_with_the_time_left_and_the_reason() -> None:
    answer, _ = breaker.allow(POLICY, _opened(), _at(2))

    assert answer == Refusal(3.0, "4 of 4 calls failed within 10 s")


def test_exactly_one_probe_passes_after_the_open_time() -> None:
    permit, state = _probe(_opened(), 5)

    second, state = breaker.allow(POLICY, state, _at(5.5))

    assert state.mode is Mode.HALF_OPEN
    assert isinstance(second, Refusal)
    assert second.retry_after_s == POLICY.open_s
    assert state.probe == permit.probe


def test_a_good_probe_closes_with_an_empty_window() -> None:
    permit, state = _probe(_opened(), 5)

    state = breaker.after(POLICY, state, _at(6), permit, "ok")

    assert state.mode is Mode.CLOSED
    assert state.window.counts(_at(6), POLICY.window_s) == (0, 0)


def test_a_bad_probe_opens_for_the_full_time_again() -> None:
    permit, state = _probe(_opened(), 5)

    state = breaker.after(POLICY, state, _at(6), permit, "failure")

    answer, _ = breaker.allow(POLICY, state, _at(6))
    assert answer == Refusal(5.0, "a probe failed")


def test_a_cancelled_probe_is_neutral_and_frees_its_place() -> None:
    permit, state = _probe(_opened(), 5)

    state = breaker.after(POLICY, state, _at(5.1), permit, "neutral")

    assert state.mode is Mode.HALF_OPEN
    _probe(state, 5.1)


def test_a_probe_that_never_returns_is_given_up_and_its_late_result_ignored() -> None:
    lost, state = _probe(_opened(), 5)
    refused, _ = breaker.allow(POLICY, state, _at(34.9))
    assert isinstance(refused, Refusal)
    assert refused.retry_after_s == pytest.approx(0.1)

    second, state = _probe(state, 35)

    assert breaker.after(POLICY, state, _at(36), lost, "ok") == state
    assert breaker.after(POLICY, state, _at(36), lost, "failure") == state
    assert breaker.after(POLICY, state, _at(36), second, "ok").mode is Mode.CLOSED


@pytest.mark.parametrize("result", ["ok", "failure", "neutral"])
def test_a_call_from_before_the_opening_changes_nothing_when_it_ends(result: Result) -> None:
    early = Permit(term=0)
    opened = _opened()
    _, half_open = _probe(opened, 5)

    assert breaker.after(POLICY, opened, _at(1), early, result) == opened
    assert breaker.after(POLICY, half_open, _at(6), early, result) == half_open


def test_a_call_from_before_the_opening_does_not_count_after_the_closing() -> None:
    permit, state = _probe(_opened(), 5)
    closed = breaker.after(POLICY, state, _at(6), permit, "ok")

    assert breaker.after(POLICY, closed, _at(7), Permit(term=0), "failure") == closed
    assert breaker.after(POLICY, closed, _at(7), permit, "failure") == closed


def test_several_probes_must_succeed_one_after_the_other() -> None:
    policy = replace(POLICY, probes=2)
    first, state = breaker.allow(policy, _opened(), _at(5))
    assert isinstance(first, Permit)
    state = breaker.after(policy, state, _at(5), first, "ok")
    assert state.mode is Mode.HALF_OPEN

    second, state = breaker.allow(policy, state, _at(5))
    assert isinstance(second, Permit)
    state = breaker.after(policy, state, _at(5), second, "ok")

    assert state.mode is Mode.CLOSED


def test_opened_by_hand_stays_open_until_closed_by_hand() -> None:
    state = breaker.force_open(POLICY, BreakerState(), _at(0), "vendor is migrating")

    answer, state = breaker.allow(POLICY, state, _at(86_400))
    assert answer == Refusal(5.0, "opened by hand: vendor is migrating")
    state = breaker.force_close(state)
    assert isinstance(breaker.allow(POLICY, state, _at(86_400))[0], Permit)


@pytest.mark.parametrize("seconds", [0, 5], ids=["open", "half open"])
def test_a_state_survives_the_store(seconds: float) -> None:
    _, state = breaker.allow(POLICY, _opened(), _at(seconds))

    assert BreakerState.from_json(state.to_json()) == state


def test_a_closed_state_with_counts_survives_the_store() -> None:
    state = _play(POLICY, "++-")

    assert BreakerState.from_json(state.to_json()) == state


def test_the_window_stays_bounded() -> None:
    assert len(_play(POLICY, "+" * 1000, every_s=0.37).window.slots) <= 10


@pytest.mark.parametrize(
    "wrong",
    [{"failure_share": 0}, {"failure_share": 1.1}, {"calls_min": 0}, {"open_s": float("nan")}, {"probes": 0}],
)
def test_a_policy_that_cannot_work_is_refused_when_built(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Breaker(**wrong)  # type: ignore[arg-type]  # wrong on purpose


class AnyUse(RuleBasedStateMachine):
    """Calls, results, time and hands in any order."""

    permits: Bundle[Permit] = Bundle("permits")

    def __init__(self) -> None:
        super().__init__()
        self.now_us = T0
        self.state = BreakerState()
        self.probes: dict[int, int] = {}  # serial of each probe under way -> when it is given up

    @rule(target=permits)
    def ask(self) -> MultipleResults[Permit] | Permit:
        before = self.state
        answer, self.state = breaker.allow(POLICY, before, self.now_us)
        if isinstance(answer, Refusal):
            assert before.mode is not Mode.CLOSED
            assert answer.retry_after_s > 0
            return multiple()
        assert not before.forced
        if before.mode is not Mode.CLOSED:
            assert answer.probe is not None
            assert not [until_us for until_us in self.probes.values() if until_us > self.now_us]
            self.probes[answer.probe] = self.state.probe_until_us
        return answer

    @rule(permit=consumes(permits), result=st.sampled_from(["ok", "failure", "neutral"]))
    def finish(self, permit: Permit, result: Result) -> None:
        before = self.state
        self.state = breaker.after(POLICY, before, self.now_us, permit, result)
        current = permit.probe is not None and permit.probe == before.probe
        if permit.probe is not None:
            self.probes.pop(permit.probe, None)
        if before.mode is not Mode.CLOSED and self.state.mode is Mode.CLOSED:
            assert current, "only the probe under way may close"
            assert result == "ok"
        if before.mode is Mode.CLOSED and self.state.mode is Mode.OPEN:
            assert result == "failure"
            assert permit.term == before.term
        if self.state.mode is Mode.CLOSED and result == "failure" and permit.term == before.term:
            ok, failures = self.state.window.counts(self.now_us, POLICY.window_s)
            enough = ok + failures >= POLICY.calls_min
            assert not (enough and failures >= POLICY.failure_share * (ok + failures)), "should have opened"

    @rule(seconds=st.sampled_from([0.01, 1, 5, 31]))
    def wait(self, seconds: float) -> None:
        self.now_us += round(seconds * US_PER_S)

    @rule()
    def switch_off(self) -> None:
        self.state = breaker.force_open(POLICY, self.state, self.now_us, "test")
        self.probes.clear()

    @rule()
    def switch_on(self) -> None:
        self.state = breaker.force_close(self.state)
        self.probes.clear()

    @invariant()
    def the_state_is_one_the_store_can_hold(self) -> None:
        assert BreakerState.from_json(self.state.to_json()) == self.state

    @invariant()
    def a_probe_is_under_way_only_while_half_open(self) -> None:
        assert self.state.probe is None or self.state.mode is Mode.HALF_OPEN


@pytest.mark.slow
def test_any_use_keeps_to_one_probe_and_closes_only_by_it() -> None:
    """Slow: plays thousands of steps."""
    run_state_machine_as_test(
        AnyUse, settings=settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)
    )


def _circuit() -> tuple[Circuit, ManualClock, list[Change]]:
    clock = ManualClock(T0)
    changes: list[Change] = []
    return Circuit(POLICY, clock, name="crm", on_change=changes.append), clock, changes


async def _fail(circuit: Circuit, times: int) -> None:
    for _ in range(times):
        with pytest.raises(ValueError, match="down"):
            async with circuit.guard():
                raise ValueError("down")


async def test_a_circuit_reports_each_change_with_its_reason() -> None:
    circuit, clock, changes = _circuit()
    await _fail(circuit, 4)
    with pytest.raises(CircuitOpen) as refused:
        circuit.enter()

    clock.advance(5)
    async with circuit.guard():
        pass

    assert refused.value.retry_after_s == 5
    assert [(change.before, change.after) for change in changes] == [
        (Mode.CLOSED, Mode.OPEN),
        (Mode.OPEN, Mode.HALF_OPEN),
        (Mode.HALF_OPEN, Mode.CLOSED),
    ]
    assert changes[0].reason == "4 of 4 calls failed within 10 s"


async def test_cancelled_and_halted_calls_say_nothing_about_the_dependency() -> None:
    circuit, _, _ = _circuit()
    for stop in (asyncio.CancelledError, lambda: Suspend("approval")):
        for _ in range(5):
            with pytest.raises((asyncio.CancelledError, Suspend)):
                async with circuit.guard():
                    raise stop()

    assert circuit.state == BreakerState()


async def test_a_cancelled_probe_lets_the_next_one_through() -> None:
    circuit, clock, _ = _circuit()
    await _fail(circuit, 4)
    clock.advance(5)

    async def probe() -> None:
        async with circuit.guard():
            await asyncio.Event().wait()

    task = asyncio.create_task(probe())
    await asyncio.sleep(0)
    with pytest.raises(CircuitOpen):
        circuit.enter()
    task.cancel()
    await asyncio.wait({task})

    assert circuit.enter().probe is not None


async def test_the_judge_decides_what_counts_as_a_failure() -> None:
    circuit, _, _ = _circuit()
    for _ in range(10):
        with pytest.raises(KeyError):
            async with circuit.guard(lambda error: "neutral" if isinstance(error, KeyError) else "failure"):
                raise KeyError

    assert circuit.state.mode is Mode.CLOSED


async def test_switching_by_hand_is_reported() -> None:
    circuit, _, changes = _circuit()

    circuit.force_open("incident 7")
    circuit.force_close("fixed")

    assert [change.reason for change in changes] == ["opened by hand: incident 7", "closed by hand: fixed"]


async def test_a_circuit_takes_over_a_stored_state() -> None:
    first, clock, _ = _circuit()
    await _fail(first, 4)
    second = Circuit(POLICY, clock)

    second.restore(BreakerState.from_json(first.state.to_json()))

    with pytest.raises(CircuitOpen):
        second.enter()
