"""A judge against people: what is read, what is told, and what is not claimed."""

import json
import random
from pathlib import Path

import pytest

from airworthy.core.errors import InputError
from airworthy.evals.calibrate import (
    Label,
    agreement,
    calibrate,
    calibration_document,
    parse_labels,
    position,
    read_labels,
    reliability,
    svg,
    threshold,
)
from airworthy.evals.calibrate.bias import sign_test


def _lines(*rows: object) -> list[str]:
    return [json.dumps(row) for row in rows]


@pytest.mark.parametrize(
    ("row", "broken"),
    [
        ({"human": True}, "`id` is missing"),
        ({"id": "a", "humann": True}, "unknown key"),
        ({"id": "a", "human": 1.5}, "no share"),
        ({"id": "a", "human": float("nan")}, "no share"),
        ({"id": "a", "human": {"no": 1}}, "no label"),
        ({"id": "a", "confidence": "high"}, "no share"),
        ({"id": "a", "human_winner": 3}, "no winner"),
        ({"id": "a", "human_winner": 1, "lengths": [1]}, "two numbers"),
        ([1], "no object"),
    ],
)
def test_a_wrong_line_is_named(row: object, broken: str) -> None:
    with pytest.raises(InputError, match=broken) as caught:
        parse_labels(_lines({"id": "first", "human": True}, row), "f")
    assert "line 2" in str(caught.value)


def test_what_is_no_json_twice_there_or_mixed_is_refused(tmp_path: Path) -> None:
    for lines in (
        ["{"],
        _lines({"id": 1}, {"id": 1}),
        _lines({"id": 1}, {"id": 2, "human_winner": 1}),
        ["[" * 10**5],
    ):
        with pytest.raises(InputError):
            parse_labels(lines)
    with pytest.raises(InputError):
        read_labels(tmp_path / "absent.jsonl")


def test_most_people_decide_and_a_split_is_nobodys_word() -> None:
    two, split = parse_labels(
        _lines({"id": "a", "people": [True, True, False]}, {"id": "b", "people": [True, False]})
    )

    assert (two.human, split.human) == ("good", "")


def test_kappa_is_that_of_cohens_example() -> None:
    """20 of 50 proposals accepted by both, 15 rejected by both: kappa 0.4 (a well-known worked example)."""
    ones = ["yes"] * 25 + ["no"] * 25
    others = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15

    found = agreement(ones, others)

    assert found.kappa == pytest.approx(0.4)
    assert found.kappa_low == pytest.approx(0.4 - 0.25, abs=0.02)
    assert found.rate.value == 0.7


def test_full_agreement_of_few_is_no_certainty() -> None:
    found = agreement(["good", "bad"] * 3, ["good", "bad"] * 3)

    assert found.kappa == 1
    assert found.kappa_low < 0.5
    assert agreement(["good"] * 5, ["good"] * 5).kappa is None


def test_a_judge_that_picks_the_first_is_found_out() -> None:
    labels = [
        Label(str(i), human="1", judge="1", swapped="2" if i % 2 else "1", pair=True) for i in range(60)
    ]

    found = position(labels)

    assert found is not None
    assert found.consistent.value == 0.5
    assert found.first.value == 1
    assert found.p < 1e-8
    assert sign_test(5, 10) == 1


def test_a_judge_that_likes_long_answers_is_found_out() -> None:
    pairs = _lines(
        *({"id": i, "human_winner": 1 + i % 2, "judge_winner": 1, "lengths": [200, 100]} for i in range(100))
    )
    answers = _lines(
        *({"id": i, "human": i % 4 < 2, "judge": i % 2 == 0, "length": 100 + i % 2} for i in range(200))
    )

    by_pairs, by_answers = calibrate(parse_labels(pairs)).length, calibrate(parse_labels(answers)).length

    assert by_pairs is not None
    assert by_pairs.found
    assert by_pairs.excess == pytest.approx(0.5, abs=0.02)
    assert by_answers is not None
    assert by_answers.high < 0  # It passes the shorter ones only.


def test_reliability_bins_hold_as_many_labels_each() -> None:
    rng = random.Random(1)
    stated = [0.5 + rng.random() / 2 for _ in range(500)]

    found = reliability(stated, [rng.random() < s for s in stated])

    assert found is not None
    assert len(found.bins) == 10
    assert sum(one.right.low <= one.stated <= one.right.high for one in found.bins) >= 8
    assert found.gap < 0.08
    picture = svg(found)
    assert picture.count("<circle") == 10
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")
    assert reliability([], []) is None


def test_the_threshold_holds_and_says_what_it_rests_on() -> None:
    confidences = [0.99] * 200 + [0.6] * 200
    right = [True] * 199 + [False] + [True, False] * 100

    found = threshold(confidences, right, 0.05)

    assert found.value == 0.61
    assert (found.alone, found.wrong, found.labels) == (200, 1, 400)
    assert found.error_high <= 0.05
    assert "1 of 200" in found.sentence


@pytest.mark.parametrize(
    ("labels", "wrong_each", "says"),
    [(40, 0, "at least 59 labels"), (400, 4, "true share may be")],
)
def test_no_threshold_is_a_legal_answer(labels: int, wrong_each: int, says: str) -> None:
    right = [not wrong_each or i % wrong_each > 0 for i in range(labels)]

    found = threshold([0.9] * labels, right, 0.05)

    assert found.value is None
    assert found.sentence.startswith("No threshold holds")
    assert says in found.sentence


def test_labels_of_one_question_count_as_one_group() -> None:
    rows = [{"id": i, "human": i < 200, "judge": i < 250, "group": f"q{i // 50}"} for i in range(400)]
    alone = [{**row, "group": ""} for row in rows]

    grouped, plain = calibrate(parse_labels(_lines(*rows))), calibrate(parse_labels(_lines(*alone)))

    assert grouped.agreement is not None
    assert plain.agreement is not None
    assert grouped.agreement.rate.low < plain.agreement.rate.low - 0.1


def test_answers_nobody_saw_are_counted_by_judge_and_people_together() -> None:
    rows = [{"id": i, "judge": i % 10 < 8, "human": i % 10 < 7 if i < 100 else None} for i in range(1000)]

    found = calibrate(parse_labels(_lines(*rows)))

    assert found.labels == 100
    assert found.good is not None
    assert found.good.low < 0.7 < found.good.high
    assert json.dumps(calibration_document(found))


def test_a_file_without_people_is_refused() -> None:
    with pytest.raises(InputError, match="No line has a label of people"):
        calibrate(parse_labels(_lines({"id": "a", "judge": True})))


@pytest.mark.parametrize("row", [{"human": 10**400}, {"length": 10**400}, {"length": float("nan")}])
def test_numbers_beyond_all_measure_are_refused_in_words(row: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"no (share|length)"):
        parse_labels(_lines({"id": "a", **row}))
