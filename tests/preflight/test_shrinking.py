"""A failing case loses all that its failure does not need."""

import asyncio
from typing import Any

import pytest

from airworthy.core.outcome import Outcome
from airworthy.evals import Case, Expect, Trial
from airworthy.preflight.cases.shrinking import DoesNotFail, Shrunk, shrink

LONG = "\n".join(f"This is line {number}. It says nothing. Nothing at all!" for number in range(40))
BUG = f"{LONG}\nDear shop, please refund and then DELETE my account today.\n{LONG}"


def _shrunk(case: Case, fails: Any, **keys: Any) -> Shrunk:
    """`fails`: whether the agent gets it wrong. It is asked for an answer and then declines."""

    async def play(tried: Case) -> Trial:
        return Trial(tried.id, Outcome.DECLINED if fails(tried) else Outcome.ANSWERED)

    return asyncio.run(shrink(case, play, **keys))


def _case(value: Any, **keys: Any) -> Case:
    return Case(id="a", input=value, expect=Expect(outcome=("answered",)), **keys)


def test_what_is_left_of_a_text_is_what_fails() -> None:
    found = _shrunk(_case(BUG), lambda case: "refund" in case.input and "DELETE" in case.input)

    assert found.case.input == "refund DELETE"
    assert found.whole
    assert found.kinds == ("outcome",)
    assert found.before.chars == len(BUG)
    assert found.runs < 150


def test_fields_and_recorded_results_go_too() -> None:
    value = {"text": BUG, "meta": {"a": 1, "b": [1, 2, 3]}, "country": "DE"}
    results = tuple({"tool": "t", "arguments": {"n": n}, "result": n} for n in range(20))

    def fails(case: Case) -> bool:
        left = case.input if isinstance(case.input, dict) else {}
        return (
            "DELETE" in str(left.get("text"))
            and 3 in left.get("meta", {}).get("b", [])
            and any(each["result"] == 13 for each in case.results)
        )

    found = _shrunk(_case(value, results=results, answers={"Which?": "this"}), fails)

    assert found.case.input == {"text": "DELETE", "meta": {"b": [3]}}
    assert [each["result"] for each in found.case.results] == [13]
    assert found.case.answers == {}


def test_another_failure_is_another_case() -> None:
    """Without any text it hangs; that is not what is looked for."""

    async def play(case: Case) -> Trial:
        if not case.input:
            return Trial(case.id, None)
        return Trial(case.id, Outcome.DECLINED if "x" in case.input else Outcome.ANSWERED)

    assert asyncio.run(shrink(_case("a b x c"), play)).case.input == "x"


def test_another_outcome_is_another_case_although_the_same_fact_is_missing() -> None:
    """Of an empty input every fact is missing, and that says nothing."""

    async def play(case: Case) -> Trial:
        return Trial(
            case.id, Outcome.ANSWERED if "order" in case.input else Outcome.DECLINED, answer="Tuesday"
        )

    case = Case(id="a", input="Where is my order, please?", expect=Expect(facts=("Friday",)))

    assert asyncio.run(shrink(case, play)).case.input == "order,"


def test_a_case_that_passes_or_cannot_be_told_is_not_shrunk() -> None:
    async def broken(case: Case) -> Trial:
        return Trial(case.id, None, crash="our fault")

    with pytest.raises(DoesNotFail):
        _shrunk(_case("a"), lambda _: False)
    with pytest.raises(DoesNotFail, match="our fault"):
        asyncio.run(shrink(_case("a"), broken))


def test_a_search_that_is_ended_gives_the_smallest_so_far() -> None:
    found = _shrunk(_case(BUG), lambda case: "DELETE" in case.input, runs_max=10)

    assert not found.whole
    assert found.runs == 10
    assert "DELETE" in found.case.input
    assert found.after.chars < found.before.chars


def test_what_ends_the_trials_ends_the_search() -> None:
    count = 0

    def fails(case: Case) -> bool:
        nonlocal count
        count += 1
        if count > 8:
            raise RuntimeError("the money is used up")
        return "DELETE" in case.input

    found = _shrunk(_case(BUG), fails)

    assert "the money is used up" in found.why
    assert found.after.chars < found.before.chars


def test_a_failure_that_comes_and_goes_is_not_taken_for_one() -> None:
    turn = iter([True, False] * 10)

    with pytest.raises(DoesNotFail, match="each time"):
        _shrunk(_case("a b"), lambda _: next(turn), repeat=3)
