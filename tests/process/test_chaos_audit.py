"""The judge of chaos finds what it is there to find: each kind of broken promise, put before it."""

from dataclasses import replace

import pytest
from benchmarks._chaos_audit import Note, stale_writes, takeovers
from benchmarks._chaos_verdict import Seen, Verdict, _judge_call

ONE, OTHER = "wkr_one", "wkr_other"
TASK = "tsk_1"


def claim(n: int, who: str, holder: str | None, xid: str = "") -> Note:
    return Note(n, float(n), xid or f"x{n}", who, "claim", TASK, n, holder, None, None)


def step(n: int, who: str, holder: str | None, xid: str = "") -> Note:
    return Note(n, float(n), xid or f"x{n}", who, "step", TASK, n, holder, 1, "tool done")


@pytest.mark.parametrize(
    ("log", "stale"),
    [
        ([claim(1, ONE, ONE), step(2, ONE, ONE)], 0),
        ([claim(1, ONE, ONE), claim(2, OTHER, OTHER), step(3, ONE, OTHER)], 1),
        ([claim(1, ONE, ONE), claim(2, OTHER, None), step(3, ONE, None)], 1),
        # Given up in the same transaction as its last record: parked, or ended.
        ([claim(1, ONE, ONE), claim(2, ONE, None, "x"), step(3, ONE, None, "x")], 0),
        # Taken from another in the same transaction, and recorded: nobody may.
        ([claim(1, ONE, ONE), claim(2, OTHER, None, "x"), step(3, OTHER, None, "x")], 1),
        # The claim passed on between the record and its commit.
        ([claim(1, ONE, ONE), step(2, ONE, OTHER)], 1),
    ],
)
def test_a_record_of_a_worker_without_the_claim_is_found(log: list[Note], stale: int) -> None:
    assert len(stale_writes(log, frozenset({ONE, OTHER}))) == stale


def test_takeover_is_from_the_blow_to_the_next_claim_by_another() -> None:
    log = [claim(1, ONE, ONE), claim(9, OTHER, None), claim(14, OTHER, OTHER)]

    (found,) = takeovers(log, ONE, from_s=4.0)

    assert (found.task, found.to, found.seconds) == (TASK, OTHER, 10.0)


def test_what_is_no_task_is_not_taken_over() -> None:
    log = [
        replace(claim(1, ONE, ONE), name="chore:days"),
        replace(claim(90, OTHER, OTHER), name="chore:days"),
    ]

    assert list(takeovers(log, ONE, from_s=4.0)) == []


@pytest.mark.parametrize(
    ("tool", "keys", "fault"),
    [
        ("send", ["a", "a"], ""),
        ("send", ["a", "b"], "duplicate_keyed_effects"),
        ("post", ["-"], ""),
        ("post", ["-", "-"], "unkeyed_twice"),
        ("post", [], "lost"),
    ],
)
def test_an_act_carried_out_twice_or_never_is_found(tool: str, keys: list[str], fault: str) -> None:
    verdict, outside = Verdict(), Seen({"1/1": [["1/1", key] for key in keys]}, {})

    _judge_call(verdict, tool, "1/1", outside.acts["1/1"], done=True)

    found = [name for name in ("lost", "duplicate_keyed_effects", "unkeyed_twice") if getattr(verdict, name)]
    assert found == ([fault] if fault else [])
