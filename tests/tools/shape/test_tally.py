"""When a difference is told: after enough of the results since it was first met."""

import pytest

from airworthy.tools.shape.compare import Difference
from airworthy.tools.shape.tally import OPEN_MAX, Tally


def difference(needs: int, path: str = "total") -> Difference:
    return Difference(path, "type", "an integer", "a text", breaking=True, needs=needs)


@pytest.mark.parametrize(
    ("needs", "results", "told_at"),
    [
        (1, "x", 1),
        (2, "x", None),
        (2, "xx", 2),
        (2, "x.x", 3),
        (2, "x..x", 4),
        (2, "x...x", None),
        (3, "xx..x", 5),
        (3, "x.........x.x.x", 15),
        (2, "x..........x..........x", None),
    ],
)
def test_so_many_of_the_results_since_must_show_it(needs: int, results: str, told_at: int | None) -> None:
    """`x` shows the difference, `.` does not."""
    tally, told = Tally(), None
    for at, result in enumerate(results, 1):
        tally.results += 1
        if result == "x" and tally.met([difference(needs)], f"tsk_{at}", at):
            told = at

    assert told == told_at


def test_what_is_drained_counts_since_the_last_time_and_names_the_first_task() -> None:
    tally = Tally()
    for at, shows in enumerate("xx.x", 1):
        tally.results += 1
        if shows == "x":
            tally.met([difference(2)], f"tsk_{at}", at * 10)

    (first,) = tally.drained()
    nothing = tally.drained()
    tally.results += 1
    tally.met([difference(2)], "tsk_9", 90)
    (second,) = tally.drained()

    assert (first.hits, first.of, first.task_id, first.first_us) == (3, 4, "tsk_1", 10)
    assert nothing == []
    assert (second.hits, second.of, second.task_id) == (1, 1, "tsk_1")


def test_what_could_not_be_stored_is_told_the_next_time() -> None:
    tally = Tally()
    tally.results += 1
    tally.met([difference(1)], "tsk_1", 1)
    tally.give_back(tally.drained())

    assert tally.news
    assert [(each.hits, each.of) for each in tally.drained()] == [(1, 1)]


def test_ever_new_differences_do_not_grow_the_memory() -> None:
    tally = Tally()
    for at in range(OPEN_MAX * 3):
        tally.results += 1
        tally.met([difference(1, f"field{at}")], "tsk_1", at)

    assert len(tally.drained()) == OPEN_MAX
