"""Shapes as rows, and the alerts that follow from them. SQL only; what they mean is decided in `folding`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson

from airworthy.core.clock import US_PER_S
from airworthy.core.errors import InputError
from airworthy.recorder import alerts
from airworthy.store import Tx
from airworthy.tools.shape import telling
from airworthy.tools.shape.compare import Difference
from airworthy.tools.shape.folding import Batch, ShapeRow, accepted_row, folded, inherited, standing
from airworthy.tools.shape.node import Shape, packed, unpacked
from airworthy.tools.shape.tally import Change

STORM_ALERTS = 3  # So many tools of an agent within STORM_S, and the next ones join in one alert.
STORM_S = 1_800.0
STORM_TOOLS_MAX = 50
_NAME = "agent, tool, release_hash"
_SET = "first_us, state, source, shape, since, changes, pinned_us, pinned_by, updated_us, version"
_COLUMNS = f"{_NAME}, {_SET}"


class Outrun(Exception):
    """Another process changed the row between our reading and our writing it; to be tried again."""


def find(tx: Tx, agent: str, tool: str, release: str) -> ShapeRow | None:
    row = tx.row(
        f"SELECT {_COLUMNS} FROM tool_shapes WHERE agent = ? AND tool = ? AND release_hash = ?",
        (agent, tool, release),
    )
    return None if row is None else _row(row)


def newest(tx: Tx, agent: str, tool: str) -> ShapeRow | None:
    """Of whatever release was in use last; one that is pinned before one that still learns."""
    row = tx.row(
        f"SELECT {_COLUMNS} FROM tool_shapes WHERE agent = ? AND tool = ? "
        "ORDER BY CASE state WHEN 'pinned' THEN 0 ELSE 1 END, updated_us DESC, release_hash LIMIT 1",
        (agent, tool),
    )
    return None if row is None else _row(row)


def current(tx: Tx, agent: str, tool: str, release: str, now_us: int) -> ShapeRow:
    """The release's own; else that of the release before; else the beginning."""
    found = find(tx, agent, tool, release)
    if found is not None:
        return found
    before = newest(tx, agent, tool)
    return (
        inherited(before, release, now_us) if before is not None else ShapeRow(agent, tool, release, now_us)
    )


def versions(tx: Tx, agent: str, release: str) -> dict[str, int]:
    rows = tx.rows(
        "SELECT tool, version FROM tool_shapes WHERE agent = ? AND release_hash = ?", (agent, release)
    )
    return {str(tool): int(version) for tool, version in rows}


def listing(tx: Tx, agent: str = "", tool: str = "") -> list[ShapeRow]:
    """One a tool: of the release in use last."""
    where, params = ["1 = 1"], list[str]()
    for column, value in (("agent", agent), ("tool", tool)):
        if value:
            where.append(f"{column} = ?")
            params.append(value)
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM tool_shapes WHERE {' AND '.join(where)} ORDER BY agent, tool, updated_us DESC",
        params,
    )
    found: dict[tuple[str, str], ShapeRow] = {}
    for row in rows:
        if (row[0], row[1]) not in found:
            found[row[0], row[1]] = _row(row)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Added:
    """What came of a batch. `news`: what nobody was told yet; `again`: more of what somebody was."""

    row: ShapeRow
    news: bool
    again: bool


def add(
    tx: Tx, name: tuple[str, str, str], batch: Batch, learn: int, now_us: int, declared: Shape | None = None
) -> Added:
    """`name`: agent, tool, release. Tells nobody of news; see `tell`. Raises: Outrun."""
    stored = current(tx, *name, now_us)
    before = standing(stored, declared, now_us)
    if before is not stored and stored.shape != before.shape:
        _end_alerts(tx, before, "airworthy", now_us)  # Of another shape than what is declared now.
    row, new = folded(before, batch, learn, now_us)
    return Added(_save(tx, row), bool(new) or row.state == "unstable" != before.state, bool(batch.changes))


def tell(tx: Tx, added: Sequence[Added], now_us: int) -> None:
    """An alert for each tool with news, or one for all when they are many; those that stand are brought up to date."""
    fresh = [each.row.agent for each in added if each.news]
    storm = len(fresh) > STORM_ALERTS or (bool(fresh) and _is_storm(tx, fresh[0], now_us))
    for each in added:
        if each.news or each.again:
            _alert(tx, each, now_us, storm=storm)


def accept(tx: Tx, row: ShapeRow, by: str, now_us: int) -> ShapeRow:
    """Ends the alerts of the tool as well. Raises: InputError when nothing was seen, or it is declared; Outrun."""
    if row.shape.declared is not None:
        raise InputError(
            f"The shape of {row.tool} is declared in {row.shape.declared.place}, and cannot be accepted otherwise.",
            mend=telling.mend_of(row.shape.declared),
        )
    if not row.shape.results and row.since is None:
        raise InputError(
            f"No result of {row.tool} has been seen yet.", mend="Accept its shape once it has been used."
        )
    saved = _save(tx, accepted_row(row, by, now_us))
    _end_alerts(tx, row, by, now_us)
    return saved


def _end_alerts(tx: Tx, row: ShapeRow, by: str, now_us: int) -> None:
    for key in telling.keys_of(row):
        alerts.ended(tx, key, by, now_us)
    if not _changed_tools(tx, row.agent):
        alerts.ended(tx, telling.storm_key(row.agent), by, now_us)


def _save(tx: Tx, row: ShapeRow) -> ShapeRow:
    saved = replace(row, version=row.version + 1)
    values = (
        saved.first_us, saved.state, saved.source, orjson.dumps(packed(saved.shape)).decode(),
        None if saved.since is None else orjson.dumps(packed(saved.since)).decode(),
        orjson.dumps([asdict(change) for change in saved.changes]).decode(),
        saved.pinned_us, saved.pinned_by, saved.updated_us, saved.version,
    )  # fmt: skip
    name = (saved.agent, saved.tool, saved.release)
    if row.version == 0:
        marks = ", ".join("?" * (len(name) + len(values)))
        sql = f"INSERT INTO tool_shapes ({_COLUMNS}) VALUES ({marks}) ON CONFLICT DO NOTHING"
        changed = tx.execute(sql, (*name, *values))
    else:
        sets = ", ".join(f"{column} = ?" for column in _SET.split(", "))
        sql = (
            f"UPDATE tool_shapes SET {sets} WHERE agent = ? AND tool = ? AND release_hash = ? AND version = ?"
        )
        changed = tx.execute(sql, (*values, *name, row.version))
    if changed != 1:
        raise Outrun(f"{saved.tool} of {saved.agent}")
    return saved


def _alert(tx: Tx, added: Added, now_us: int, *, storm: bool) -> None:
    row = added.row
    alert = telling.alert_of(row)
    if alert is None:
        return
    joint = telling.storm_of(row.agent, _changed_tools(tx, row.agent))
    for each in (alert, joint):
        found = alerts.find(tx, each.key)
        fresh = found is not None and (each is alert or now_us - found.last_us < STORM_S * US_PER_S)
        if found is not None and found.ended_us is None and fresh:
            # More of what a person has been told of already: the words are brought up to date, nobody is told anew.
            alerts.restated(tx, each, now_us)
            return
    if not added.news:
        return  # A person has ended the alert, and nothing else came since.
    alerts.raised(tx, joint if storm else alert, now_us)
    for key in telling.keys_of(row):
        if key != alert.key:
            alerts.ended(
                tx, key, "airworthy", now_us
            )  # What was new only, and is said again beside what broke.


def _is_storm(tx: Tx, agent: str, now_us: int) -> bool:
    row = tx.row(
        "SELECT COUNT(*) FROM alerts WHERE kind = ? AND agent = ? AND ended_us IS NULL AND first_us > ?",
        (telling.KIND, agent, now_us - round(STORM_S * US_PER_S)),
    )
    return row is not None and int(row[0]) >= STORM_ALERTS


def _changed_tools(tx: Tx, agent: str) -> list[str]:
    rows = tx.rows(
        "SELECT DISTINCT tool FROM tool_shapes WHERE agent = ? AND changes <> '[]' ORDER BY tool LIMIT ?",
        (agent, STORM_TOOLS_MAX),
    )
    return [str(row[0]) for row in rows]


def _row(row: tuple[Any, ...]) -> ShapeRow:
    (
        agent,
        tool,
        release,
        first_us,
        state,
        source,
        shape,
        since,
        changes,
        pinned_us,
        pinned_by,
        updated_us,
        version,
    ) = row
    return ShapeRow(
        agent, tool, release, first_us, state, source, unpacked(orjson.loads(shape)),
        None if since is None else unpacked(orjson.loads(since)),
        tuple(_change(each) for each in orjson.loads(changes)),
        pinned_us, pinned_by, updated_us, version,
    )  # fmt: skip


def _change(document: dict[str, Any]) -> Change:
    return Change(**{**document, "difference": Difference(**document["difference"])})
