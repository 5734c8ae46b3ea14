"""Who may use the API, and for what: keys of people and of programs, as values and as rows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from airworthy.core.errors import InputError
from airworthy.core.ids import Ids
from airworthy.gateway.keys.key import digest_of, drawn, is_label
from airworthy.review.people import People, Role
from airworthy.store import Row, Tx

PREFIX = "awp_"
ID_CHARS = len(PREFIX) + 8
ROLES: tuple[Role, ...] = get_args(Role)
KEYS_MAX = 10_000

Right = Literal["look", "decide", "operate", "submit", "record", "administer"]
# Which roles give a right. To look is open to every key but one that may only submit.
_RIGHTS: dict[Right, frozenset[str]] = {
    "look": frozenset({"viewer", "reviewer", "operator", "admin"}),
    "decide": frozenset({"reviewer", "admin"}),
    "operate": frozenset({"operator", "admin"}),
    "submit": frozenset({"submitter", "operator", "admin"}),
    "record": frozenset({"submitter", "operator", "admin"}),  # traces of other programs
    "administer": frozenset({"admin"}),
}
PROGRAM_ROLES = (*ROLES, "submitter")


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key as it is stored. `person`: an id of people.toml, whose roles stand there; or `program`, with `roles`.

    `roles` and `agents` of a person hold only while there is no people.toml. `agents`: empty for all.
    """

    id: str
    digest: bytes
    person: str
    program: str
    roles: tuple[str, ...]
    created_us: int
    expires_us: int | None = None
    revoked_us: int | None = None
    agents: tuple[str, ...] = ()

    def good(self, now_us: int) -> bool:
        return self.revoked_us is None and (self.expires_us is None or now_us < self.expires_us)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever calls, under the name that records will show.

    `agents`: whose tasks they may see and touch; empty for all. `through`: the id of the key or session.
    """

    name: str
    roles: frozenset[str]
    person: str = ""
    agents: frozenset[str] = frozenset()
    through: str = ""

    def may(self, right: Right) -> bool:
        return bool(self.roles & _RIGHTS[right])

    def sees(self, agent: str) -> bool:
        return not self.agents or agent in self.agents

    def narrowed(self, roles: Collection[str]) -> "Caller":
        """With those alone of their roles that are among these, too."""
        return replace(self, roles=self.roles & frozenset(roles))


def rights_of(caller: Caller) -> tuple[Right, ...]:
    rights: tuple[Right, ...] = get_args(Right)
    return tuple(right for right in rights if caller.may(right))


def caller_of(key: AccessKey, people: People) -> Caller | None:
    """None for a person who is not in people.toml any more."""
    if not key.person:
        # So that no program can pass for a person by its name.
        return Caller(f"program:{key.program}", frozenset(key.roles), "", frozenset(key.agents), key.id)
    return person_of(key.person, people, key.roles, key.agents, through=key.id)


def person_of(
    person: str, people: People, roles: Sequence[str], agents: Sequence[str], *, through: str = ""
) -> Caller | None:
    """`roles` and `agents` hold only while there is no people.toml. None: not in people.toml, or without a role."""
    rule = people.people.get(person)
    if people.people and rule is None:
        return None
    if rule is not None:
        roles, agents = rule.roles, rule.agents
    return Caller(person, frozenset(roles), person, frozenset(agents), through) if roles else None


def minted(
    ids: Ids,
    now_us: int,
    *,
    person: str = "",
    program: str = "",
    roles: Sequence[str] = (),
    agents: Sequence[str] = (),
    expires_us: int | None = None,
) -> tuple[str, AccessKey]:
    """The secret, which is never seen again, and the key that answers to it. Raises: InputError."""
    if bool(person) == bool(program):
        raise InputError("A key is for a person or for a program.", mend="Name one of the two.")
    if not is_label(person or program):
        raise InputError(
            f"{person or program!r} is no name for a key's owner.",
            mend="Use 1 to 128 letters, digits and the signs . _ : -",
        )
    unknown = [role for role in roles if role not in PROGRAM_ROLES]
    if unknown or (program and not roles):
        raise InputError(
            f"There is no role {unknown[0]!r}." if unknown else "A program's key needs a role.",
            mend=f"Give one or more of {', '.join(PROGRAM_ROLES)}.",
        )
    check_agents(agents)
    secret = drawn(PREFIX, ids)
    return secret, AccessKey(
        secret[:ID_CHARS],
        digest_of(secret),
        person,
        program,
        tuple(roles),
        now_us,
        expires_us,
        agents=tuple(agents),
    )


def check_agents(agents: Sequence[str]) -> None:
    """Raises: InputError."""
    odd = [agent for agent in agents if not is_label(agent)]
    if odd:
        raise InputError(
            f"{odd[0]!r} is no name of an agent.", mend="Write it as `agent` stands in its policy."
        )


_COLUMNS = "id, digest, person, program, roles, created_us, expires_us, revoked_us, agents"


def create(tx: Tx, key: AccessKey) -> None:
    """Raises: InputError when there are as many as there may be."""
    row = tx.row("SELECT COUNT(*) FROM access_keys")
    if row is not None and row[0] >= KEYS_MAX:
        raise InputError(f"There are {row[0]} keys.", mend="Give programs of one kind one key.")
    tx.execute(
        f"INSERT INTO access_keys ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            key.id, key.digest, key.person, key.program, " ".join(key.roles), key.created_us, key.expires_us,
            key.revoked_us, " ".join(key.agents),
        ),
    )  # fmt: skip


def find(tx: Tx, secret: str) -> AccessKey | None:
    row = tx.row(f"SELECT {_COLUMNS} FROM access_keys WHERE digest = ?", (digest_of(secret),))
    return None if row is None else _key(row)


def listing(tx: Tx) -> list[AccessKey]:
    """The newest first."""
    rows = tx.rows(f"SELECT {_COLUMNS} FROM access_keys ORDER BY created_us DESC, id")
    return [_key(row) for row in rows]


def revoke(tx: Tx, id_: str, now_us: int) -> bool:
    """False when it was revoked before. Raises: InputError."""
    row = tx.row("SELECT revoked_us FROM access_keys WHERE id = ?", (id_,))
    if row is None:
        raise InputError(f"There is no access key {id_!r}.", mend="List them with `airworthy access list`.")
    if row[0] is not None:
        return False
    tx.execute("UPDATE access_keys SET revoked_us = ? WHERE id = ?", (now_us, id_))
    return True


def _key(row: Row) -> AccessKey:
    id_, digest, person, program, roles, created_us, expires_us, revoked_us, agents = row
    return AccessKey(
        id_, bytes(digest), person, program, tuple(roles.split()), created_us, expires_us, revoked_us,
        tuple(agents.split()),
    )  # fmt: skip
