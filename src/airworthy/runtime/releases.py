"""Releases as they are made from an agent's code and policy, and as they are stored: once, and never changed."""

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from airworthy import __version__
from airworthy.core.canonical import decode, encode
from airworthy.core.clock import iso
from airworthy.core.errors import InputError
from airworthy.core.release import Release
from airworthy.policy import Policy, policy_hash
from airworthy.runtime.agent import Agent
from airworthy.runtime.sources import code_files, lock_files, prompt_files
from airworthy.store import Row, Tx
from airworthy.store.database import Database
from airworthy.tools import Tool

PART_CHARS_MIN: Final = 4
ALIKE_MAX: Final = 5
# Where a release stands, not what it is: it goes from stage to stage as the same one.
_STANDING: Final = ("stage", "manual")
_COLUMNS: Final = "agent, hash, policy_hash, made_us, parts"


class UnknownRelease(InputError):
    """No release of this hash was ever noted here, or several begin alike."""

    code = "unknown_release"


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """`made_us`: when it was first seen here, UTC microseconds."""

    release: Release
    made_us: int


def release_of(agent: Agent, folder: Path | None, knowledge: str = "") -> Release:
    """What the agent is now. `folder`: its working folder. `knowledge`: the version of what it looks things up in.

    Reads the sources anew at each call: what runs is what was imported, so call it when the agent is loaded.
    """
    functions: list[Callable[..., Any]] = [agent.handler, *(tool.function for tool in agent.tools)]
    functions += [tool.undo for tool in agent.tools if tool.undo is not None]
    functions += [check.function for check in agent.checks]
    steady = agent.policy.model_copy(update={"stage": "development", "manual": False})
    parts: dict[str, Mapping[str, str]] = {
        "code": code_files(folder, functions),
        "prompts": prompt_files(folder),
        # The fingerprint knows which keys mean the same; the keys themselves are for the reader of a diff.
        "policy": {"meaning": policy_hash(steady), **_keys(steady)},
        "models": {
            rule.name: _json(rule.model_dump(mode="json", exclude_none=True)) for rule in agent.policy.models
        },
        "tools": {tool.name: _json(_facts(tool)) for tool in agent.tools},
        "knowledge": {"version": knowledge} if knowledge else {},
        "libraries": {
            **lock_files(folder),
            "airworthy": __version__,
            "python": ".".join(platform.python_version_tuple()[:2]),
        },
    }
    return Release(agent.name, parts, agent.policy_hash)


def noted(database: Database, release: Release, now_us: int) -> bool:
    """False when it was known."""
    row = (release.agent, release.hash, release.policy_hash, now_us, encode(release.parts).decode())
    if database.read_now(lambda tx: get(tx, release.agent, release.hash)) is not None:
        return False

    def op(tx: Tx) -> bool:
        sql = f"INSERT INTO releases ({_COLUMNS}) VALUES (?, ?, ?, ?, ?) ON CONFLICT (agent, hash) DO NOTHING"
        return tx.execute(sql, row) == 1

    return database.write_now(op)


def get(tx: Tx, agent: str, hash_: str) -> ReleaseRow | None:
    row = tx.row(f"SELECT {_COLUMNS} FROM releases WHERE agent = ? AND hash = ?", (agent, hash_))
    return None if row is None else _read(row)


def listing(tx: Tx, agents: Sequence[str] = (), limit: int = 100) -> list[ReleaseRow]:
    """The newest first. No agents: those of all."""
    where = f"WHERE agent IN ({', '.join('?' * len(agents))}) " if agents else ""
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM releases {where}ORDER BY made_us DESC, hash LIMIT ?", (*agents, limit)
    )
    return [_read(row) for row in rows]


def found(tx: Tx, part: str, agents: Sequence[str] = ()) -> ReleaseRow:
    """By the beginning of its hash, or `last`. Raises: UnknownRelease."""
    if part == "last":
        newest = listing(tx, agents, 1)
        if newest:
            return newest[0]
    if len(part) >= PART_CHARS_MIN and part.isalnum():
        known = f" AND agent IN ({', '.join('?' * len(agents))})" if agents else ""
        rows = tx.rows(
            f"SELECT {_COLUMNS} FROM releases WHERE hash >= ? AND hash < ?{known} ORDER BY hash LIMIT ?",
            (part, f"{part}~", *agents, ALIKE_MAX),
        )
        if len(rows) == 1:
            return _read(rows[0])
        if rows:
            listed = ", ".join(_read(row).release.short for row in rows)
            raise UnknownRelease(f"Several releases begin with {part!r}: {listed}.", mend="Write more of it.")
    raise UnknownRelease(
        f"There is no release {part!r} here.",
        mend="See `airworthy release list`; write 4 characters or more.",
    )


def _read(row: Row) -> ReleaseRow:
    agent, _, policy, made_us, parts = row
    return ReleaseRow(Release(agent, decode(parts.encode()), policy), made_us)


def _facts(tool: Tool) -> dict[str, Any]:
    """What a model and a guard see of it; its function counts as code."""
    return {
        "description": tool.description, "effect": tool.effect.value, "keyed": tool.keyed, "schema": tool.schema(),
        "result": tool.output_schema, "dependency": tool.dependency, "server": tool.server,
        "undo": tool.undo is not None, "resource": tool.resource if isinstance(tool.resource, str) else None,
    }  # fmt: skip


def _keys(policy: Policy) -> dict[str, str]:
    """Dotted keys that say something, with their values. Models and the standing are told elsewhere."""
    dumped = policy.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    for key in ("models", "agent", *_STANDING):
        dumped.pop(key, None)
    return dict(sorted(_flat("", dumped)))


def _flat(prefix: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [
            pair for key, each in value.items() for pair in _flat(f"{prefix}.{key}" if prefix else key, each)
        ]
    return [(prefix, _json(value))]


def _json(value: Any) -> str:
    return encode(value).decode()


def release_document(row: ReleaseRow, *, whole: bool) -> dict[str, Any]:
    """`whole`: with all it is made of; else with how many of each."""
    parts = row.release.parts
    return {
        "release": row.release.hash,
        "agent": row.release.agent,
        "policy_hash": row.release.policy_hash,
        "first_seen": iso(row.made_us) if row.made_us else None,
        "parts": parts if whole else {name: len(each) for name, each in parts.items()},
    }
