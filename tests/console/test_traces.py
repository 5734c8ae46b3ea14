"""Traces over HTTP: found, paged, taken along as files, and nothing of agents that somebody may not see."""

import csv
import io
import json
from typing import Any

import pytest

from airworthy.review.people import People, PersonRule
from tests.console.kit import PEOPLE, Api, api
from tests.recorder.traces.kit import put, span
from tests.recorder.traces.stored import Made, add, row

AT_US = 1_764_000_000_000_000
EVIL = '=HYPERLINK("http://x")\x1b[31m\u202e\0'
OF_SUPPORT = People(
    people={**PEOPLE.people, "vera": PersonRule(name="Vera", roles=("viewer",), agents=("support",))}
)


def _api(made: list[Made]) -> Api:
    found = api()
    add(found.app.database, made)
    return found


def _some(number: int = 5) -> list[Made]:
    """Odd ones are of support."""
    return [
        Made(row(place, AT_US + place, agent=("billing", "support")[place % 2], name=EVIL), (), ("teapot",))
        for place in range(1, number + 1)
    ]


async def _get(found: Api, path: str, who: str = "viewer", **params: Any) -> Any:
    async with found.client(who) as client:
        return await client.get(f"/api/v1/{path}", params=params)


async def test_pages_follow_each_other_by_the_link_in_the_header() -> None:
    found = _api(_some())
    seen, path = [], "/api/v1/traces?q=teapot+agent:support&limit=2"
    async with found.client("viewer") as client:
        while path:
            answer = await client.get(path)
            assert answer.status_code == 200, answer.text
            seen += [int(trace["id"], 16) for trace in answer.json()["traces"]]
            path = answer.links.get("next", {}).get("url", "")
            assert bool(path) == (answer.json()["next"] is not None)

    assert seen == [5, 3, 1]
    assert answer.json()["query"] == "agent:support teapot"


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"q": "outcom:x"}, 400, "filter"),
        ({"q": '"open'}, 400, "filter"),
        ({"q": "a\0b\ud800".encode("utf-8", "replace").decode()}, 200, ""),
        ({"before": "???"}, 400, "input"),
        ({"limit": 0}, 422, "unreadable"),
        ({"q": "x" * 5_000}, 422, "unreadable"),
    ],
)
async def test_what_cannot_be_asked_is_told(params: dict[str, Any], status: int, code: str) -> None:
    answer = await _get(_api([]), "traces", **params)

    assert answer.status_code == status, answer.text
    assert not code or answer.json()["error"]["code"] == code


async def test_a_value_that_no_trace_has_is_told_with_the_nearest() -> None:
    answer = await _get(_api(_some()), "traces", q="agent:suport")

    assert answer.json()["hints"] == ["No trace has agent:suport. Did you mean support?"]


async def test_who_may_see_one_agent_sees_no_trace_of_another() -> None:
    found = _api(_some())
    found.people[0] = OF_SUPPORT

    listed = (await _get(found, "traces", "vera")).json()
    other = await _get(found, f"traces/{4:032x}", "vera")
    absent = await _get(found, f"traces/{77:032x}", "vera")
    hinted = (await _get(found, "traces", "vera", q="agent:billin")).json()
    files = [(await _get(found, f"traces.{kind}", "vera")).text for kind in ("jsonl", "csv")]

    assert {trace["agent"] for trace in listed["traces"]} == {"support"}
    assert (other.status_code, other.json()["error"]["code"]) == (404, "no_such_trace")
    assert absent.json()["error"]["message"] == other.json()["error"]["message"].replace(
        f"{4:032x}", f"{77:032x}"
    )
    assert hinted["hints"] == []
    assert not any("billing" in text for text in files)


async def test_a_key_that_may_only_submit_sees_none() -> None:
    assert (await _get(_api(_some()), "traces", "submitter")).status_code == 403
    assert (await _get(_api(_some()), "traces", "")).status_code == 401


async def test_files_hold_all_that_is_found_and_nothing_that_runs() -> None:
    found = _api(_some(450))  # More than are read at once.

    lines = (await _get(found, "traces.jsonl", q="agent:support")).text.splitlines()
    answer = await _get(found, "traces.csv", q="agent:support")
    rows = list(csv.DictReader(io.StringIO(answer.text)))

    assert [json.loads(line)["id"] for line in lines] == [line["id"] for line in rows]
    assert len(rows) == 225
    assert answer.headers["content-disposition"] == 'attachment; filename="traces.csv"'
    assert rows[0]["name"].startswith("'=HYPERLINK")
    assert not any(sign in answer.text for sign in "\x1b\u202e\0")


async def test_one_trace_comes_with_its_spans_a_piece_at_a_time() -> None:
    found = _api([])
    put(found.app.database, [span(number) for number in range(1, 601)])

    first = await _get(found, f"traces/{'a' * 32}")
    async with found.client("viewer") as client:
        second = await client.get(first.links["next"]["url"])
    bad = await _get(found, f"traces/{'a' * 32}", after="1.zz")

    spans = [*first.json()["spans"], *second.json()["spans"]]
    assert [each["name"] for each in spans] == [f"step {number}" for number in range(1, 601)]
    assert (first.json()["spans_total"], second.json()["next"]) == (600, None)
    assert bad.status_code == 400
