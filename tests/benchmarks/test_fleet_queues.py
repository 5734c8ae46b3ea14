"""The formulae give what is known of them, and the simulations give what the formulae say."""

import math
import random
import statistics

import pytest
from benchmarks._fleet_costs import Cost, Costs, Kinds, Loop
from benchmarks._fleet_inside import BATCH_MAX, House, Work, simulated
from benchmarks._fleet_places import Death, waits
from benchmarks._fleet_queues import (
    closed_bound,
    erlang_b,
    erlang_c,
    ggc_wait,
    group_commit_cycle,
    group_commit_rate,
    md1_wait,
    md1_within,
    mg1_wait,
    mmc_wait,
    mmc_wait_at,
)

SEED = 7


def costs(
    *, loop: Loop | None = None, rest: Kinds | None = None, commit_s: float = 0.0, tail: float = 1.0,
    beside: bool = False,
) -> Costs:  # fmt: skip
    return Costs(loop or Loop(), Kinds(), rest or Kinds(), 0.0, 0.0, commit_s, tail, beside)


def chance(rate: float, count: int) -> list[float]:
    rng = random.Random(SEED)
    at, times = 0.0, []
    for _ in range(count):
        at += rng.expovariate(rate)
        times.append(at)
    return times


@pytest.mark.parametrize(
    ("load", "servers", "expected", "why"),
    [
        (1.0, 1, 0.5, "one server: load / (1 + load)"),
        (1.0, 2, 0.2, "by hand: (1/2) / (1 + 1 + 1/2)"),
        (5.0, 10, 0.018385, "the tables of Erlang B"),
        (20.0, 30, 0.008460, "the tables of Erlang B"),
    ],
)
def test_erlang_b_is_as_in_the_tables(load: float, servers: int, expected: float, why: str) -> None:
    assert erlang_b(load, servers) == pytest.approx(expected, rel=1e-3), why


@pytest.mark.parametrize(
    ("load", "servers", "expected", "why"),
    [
        (0.5, 1, 0.5, "one server: whoever comes while it works"),
        (1.0, 2, 1 / 3, "by hand: 2 * 0.2 / (2 - 1 * 0.8)"),
        (5.0, 10, 0.036105, "the tables of Erlang C"),
        (3.0, 3, 1.0, "saturated: all wait"),
    ],
)
def test_erlang_c_is_as_in_the_tables(load: float, servers: int, expected: float, why: str) -> None:
    assert erlang_c(load, servers) == pytest.approx(expected, rel=1e-3), why


def test_one_server_by_chance_waits_as_the_closed_forms_say() -> None:
    assert mmc_wait(0.8, 1.0, 1) == pytest.approx(4.0)
    assert mg1_wait(0.8, 1.0, 1.0) == pytest.approx(4.0)
    assert md1_wait(0.8, 1.0) == pytest.approx(2.0)
    assert ggc_wait(0.8, 1.0, 1, 1.0, 1.0) == pytest.approx(4.0)
    assert mmc_wait_at(0.8, 1.0, 1, 0.99) == pytest.approx(math.log(0.8 / 0.01) / 0.2)


def test_a_queue_that_is_asked_too_much_has_no_end() -> None:
    assert math.inf in {mmc_wait(1.0, 1.0, 1), mg1_wait(1.0, 1.0, 0.0), group_commit_cycle(1, 10.0, 0.1, 0.1)}
    assert mmc_wait_at(2.0, 1.0, 1, 0.99) == math.inf


def test_the_law_of_md1_begins_at_its_free_share_and_grows_to_all() -> None:
    shares = [md1_within(0.5, 1.0, wait) for wait in (0.0, 0.5, 1.0, 3.0, 8.0)]

    assert shares[0] == pytest.approx(0.5)
    assert shares[1] == pytest.approx(0.5 * math.exp(0.25))
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0, abs=1e-3)


def test_a_closed_loop_is_bound_by_its_busiest_station_or_by_its_customers() -> None:
    assert closed_bound(2, 0.5, 0.0, 100) == 4.0
    assert closed_bound(2, 0.5, 9.5, 10) == 1.0


@pytest.mark.slow  # Tens of thousands of arrivals, for a mean that can be told from its neighbours.
def test_simulated_places_wait_as_erlang_says() -> None:
    rng = random.Random(SEED + 1)
    times = chance(8.0, 60_000)

    found = waits(times, [rng.expovariate(1.0) for _ in times], workers=2, places=5)

    assert statistics.fmean(found.waits_s) == pytest.approx(mmc_wait(8.0, 1.0, 10), rel=0.1)
    assert sum(each > 0 for each in found.waits_s) / len(times) == pytest.approx(erlang_c(8.0, 10), rel=0.06)
    assert found.at(0.99) == pytest.approx(mmc_wait_at(8.0, 1.0, 10, 0.99), rel=0.12)


@pytest.mark.slow  # Tens of thousands of arrivals, for a mean that can be told from its neighbours.
def test_one_simulated_place_with_equal_tasks_waits_as_crommelin_says() -> None:
    found = waits(chance(0.7, 60_000), [1.0], workers=1, places=1)

    assert statistics.fmean(found.waits_s) == pytest.approx(md1_wait(0.7, 1.0), rel=0.05)
    for wait in (0.5, 1.0, 2.0, 5.0):
        share = sum(each <= wait for each in found.waits_s) / len(found.waits_s)
        assert share == pytest.approx(md1_within(0.7, 1.0, wait), abs=0.01)


def test_a_dead_workers_tasks_go_on_where_they_stood_and_ahead_of_others() -> None:
    # Both begin at once, on two workers; at 4 s one dies, and its task has 6 s to go from 4 + 2 s on.
    found = waits([0.0, 0.0, 1.0], [10.0], workers=2, places=1, death=Death(1, 4.0, takeover_s=2.0))

    (survivor,) = [each for each in found.ends_s[:2] if each == 10.0]
    (taken_over,) = [each for each in found.ends_s[:2] if each != 10.0]
    assert (survivor, taken_over) == (10.0, 16.0)
    assert found.waits_s[2] == 15.0


def test_a_death_of_a_spare_worker_delays_nothing_but_what_it_held() -> None:
    times = chance(1.0, 500)

    whole, less = (waits(times, [1.0], 3, 20, death) for death in (None, Death(0, 100.0)))

    assert whole.at(0.99) == less.at(0.99) == 0.0
    assert sum(a != b for a, b in zip(whole.ends_s, less.ends_s, strict=True)) <= 20


@pytest.mark.parametrize(("workers", "rate"), [(1, 900.0), (3, 700.0), (3, 900.0)])
def test_batches_grow_until_the_lock_turns_round_as_fast_as_writes_come(workers: int, rate: float) -> None:
    """Nothing but the lock costs anything: 2 ms for each batch and 1 ms for each claim; a claim takes all it finds."""
    given = costs(rest=Kinds(claim=Cost(0.002, 0.001)), beside=True)
    times = chance(rate, 6_000)

    seen = simulated(given, House(workers, 10_000, 4.0), Work(0, len(times), arrivals_s=times))

    # A writer turns round without a pause while something waits; at a low rate it also finds nothing.
    expected = rate * group_commit_cycle(workers, rate, 0.002, 0.001) / workers
    assert 1 / seen.shares.claim == pytest.approx(max(1.0, expected), rel=0.25)


def test_the_lock_is_bound_by_full_batches() -> None:
    given = costs(rest=Kinds(end=Cost(0.1, 0.001)))

    seen = simulated(given, House(2, 2 * BATCH_MAX, 4.0), Work(0, 32 * BATCH_MAX))

    assert seen.tasks_per_s == pytest.approx(group_commit_rate(0.1, 0.001, BATCH_MAX), rel=0.05)
    assert seen.lock_used == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("workers", "cores", "bound"), [(1, 2.0, 1.0), (2, 2.0, 2.0), (4, 2.0, 2.0), (4, 1.5, 1.5)]
)
def test_python_takes_one_core_a_worker_and_no_more_than_there_are(
    workers: int, cores: float, bound: float
) -> None:
    given = costs(loop=Loop(step_s=0.001))

    seen = simulated(given, House(workers, 20, cores), Work(10, 400))

    assert seen.tasks_per_s == pytest.approx(bound / 0.010, rel=0.1)


@pytest.mark.parametrize(("beside", "expected"), [(False, 50.0), (True, 200.0)])
def test_only_steps_that_share_the_lock_pass_beside_one_another(beside: bool, expected: float) -> None:
    """A commit of 20 ms for each step, one task at a time on each of four workers."""
    given = costs(commit_s=0.02, beside=beside)

    seen = simulated(given, House(4, 1, 4.0), Work(200, 16))

    assert seen.tasks_per_s * 200 == pytest.approx(expected, rel=0.15)


def test_the_same_seed_gives_the_same_run_and_another_another() -> None:
    given = costs(loop=Loop(step_s=0.001), commit_s=0.001, tail=10.0)

    once, again, other = (simulated(given, House(2, 5, 2.0), Work(4, 100), seed) for seed in (1, 1, 2))

    assert once == again
    assert once != other
