"""The console with somebody signed in: a client of the standard kind on the application itself."""

import httpx

from airworthy.console import sessions
from airworthy.console.api import application
from airworthy.console.parts import Parts
from airworthy.review.people import People, PersonRule
from tests.console.kit import Api, api

BROWSER = {"Accept": "text/html,application/xhtml+xml"}
BASE = "http://localhost"
PEOPLE = People(
    people={
        "ada": PersonRule(name="Ada", roles=("admin",)),
        "olga": PersonRule(name="Olga", roles=("operator",)),
        "dana": PersonRule(name="Dana", roles=("reviewer",)),
        "vera": PersonRule(name="Vera", roles=("viewer",)),
        "sven": PersonRule(name="Sven", roles=("viewer",), agents=("support",)),
    }
)


class House:
    """One application for all its visitors, as one server has; `made` is what stands behind it."""

    def __init__(self, made: Api | None = None) -> None:
        self.made = made if made is not None else api()
        self.made.people[0] = PEOPLE
        self.parts: Parts = self.made.parts
        self.app = application(self.parts)

    def cookie(self, person: str) -> tuple[str, str]:
        """The header of a session that has just begun, and its form token."""
        door = self.parts.door
        secret, session = sessions.drawn_for(
            self.made.app.ids, self.made.clock.now_us(), door.session_us, person, "password"
        )
        self.parts.database.write_now(lambda tx: sessions.begin(tx, secret, session))
        return f"{door.cookie('airworthy', *BASE.split('://'))}={secret}", sessions.csrf_of(secret)

    def visit(self, person: str = "vera") -> httpx.AsyncClient:
        """`client.csrf` is what a form of theirs brings back."""
        cookie, csrf = self.cookie(person)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        headers = {**BROWSER, "Cookie": cookie, "Origin": BASE}
        client = httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers)
        client.csrf = csrf  # type: ignore[attr-defined]
        return client
