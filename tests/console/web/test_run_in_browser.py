"""The pages of runs and of the review queue in a real browser: keys, opened steps, a task that goes on."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from airworthy.core.clock import SystemClock
from airworthy.review import Kind
from tests.console.web.shop import Shop, shop

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = "/usr/bin/chromium"
ARGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
pytestmark = [
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no {CHROMIUM}"),
    pytest.mark.slow,  # A browser takes seconds to start.
]


@contextmanager
def served(made: Shop) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(made.served, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://localhost:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def browsing(base: str, secret: str, **how: Any) -> Iterator[tuple["Page", list[str]]]:
    """A page of somebody signed in, and what a browser complains of or asks of others."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGS))
        context = browser.new_context(**how)
        context.add_cookies([{"name": "airworthy", "value": secret, "url": base}])
        page = context.new_page()
        wrong: list[str] = []
        page.on("console", lambda said: wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith(base) else wrong.append(asked.url))
        yield page, wrong
        browser.close()


def open_shop(*words: str) -> tuple[Shop, list[str]]:
    """In real time: what a browser looks at cannot be hurried."""

    async def work() -> tuple[Shop, list[str]]:
        made = shop(SystemClock())
        return made, [await made.done(each) for each in words]

    return asyncio.run(work())


def test_a_run_is_read_and_decided_by_keys_alone() -> None:
    made, (task,) = open_shop("order 7; refund 80; ok")
    with served(made) as base, browsing(base, made.browser().secret) as (page, wrong):
        page.goto(f"{base}/traces/{task}")
        for key in ("j", "j", "j", "Enter"):
            page.keyboard.press(key)
        page.wait_for_selector("details.entry[open] .payload")
        shown = page.inner_text("details.entry[open] .body")
        page.keyboard.press(
            "Enter"
        )  # Closed again: what is read does not move, so an open step would stop it.
        page.keyboard.press("a")
        page.keyboard.type("she called")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=approved")
        worker = threading.Thread(
            target=lambda: asyncio.run(made.bench.work())
        )  # This thread has a loop already.
        worker.start()
        worker.join()
        page.wait_for_selector("text=after dana approved", timeout=15_000)
        page.wait_for_selector("#run:not([data-live])", timeout=15_000)

    assert '"order_id": 7' in shown
    assert made.refunds == [("ann@example.com", 80.0)]
    assert wrong == []


def test_an_item_is_rejected_on_a_telephone() -> None:
    made, _ = open_shop("refund 80")
    item = made.bench.waiting(Kind.APPROVAL).look.item.id
    how = {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark", "has_touch": True}
    with served(made) as base, browsing(base, made.browser().secret, **how) as (page, wrong):
        page.goto(f"{base}/review")
        page.tap("[data-item]")
        page.wait_for_url(f"{base}/review/{item}")
        page.tap("text=Reject")
        page.fill("#reject-reject-note", "not covered")
        page.tap("details[data-key=r] button")
        page.wait_for_selector("text=It is decided")
        wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")

    assert not wide
    assert made.refunds == []
    assert wrong == []


def test_without_scripts_all_of_it_works() -> None:
    made, (task,) = open_shop("order 7; refund 80; ok")
    with served(made) as base, browsing(base, made.browser().secret, java_script_enabled=False) as (page, _):
        page.goto(f"{base}/traces/{task}")
        page.click("#e-2 summary")
        page.click("#e-2 a")
        shown = page.inner_text("main")
        page.goto(f"{base}/traces/{task}")
        page.click("text=Approve: make the call >> nth=0")
        page.click("details.act[open] button")
        page.wait_for_url(f"{base}/traces/{task}")

    assert '"order_id": 7' in shown
    assert made.bench.app.reviews.counts().get(Kind.APPROVAL, 0) == 0
