"""Cases held against each other, and what a suite as a whole is too weak for. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from airworthy.evals.case import Case, Expect
from airworthy.evals.suites.impossible import clashes, same_situation
from airworthy.evals.suites.suite import Flaw, Notice, Place

FEW: Final = 25
_COMPARED_MAX: Final = 20  # earlier cases of the same input that each is held against

Placed = tuple[Case, Place]


def between(cases: Sequence[Placed]) -> tuple[list[Flaw], list[Notice]]:
    """Ids used twice and cases that no agent can meet both, and cases that could be one."""
    flaws: list[Flaw] = []
    notices: list[Notice] = []
    ids: dict[str, Place] = {}
    alike: dict[bytes, list[Placed]] = {}
    for case, place in cases:
        if case.id in ids:
            says = f"The id is taken by {ids[case.id]}."
            flaws.append(Flaw(place, says, "Give one of the two another.", case.id, "id"))
        ids.setdefault(case.id, place)
        alike.setdefault(same_situation(case), []).append((case, place))
    for group in alike.values():
        for at in range(1, len(group)):
            flaw = _clash(group[at], group[:at])
            if flaw is not None:
                flaws.append(flaw)
            else:
                notices.append(_alike(group[at], group[0]))
    return flaws, notices


def _clash(placed: Placed, earlier: Sequence[Placed]) -> Flaw | None:
    case, place = placed
    for other, there in earlier[:_COMPARED_MAX]:
        why = clashes(other.expect, case.expect)
        if why:
            says = (
                f"It has the same input and context as {other.id} ({there}), and no run can meet both: "
                f"{'; '.join(why[:3])}."
            )
            mend = "Change one, or tell them apart by input, user or session."
            return Flaw(place, says, mend, case.id)
    return None


def _alike(placed: Placed, first: Placed) -> Notice:
    (case, place), (other, there) = placed, first
    same = "and the same expectations" if case.expect == other.expect else "with other expectations"
    return Notice(
        f"{place}: case {case.id}",
        f"It has the same input and context as {other.id} ({there}), {same}.",
        "Make one of the two, or vary the input.",
    )


def weak(cases: Sequence[Placed]) -> Iterator[Notice]:
    for case, place in cases:
        for text, mend in _weak(case):
            yield Notice(f"{place}: case {case.id}", text, mend)
    count = len(cases)
    collect = (
        f"Collect {FEW} or more common inputs: airworthy case from-task ID makes one of a recorded task."
    )
    if count == 0:
        yield Notice("", "There is no case.", collect)
    elif count == 1:
        # The lower end of Wilson's 95 % interval for 1 of 1.
        says = "There is one case. A pass of it shows only that 21 % or more of such runs pass (95 %)."
        yield Notice("", says, collect)
    elif count < FEW:
        yield Notice(
            "", f"There are {count} cases, which is few to say how often the agent is right.", collect
        )


def _weak(case: Case) -> Iterator[tuple[str, str]]:
    expect = case.expect
    if expect == Expect():
        yield "It expects nothing, so every run that ends passes.", "Say at least which outcome it must have."
    if expect.rubric and expect.judge is None:
        yield "It has a rubric and asks for no score, so it is not judged.", "Add judge: 0.7, say."
    if expect.in_order and len(expect.tools) < 2:
        yield "An order is asked for, of fewer than two tools.", "List the tools in their order."
    if expect.no_acts and expect.approval and case.people == "approve":
        yield f"A person approves {expect.approval[0]}, and nothing may be done.", "Is people: reject meant?"
