"""Which difference is found, how grave it is, and how it is said: a table of one change each."""

from typing import Any

import pytest

from airworthy.tools.shape import differences, of_value
from airworthy.tools.shape.compare import DIFFERENCES_MAX
from tests.tools.shape.kit import learnt, pinned, size_of, told

ORDER = {
    "id": "123e4567-e89b-12d3-a456-426614174000",
    "customer": {"name": "Ada Lovelace", "phone": "+44 20 7946 0000", "mail": "ada@example.com"},
    "total": 129,
    "paid": True,
    "day": "2026-11-26",
    "items": [{"sku": "A-1", "price": 9.5}, {"sku": "B-2", "price": 12.0}],
    "note": None,
    "by_id": {"4417": {"n": 1}, "4418": {"n": 2}},
    "raw": '{"code": 1, "text": "fine"}',
}


def but(**changes: Any) -> dict[str, Any]:
    return {**ORDER, **changes}


def without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: each for name, each in value.items() if name not in names}


CUSTOMER = ORDER["customer"]
assert isinstance(CUSTOMER, dict)

CHANGES: list[tuple[str, Any, list[tuple[str, str, bool]]]] = [
    ("nothing", ORDER, []),
    ("a field is dropped", without(ORDER, "total"), [("total", "missing", True)]),
    ("an inner field is dropped", but(customer=without(CUSTOMER, "phone")), [("customer.phone", "missing", True)]),
    ("of some items", but(items=[{"sku": "A-1"}, {"sku": "B-2", "price": 1.5}]), [("items[].price", "missing", True)]),
    ("a number became text", but(total="129"), [("total", "type", True)]),
    ("a list became an object", but(items={"sku": "A-1"}), [("items", "type", True)]),
    ("a field is null", but(total=None), [("total", "null", True)]),
    ("an item's field is null", but(items=[{"sku": None, "price": 1.5}]), [("items[].sku", "null", True)]),
    ("an entry of a map is retyped", but(by_id={"9999": {"n": "1"}}), [("by_id.*.n", "type", True)]),
    ("a map got other keys", but(by_id={"5001": {"n": 7}}), []),
    ("a map is empty", but(by_id={}), []),
    ("a list is empty", but(items=[]), []),
    ("a day is written otherwise", but(day="26/11/2026"), [("day", "format", True)]),
    ("an id is no UUID", but(id="4417"), [("id", "format", True)]),
    ("a text is empty that never was", but(day=""), [("day", "empty", False)]),
    ("JSON within text lost a field", but(raw='{"code": 1}'), [("raw(JSON).text", "missing", True)]),
    ("JSON within text is no JSON", but(raw="{code: 1}"), [("raw", "format", True)]),
    ("a field is new", but(extra=1), [("extra", "new", False)]),
    ("its name is odd", but(**{"a b": 1}), [('"a b"', "new", False)]),
    ("a key that is no name is new", but(**{"20261126": 1}), [(".*", "new", False)]),
    ("a number got a fraction", but(total=129.5), [("total", "type", False)]),
    ("a fraction is gone", but(items=[{"sku": "A-1", "price": 9}]), []),
    ("what was always null has a value", but(note="soon"), [("note", "type", False)]),
    ("the whole is a list", [ORDER], [("", "type", True)]),
    ("the whole is a text", "Service unavailable", [("", "type", True)]),
    ("a rename", {**without(ORDER, "total"), "amount": 129}, [("total", "missing", True), ("amount", "new", False)]),
    ("it has grown", but(raw=ORDER["raw"], customer={**CUSTOMER, "name": "x" * 50_000}), [("", "size", True)]),
]  # fmt: skip


@pytest.mark.parametrize(("why", "value", "expected"), CHANGES, ids=[why for why, _, _ in CHANGES])
def test_a_change_is_found_where_it_is(why: str, value: Any, expected: list[tuple[str, str, bool]]) -> None:
    assert told(pinned([ORDER]), value) == expected


def test_a_new_value_of_a_fixed_set_is_news_and_never_shown() -> None:
    shape = pinned([{"status": "paid"}, {"status": "open"}])

    (found,) = differences(shape, of_value({"status": "refunded"}, 20))

    assert (found.path, found.what, found.breaking) == ("status", "value", False)
    assert "refunded" not in f"{found.before}{found.now}"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([{"who": f"user{number}"} for number in range(20)], "many different ones"),
        ([{"who": "Ada Lovelace"}, {"who": "Grace Hopper"}], "names of people are no codes"),
        ([{"who": "mia_li_3668"}, {"who": "noah_brown_6181"}], "ids are no codes"),
    ],
)
def test_texts_that_are_no_codes_make_no_fixed_set(values: list[Any], why: str) -> None:
    assert told(pinned(values), {"who": "somebody"}) == []


@pytest.mark.parametrize(
    ("results", "needs"),
    [(3, 3), (10, 2), (50, 1)],
)
def test_the_fewer_results_were_seen_the_more_must_differ_before_it_is_told(results: int, needs: int) -> None:
    (found,) = differences(learnt({"a": 1}, times=results), of_value({"a": "1"}, 9))

    assert found.needs == needs


def test_a_long_list_in_one_result_is_still_one_result() -> None:
    shape = learnt({"items": [{"n": at} for at in range(30)]})

    (found,) = differences(shape, of_value({"items": [{"n": "1"}]}, 20))

    assert found.needs == 3


def test_an_optional_field_is_not_missed_and_a_second_kind_is_known() -> None:
    shape = pinned([{"a": 1, "b": None}, {"b": 2}])

    assert told(shape, {"b": None}) == []
    assert told(shape, {"a": 3, "b": 4}) == []


def test_of_an_object_with_ever_new_fields_one_more_must_come_often() -> None:
    shape = pinned([{"id": 1}])
    grown = learnt(*[{"id": 1} for _ in range(49)], {"id": 1, "rare": True})

    assert [each.needs for each in differences(shape, of_value({"id": 1, "new": 1}, 20))] == [2]
    assert [each.needs for each in differences(grown, of_value({"id": 1, "new": 1}, 20))] == [3]


def test_keys_that_vary_make_a_map_whether_or_not_they_look_like_ids() -> None:
    results = [{"options": {f"option {chr(97 + at % 20)}": "text", "size": "M"}} for at in range(60)]
    shape = pinned(results, times=1)

    assert told(shape, {"options": {"option z": "text", "size": "M"}}) == []
    assert told(shape, {"options": {"option z": 5, "size": "M"}}) == [('options."option z"', "new", False)]


def test_at_most_so_many_differences_are_listed_the_gravest_first() -> None:
    wide = {f"field{chr(97 + at // 26)}{chr(97 + at % 26)}": at for at in range(100)}
    value = {"new": 1}

    found = differences(pinned([wide]), of_value(value, size_of(value)))

    assert len(found) == DIFFERENCES_MAX
    assert all(each.breaking for each in found)


@pytest.mark.parametrize(
    "value", [{"error": "no such order"}, "Error: user not found", {"isError": True, "content": []}]
)
def test_a_result_that_is_an_error_is_known_as_one(value: Any) -> None:
    from airworthy.tools.shape.words import is_error

    assert is_error(value)
    assert not is_error({"error": None, "id": 7})
    assert not is_error({"error": "late", "id": 7, "total": 3})
