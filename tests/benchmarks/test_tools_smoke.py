"""The arithmetic and the inputs of the benchmarks of tools and shapes; nothing is timed and no peer is installed."""

import asyncio
import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from airworthy.core.canonical import encode
from airworthy.tools.shape import Shape, added, settled
from benchmarks import shapes, tools

ORDER = {
    "id": 7,
    "lines": [{"sku": "A", "n": 1}, {"sku": "B", "n": 2}],
    "by": {"4417": {"x": 1}, "4418": {"x": 2}},
}


def test_the_measured_result_has_2_kb() -> None:
    assert 1_900 <= len(encode(tools.order_of_2kb())) <= 2_100


def test_what_is_not_the_chains_is_taken_off() -> None:
    parts = tools.Parts(call=160.0, record=8.0, function=2.0)

    assert parts.chain == 150.0


def test_the_peers_schema_names_every_field_as_required() -> None:
    schema = tools.schema_of({"a": 1, "b": [{"c": None}], "d": 1.5, "e": True})

    assert schema["required"] == ["a", "b", "d", "e"]
    assert schema["properties"]["b"]["items"]["properties"]["c"] == {"type": "null"}
    assert schema["properties"]["e"] == {"type": "boolean"}


@pytest.mark.parametrize("kind", [tools.reading, tools.acting])
def test_a_round_of_the_chain_goes_through(kind: Any) -> None:
    parts = asyncio.run(tools.chain(kind(tools.SMALL), tools.SMALL, rounds=1))

    # Which part takes longest is for the benchmark to say: one round may be held up anywhere.
    assert min(parts.call, parts.record, parts.function) > 0


@pytest.mark.parametrize(
    ("path", "change", "expected", "count"),
    [
        (("id",), "drop", {k: v for k, v in ORDER.items() if k != "id"}, 1),
        (("id",), "retype", {**ORDER, "id": "7"}, 1),
        (("id",), "null", {**ORDER, "id": None}, 1),
        (("lines", "[]", "n"), "drop", {**ORDER, "lines": [{"sku": "A"}, {"sku": "B"}]}, 2),
        (("by", "*", "x"), "rename", {**ORDER, "by": {"4417": {"x_v2": 1}, "4418": {"x_v2": 2}}}, 2),
        (("nothing",), "drop", ORDER, 0),
        (("id", "inner"), "drop", ORDER, 0),
    ],
)
def test_a_change_is_made_wherever_the_field_is(
    path: tuple[str, ...], change: str, expected: Any, count: int
) -> None:
    value = json.loads(json.dumps(ORDER))

    assert shapes._apply(value, path, shapes.CHANGES[change]) == count
    assert value == expected


def test_recorded_results_are_learnt_changed_and_counted(tmp_path: Path) -> None:
    def message(content: Any, **more: Any) -> dict[str, Any]:
        return {"role": "tool", "name": "get_order", "content": json.dumps(content), **more}

    messages = [message({**ORDER, "id": number}) for number in range(60)]
    messages += [message({"x": 1}, error=True), message({"x": 1}, injected=True), message({"error": "no"})]
    row = {"domain": "shop", "messages": [*messages, {"role": "user", "content": "hello"}]}
    with gzip.open(tmp_path / "tau_runs.jsonl.gz", "wt") as file:
        file.write(json.dumps(row))

    ((name, results),) = shapes.recorded(tmp_path).items()
    found = shapes.Found()
    shapes._one_tool(name, results[:30], results[30:], random.Random(1), found)
    figures = shapes._figures(found)

    assert (name, len(results)) == ("tau_runs shop: get_order", 60)
    assert (figures["tools_with_false_alarm"], figures["results_differing"]) == (0, 0)
    assert all(each["missed"] == 0 for each in figures["changes"].values())
    assert figures["changes"]["retype of a field always there"]["results_until_told"] == 1
    assert shapes.recorded(tmp_path / "absent") == {}


def test_fields_in_every_object_and_others_are_told_apart() -> None:
    shape = Shape()
    for value in (ORDER, {**ORDER, "note": "x"}):
        added(shape, value, 100)

    always, sometimes = shapes._fields(settled(shape))

    assert ("lines", "[]", "sku") in always
    assert ("by", "*", "x") in always
    assert sometimes == [("note",)]
