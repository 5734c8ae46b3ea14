"""Puts the API together on one database: its operations, its callers' keys, the people it knows."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from airworthy.app.afterwards import afterwards_of
from airworthy.app.build import App
from airworthy.app.people import load_people
from airworthy.console import access
from airworthy.console.access import AccessKey
from airworthy.console.parts import Parts
from airworthy.core.errors import InputError
from airworthy.gateway.keys import expiry_us
from airworthy.policy import Policy
from airworthy.review.people import People


def parts_of(app: App, folder: Path, policies: Mapping[str, Policy]) -> Parts:
    return Parts(
        app.database, app.clock, app.operations, afterwards_of(app), policies, lambda: load_people(folder)
    )


def created(
    app: App,
    people: People,
    *,
    person: str = "",
    program: str = "",
    roles: Sequence[str] = (),
    expires: str = "",
) -> tuple[str, AccessKey]:
    """The secret and the key. `expires`: a period such as 30d. Raises: InputError."""
    now_us = app.clock.now_us()
    if person and person not in people.people:
        raise InputError(
            f"There is no {person!r} in people.toml.",
            mend=f"Add [people.{person}] with a name and roles to it.",
        )
    secret, key = access.minted(
        app.ids, now_us, person=person, program=program, roles=roles,
        expires_us=expiry_us(expires, now_us) if expires else None,
    )  # fmt: skip
    app.database.write_now(lambda tx: access.create(tx, key))
    return secret, key


def listed(app: App) -> list[AccessKey]:
    return app.database.read_now(access.listing)


def revoked(app: App, id_: str) -> bool:
    """False when it was revoked before. Raises: InputError."""
    return app.database.write_now(lambda tx: access.revoke(tx, id_, app.clock.now_us()))
