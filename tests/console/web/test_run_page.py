"""The page of one run: what it says, to whom, and that text from outside stays text in every place it can be."""

from typing import Any

import orjson
import pytest

from airworthy.review.feedback import Feedback
from airworthy.runtime.afterwards import Told
from airworthy.tools import EffectState
from tests.console.web.html import Read, read
from tests.console.web.shop import TRACE, Browser, Shop, keep_spans, keep_trace, shop, span
from tests.gateway.kit import completion

HOSTILE = (
    "\x1b[31m<script>alert(1)</script>'\"><img src=x onerror=1>\u202egnp\u200b\x00{{7*7}}" + " and so on" * 40
)


async def page(browser: Browser, path: str, status: int = 200) -> Read:
    answer = await browser.get(path)
    found = read(answer.text)
    assert (answer.status_code, found.wrong) == (status, []), path
    return found


def forms(found: Read) -> set[str]:
    return {held["action"].rsplit("/", 1)[-1] for held in found.all("form") if held.get("method") == "post"}


async def test_the_sentence_comes_first_and_every_step_is_there() -> None:
    made = shop(replies=(completion("Order 8812."),))
    made.fail = 1
    task = await made.done(
        "model Which?; order 8812; customer ann@example.com; refund 20; mail ann@example.com; ok"
    )

    text = (await page(made.browser(), f"/traces/{task}")).text
    first = text.index("Looked up order 8812")
    assert first < text.index("What it did to the world")
    for said in (
        "find_customer",
        "failed",
        "nobody has ann@example.com",
        "2 tries",
        "goes out later",
        "Try 1 failed",
    ):
        assert text.index(said) > first


async def test_a_task_leads_to_its_run() -> None:
    made = shop()
    task = await made.done("ok")
    answer = await made.browser().get(f"/tasks/{task}")

    assert (answer.status_code, answer.headers["location"]) == (303, f"/traces/{task}")


async def test_nothing_needs_a_script() -> None:
    made = shop()
    task = await made.done("order 7")
    browser = made.browser()
    found = await page(browser, f"/traces/{task}")
    links = [held["href"] for held in found.all("a") if "/entries/" in held.get("href", "")]

    assert len(links) == len(made.bench.steps(task))
    for link in links:
        whole = await page(browser, link)
        assert "As recorded (JSON)" in whole.text
    raw = await browser.get(links[2] + "/raw")
    assert raw.headers["content-type"] == "application/json"
    assert orjson.loads(raw.content)["arguments"] == {"order_id": 7}


async def test_a_script_gets_the_part_alone() -> None:
    made = shop()
    task = await made.done("order 7")
    browser = made.browser()

    part = await browser.get(f"/traces/{task}/entries/2", **{"HX-Request": "true"})
    assert "<html" not in part.text
    assert "order_id" in part.text


async def test_what_the_page_links_to_is_there() -> None:
    made = shop()
    task = await made.done("order 7", session="s1", user="ann", feature="f")
    browser = made.browser()
    found = await page(browser, f"/traces/{task}")

    for link in {held["href"] for held in found.all("a") if held.get("href", "/")[0] == "/"}:
        assert (await browser.get(link)).status_code == 200, link


async def test_prompt_and_reply_are_a_talk() -> None:
    made = shop(replies=(completion("Order 8812."),))
    task = await made.done("model Which order?")

    found = await page(made.browser(), f"/traces/{task}/entries/2")
    assert "Which order?" in found.text
    assert any("by-user" in held.get("class", "") for held in found.all("li"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("refund 80", "Needs a person"),
        ("ask Is it?", "Is it?"),
        ("rude", "It is rude."),
        ("escalate angry", "angry"),
        ("crash disk", "RuntimeError"),
        ("mail ann@example.com", "Goes out|goes out"),
    ],
)
async def test_what_waits_for_a_person_can_be_decided_here(words: str, said: str) -> None:
    made = shop()
    task = await made.done(words)

    found = await page(made.browser(), f"/traces/{task}")
    assert any(word in found.text for word in said.split("|"))
    assert forms(found) & {"approve", "reject", "answer", "hold"}
    assert "Needs a person" in found.text


async def test_an_approval_from_the_run_leads_back_to_it() -> None:
    made = shop()
    item = await made.waiting("refund 80")
    task, look = item.look.task.id, item.look
    answer = await made.browser().post(
        f"/review/{look.item.id}/approve", seen=look.seal, back=f"/traces/{task}"
    )
    await made.bench.work()

    assert answer.headers["location"] == f"/traces/{task}"
    assert made.refunds == [("ann@example.com", 80.0)]
    assert "after dana approved" in (await page(made.browser(), f"/traces/{task}")).text


@pytest.mark.parametrize(
    ("person", "may"), [("vera", set()), ("otto", {"cancel", "pause"}), ("ada", {"cancel", "pause"})]
)
async def test_what_a_role_may_not_do_is_not_shown_and_is_refused(person: str, may: set[str]) -> None:
    made = shop()
    task = made.bench.submit("order 7")
    browser = made.browser(person)

    assert forms(await page(browser, f"/traces/{task}")) & {"cancel", "pause"} == may
    refused = await browser.post(f"/traces/{task}/cancel", why="x")
    assert refused.status_code == (303 if may else 403)
    assert (made.bench.task(task).outcome is not None) == bool(may)


async def test_a_task_is_paused_and_goes_on() -> None:
    made = shop()
    task = made.bench.submit("order 7")
    browser = made.browser("otto")

    await browser.post(f"/traces/{task}/pause")
    assert forms(await page(browser, f"/traces/{task}")) >= {"resume", "cancel"}
    await browser.post(f"/traces/{task}/resume")
    await made.bench.work()
    assert made.bench.task(task).outcome is not None


async def test_a_form_of_another_session_changes_nothing() -> None:
    made = shop()
    task = made.bench.submit("order 7")
    browser = made.browser("ada")

    for fields in ({"csrf": "0" * 64}, {"csrf": ""}):
        answer = await browser.client.post(f"/traces/{task}/cancel", data=fields)
        assert answer.status_code == 403
    assert made.bench.task(task).outcome is None


async def test_whoever_may_not_see_the_agent_does_not_learn_that_there_is_a_run() -> None:
    made = shop()
    task = await made.done("order 7")
    browser = made.browser("nina")

    for path in (
        f"/traces/{task}",
        f"/traces/{task}/entries/1",
        f"/traces/{task}/entries/1/raw",
        f"/traces/{task}/diff",
    ):
        await page(browser, path, 404)
    assert (await browser.post(f"/traces/{task}/cancel")).status_code == 404


async def test_what_is_not_there_is_a_page_that_says_so() -> None:
    browser = shop().browser()
    for path in ["/traces/nothing", "/traces/tsk_1/entries/1", "/traces/%00", "/traces/..%2f..%2fetc"]:
        await page(browser, path, 404)


async def test_a_step_that_is_not_there_is_told() -> None:
    made = shop()
    task = await made.done("ok")
    browser = made.browser()

    for key in ["999", "s0000000000000001", "sxyz", "-1", "1e3", "%27", "s" + "9" * 500]:
        await page(browser, f"/traces/{task}/entries/{key}", 404)


async def test_an_effect_that_was_done_is_taken_back_only_where_it_can_be() -> None:
    made = shop()
    item = await made.waiting("refund 80")
    made.bench.app.reviews.approve(item.look.item.id, "dana", seen=item.look.seal)
    await made.bench.work()
    task, effect = item.look.task.id, made.bench.effect(item.look.task.id)
    browser = made.browser("ada")

    assert effect.state is EffectState.DONE
    assert "undo" not in forms(await page(browser, f"/traces/{task}"))
    assert (await browser.post(f"/traces/{task}/effects/{effect.id}/undo")).status_code in (400, 409)
    assert (await browser.post(f"/traces/{task}/effects/eff_other/undo")).status_code == 404


async def test_what_the_user_did_next_stands_there() -> None:
    made = shop()
    task = await made.done("ok")
    made.parts.afterwards.say(
        Feedback("", task, "", 0, "api", "down", "It was order 9.", "Wrong order.", "ann")
    )
    made.parts.afterwards.tell(Told("resolved", 0.0, task=task, by="crm"))

    text = (await page(made.browser(), f"/traces/{task}")).text
    assert all(
        word in text
        for word in ("What the user did next", "thumb down", "It was order 9.", "Wrong order.", "resolved")
    )


def foreign(made: Shop, *spans: Any, **fields: Any) -> str:
    made.bench.app.database.write_now(lambda tx: keep_trace(tx, *spans, **fields))
    return f"/traces/{TRACE}"


async def test_a_trace_of_another_program_is_shown_the_same_way() -> None:
    made = shop()
    asked = orjson.dumps({"input": {"order_id": 8812}, "output": {"state": "sent"}})
    path = foreign(
        made,
        span(1, kind="agent", name="invoke_agent", ended_us=9_000_000),
        span(2, 1, name="execute_tool get_order", payload=asked),
        span(3, 1, kind="model", name="chat m", model="m-1", tokens_in=10, tokens_out=2),
        session="s1", unpriced=1,
    )  # fmt: skip
    browser = made.browser("ada")
    found = await page(browser, path)

    assert "Looked up order 8812" in found.text
    assert "unpriced" in found.text
    assert not forms(found) - {"logout"}
    assert '"state": "sent"' in (await page(browser, f"{path}/entries/s{2:016x}")).text
    for act in ("cancel", "pause", "resume", "replay"):
        assert (await browser.post(f"{path}/{act}")).status_code in (404, 409)


async def test_spans_of_a_tasks_own_code_hang_on_its_run() -> None:
    made = shop()
    task = await made.done("order 7")
    trace = made.bench.task(task).trace_id
    made.bench.app.database.write_now(lambda tx: keep_spans(tx, trace, span(1, name="SELECT 1", kind="step")))
    found = await page(made.browser(), f"/traces/{task}")

    assert "SELECT 1" in found.text
    assert "from its code" in found.text


async def test_a_trace_of_many_spans_comes_a_page_at_a_time() -> None:
    made = shop()
    path = foreign(made, *(span(n, name=f"look {n}") for n in range(1, 1_301)))
    browser = made.browser()
    seen = 0
    where = path
    for _ in range(4):
        found = await page(browser, where)
        seen += len([held for held in found.all("details") if held.get("class") == "entry"])
        following = [held["href"] for held in found.all("a") if "?after=" in held.get("href", "")]
        if not following:
            break
        (where,) = following
    assert seen == 1_300


async def test_a_long_row_of_the_same_is_one_line_that_opens() -> None:
    made = shop()
    task = await made.done("many 40")
    browser = made.browser()
    found = await page(browser, f"/traces/{task}")
    (link,) = [held["href"] for held in found.all("a") if "?unfold=" in held.get("href", "")]

    assert "37 more of get_order" in found.text
    assert (await page(browser, f"/traces/{task}{link}")).text.count("get_order") >= 40


async def test_an_odd_address_is_the_page_from_its_beginning() -> None:
    made = shop()
    task = await made.done("ok")
    browser = made.browser()

    for query in ["after=x", "after=-1-0", "after=99999999999999999999-0", "unfold=%00", "after=1-zz"]:
        await page(browser, f"/traces/{task}?{query}")


async def test_hostile_text_stays_text_in_every_field_of_a_task() -> None:
    made = shop(replies=(completion(HOSTILE),))
    made.order = HOSTILE
    words = f"model {HOSTILE}; order 7; customer {HOSTILE}; mail {HOSTILE}; escalate {HOSTILE}".replace(
        "\x00", ""
    )
    task = await made.done(words, session=HOSTILE, user=HOSTILE, feature=HOSTILE, source=HOSTILE, key=HOSTILE)
    made.parts.afterwards.say(Feedback("", task, "", 0, "api", "up", HOSTILE, HOSTILE, "x"))
    browser = made.browser("ada")

    assert len(made.bench.steps(task)) > 5
    await no_markup(browser, f"/traces/{task}")
    for step in made.bench.steps(task):
        await no_markup(browser, f"/traces/{task}/entries/{step.seq}")


async def test_hostile_text_stays_text_in_every_field_of_a_trace() -> None:
    made = shop()
    payload = orjson.dumps(
        {"input": {HOSTILE: HOSTILE}, "output": [HOSTILE], "attributes": {HOSTILE: HOSTILE}}
    )
    labels = dict.fromkeys(
        ("name", "session", "user_id", "feature", "release", "outcome", "error_type", "sentence"), HOSTILE
    )
    path = foreign(
        made, span(1, kind="model", name=HOSTILE, error_type=HOSTILE, model=HOSTILE, payload=payload),
        span(2, 1, kind=HOSTILE[:20], name=HOSTILE, payload=payload), **labels,
    )  # fmt: skip
    made.bench.app.database.write_now(
        lambda tx: tx.execute(
            "INSERT INTO scores (trace, span, name, at_us, value, label, explanation) VALUES (?, ?, ?, 1, 0.5, ?, ?)",
            (bytes.fromhex(TRACE), b"", HOSTILE, HOSTILE, HOSTILE),
        )
    )
    browser = made.browser("ada")

    for where in (path, f"{path}/entries/s{1:016x}", f"{path}/entries/s{2:016x}", f"{path}/diff"):
        await no_markup(browser, where)


async def no_markup(browser: Browser, path: str) -> None:
    answer = await browser.get(path)
    found = read(answer.text)
    assert (answer.status_code, found.wrong) == (200, []), path
    assert not any(held.get("src") == "x" for held in found.all("img"))
    hidden = {char for char in answer.text if char in "\x00\x1b\u202e\u200b"}
    assert not hidden, (path, hidden)
    assert "49" not in {text.strip() for text in found.text.split("'")}


@pytest.mark.parametrize(
    "payload", [b"{}", b"[]", b'"x"', b"null", b"5", b'{"input":' + b'{"a":' * 900 + b"1" + b"}" * 901]
)
async def test_any_payload_is_shown(payload: bytes) -> None:
    made = shop()
    path = foreign(made, span(1, kind="model", payload=payload), span(2, kind="tool", payload=payload))
    browser = made.browser()

    for where in (
        path,
        f"{path}/entries/s{1:016x}",
        f"{path}/entries/s{2:016x}",
        f"{path}/diff?with={TRACE}",
    ):
        await page(browser, where)
    assert (await browser.get(f"{path}/entries/s{1:016x}/raw")).content == payload


async def test_a_huge_payload_is_cut_on_the_page_and_whole_beside_it() -> None:
    made = shop()
    payload = orjson.dumps({"input": "x" * 10_000_000})
    path = foreign(made, span(1, payload=payload))
    browser = made.browser()

    shown = await browser.get(f"{path}/entries/s{1:016x}")
    assert len(shown.content) < 500_000
    assert (await browser.get(f"{path}/entries/s{1:016x}/raw")).content == payload


async def test_an_open_task_is_followed_and_a_closed_one_is_not() -> None:
    made = shop()
    waiting = (await made.waiting("refund 80")).look.task.id
    closed = await made.done("ok")
    browser = made.browser()

    live = await page(browser, f"/traces/{waiting}")
    assert [held["hx-get"] for held in live.all("div") if "data-live" in held] == [f"/traces/{waiting}"]
    still = await page(browser, f"/traces/{closed}")
    assert not [held for held in still.all("div") if "data-live" in held]


async def test_runs_of_one_session_lead_to_each_other() -> None:
    made = shop()
    path = foreign(made, span(1), session="s1", id=TRACE)
    other = TRACE[:-1] + "d"
    made.bench.app.database.write_now(
        lambda tx: keep_trace(tx, id=other, trace_id=other, session="s1", at_us=2_000)
    )
    for at_us, ref in ((1_000, TRACE), (2_000, other)):
        made.bench.app.database.write_now(
            lambda tx, at_us=at_us, ref=ref: tx.execute(  # type: ignore[misc]
                "INSERT INTO facets (field, value, at_us, ref) VALUES ('session', 's1', ?, ?)", (at_us, ref)
            )
        )
    found = await page(made.browser(), path)

    assert f"/traces/{other}" in {held.get("href") for held in found.all("a") if held.get("rel") == "next"}


@pytest.mark.parametrize("words", ["order 7; refund 20; ok", "rude", "crash disk"])
async def test_a_run_is_replayed_from_its_page(words: str) -> None:
    made = shop()
    task = await made.done(words)

    answer = await made.browser("otto").post(f"/traces/{task}/replay")
    found = read(answer.text)
    assert (answer.status_code, found.wrong) == (200, [])
    assert "came to the same" in found.text
    assert (await made.browser("vera").post(f"/traces/{task}/replay")).status_code == 403


async def test_a_run_is_forked_at_a_step_and_never_acts() -> None:
    made = shop()
    task = await made.done("order 7; refund 20; ok")
    browser = made.browser("otto")
    shown = await page(browser, f"/traces/{task}/fork?at=2")
    answer = await browser.post(
        f"/traces/{task}/fork",
        at="2",
        with_result="1",
        result='{"id": 7, "state": "lost"}',
        model="",
        prompt="",
    )
    fork = answer.headers["location"]
    await made.bench.work()

    assert '"state": "shipped"' in shown.text
    assert answer.status_code == 303
    assert made.refunds == [("ann@example.com", 20.0)], "the fork only rehearsed it"
    assert "A rehearsal that went on from step 2" in (await page(browser, fork)).text
    assert "steps differ" in (await page(browser, f"{fork}/diff")).text
    assert "Compare with the fork at step 2" in (await page(browser, f"/traces/{task}")).text


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"at": "x"},
        {"at": "99"},
        {"at": "2", "model": "nobody"},
        {"at": "2", "with_result": "1", "result": "{"},
    ],
)
async def test_a_fork_that_cannot_be_is_told_on_the_form(fields: dict[str, str]) -> None:
    made = shop()
    task = await made.done("order 7")

    answer = await made.browser("otto").post(f"/traces/{task}/fork", **fields)
    assert answer.status_code in (400, 409)
    assert "Nothing was made." in read(answer.text).text
