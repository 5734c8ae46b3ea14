"""Text from outside stays text, in every field that carries some and in a browser that would run it.

That nothing ran, was loaded, or became an element, is told by what watches each page (audit.js, watching.py).
"""

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from airworthy.recorder.alerts import Alert
from tests.browser.conftest import Visit
from tests.browser.hostile import ALL, LONG, SEEN, TEXTS, fitting
from tests.browser.house import House, now_span
from tests.browser.watching import TELEPHONE, Watched
from tests.recorder.otel.kit import attributes_of

pytestmark = [pytest.mark.process, pytest.mark.slow]  # A server and a browser take seconds to start.
REFUSALS = {400, 403, 404, 405, 409, 410, 422}


def opened(seen: Watched, path: str) -> str:
    seen.opened(path)
    return seen.text()


def lost(text: str) -> list[str]:
    return [each for each in SEEN if each not in text]


@pytest.mark.parametrize("do", ["read", "escalate", "decline", "fail", "chat", "ask"])
def test_what_a_task_is_given_says_and_fails_with_is_text(do: str, visit: Visit, house: House) -> None:
    """Input, answer, reason, error, prompt, reply, arguments, results, question, choices; and labels around them."""
    labels = fitting(500)
    number = ("read", "escalate", "decline", "fail", "chat", "ask").index(do) * 3
    waits = do == "ask"
    id_ = house.done(
        {"do": do, "text": ALL, "choices": fitting(200)},
        *(("waiting",) if waits else ()),
        user=labels[number],
        session=labels[number + 1],
        feature=labels[number + 2],
        source=labels[number + 3],
        key=labels[number + 4] + do,
    )
    seen = visit("ada")
    run = opened(seen, f"/traces/{id_}")
    kind = {"escalate": "escalation", "fail": "dead_letter", "ask": "question"}.get(do)
    item = opened(seen, f"/review/{house.item(id_, kind)}") if kind else run
    for path in ("/", "/traces", "/review", f"/traces/{id_}/diff"):
        seen.go(path)

    assert lost(run) == []
    assert lost(item) == []
    assert "49" not in seen.page.inner_text("h1")


def test_what_a_call_is_made_with_and_what_people_say_of_it_is_text(visit: Visit, house: House) -> None:
    """Arguments, recipient, notes, feedback and its correction, results, reasons of a pause and of a cancellation."""
    id_ = house.done({"do": "refund", "text": ALL}, "waiting")
    item = house.item(id_, "approval")
    seen = visit("ada")
    before = opened(seen, f"/review/{item}")
    house.decide("dana", item, "reject", note=ALL)
    house.until(id_)
    house.api.post(
        f"/api/v1/tasks/{id_}/feedback",
        json={"thumb": "down", "text": ALL, "correction": ALL, "by": TEXTS[0]},
    )
    house.api.post(
        "/api/v1/results", json=[{"name": text[:100], "task": id_, "by": text} for text in fitting(200)]
    )
    other = house.done("sleep", "waiting")
    answer = house.api.post(f"/api/v1/tasks/{other}/cancel", json={"why": ALL})
    after = [opened(seen, path) for path in (f"/review/{item}", f"/traces/{id_}", f"/traces/{other}")]
    seen.go("/review?over=1")

    assert answer.status_code == 200, answer.text
    assert lost(before) == []
    assert [lost(text) for text in after] == [[], [], []]


def test_a_trace_of_another_program_is_text_in_every_field(visit: Visit, house: House) -> None:
    """Names of agent, spans, tools, models; attributes, events, messages; session, user, feature, release, scores."""
    seen = visit("ada")
    for number, text in enumerate(TEXTS):
        trace, short = f"{0xABC0000 + number:032x}", text[:100].replace("\x00", "")
        fields: dict[str, Any] = {
            "gen_ai.agent.name": short,
            "gen_ai.agent.version": short,
            "session.id": short,
            "user.id": short,
            "airworthy.feature": short,
            "airworthy.outcome": short,
            "error.type": short,
            "anything " + text: text,
        }
        said = json.dumps([{"role": short, "parts": [{"type": "text", "content": text}]}])
        house.spans(
            now_span(
                1,
                0,
                trace,
                name=text,
                attributes={**fields, "gen_ai.operation.name": "invoke_agent"},
                status={"code": 2, "message": text},
            ),
            now_span(
                2,
                1,
                trace,
                name=text,
                attributes={
                    "gen_ai.operation.name": "execute_tool",
                    "gen_ai.tool.name": short,
                    "gen_ai.tool.call.arguments": text,
                    "gen_ai.tool.call.result": text,
                },
                events=[
                    {
                        "name": text,
                        "timeUnixNano": "1",
                        "attributes": attributes_of({"exception.message": text}),
                    }
                ],
            ),
            now_span(
                3,
                1,
                trace,
                name=text,
                attributes={
                    "gen_ai.operation.name": "chat",
                    "gen_ai.request.model": short,
                    "gen_ai.provider.name": short,
                    "gen_ai.input.messages": said,
                    "gen_ai.output.messages": said,
                },
            ),
            **{"service.name": text, text: text},
        )
        score = {f"gen_ai.evaluation.{key}": short for key in ("name", "score.label")}
        house.scores(
            {
                "traceId": trace,
                "spanId": f"{2:016x}",
                "eventName": "gen_ai.evaluation.result",
                "timeUnixNano": "1790000000000000000",
                "attributes": attributes_of({**score, "gen_ai.evaluation.explanation": text}),
            }
        )
    shown = [opened(seen, f"/traces/{0xABC0000 + number:032x}") for number in (0, 1, 4, 10, 12, 16, 18, 20)]
    for number in (2, 3, 5, 6, 7, 8, 9, 11, 13, 14, 15, 17, 19, 21):
        seen.go(f"/traces/{0xABC0000 + number:032x}")
    for path in ("/", "/agents", "/traces", "/traces?q=origin:otlp"):
        seen.go(path)
    seen.page.locator("table.runs").wait_for()

    assert TEXTS[0] in shown[0]
    assert TEXTS[4] in shown[2]


def test_each_link_to_others_with_the_same_label_finds_the_run_itself(visit: Visit, house: House) -> None:
    """A label is quoted into a filter, and the filter into an address."""
    page = visit("ada").page
    missed = []
    for text in fitting(100)[:5]:
        id_ = house.done("find 1", user=text, feature=text)
        page.goto(f"{house.url}/traces/{id_}")
        page.locator("dl.about dt", has_text="User").locator("xpath=following-sibling::dd/a").click()
        page.wait_for_url("**/traces?q=**")
        if not page.locator(f'a[href="/traces/{id_}"]').count():
            missed.append(text)

    assert missed == []


def test_what_an_alert_says_is_text(visit: Visit, house: House) -> None:
    for number, text in enumerate(fitting(200)):
        severity: Any = ("info", "warning", "critical")[number % 3]
        house.alert(Alert(f"hostile {number} {text}", "tool", "support", severity, text, ALL))
    seen = visit("ada")
    text = opened(seen, "/alerts")
    seen.go("/")
    house.end_alerts("hostile")

    assert lost(text) == []


ADDRESSES = (
    "/traces?q={}",
    "/traces?before={}",
    "/?window={}",
    "/review?kind={}",
    "/review?to={}&agent={}&mine={}&over={}",
    "/alerts?over={}",
    "/login?next={}",
    "/traces/{id}/diff?with={}",
    "/traces/{id}?after={}&unfold={}",
    "/traces/{id}/fork?at={}",
    "/traces/{id}/entries/{}",
    "/traces/{}",
    "/review/{}",
    "/nowhere/{}",
    "/login/link/{}",
    "/feedback/{}?thumb={}",
    "/traces?q=user:{}",
)


def test_no_part_of_an_address_becomes_more_than_text(visit: Visit, house: House) -> None:
    id_ = house.done("find 8812")
    seen = visit("ada")
    seen.refusals = REFUSALS
    for number, address in enumerate(ADDRESSES):
        for text in TEXTS[number % 6 :: 6]:
            fields = (quote(text, safe=""),) * address.count("{}")
            seen.go(address.replace("{id}", id_).format(*fields))

    assert seen.page.url.startswith(house.url)


def test_what_was_typed_and_refused_is_text_in_its_field(visit: Visit) -> None:
    seen = visit()
    seen.refusals = {401, 429}
    page = seen.go("/login?" + urlencode({"next": "/traces?q=" + TEXTS[1]}))
    page.get_by_label("Name").fill(TEXTS[4])
    page.get_by_label("Password").fill(TEXTS[0])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()

    assert page.get_by_label("Name").input_value() == TEXTS[4]
    assert page.locator("input[name=next]").input_value() == "/traces?q=" + TEXTS[1]


def test_a_hundred_kilobytes_without_a_break_stay_within_the_window(visit: Visit, house: House) -> None:
    ids = [
        house.done({"do": "read", "text": LONG}),
        house.done({"do": "fail", "text": LONG}),
        house.done({"do": "ask", "text": LONG[:9_000]}, "waiting"),
    ]
    seen = visit("ada", viewport=TELEPHONE)
    for path in (
        *(f"/traces/{id_}" for id_ in ids),
        f"/review/{house.item(ids[1], 'dead_letter')}",
        f"/review/{house.item(ids[2], 'question')}",
    ):
        opened(seen, path)
    for path in ("/", "/traces", "/review"):
        seen.go(path)

    assert "Cut here" in opened(seen, f"/traces/{ids[0]}")
