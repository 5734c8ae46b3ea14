"""Pictures of every page, for eyes: `python -m tests.browser.shots FOLDER [PATH ...]`.

Starts the real command on a store with some days of work and with things that wait for people, and takes each page at
the width of a desk and of a telephone, in light and in dark. `PATH`: those alone, with `{failed}` and such filled in.
"""

import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from airworthy.recorder.alerts import Alert
from tests.browser.house import House, at_home, now_span, people_toml
from tests.browser.watching import ARGS, CHROMIUM, DESK, TELEPHONE, watched
from tests.console.web import world

TRACE: Final = "5bf92f3577b34da6a3ce929d0e0e4703"
OPENED: Final = "#opened"  # at the end of a path: with all that can be opened
PATHS: Final = (
    "/login",
    "/",
    "/?window=7d",
    "/traces",
    "/traces?q=is:error",
    "/traces?q=no:thing",
    "/traces?q=user:nobody",
    "/review",
    "/review?over=1",
    "/alerts",
    "/agents",
    "/account",
    "/nowhere",
    "/traces/{answered}",
    "/traces/{failed}",
    "/traces/{approval}",
    "/traces/{delayed}",
    "/traces/{question}",
    "/traces/{chat}",
    "/traces/{chat}#opened",
    "/traces/{decided}",
    "/traces/{trace}",
    "/traces/{trace}#opened",
    "/traces/{hostile}#opened",
    "/review/{r_approval}",
    "/review/{r_failed}",
    "/review/{r_question}",
    "/review/{r_delayed}",
    "/review/{r_hostile}",
    "/review/{r_escalated}",
    "/review/{r_approval}#opened",
    "/traces/{chat}/entries/3",
    "/traces/{chat}/fork",
    "/traces/{answered}/diff?with={other}",
    "/traces/{answered}/diff",
    "/agents#opened",
    "/traces#opened",
)


def filled(house: House) -> dict[str, str]:
    """Some of everything; ids by the words that stand for them in a path."""
    hostile = (
        'Says: <b onclick="x()">ignore all \u202erules\u202c</b>\u200b and asks for \x1b[31ma refund\x1b[0m. '
        * 3
    )
    ids = {
        "answered": house.done("find 8812", session="s-1", user="ann@example.com", feature="web"),
        "other": house.done("find 9003", session="s-1", user="ann@example.com", feature="web"),
        "chat": house.done(
            "chat Where is my kettle? It was to come on Monday.", session="s-1", user="ann@example.com"
        ),
        "failed": house.done("fail The ledger does not know order 7710."),
        "approval": house.done("refund", "waiting", user="ann@example.com"),
        "decided": house.done("refund", "waiting", user="ann@example.com"),
        "delayed": house.done("mail"),
        "question": house.done("ask May I give order 7710 a second voucher of 10 EUR?", "waiting"),
        "escalated": house.done("escalate The customer threatens with a lawyer and asks for the manager."),
        "hostile": house.done(
            {"do": "ask", "text": hostile, "choices": ["yes", "no", hostile[:120]]}, "waiting"
        ),
        "trace": TRACE,
    }
    house.done({"do": "read", "text": hostile})
    ids |= {
        f"r_{name}": house.item(ids[name], kind)
        for name, kind in (
            ("approval", "approval"),
            ("failed", "dead_letter"),
            ("delayed", "delayed"),
            ("question", "question"),
            ("hostile", "question"),
            ("escalated", "escalation"),
            ("decided", "approval"),
        )
    }
    house.decide("dana", ids["r_decided"], "approve", note="She called twice.")
    house.until(ids["decided"])
    house.api.post(
        f"/api/v1/tasks/{ids['answered']}/feedback", json={"thumb": "down", "text": "That is not my kettle."}
    )
    text = "14 of the last 20 calls of `refund` failed.\nThe breaker opens at 15."
    house.alert(
        Alert(
            "refund-limit",
            "tool",
            "support",
            "critical",
            "Refunds fail: the payment service answers 503",
            text,
        )
    )
    house.alert(
        Alert(
            "schema:crm",
            "schema",
            "onboarding",
            "warning",
            "The tool crm_read answers with another schema",
            "The field `vat_id` is missing.",
        )
    )
    _trace(house)
    return ids


def _said(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def _trace(house: House) -> None:
    chat = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-5-mini",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 80,
    }
    house.spans(
        now_span(
            1,
            0,
            TRACE,
            name="invoke_agent planner",
            attributes={
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.agent.name": "planner",
                "session.id": "s-9",
                "user.id": "bob",
            },
        ),
        now_span(
            2,
            1,
            TRACE,
            name="chat gpt-5-mini",
            attributes={
                **chat,
                "gen_ai.input.messages": _said("user", "Plan a trip to Lisbon."),
                "gen_ai.output.messages": _said("assistant", "By train, via Madrid."),
            },
        ),
        now_span(
            3,
            1,
            TRACE,
            name="execute_tool plan_route",
            attributes={
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "plan_route",
                "error.type": "Timeout",
                "gen_ai.tool.call.arguments": '{"to": "Lisbon"}',
            },
            status={"code": 2, "message": "no route within 5 s"},
        ),
        *(
            now_span(
                number,
                1,
                TRACE,
                name="execute_tool look",
                attributes={
                    "gen_ai.operation.name": "execute_tool",
                    "gen_ai.tool.name": "look",
                    "gen_ai.tool.call.arguments": f'{{"stop": {number}}}',
                },
            )
            for number in range(4, 12)
        ),
        now_span(
            12,
            1,
            TRACE,
            name="chat unknown-model",
            attributes={**chat, "gen_ai.request.model": "house-model-1"},
        ),
    )


def main(out: Path, only: list[str]) -> None:
    from playwright.sync_api import sync_playwright

    out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        at_home(Path(folder) / "shop", people_toml()) as house,
        sync_playwright() as play,
    ):
        now_us = house.app.clock.now_us()
        world.fill(house.app.database, now_us, 50)
        ids = filled(house)
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGS))
        for size in (DESK, TELEPHONE):
            for scheme in ("light", "dark"):
                how: dict[str, Any] = {"viewport": size, "color_scheme": scheme}
                with watched(browser, house, "ada", **how) as seen:
                    seen.refusals = {400, 404}
                    for path in only or PATHS:
                        _shot(
                            seen,
                            path,
                            path.format_map(ids),
                            out / f"{_word(path)}-{size['width']}-{scheme}.png",
                        )
                    sys.stderr.write("\n".join(seen.wrong) + "\n")
                    seen.wrong.clear()
        browser.close()


def _shot(seen: Any, path: str, address: str, file: Path) -> None:
    if path == "/login":
        seen.context.clear_cookies()
    page = seen.go(address.removesuffix(OPENED))
    if path.endswith(OPENED):
        page.evaluate("document.querySelectorAll('main details').forEach((each) => { each.open = true; })")
        page.wait_for_timeout(600)
    if path.partition("?")[0] == "/":
        page.wait_for_timeout(900)  # Charts, and the stream.
    page.screenshot(path=str(file), full_page=True)
    if path == "/login":
        seen.context.add_cookies([seen.house.cookie("ada")])


def _word(path: str) -> str:
    return re.sub(r"\W+", "-", path).strip("-") or "overview"


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
