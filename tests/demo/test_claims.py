"""Each claim of the demo falls when what it speaks of did not hold, and only then."""

from dataclasses import replace
from typing import Any

import pytest

from airworthy.core.outcome import ReasonCode
from airworthy.demo.claims import claims_of
from airworthy.demo.evidence import Kill
from airworthy.runtime import State
from airworthy.tools import EffectState
from tests.demo.deeds import CLOSED, EFFECT, LETTER, SHOP, closed, evidence

IN_DOUBT = replace(EFFECT, state=EffectState.IN_DOUBT)


def _broken(**changes: Any) -> set[str]:
    return {claim.name for claim in claims_of(evidence(**changes)) if not claim.held}


def test_a_clean_run_keeps_every_claim() -> None:
    assert _broken() == set()


@pytest.mark.parametrize(
    ("changes", "broken", "why"),
    [
        (
            {"tasks": [replace(closed(), state=State.RUNNING)], "told": {"opened": 1}},
            {"one_outcome"},
            "a task is still open",
        ),
        ({"journals": {"tsk_1": replace(CLOSED, outcomes=2)}}, {"one_outcome"}, "two outcomes on record"),
        ({"letters": [LETTER, replace(LETTER, key="letter-2")]}, {"nothing_lost"}, "a letter made no task"),
        ({"letters": [replace(LETTER, body="Another.")]}, {"nothing_lost"}, "the text was changed"),
        ({"at_shop": replace(SHOP, duplicates=1)}, {"nothing_twice"}, "the shop counted a repeat"),
        ({"at_shop": replace(SHOP, tickets_mailed_twice=1)}, {"nothing_twice"}, "two mails for a letter"),
        ({"at_shop": replace(SHOP, keyless=1)}, {"nothing_twice"}, "an act that no count can vouch for"),
        ({"keys_at_shop": []}, {"records_agree"}, "recorded as done and not done"),
        ({"keys_at_shop": ["eff_1", "eff_2"]}, {"records_agree"}, "done and not recorded"),
        ({"keys_at_shop": ["eff_1", "eff_1"]}, {"records_agree"}, "done twice under one key"),
        ({"journals": {"tsk_1": replace(CLOSED, in_doubt=1)}}, {"doubts_wait"}, "in doubt, and in no outbox"),
        ({"effects": [IN_DOUBT]}, {"doubts_wait"}, "in the outbox, and in no record"),
        ({"cap_nano": 2_400_000}, {"within_budget"}, "lost bills count at their worst case"),
        ({"told": {"opened": 1, "declined": 1}}, {"console_agrees"}, "the console tells another outcome"),
        ({"told": {"opened": 2, "answered": 1}}, {"console_agrees"}, "the console knows a task too many"),
        ({"kills": []}, {"killed_at_work"}, "nobody was killed"),
        ({"kills": [Kill(1, 0, ())]}, {"killed_at_work"}, "nothing was under way"),
    ],
)
def test_a_claim_falls_when(changes: dict[str, Any], broken: set[str], why: str) -> None:
    assert _broken(**changes) == broken, why


def test_an_effect_in_doubt_that_waits_for_a_person_breaks_nothing() -> None:
    doubted = closed(State.ESCALATED, ReasonCode.IN_DOUBT, "It may have happened.")

    in_doubt = {"tsk_1": replace(CLOSED, in_doubt=1)}
    told = {"opened": 1, "escalated": 1}
    assert _broken(tasks=[doubted], effects=[IN_DOUBT], journals=in_doubt, told=told) == set()


def test_without_a_planned_kill_nothing_is_claimed_about_kills() -> None:
    names = [claim.name for claim in claims_of(evidence(kills=[], kills_planned=0))]

    assert "killed_at_work" not in names
