"""The page of invited people: without account, cookie and script, and with whatever they or the agent wrote escaped."""

import re
from dataclasses import replace

import httpx

from airworthy.preflight.blind import BlindTests
from tests.console.kit import Api
from tests.console.web.browsing import Browser, house
from tests.preflight.blind.test_blind import WANTED


class Room:
    def __init__(self) -> None:
        self.made: Api = house()
        parts = self.made.parts
        self.tests = BlindTests(parts.database, parts.clock, parts.ids, parts.operations, parts.policies)
        self.test, secrets = self.tests.start(replace(WANTED, title="Try <b>it</b>"), days=7)
        self.path = f"/try/{secrets[0]}"
        self.secret = secrets[0]
        self.browser = Browser(self.made)

    async def ask(self, text: str) -> httpx.Response:
        page = (await self.browser.get(self.path)).text
        sent = re.search(r'name="sent" value="([^"]+)"', page)
        assert sent is not None
        return await self.browser.post(self.path, data={"text": text, "sent": sent[1]})

    def end(self) -> str:
        one = self.tests.tries(self.test.id)[-1]
        self.made.app.operations.cancel(one.task, "test")
        return one.task


async def test_a_guest_asks_waits_and_rates_without_an_account() -> None:
    room = Room()

    asked = await room.ask("Where is <i>my</i> order?")
    waiting = (await room.browser.get(room.path)).text
    task = room.end()
    shown = (await room.browser.get(room.path)).text
    rated = await room.browser.post(
        f"{room.path}/rate/{task}", data={"stars": "2", "word": ["wrong"], "note": "<hm>"}
    )
    after = (await room.browser.get(room.path)).text

    assert (asked.status_code, rated.status_code) == (303, 303)
    assert 'http-equiv="refresh"' in waiting
    assert 'http-equiv="refresh"' not in shown
    assert "Where is &lt;i&gt;my&lt;/i&gt; order?" in shown
    assert "You gave it 2 of 5 stars, wrong" in after
    assert "&lt;hm&gt;" in after
    assert "<b>" not in after


async def test_the_page_runs_no_script_sets_no_cookie_and_names_no_agent() -> None:
    room = Room()

    answer = await room.browser.get(room.path)

    policy = answer.headers["content-security-policy"]
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers
    assert "<script" not in answer.text
    assert "support" not in answer.text
    assert 'name="viewport"' in answer.text


async def test_what_cannot_be_taken_is_told_on_the_page() -> None:
    room = Room()
    for body in ({"text": "  "}, {"text": "x" * 9_000}, {"text": "x" * 200_000}, {"nothing": "here"}):
        answer = await room.browser.post(room.path, data=body)

        assert answer.status_code == 400
        assert 'role="alert"' in answer.text
    assert room.tests.tries(room.test.id) == []


async def test_a_wrong_link_is_told_so_and_nothing_else() -> None:
    room = Room()

    answer = await room.browser.get("/try/awb_nope")
    posted = await room.browser.post("/try/awb_nope", data={"text": "hi"})

    assert (answer.status_code, posted.status_code) == (403, 403)
    assert "not known here" in answer.text
    assert "Try &lt;b&gt;" not in answer.text


async def test_an_answer_of_hostile_text_stays_text() -> None:
    room = Room()
    await room.ask("</textarea><script>alert(1)</script>\u202e")
    room.end()

    page = (await room.browser.get(room.path)).text

    assert "<script" not in page
    assert "\u202e" not in page


async def test_why_a_task_ended_is_told_to_guests_only_in_the_agents_own_words() -> None:
    room = Room()
    await room.ask("Hello?")
    task = room.end()
    row = room.made.app.operations.task(task)
    assert row.why is not None

    page = (await room.browser.get(room.path)).text

    assert row.why.text not in page
    assert "did not come to an answer" in page
