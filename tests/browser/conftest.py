"""One server and one browser for all tests here, as long as they run one after the other."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.house import House, at_home, people_toml
from tests.browser.watching import ARGS, CHROMIUM, Watched, watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Visit = Callable[..., Watched]


def missing() -> str:
    """Why no browser can be driven here; "" when one can."""
    if importlib.util.find_spec("playwright") is None:
        return "Playwright is not installed: pip install playwright"
    return "" if CHROMIUM.exists() else f"there is no {CHROMIUM}: apt-get install chromium"


# Not for the whole session: while Playwright is on, this thread has a loop, and no other test could run its own.
@pytest.fixture(scope="package")
def chromium() -> Iterator["Browser"]:
    if missing():
        if os.environ.get("AIRWORTHY_TEST_BROWSER") == "required":
            pytest.fail(f"AIRWORTHY_TEST_BROWSER=required, and {missing()}")
        pytest.skip(missing())
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def house(chromium: "Browser", tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Each test hands in tasks of its own, so none depends on another."""
    with at_home(tmp_path_factory.mktemp("house") / "shop", people_toml()) as made:
        yield made


@pytest.fixture
def visit(chromium: "Browser", house: House) -> Iterator[Visit]:
    """A browser of somebody, watched until the test ends: `visit("dana")`, `visit()` for a stranger."""
    with ExitStack() as stack:

        def visiting(person: str = "", **how: Any) -> Watched:
            return stack.enter_context(watched(chromium, house, person, **how))

        yield visiting
