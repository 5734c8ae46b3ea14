"""Puts the API together on one database: its operations, its callers' keys, the people it knows."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airworthy.app.afterwards import afterwards_of
from airworthy.app.build import App
from airworthy.app.by_hand import by_hand_of
from airworthy.app.config import person, secret
from airworthy.app.console_settings import OidcRule, door_of, load_console_settings
from airworthy.app.people import PeopleFile
from airworthy.app.privacy import Users
from airworthy.app.replays import forks_of, replays_of
from airworthy.console import access
from airworthy.console.access import AccessKey
from airworthy.console.accounts import Accounts, Link
from airworthy.console.api import application
from airworthy.console.door import Door
from airworthy.console.oidc import Provider, Rule
from airworthy.console.parts import Parts
from airworthy.console.passwords import Hasher
from airworthy.console.signing import SigningIn
from airworthy.core.asgi import Application
from airworthy.core.clock import Clock
from airworthy.core.errors import ConfigError, InputError
from airworthy.gateway.keys import expiry_us
from airworthy.preflight.cases.keeping import Cases
from airworthy.recorder import audit
from airworthy.recorder.audit import Entry
from airworthy.resilience.egress import INTERNET_ONLY, Egress, sync_transport
from airworthy.review.people import People
from airworthy.runtime import Agent
from airworthy.runtime.reviews import Reviews

if TYPE_CHECKING:
    import httpx

PROVIDER_TIMEOUT_S: Final = 10.0


def parts_of(
    app: App,
    agents: Sequence[Agent],
    people: Callable[[], People],
    door: Door | None = None,
    hasher: Hasher | None = None,
    provider: Provider | None = None,
) -> Parts:
    """`people`: asked at each request. `hasher`: left out, one that takes its time."""
    queue = app.reviews.with_agents(agents)

    def reviews() -> Reviews:
        return queue.with_people(people())

    policies = {agent.name: agent.policy for agent in agents}
    hands = by_hand_of(app, agents, reviews)
    door = door if door is not None else Door()
    accounts = accounts_of(app, people, hasher)
    signing = signing_of(accounts, door)
    return Parts(
        app.database, app.clock, app.operations, afterwards_of(app), policies, hands, reviews, people, app.ids,
        door, accounts, signing, replays_of(app, agents), forks_of(app, agents), users=Users(app),
        cases=Cases(app.database, app.clock, app.payloads), provider=provider,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Served:
    """API and pages as one application. `first`: by which the first admin sets a password, once; None when somebody
    has one. `public_url`: as browsers reach it, if that is known. `stop`: what would not end by itself ends; to be
    called in the loop that serves.
    """

    application: Application
    first: Link | None
    public_url: str
    stop: Callable[[], None]


@contextlib.asynccontextmanager
async def served_of(app: App, agents: Sequence[Agent], folder: Path, *, pages: bool) -> AsyncIterator[Served]:
    """Ready to be served. `pages`: the console too. Raises: PolicyError, for a file that cannot be read."""
    people = PeopleFile(folder)
    people()  # Told now, not to each caller.
    settings = load_console_settings(folder)
    provider = provider_of(settings.oidc, settings.public_url or "", app.clock, people)
    parts = parts_of(app, agents, people, door_of(settings), provider=provider)
    link = parts.accounts.first_link(person()) if pages else None
    try:
        made = application(parts, with_pages=pages)
        yield Served(made, link, parts.door.public_url, parts.streams.close)
    finally:
        await parts.by_hand.aclose()


def provider_of(
    rule: OidcRule | None, public_url: str, clock: Clock, people: Callable[[], People]
) -> Provider | None:
    """Raises: ConfigError when its secret is named and not there."""
    if rule is None:
        return None
    known = secret(rule.client_secret_env or "")
    if rule.client_secret_env and not known:
        raise ConfigError(
            f"[oidc] of console.toml names the variable {rule.client_secret_env}, and it is not set.",
            mend="Set it to the secret that the provider gave for this console.",
        )
    made = Rule(
        rule.issuer, rule.client_id, f"{public_url}/login/oidc/back", known, rule.scopes, rule.person_claim,
        rule.roles_claim, rule.roles, rule.internal,
    )  # fmt: skip

    def client() -> "httpx.Client":
        import httpx

        egress = Egress(internal=True) if rule.internal else INTERNET_ONLY
        return httpx.Client(transport=sync_transport(egress), timeout=PROVIDER_TIMEOUT_S, trust_env=False)

    return Provider(made, client, clock, people)


def accounts_of(app: App, people: Callable[[], People], hasher: Hasher | None = None) -> Accounts:
    """`people`: asked each time."""
    return Accounts(app.database, app.clock, app.ids, people, hasher if hasher is not None else Hasher())


def signing_of(accounts: Accounts, door: Door) -> SigningIn:
    return SigningIn(accounts.database, accounts.clock, accounts.ids, accounts.people, door, accounts.hasher)


def created(
    app: App,
    people: People,
    *,
    person: str = "",
    program: str = "",
    roles: Sequence[str] = (),
    agents: Sequence[str] = (),
    expires: str = "",
) -> tuple[str, AccessKey]:
    """The secret and the key. `expires`: a period such as 30d. Raises: InputError."""
    now_us = app.clock.now_us()
    if person:
        _check_person(people, person, roles, agents)
    secret, key = access.minted(
        app.ids, now_us, person=person, program=program, roles=roles, agents=agents,
        expires_us=expiry_us(expires, now_us) if expires else None,
    )  # fmt: skip
    about = {
        "for": key.person or f"program:{key.program}",
        "roles": list(key.roles),
        "agents": list(key.agents),
    }
    told = Entry("access.create", key.id, detail=about)
    app.database.write_now(audit.noted(lambda tx: access.create(tx, key), told, now_us))
    return secret, key


def _check_person(people: People, person: str, roles: Sequence[str], agents: Sequence[str]) -> None:
    """Raises: InputError."""
    if not people.people:
        if not roles:
            raise InputError(
                f"There is no people.toml that says what {person} may do.", mend="Write one, or give --role."
            )
    elif person not in people.people:
        raise InputError(f"There is no {person!r} in people.toml.", mend=f"Add [people.{person}] to it.")
    elif roles:
        raise InputError(f"The roles of {person!r} stand in people.toml.", mend="Leave out --role.")
    elif agents:
        raise InputError(f"The agents of {person!r} stand in people.toml.", mend="Leave out --agent.")


def listed(app: App) -> list[AccessKey]:
    return app.database.read_now(access.listing)


def revoked(app: App, id_: str) -> bool:
    """False when it was revoked before. Raises: InputError."""
    now_us, told = app.clock.now_us(), Entry("access.revoke", id_)
    op = audit.noted(lambda tx: access.revoke(tx, id_, now_us), lambda done: told if done else None, now_us)
    return app.database.write_now(op)
