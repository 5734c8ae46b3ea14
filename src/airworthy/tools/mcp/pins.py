"""Which definitions of a server's tools people have accepted, and what has changed since: decided here, and stored."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from airworthy.core.errors import InputError
from airworthy.recorder import alerts
from airworthy.recorder.alerts import Alert
from airworthy.store import Tx
from airworthy.tools.mcp.definition import Definition

State = Literal["accepted", "changed", "new", "gone"]
ALERT = "mcp_tool"
PINS_MAX = 5_000  # Of one server; what it names beyond is not offered.
TOLD_ONE_BY_ONE_MAX = 20


@dataclass(frozen=True, slots=True)
class Pin:
    """One tool of one server. `digest` None: nobody has accepted it. `seen_digest` None: the server has it no more."""

    agent: str
    server: str
    tool: str
    digest: str | None
    definition: str | None
    policy_hash: str
    seen_digest: str | None
    seen_definition: str | None
    first_us: int
    changed_us: int
    accepted_by: str

    @property
    def state(self) -> State:
        if self.digest is None:
            return "new"
        if self.seen_digest is None:
            return "gone"
        return "accepted" if self.seen_digest == self.digest else "changed"

    @property
    def key(self) -> str:
        return f"mcp:{self.agent}:{self.server}:{self.tool}"


_COLUMNS = (
    "agent, server, tool, digest, definition, policy_hash, seen_digest, seen_definition, first_us, changed_us,"
    " accepted_by"
)
_MARKS = ", ".join("?" for _ in _COLUMNS.split(","))


def listing(tx: Tx, agent: str = "", server: str = "") -> list[Pin]:
    clauses, params = ["1 = 1"], list[str]()
    for column, value in (("agent", agent), ("server", server)):
        if value:
            clauses.append(f"{column} = ?")
            params.append(value)
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM mcp_tools WHERE {' AND '.join(clauses)} ORDER BY agent, server, tool", params
    )
    return [Pin(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a listing of the server's tools came to. `states`: of each that it has now."""

    states: Mapping[str, State]
    changed: tuple[str, ...]


def observed(
    tx: Tx, agent: str, server: str, policy_hash: str, definitions: Iterable[Definition], now_us: int
) -> Seen:
    """Compares with what is accepted. The first listing of a server is taken as it is; what comes later is told.

    One alert for each tool that is new, changed or gone, which ends by itself when the tool is as it was.
    """
    known = {pin.tool: pin for pin in listing(tx, agent, server)}
    first, room = not known, PINS_MAX - len(known)
    states: dict[str, State] = {}
    changed = []
    for definition in definitions:
        pin = known.pop(definition.name, None)
        text = definition.pinned.decode()
        if pin is None and room <= 0:
            states[definition.name] = "new"
            continue
        if pin is None:
            room -= 1
            pin = Pin(
                agent=agent, server=server, tool=definition.name, digest=definition.digest if first else None,
                definition=text if first else None, policy_hash=policy_hash, seen_digest=definition.digest,
                seen_definition=text, first_us=now_us, changed_us=now_us,
                accepted_by="first seen" if first else "",
            )  # fmt: skip
            tx.execute(f"INSERT INTO mcp_tools ({_COLUMNS}) VALUES ({_MARKS})", _row(pin))
            if not first:
                changed.append(pin)
        elif pin.seen_digest != definition.digest:
            pin = _saw(tx, pin, definition.digest, text, now_us)
            changed.append(pin)
        states[definition.name] = pin.state
    for pin in known.values():
        if pin.digest is None:  # It came and went, and nobody had accepted it.
            where = "WHERE agent = ? AND server = ? AND tool = ?"
            tx.execute(f"DELETE FROM mcp_tools {where}", (pin.agent, pin.server, pin.tool))
            alerts.ended(tx, pin.key, "the server, which took it back", now_us)
        elif pin.seen_digest is not None:
            changed.append(_saw(tx, pin, None, None, now_us))
    if len(changed) <= TOLD_ONE_BY_ONE_MAX:
        for pin in changed:
            _tell(tx, pin, now_us)
    else:
        _tell_together(tx, changed, now_us)
    return Seen(states, tuple(pin.tool for pin in changed))


def accept(tx: Tx, agent: str, server: str, tools: Sequence[str], by: str, now_us: int) -> list[Pin]:
    """Takes what the server says now as right; `tools` empty: all of them. Raises: InputError."""
    known = {pin.tool: pin for pin in listing(tx, agent, server)}
    for name in tools:
        if name not in known:
            raise InputError(
                f"The server {server!r} of {agent} has no tool {name!r}.", mend="See `airworthy mcp list`."
            )
    taken = []
    for pin in known.values():
        if (tools and pin.tool not in tools) or pin.state == "accepted":
            continue
        where = (pin.agent, pin.server, pin.tool)
        if pin.state == "gone":
            tx.execute("DELETE FROM mcp_tools WHERE agent = ? AND server = ? AND tool = ?", where)
        else:
            tx.execute(
                "UPDATE mcp_tools SET digest = seen_digest, definition = seen_definition, accepted_by = ?,"
                " changed_us = ? WHERE agent = ? AND server = ? AND tool = ?",
                (by, now_us, *where),
            )
        alerts.ended(tx, pin.key, by, now_us)
        taken.append(pin)
    return taken


def difference(pin: Pin) -> list[str]:
    """What is otherwise than it was accepted, one line a key, for a person to read."""
    was, now = _parsed(pin.definition), _parsed(pin.seen_definition)
    lines = []
    for key in sorted(was.keys() | now.keys()):
        if was.get(key) != now.get(key):
            lines += [f"- {key}: {_short(was[key])}"] if key in was else []
            lines += [f"+ {key}: {_short(now[key])}"] if key in now else []
    return lines


def _saw(tx: Tx, pin: Pin, digest: str | None, text: str | None, now_us: int) -> Pin:
    tx.execute(
        "UPDATE mcp_tools SET seen_digest = ?, seen_definition = ?, changed_us = ?"
        " WHERE agent = ? AND server = ? AND tool = ?",
        (digest, text, now_us, pin.agent, pin.server, pin.tool),
    )
    return Pin(
        pin.agent, pin.server, pin.tool, pin.digest, pin.definition, pin.policy_hash, digest, text, pin.first_us,
        now_us, pin.accepted_by,
    )  # fmt: skip


def _tell(tx: Tx, pin: Pin, now_us: int) -> None:
    if pin.state == "accepted":
        alerts.ended(tx, pin.key, "the server, which took it back", now_us)
        return
    what = {"new": "has the new tool", "changed": "has changed the tool", "gone": "has no more the tool"}[
        pin.state
    ]
    text = "\n".join(
        (f"The MCP server {pin.server} {what} {pin.tool}.", *difference(pin),
         f"Look at it, then: airworthy mcp accept --agent {pin.agent} --server {pin.server} {pin.tool}")
    )  # fmt: skip
    title = f"MCP server {pin.server} {what} {pin.tool}"
    severity: alerts.Severity = "info" if pin.state == "gone" else "warning"
    alerts.raised(tx, Alert(pin.key, ALERT, pin.agent, severity, title, text), now_us)


def _tell_together(tx: Tx, changed: Sequence[Pin], now_us: int) -> None:
    agent, server = changed[0].agent, changed[0].server
    named = ", ".join(pin.tool for pin in changed[:TOLD_ONE_BY_ONE_MAX])
    text = f"Among them: {named}.\nLook at them with: airworthy mcp list --agent {agent} --server {server}"
    title = f"MCP server {server} has changed {len(changed)} of its tools"
    alerts.raised(tx, Alert(f"mcp:{agent}:{server}", ALERT, agent, "warning", title, text), now_us)


def _row(pin: Pin) -> tuple[Any, ...]:
    return tuple(getattr(pin, name.strip()) for name in _COLUMNS.split(","))


def _parsed(text: str | None) -> dict[str, Any]:
    found = {} if text is None else orjson.loads(text)
    return found if isinstance(found, dict) else {}


def _short(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 500 else f"{text[:497]}..."
