"""Accounts as an admin handles them: made, with a link to set a password; closed and opened again. Signs nobody in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from airworthy.console import account_rows, passes, sessions
from airworthy.console.access import ROLES, check_agents
from airworthy.console.account_rows import Account
from airworthy.console.passes import Pass
from airworthy.console.passwords import Hasher, checked
from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.errors import InputError
from airworthy.core.ids import Ids
from airworthy.core.origin import origin
from airworthy.gateway.keys.key import drawn, is_label
from airworthy.recorder import audit
from airworthy.recorder.audit import Entry
from airworthy.review.people import People
from airworthy.store import Database, Tx

LINK_US: Final = 15 * 60 * US_PER_S
LINK_PATH: Final = "/login/link/"


@dataclass(frozen=True, slots=True)
class Link:
    """`path` leads to a page that sets a password, once. It is shown once; only its digest is stored."""

    person: str
    path: str
    expires_us: int


def names_of(people: People, person: str) -> list[str]:
    """All that others know them by: none of it may be a password."""
    rule = people.people.get(person)
    return [person] if rule is None else [person, rule.name, rule.email or ""]


@dataclass(slots=True)
class Accounts:
    """Synchronous. `people`: asked each time. Every write notes down who did it, by `core.origin`."""

    database: Database
    clock: Clock
    ids: Ids
    people: Callable[[], People]
    hasher: Hasher = field(default_factory=Hasher)

    def set_password(self, person: str, new: str) -> None:
        """By whoever reaches the database. All their sessions end. Raises: InputError, Busy."""
        hash_ = self.hasher.hash(checked(new, names_of(self.people(), person)))
        now_us, came = self.clock.now_us(), origin()

        def op(tx: Tx) -> None:
            account_rows.get(tx, person)
            account_rows.put_hash(tx, person, hash_, now_us)
            audit.note(tx, Entry("account.password", person), came, now_us)

        self.database.write_now(op)

    def add(self, person: str, roles: Sequence[str] = (), agents: Sequence[str] = ()) -> Link:
        """And a link by which they set a password. Raises: InputError."""
        self._check_new(person, roles, agents)
        now_us, came = self.clock.now_us(), origin()
        secret = drawn(passes.PREFIX, self.ids)

        def op(tx: Tx) -> None:
            account_rows.insert(tx, person, roles, agents, now_us)
            detail = {"roles": list(roles), "agents": list(agents)}
            audit.note(tx, Entry("account.add", person, detail=detail), came, now_us)
            passes.give(tx, secret, Pass("link", person, now_us + LINK_US), now_us)

        self.database.write_now(op)
        return Link(person, LINK_PATH + secret, now_us + LINK_US)

    def link(self, person: str) -> Link:
        """A new one, by which they set a password; earlier ones are void. Raises: InputError."""
        now_us, came = self.clock.now_us(), origin()
        secret = drawn(passes.PREFIX, self.ids)

        def op(tx: Tx) -> None:
            if account_rows.get(tx, person).disabled_us is not None:
                raise InputError(
                    f"The account of {person!r} is closed.", mend=f"Open it: airworthy user enable {person}"
                )
            passes.drop_all(tx, "link", person)
            passes.give(tx, secret, Pass("link", person, now_us + LINK_US), now_us)
            audit.note(tx, Entry("account.link", person), came, now_us)

        self.database.write_now(op)
        return Link(person, LINK_PATH + secret, now_us + LINK_US)

    def first_link(self, login: str) -> Link | None:
        """For the first admin, while nobody has a password; None when somebody has, or when people.toml has no admin.

        Without people.toml an account is made for `login`, who started the console, as admin.
        """
        declared = self.people().people
        admins = [id_ for id_, rule in declared.items() if "admin" in rule.roles] if declared else [login]
        person = login if login in admins else next(iter(admins), "")
        accounts = self.listing()
        if not is_label(person) or any(each.has_password for each in accounts):
            return None
        if any(each.person == person for each in accounts):
            return self.link(person)
        return self.add(person, () if declared else ("admin",))

    def disable(self, person: str) -> bool:
        """Shuts them out, however they sign in, and ends their sessions. False when they were. Raises: InputError."""
        return self._switch(person, off=True)

    def enable(self, person: str) -> bool:
        """Raises: InputError."""
        return self._switch(person, off=False)

    def listing(self) -> list[Account]:
        return self.database.read_now(account_rows.listing)

    def _switch(self, person: str, *, off: bool) -> bool:
        now_us, came = self.clock.now_us(), origin()

        def op(tx: Tx) -> bool:
            changed = account_rows.switch(tx, person, now_us if off else None)
            if changed:
                ended = sessions.end_all(tx, person, now_us) if off else 0
                what = "account.disable" if off else "account.enable"
                audit.note(tx, Entry(what, person, detail={"sessions": ended} if off else {}), came, now_us)
            return changed

        return self.database.write_now(op)

    def _check_new(self, person: str, roles: Sequence[str], agents: Sequence[str]) -> None:
        """Raises: InputError."""
        declared = self.people().people
        if not is_label(person):
            raise InputError(
                f"{person!r} is no name for an account.",
                mend="Use 1 to 128 letters, digits and the signs . _ : -",
            )
        if declared and person not in declared:
            raise InputError(f"There is no {person!r} in people.toml.", mend=f"Add [people.{person}] to it.")
        if declared and (roles or agents):
            raise InputError(
                f"The roles and agents of {person!r} stand in people.toml.",
                mend="Leave out --role and --agent.",
            )
        unknown = [role for role in roles if role not in ROLES]
        if unknown or not (declared or roles):
            raise InputError(
                f"There is no role {unknown[0]!r}."
                if unknown
                else f"There is no people.toml that says what {person} may do.",
                mend=f"Give one or more of {', '.join(ROLES)} by --role, or write people.toml.",
            )
        check_agents(agents)
