"""What is stored of one task, trace or user, table by table, as plain values: for exports and sealed days."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from airworthy.core.clock import iso
from airworthy.recorder.holdings import Holding, Whose, bound
from airworthy.recorder.payload import Payloads
from airworthy.recorder.traces import chunk as chunks
from airworthy.store import Tx

Told = dict[str, list[dict[str, Any]]]
_JSON = frozenset(
    {"arguments", "result", "reason", "choices", "answer", "detail", "call", "evidence", "notes"}
)


def of_task(tx: Tx, holdings: Iterable[Holding], task: str, trace: bytes) -> Told:
    """`trace`: of the task, or nothing."""
    whose = Whose(task, trace)
    found: Told = {}
    for holding in holdings:
        for where in (holding.of_task, holding.of_trace if trace else ""):
            rows = _rows(tx, holding, where, whose)
            if rows:
                found.setdefault(holding.table, []).extend(rows)
    return found


def of_user(tx: Tx, holdings: Iterable[Holding], user: str) -> Told:
    """What hangs on the user alone, whatever the task."""
    whose = Whose(user=user)
    found = {holding.table: _rows(tx, holding, holding.of_user, whose) for holding in holdings}
    return {table: rows for table, rows in found.items() if rows}


def _rows(tx: Tx, holding: Holding, where: str, whose: Whose) -> list[dict[str, Any]]:
    if not where or not holding.told:
        return []
    sql, values = bound(f"SELECT {', '.join(holding.told)} FROM {holding.table} WHERE {where}", whose)
    names = [name.strip('"') for name in holding.told]
    return [_row(holding.table, dict(zip(names, row, strict=True))) for row in tx.rows(sql, values)]


def _row(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    return {_name(name): _value(table, name, value) for name, value in row.items()}


def _name(name: str) -> str:
    return name.removesuffix("_us") if name.endswith("_us") else name


def _value(table: str, name: str, value: Any) -> Any:
    if name.endswith("_us"):
        return iso(value)
    if isinstance(value, bytes | memoryview):
        return _unpacked(table, name, bytes(value))
    if name in _JSON and isinstance(value, str):
        return read(value.encode())
    return value


def _unpacked(table: str, name: str, value: bytes) -> Any:
    if table == "chunks":
        return [read(payload) for payload in chunks.unpack(value)]
    if name in {"span", "parent"}:
        return value.hex()
    if table == "kept_answers":
        return read(value)
    return read(Payloads.unpack(value))


def read(data: bytes) -> Any:
    """JSON decoded; text as it is."""
    try:
        return orjson.loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")


def count(told: Told) -> int:
    return sum(len(rows) for rows in told.values())


def merged(parts: Sequence[Told]) -> Told:
    found: Told = {}
    for part in parts:
        for table, rows in part.items():
            found.setdefault(table, []).extend(rows)
    return found
