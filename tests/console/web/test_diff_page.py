"""Two runs held against each other: on a page, as a document, and which run is taken when none is named."""

from typing import Any

import orjson
import pytest

from airworthy.recorder.traces import facets
from airworthy.runtime import comparing
from airworthy.store import Tx
from tests.console.web.html import read
from tests.console.web.shop import TRACE, Shop, keep_trace, shop, span
from tests.console.web.test_run_page import HOSTILE, page


async def test_what_differs_is_told_step_by_step() -> None:
    made = shop()
    one = await made.done("order 7; refund 20; ok")
    other = await made.done("order 8; customer ann@example.com; fine")
    found = await page(made.browser(), f"/traces/{one}/diff?with={other}")

    assert "3 of 5 steps differ, and so does the answer" in found.text
    for said in (
        '"order_id": 7',
        '"order_id": 8',
        "Nothing like it.",
        "find_customer",
        "ToolFailed",
        "ok",
        "fine",
    ):
        assert said in found.text
    assert "Show the 2 that are the same" in found.text
    assert "The same." in (await page(made.browser(), f"/traces/{one}/diff?with={other}&all=1")).text


async def test_a_run_and_itself_are_the_same() -> None:
    made = shop()
    one = await made.done("order 7")

    assert "The two runs are the same" in (await page(made.browser(), f"/traces/{one}/diff?with={one}")).text


async def test_the_page_has_a_twin_in_json() -> None:
    made = shop()
    one, other = await made.done("order 7; ok"), await made.done("order 8; ok")
    browser = made.browser()
    found = await page(browser, f"/traces/{one}/diff?with={other}")
    (twin,) = [held["href"] for held in found.all("link") if held.get("rel") == "alternate"]
    document = (await browser.get(twin)).json()

    assert (document["left"]["id"], document["right"]["id"]) == (one, other)
    (step,) = [step for step in document["steps"] if not step["same"]]
    assert '-  "order_id": 7' in step["arguments"]
    assert document["differing"] == 1


@pytest.mark.parametrize("other", ["nothing", "%00", "tsk_", "x" * 150])
async def test_a_run_that_is_not_there_is_told(other: str) -> None:
    made = shop()
    one = await made.done("ok")

    await page(made.browser(), f"/traces/{one}/diff?with={other}", 404)


async def test_where_no_good_run_is_near_one_can_be_named() -> None:
    made = shop()
    one = await made.done("ok")

    found = await page(made.browser(), f"/traces/{one}/diff")
    assert "Name any run above." in found.text
    assert (await made.browser().get(f"/api/v1/traces/{one}/diff")).status_code == 400


def kept(made: Shop, number: int, **fields: Any) -> str:
    id_ = f"{TRACE[:-4]}{number:04x}"
    at_us = number * 1_000
    row = {"id": id_, "trace_id": id_, "at_us": at_us, "outcome": "answered", "feature": "f", **fields}

    def write(tx: Tx) -> None:
        keep_trace(tx, span(1), **row)
        facets.note(tx, id_, at_us, [("agent", str(row.get("agent", "support")))])

    made.bench.app.database.write_now(write)
    return id_


@pytest.mark.parametrize(
    ("others", "expected", "why"),
    [
        ({2: {}, 9: {}}, 2, "the nearer"),
        ({4: {}, 6: {"outcome": "escalated"}}, 4, "only what went well"),
        ({4: {"feature": "other"}, 9: {}}, 9, "of the same feature"),
        ({4: {"agent": "another"}, 9: {}}, 9, "of the same agent"),
        (
            {4: {"outcome": None, "error_type": "Timeout"}, 9: {"outcome": None}},
            9,
            "no outcome is good without error",
        ),
        ({4: {"outcome": None, "ended_us": None}, 9: {}}, 9, "what has not ended is not good yet"),
        ({}, None, "none"),
    ],
)
async def test_the_nearest_good_run_of_its_kind_is_taken(
    others: dict[int, dict[str, Any]], expected: int | None, why: str
) -> None:
    made = shop()
    one = kept(made, 5, outcome="escalated")
    ids = {number: kept(made, number, **fields) for number, fields in others.items()}
    found = made.bench.app.database.read_now(lambda tx: comparing.similar(tx, one))

    assert found == (ids[expected] if expected is not None else ""), why


async def test_a_fork_is_compared_with_what_it_was_forked_from() -> None:
    made = shop()
    task = await made.done("order 7; ok")
    answer = await made.browser("ada").post(
        f"/traces/{task}/fork", at="2", with_result="1", result='{"id": 1}'
    )
    await made.bench.work()

    found = await page(made.browser(), f"{answer.headers['location']}/diff")
    assert task in {held.get("value") for held in found.all("input")}


async def test_hostile_text_stays_text_on_both_sides() -> None:
    made = shop()
    payload = orjson.dumps({"input": {HOSTILE: HOSTILE}, "output": HOSTILE})
    one = kept(made, 1)
    other = TRACE
    made.bench.app.database.write_now(
        lambda tx: keep_trace(tx, span(1, name=HOSTILE, error_type=HOSTILE, payload=payload), outcome=HOSTILE)
    )
    for path in (f"/traces/{one}/diff?with={other}", f"/traces/{other}/diff?with={one}"):
        answer = await made.browser().get(path)
        assert read(answer.text).wrong == []
        assert not {char for char in answer.text if char in "\x00\x1b\u202e\u200b"}
