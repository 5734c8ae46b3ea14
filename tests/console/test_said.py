"""Feedback and results over HTTP, and the link of an end user."""

from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airworthy.console import page
from tests.console.kit import api


async def test_feedback_and_results_are_told_and_seen() -> None:
    made = api()
    task = await made.submit(key="k1")
    async with made.client("submitter") as client:
        kept = await client.post(
            f"/api/v1/tasks/{task}/feedback", json={"thumb": "down", "correction": "Monday."}
        )
        empty = await client.post(f"/api/v1/tasks/{task}/feedback", json={})
        told = await client.post(
            "/api/v1/results",
            json=[
                {"task": task, "name": "resolved"},
                {
                    "agent": "support",
                    "key": "k1",
                    "name": "refund_usd",
                    "value": 5,
                    "at": "2026-11-26T08:00:00Z",
                },
                {"task": "tsk_none", "name": "resolved"},
                {"task": task, "name": "resolved", "value": "often"},
                {"task": task, "name": "resolved", "at": "soon"},
                7,
            ],
        )
    async with made.client("viewer") as client:
        said = (await client.get(f"/api/v1/tasks/{task}/feedback")).json()
        down = (await client.get("/api/v1/feedback", params={"thumb": "down"})).json()
        results = (await client.get(f"/api/v1/tasks/{task}/results")).json()
        tallies = (await client.get("/api/v1/results")).json()

    assert (kept.status_code, empty.status_code) == (201, 400)
    assert said == down == [kept.json()]
    assert told.json()["kept"] == 2
    assert [bad["line"] for bad in told.json()["refused"]] == [3, 4, 5, 6]
    assert {one["name"]: one["value"] for one in results} == {"resolved": 1, "refund_usd": 5}
    assert tallies[0] == {"name": "refund_usd", "tasks": 1, "mean": 5}


async def test_results_come_as_csv_too() -> None:
    made = api()
    task = await made.submit()
    csv = f"task,name,value\n{task},resolved,no\n{task},resolved,perhaps\n"
    async with made.client("submitter") as client:
        told = await client.post(
            "/api/v1/results", content=csv, headers={"content-type": "text/csv; charset=utf-8"}
        )
        header = await client.post("/api/v1/results", content="a,b\n", headers={"content-type": "text/csv"})
        nothing = await client.post(
            "/api/v1/results", content=b"{", headers={"content-type": "application/json"}
        )

    assert told.json() == {
        "kept": 1,
        "refused": [{"line": 3, "why": "The value 'perhaps' is no number, and neither yes nor no."}],
    }
    assert (header.status_code, nothing.status_code) == (400, 400)


async def test_a_link_opens_a_form_and_keeps_only_what_is_sent() -> None:
    made = api()
    task = await made.submit()
    async with made.client("submitter") as client:
        link = (await client.post(f"/api/v1/tasks/{task}/link")).json()["path"]
    async with made.client("") as user:
        form = await user.get(link, params={"thumb": "up"})
        looked = made.app.database.read_now(lambda tx: tx.row("SELECT COUNT(*) FROM feedback"))
        sent = await user.post(link, data={"thumb": "up", "text": "Thanks <b>a lot</b>"})
        nothing = await user.post(link, data={})
        odd = await user.post(
            link, content=b"\xff\xfe", headers={"content-type": "application/x-www-form-urlencoded"}
        )
        wrong = await user.get(link[:-2] + "zz")
    made.clock.advance(31 * 86_400)
    async with made.client("") as user:
        late = await user.post(link, data={"thumb": "up"})

    assert looked == (0,)
    assert 'value="up" checked' in form.text
    assert "Thank you" in sent.text
    assert [answer.status_code for answer in (nothing, odd, wrong, late)] == [400, 400, 403, 403]
    assert "too old" in late.text
    assert made.app.database.read_now(lambda tx: tx.row("SELECT thumb, text, via FROM feedback")) == (
        "up", "Thanks <b>a lot</b>", "link",
    )  # fmt: skip


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.text())
def test_no_text_becomes_markup(text: str) -> None:
    bare, shown = _Tags(), _Tags()
    bare.feed(page.said(""))
    shown.feed(page.said(text))

    assert bare.found == shown.found


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=1>', "</p><form>"])
def test_an_address_becomes_no_markup(text: str) -> None:
    bare, shown = _Tags(), _Tags()
    bare.feed(page.form("/feedback/x", None, 10))
    shown.feed(page.form(text, text, 10))

    assert bare.found == shown.found
