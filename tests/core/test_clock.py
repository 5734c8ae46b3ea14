"""Time never goes back, whatever the machine's clock does."""

import pytest

from airworthy.core import clock as clocks
from airworthy.core.clock import ManualClock, SystemClock

S = 1_000_000_000


class Machine:
    """Stands in for the `time` module: a wall clock somebody sets, and a monotonic one nobody can."""

    def __init__(self) -> None:
        self.wall_ns = 1_764_000_000 * S
        self.monotonic = 50 * S

    def time_ns(self) -> int:
        return self.wall_ns

    def monotonic_ns(self) -> int:
        return self.monotonic

    def passes(self, seconds: float) -> None:
        self.wall_ns += round(seconds * S)
        self.monotonic += round(seconds * S)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(clocks, "time", machine)  # The only place that reads the real one.
    return machine


@pytest.mark.parametrize(
    ("jump_s", "after_s", "why"),
    [
        (0, 10, "no jump"),
        (-3600, 10, "set back an hour: the time goes on from where it was"),
        (-0.5, 10, "set back a little"),
        (3600, 3610, "set forward: followed at once"),
    ],
)
def test_the_clock_goes_on_when_the_machines_is_set(
    machine: Machine, jump_s: float, after_s: float, why: str
) -> None:
    clock = SystemClock()
    machine.passes(100)
    before = clock.now_us()
    machine.wall_ns += round(jump_s * S)
    machine.passes(10)

    assert clock.now_us() - before == round(after_s * 1e6), why


def test_it_never_goes_back_over_many_jumps_and_meets_the_wall_again(machine: Machine) -> None:
    clock = SystemClock()
    seen = [clock.now_us()]
    for jump_s in (-10, 5, -3600, 0, 7200, -1, -1, 3):
        machine.wall_ns += jump_s * S
        machine.passes(0.001)
        seen.append(clock.now_us())
    machine.passes(10_000)
    machine.wall_ns += 10_000 * S

    assert seen == sorted(seen)
    assert clock.now_us() == machine.wall_ns // 1000


def test_a_manual_clock_moves_only_forward() -> None:
    clock = ManualClock(5)
    clock.advance(1.5)

    assert clock.now_us() == 1_500_005
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)
