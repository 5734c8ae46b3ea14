"""A browser that is watched: whatever a page may never do, on whichever page a test comes by, is told at its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.browser.house import House

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Response

CHROMIUM: Final = Path("/usr/bin/chromium")
ARGS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PATIENCE_MS: Final = 15_000
AUDIT: Final = (Path(__file__).parent / "audit.js").read_text(encoding="utf-8")
DESK: Final = {"width": 1280, "height": 900}
TELEPHONE: Final = {"width": 360, "height": 740}


class Watched:
    """One person with a browser of their own. `refusals`: statuses that a test means to be answered with."""

    def __init__(self, context: "BrowserContext", house: House) -> None:
        self.house = house
        self.context = context
        self.wrong: list[str] = []
        self.refusals: set[int] = set()
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)

    def go(self, path: str) -> "Page":
        self.page.goto(self.house.url + path)
        return self.page

    def opened(self, path: str) -> "Page":
        """With all that can be opened, and with what is fetched for it; looked at once more then."""
        page = self.go(path)
        for _ in range(2):  # What was fetched can be opened, too.
            page.evaluate(
                "document.querySelectorAll('main details').forEach((each) => { each.open = true; })"
            )
            page.locator("details.entry:not(:has(.whole))").first.wait_for(state="detached")
        for wrong in page.evaluate("window.airworthyAudit()"):
            self.told(f"opened: {wrong}")
        return page

    def text(self) -> str:
        return self.page.inner_text("main")

    def at(self, path: str) -> None:
        """Waits until it is there."""
        self.page.wait_for_url(self.house.url + path)

    def told(self, what: str) -> None:
        where = self.page.url.removeprefix(self.house.url)
        self.wrong.append(f"{where[:120]}: {what}")

    def heard(self, said: "ConsoleMessage") -> None:
        """A browser writes each answer of 400 and more into its console; those that were meant are none."""
        meant = any(f"status of {status} " in said.text for status in self.refusals)
        if said.type not in ("log", "debug", "info") and not meant:
            self.told(f"console: {said.text}")

    def asked(self, dialog: "Dialog") -> None:
        self.told(f"dialog: {dialog.message}")
        dialog.dismiss()

    def answered(self, response: "Response") -> None:
        if response.status >= 400 and response.status not in self.refusals:
            self.told(f"{response.status} for {response.url[:200]}")


@contextmanager
def watched(browser: "Browser", house: House, person: str = "", **how: Any) -> Iterator[Watched]:
    """`person`: signed in already, by a session of their own."""
    context = browser.new_context(
        **{"viewport": DESK, "timezone_id": "Europe/Berlin", "locale": "en-GB", **how}
    )
    seen = Watched(context, house)
    context.expose_binding("airworthyTold", lambda _, what: seen.told(str(what)))
    context.add_init_script(AUDIT)
    page = seen.page
    page.on("console", seen.heard)
    page.on("pageerror", lambda error: seen.told(f"error: {error}"))
    page.on("dialog", seen.asked)
    page.on(
        "request", lambda asked: None if ours(asked.url, house) else seen.told(f"asked {asked.url[:200]}")
    )
    page.on("response", seen.answered)
    page.on("download", lambda _: seen.told("something was downloaded"))
    context.on("page", lambda _: seen.told("another window was opened"))
    if person:
        context.add_cookies([house.cookie(person)])
    try:
        yield seen
    finally:
        context.close()
    assert not seen.wrong, "\n".join(dict.fromkeys(seen.wrong))


def ours(address: str, house: House) -> bool:
    return address.startswith(house.url + "/")
