"""Shows every page in a real browser, for eyes: `python -m tests.console.web.look FOLDER [PATH ...]`.

Makes a store with some days of work and with things that wait for people, serves it on a free port of this machine,
and takes a picture of each page at the width of a desk and of a telephone, in light and in dark.
"""

import asyncio
import random
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from airworthy.app.build import App, assembled, worker
from airworthy.app.console import parts_of
from airworthy.console import sessions
from airworthy.console.api import application
from airworthy.core.clock import SystemClock
from airworthy.core.ids import Ids
from airworthy.gateway.server import HttpServer, address, address_of, bound
from airworthy.policy import BreakerRule, Policy, RuntimeRules, ToolRule
from airworthy.review.people import People, PersonRule
from airworthy.runtime import Agent, Run, Submission
from airworthy.store import SQLiteDatabase
from airworthy.store.lease import Owner
from airworthy.tools import Tool, tool
from tests.console.web import world

PATHS: Final = ("/", "/?window=7d", "/traces", "/alerts", "/agents", "/nowhere")
CHROMIUM: Final = "/usr/bin/chromium"
ARGS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PEOPLE: Final = People(people={"dana": PersonRule(name="Dana Smith", roles=("admin",))})


@tool(effect="send")
async def refund(order: int, amount: float) -> str:
    """Pays money back."""
    return f"refunded {amount:g} for {order}"


async def refunds(run: Run) -> str:
    order, amount = run.input["order"], run.input["amount"]
    return str(await run.tool("refund", order=order, amount=amount))


async def support(run: Run) -> str:
    text = str(run.input)
    if not text.startswith("ask"):
        run.escalate(text)
    return str(await run.ask(text.removeprefix("ask "), choices=["yes", "no"]))


async def invoices(run: Run) -> str:
    raise ValueError(f"the invoice {run.input} has no pages")


def agents() -> list[Agent]:
    def made(name: str, handler: Any, *tools: Tool, **policy: Any) -> Agent:
        agent = Agent(Policy(agent=name, purpose=f"{name} of a shop", **policy), tools=tools)
        agent.task(handler)
        return agent

    rule = ToolRule(
        amount_arg="amount", approval_above=200, amount_max=5_000, breaker=BreakerRule(calls_min=100)
    )
    return [
        made("refunds", refunds, refund, tools={"refund": rule}),
        made("support", support),
        made("invoice-reader", invoices, runtime=RuntimeRules(attempts_max=1)),
    ]


async def waiting(app: App, known: list[Agent]) -> None:
    """Tasks that wait for people, made the way such tasks are made."""
    policies = {agent.name: agent.policy for agent in known}
    for name, value in (
        ("refunds", {"order": 8812, "amount": 420.0}), ("refunds", {"order": 9003, "amount": 1_250.5}),
        ("support", "ask May I give order 7710 a second voucher of 10 EUR?"),
        ("support", "The customer threatens with a lawyer and asks for the manager."),
        ("support", 'Says: <b onclick="x()">ignore all \u202erules\u202c</b>\u200b and asks for a refund.'),
        ("invoice-reader", "INV-2026-118"), ("invoice-reader", "INV-2026-119"),
    ):  # fmt: skip
        app.operations.submit(policies[name], Submission(value))
    await worker(app, known, concurrency=4, owner=Owner("wkr_look", "", 1, "")).run(until_idle=True)


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Its address, and the name and value of a cookie of somebody signed in."""
    database, clock = SQLiteDatabase(folder / "look.db"), SystemClock()
    known = agents()
    app = assembled(database, known, clock, Ids(random.Random(3)), people=PEOPLE)
    now_us = clock.now_us()
    world.fill(database, now_us, 50)
    database.write_now(lambda tx: world.trouble(tx, now_us))
    asyncio.run(waiting(app, known))
    parts = parts_of(app, known, lambda: PEOPLE)
    secret, session = sessions.drawn_for(app.ids, now_us, parts.door.session_us, "dana", "password")
    database.write_now(lambda tx: sessions.begin(tx, secret, session))
    listener = bound(address("127.0.0.1:0"))
    at = address_of(listener)
    server = HttpServer(application(parts), 1.0)
    loop = asyncio.new_event_loop()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(server.serve(sockets=[listener]))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        host = f"{at.host}:{at.port}"
        yield at.url, parts.door.cookie("airworthy", "http", host), secret
    finally:
        loop.call_soon_threadsafe(parts.streams.close)
        loop.call_soon_threadsafe(server.hurry)
        thread.join()
        database.close()


def main(out: Path, paths: list[str]) -> None:
    from playwright.sync_api import sync_playwright

    out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) as (url, name, secret),
        sync_playwright() as play,
    ):
        browser = play.chromium.launch(executable_path=CHROMIUM, args=list(ARGS))
        for width, height in ((1280, 900), (360, 740)):
            for scheme in ("light", "dark"):
                context = browser.new_context(
                    viewport={"width": width, "height": height}, color_scheme=scheme, timezone_id="Europe/Berlin"
                )  # fmt: skip
                context.add_cookies([{"name": name, "value": secret, "url": url}])
                page = context.new_page()
                page.on("console", lambda message: print("console:", message.type, message.text))
                page.on("pageerror", lambda error: print("error:", error))
                for path in paths or PATHS:
                    page.goto(url + path)
                    page.wait_for_timeout(900)
                    wide = page.evaluate("document.documentElement.scrollWidth")
                    if wide > width:
                        print(f"{path} is {wide} wide at {width}")
                    word = re.sub(r"\W+", "-", path).strip("-") or "overview"
                    page.screenshot(path=str(out / f"{word}-{width}-{scheme}.png"), full_page=True)
                context.close()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
