"""A browser as far as signing in goes: it keeps cookies, follows no redirect by itself, and fills in forms."""

import re
from typing import Any

import httpx

from airworthy.review.people import People, PersonRule
from tests.console.kit import Api, api

PASSWORD = "correct horse battery"
PEOPLE = People(
    people={
        "dana": PersonRule(name="Dana Smith", roles=("reviewer",), email="dana@example.com"),
        "olga": PersonRule(name="Olga", roles=("operator",)),
        "ada": PersonRule(name="Ada", roles=("admin",)),
        "vera": PersonRule(name="Vera", roles=("viewer",)),
    }
)


def house(people: People = PEOPLE) -> Api:
    made = api()
    made.people[0] = people
    return made


class Browser(httpx.AsyncClient):
    """`address`: where it comes from."""

    def __init__(self, made: Api, base: str = "http://localhost", address: str = "192.0.2.7") -> None:
        transport = httpx.ASGITransport(made.served, raise_app_exceptions=False, client=(address, 1234))
        super().__init__(
            transport=transport, base_url=base, headers={"Accept": "text/html", "User-Agent": "Firefox"}
        )

    async def fill(self, page: str, action: str = "", **fields: Any) -> httpx.Response:
        """The form of a page, sent to `action` or to the page itself."""
        shown = await self.get(page)
        found = re.search(r'name="csrf" value="([^"]*)"', shown.text)
        return await self.post(action or page, data={"csrf": found[1] if found else "", **fields})

    async def sign_in(self, name: str = "dana", password: str = PASSWORD, **more: Any) -> httpx.Response:
        return await self.fill("/login", name=name, password=password, **more)


def with_account(made: Api, person: str = "dana", password: str = PASSWORD) -> Api:
    made.parts.accounts.add(person)
    made.parts.accounts.set_password(person, password)
    return made


async def signed_in(made: Api, person: str = "dana", **more: Any) -> Browser:
    browser = Browser(with_account(made, person), **more)
    answer = await browser.sign_in(person)
    assert answer.status_code == 303, answer.text
    return browser
