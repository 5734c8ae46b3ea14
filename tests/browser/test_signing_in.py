"""Signing in and out, in a browser: by the first link, by password, and never to anywhere else."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import Visit
from tests.browser.house import PASSWORD, House, at_home
from tests.browser.watching import Watched, watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.process, pytest.mark.slow]


def sign_in(seen: Watched, name: str, password: str = PASSWORD) -> None:
    seen.page.get_by_label("Name").fill(name)
    seen.page.get_by_label("Password").fill(password)
    seen.page.get_by_role("button", name="Sign in").click()


def test_the_first_admin_gets_in_by_the_link_once_and_by_the_password_from_then_on(
    chromium: "Browser", tmp_path: Path
) -> None:
    """Starts the real command: nobody has a password in it yet."""
    with at_home(tmp_path / "new") as house, watched(chromium, house) as seen:
        page = seen.page
        link = house.first.removeprefix(house.url)
        seen.go(link)
        page.get_by_label("Password", exact=True).fill("a kettle of blue tea")
        page.get_by_label("The same again").fill("a kettle of blue tea")
        page.get_by_role("button", name="Set the password and sign in").click()
        seen.at("/")
        first = seen.text()
        page.get_by_role("button", name="Sign out").click()
        seen.at("/login")
        seen.refusals = {410, 404, 401, 403, 400}
        again = seen.go(link).inner_text("main")
        seen.refusals = set()
        seen.go("/")
        seen.at("/login?next=/")
        name = house.app.database.read_now(lambda tx: tx.row("SELECT person FROM accounts"))
        assert name is not None
        sign_in(seen, name[0], "a kettle of blue tea")
        seen.at("/")

    assert house.first
    assert "Nothing needs a person now" in first
    assert "This link is not good any more" in again


def test_a_wrong_password_is_refused_and_the_right_one_leads_to_where_they_wanted_to_go(visit: Visit) -> None:
    seen = visit()
    seen.go("/traces?q=is:error")
    seen.at("/login?next=/traces%3Fq%3Dis%3Aerror")
    seen.refusals = {401}
    sign_in(seen, "dana", "not her password")
    refused = seen.page.get_by_role("alert").inner_text()
    kept = seen.page.get_by_label("Name").input_value()
    typed = seen.page.get_by_label("Password").input_value()
    sign_in(seen, "dana")
    seen.at("/traces?q=is:error")

    assert "do not go together" in refused
    assert (kept, typed) == ("dana", "")


def test_who_signed_out_is_out_also_by_the_button_to_go_back(visit: Visit) -> None:
    seen = visit("dana")
    seen.go("/review")
    seen.page.get_by_role("button", name="Sign out").click()
    seen.at("/login")
    seen.page.go_back()
    seen.page.wait_for_url("**/login**")

    assert seen.page.get_by_label("Password").is_visible()


ELSEWHERE = (
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "///evil.example",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "/login?next=//evil.example",
    " //evil.example",
    "/%0d%0aLocation:%20https://evil.example",
    "http:evil.example",
    "@evil.example",
    "/\u2028//evil.example",
)


def test_no_link_to_the_page_for_signing_in_leads_elsewhere(visit: Visit, house: House) -> None:
    """What a browser makes of an address decides here, so a browser is asked."""
    seen = visit("dana")
    landed = {}
    seen.refusals = {404}
    for wanted in ELSEWHERE:
        query = seen.page.evaluate("(to) => new URLSearchParams({next: to}).toString()", wanted)
        seen.page.goto(f"{house.url}/login?{query}", wait_until="commit")
        landed[wanted] = seen.page.evaluate("location.origin")
    stranger = visit()
    stranger.go("/login?next=//evil.example/")
    sign_in(stranger, "vera")
    stranger.at("/")

    assert set(landed.values()) == {house.url}


def test_an_account_page_ends_the_other_sessions_and_changes_the_password(visit: Visit, house: House) -> None:
    here, there = visit("vera"), visit("vera")
    there.go("/")
    here.go("/account")
    here.page.get_by_role("button", name="End all others").click()
    here.at("/account")
    there.page.reload()
    there.page.wait_for_url("**/login**")
    here.page.get_by_label("Password now").fill("not hers at all")
    here.page.get_by_label("New password").fill("a kettle of blue tea")
    here.page.get_by_label("The same again").fill("a kettle of blue tea")
    here.refusals = {401, 400}
    here.page.get_by_role("button", name="Change it and end all sessions").click()

    assert here.page.get_by_role("alert").inner_text()
    assert here.page.get_by_text("this one").is_visible()
