"""Faults are decided by the seed alone, and never stand in the way for good."""

import pytest

from airworthy.core.errors import ConfigError
from airworthy.demo.faults import NO_FAULTS, Fault, FaultPlan

SUBJECTS = [f"GET /orders/{number}" for number in range(4000)]


def test_one_seed_gives_one_plan() -> None:
    def drawn(seed: int) -> list[Fault | None]:
        return [FaultPlan(seed).fault(subject, 1) for subject in SUBJECTS]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_about_seven_in_a_hundred_first_attempts_go_wrong_and_every_kind_happens() -> None:
    drawn = [fault for subject in SUBJECTS if (fault := FaultPlan().fault(subject, 1))]

    assert 0.055 < len(drawn) / len(SUBJECTS) < 0.085
    assert set(drawn) == set(Fault)


@pytest.mark.parametrize("in_a_row_max", [0, 1, 2])
def test_after_so_many_faults_an_attempt_gets_through(in_a_row_max: int) -> None:
    plan = FaultPlan(rates={Fault.HTTP_500: 1.0}, in_a_row_max=in_a_row_max)

    faults = [plan.fault("GET /orders/1", attempt) for attempt in range(1, in_a_row_max + 2)]

    assert faults == [Fault.HTTP_500] * in_a_row_max + [None]


def test_faults_can_be_switched_off() -> None:
    assert all(NO_FAULTS.fault(subject, 1) is None for subject in SUBJECTS)


@pytest.mark.parametrize("rates", [{Fault.TIMEOUT: 1.1}, {Fault.TIMEOUT: -0.1}])
def test_rates_are_shares(rates: dict[Fault, float]) -> None:
    with pytest.raises(ConfigError, match="add up to"):
        FaultPlan(rates=rates)
