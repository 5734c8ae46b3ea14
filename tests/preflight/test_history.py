"""What no order of the runs explains is found, and what looks wild and is in order is not."""

import pytest

from airworthy.preflight.history import INTERLEAVED, LOST_UPDATE, history_findings, operations
from airworthy.recorder import Recorded, StepState
from tests.preflight.histories import change, read, step

Runs = dict[str, list[Recorded]]


def _kinds(runs: Runs) -> list[str]:
    return [finding.kind for finding in history_findings(operations(runs))]


IN_ORDER: dict[str, Runs] = {
    "nobody is there": {},
    "one after another": {"a": [read(1, 0), change(2, 1)], "b": [read(1, 1), change(2, 2)]},
    "both look, one changes": {"a": [read(1, 0)], "b": [read(1, 0), change(2, 1)]},
    "looked at anew before it was changed": {
        "a": [read(1, 0), read(3, 1), change(4, 2)],
        "b": [read(1, 0), change(2, 1)],
    },
    "changed without a look": {"a": [change(1, 1)], "b": [change(2, 2)]},
    "its own change in between": {"a": [read(1, 0), change(2, 1), change(3, 2)], "b": [read(1, 2)]},
    "on different things": {
        "a": [read(1, 0), change(2, 1)],
        "b": [read(1, 0, of="order:2"), change(2, 1, of="order:2")],
    },
    "the change that was turned away did not happen": {
        "a": [read(1, 0), change(3, 2, at=3)],
        "b": [change(2, 1, at=2, state=StepState.FAILED)],
    },
}


@pytest.mark.parametrize("runs", IN_ORDER.values(), ids=IN_ORDER)
def test_runs_that_some_order_explains_are_let_be(runs: Runs) -> None:
    assert _kinds(runs) == []


def test_a_change_on_what_was_read_before_anothers_change_is_a_lost_update() -> None:
    runs = {"a": [read(1, 0), change(4, 2)], "b": [read(1, 0), change(2, 1)]}

    (finding,) = history_findings(operations(runs))

    assert finding.kind == LOST_UPDATE
    assert finding.text == (
        "a read order:1 at version 0, then b changed it (refund), and a changed it (refund) on what it had read before."
    )


def test_two_runs_that_made_the_same_version_overwrote_each_other() -> None:
    assert _kinds({"a": [read(1, 0), change(2, 1)], "b": [read(1, 0), change(2, 1)]}) == [LOST_UPDATE]


def test_a_change_in_doubt_counts_as_one() -> None:
    runs = {"a": [read(1, 0), change(4, 2)], "b": [read(1, 0), change(2, 1, state=StepState.IN_DOUBT)]}

    assert _kinds(runs) == [LOST_UPDATE]


def test_two_things_read_by_both_and_changed_crosswise_have_no_order() -> None:
    runs = {
        "a": [read(1, 0), read(2, 0, of="order:2"), change(3, 1)],
        "b": [read(1, 0), read(2, 0, of="order:2"), change(3, 1, of="order:2")],
    }

    (finding,) = history_findings(operations(runs))

    assert finding.kind == INTERLEAVED
    assert "No order of a, b explains" in finding.text


def test_three_runs_in_a_ring_have_no_order() -> None:
    runs = {
        name: [read(1, 0, of=f"order:{own}"), change(2, 1, of=f"order:{other}")]
        for name, own, other in (("a", 1, 2), ("b", 2, 3), ("c", 3, 1))
    }

    assert _kinds(runs) == [INTERLEAVED]


def _unnamed(at: float, took: float = 0.1, value: str = "same") -> list[Recorded]:
    return [
        step(1, "get_order", {"order_id": 7}, at=0.0, result={"left": value}),
        step(2, "refund", {"order_id": 7, "cents": 5}, effect="write", at=at, took=took),
    ]


def test_what_no_tool_names_is_known_by_the_argument_that_a_read_and_an_act_share() -> None:
    (finding,) = history_findings(operations({"a": _unnamed(1.0), "b": _unnamed(2.0)}))

    assert finding.kind == LOST_UPDATE
    assert "b read order_id = 7 (get_order), then a changed it (refund)" in finding.text


def test_a_later_look_that_differs_is_said_as_proof() -> None:
    late = [step(1, "get_order", {"order_id": 7}, at=5.0, result={"left": "less"})]

    (finding,) = history_findings(operations({"a": _unnamed(1.0), "b": _unnamed(2.0), "c": late}))

    assert "a later look shows that it had changed" in finding.text


def test_changes_of_one_thing_at_the_same_moment_are_interleaved() -> None:
    assert _kinds({"a": _unnamed(1.0, took=1.0), "b": _unnamed(1.5, took=1.0)}) == [INTERLEAVED]


def test_mails_to_one_address_are_no_change_of_it() -> None:
    mails = {name: [step(1, "send", {"to": "a@x.example"}, effect="send", at=1.0)] for name in "ab"}

    assert _kinds(mails) == []
