"""Who decided or changed what, row by row, each chained to the one before by its digest. Rule 1: rows are only added.

The chain alone shows a change by whoever does not recompute all that follows it. Against whoever does, only a head
(`Head`) that stands where they cannot write shows it: everything up to that row is then as it was.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

from airworthy.core.canonical import NotSerialisable, decode, encode
from airworthy.core.errors import InputError, storable_text
from airworthy.core.origin import Origin, origin
from airworthy.store import Row, Tx

T = TypeVar("T")
BEGINNING: Final = bytes(32)
TEXT_CHARS_MAX: Final = 500
DETAIL_BYTES_MAX: Final = 4_096
BATCH: Final = 1_000

Came = Literal["done", "refused"]


@dataclass(frozen=True, slots=True)
class Entry:
    """`what`: a word with its room, as `review.approve`. `about`: the id of the thing. `who` empty: as `origin` says.

    `detail`: plain facts beside it. No text of a user or a model, and no secret: the row outlives both.
    """

    what: str
    about: str = ""
    who: str = ""
    outcome: Came = "done"
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row as it is stored; `n` counts from 1 without a gap. `detail` is canonical JSON."""

    n: int
    at_us: int
    who: str
    what: str
    about: str
    outcome: str
    door: str
    address: str
    through: str
    detail: str
    digest: bytes

    def facts(self) -> Any:
        return decode(self.detail.encode())


@dataclass(frozen=True, slots=True)
class Head:
    """The last row's number and digest: whoever keeps it can tell whether anything before it was changed."""

    n: int
    digest: bytes

    def __str__(self) -> str:
        return f"{self.n}:{self.digest.hex()}"


@dataclass(frozen=True, slots=True)
class Break:
    """The first row at which the log is not what was written, and how that shows."""

    n: int
    why: str


def head_from(text: str) -> Head:
    """What `Head` prints. Raises: InputError."""
    number, _, digest = text.strip().partition(":")
    try:
        head = Head(int(number), bytes.fromhex(digest))
    except ValueError:
        head = Head(-1, b"")
    if head.n < 0 or len(head.digest) != len(BEGINNING) or not number.isascii():
        raise InputError(
            f"{text!r} is no head of an audit log.",
            mend="Give it as `airworthy audit head` prints it: NUMBER:DIGEST.",
        )
    return head


_COLUMNS = "n, at_us, who, what, about, outcome, door, address, through, detail, digest"


def note(tx: Tx, entry: Entry, origin: Origin, at_us: int) -> int:
    """In the transaction of what it tells, so that neither stands without the other. The row's number."""
    # First of all, so that on an engine with many writers the second waits here and cannot fork the chain.
    tx.execute("UPDATE audit_head SET n = n + 1 WHERE one = 1")
    held = tx.row("SELECT n, digest FROM audit_head WHERE one = 1")
    assert held is not None
    n, before = held
    detail = encode(entry.detail)
    if len(detail) > DETAIL_BYTES_MAX:
        detail = encode({"left_out_bytes": len(detail)})
    row = AuditRow(
        n, at_us, _short(entry.who or origin.who), _short(entry.what), _short(entry.about), entry.outcome,
        _short(origin.door), _short(origin.address), _short(origin.through), detail.decode(), b"",
    )  # fmt: skip
    digest = digest_after(bytes(before), row)
    tx.execute(
        f"INSERT INTO audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.n, row.at_us, row.who, row.what, row.about, row.outcome, row.door, row.address, row.through,
            row.detail, digest,
        ),
    )  # fmt: skip
    tx.execute("UPDATE audit_head SET digest = ? WHERE one = 1", (digest,))
    return row.n


def noted(op: Callable[[Tx], T], entry: Entry | Callable[[T], Entry | None], at_us: int) -> Callable[[Tx], T]:
    """A write that tells of itself in its own transaction. `entry` may follow from what it returns; None: nothing to
    tell. To be called where the origin is known, not within a write.
    """
    came = origin()

    def both(tx: Tx) -> T:
        result = op(tx)
        told = entry(result) if callable(entry) else entry
        if told is not None:
            note(tx, told, came, at_us)
        return result

    return both


def digest_after(before: bytes, row: AuditRow) -> bytes:
    """Of every column of the row and of all rows before it, as SHA-256 over canonical JSON."""
    told = [
        row.n, row.at_us, row.who, row.what, row.about, row.outcome, row.door, row.address, row.through, row.detail,
    ]  # fmt: skip
    return hashlib.sha256(before + encode(told)).digest()


def head(tx: Tx) -> Head:
    """Of the last row that is there."""
    row = tx.row("SELECT n, digest FROM audit ORDER BY n DESC LIMIT 1")
    return Head(0, BEGINNING) if row is None else Head(row[0], bytes(row[1]))


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """`what`: also a room alone, as `review`. `before`: a row's number. The newest first."""

    who: str = ""
    what: str = ""
    about: str = ""
    since_us: int = 0
    before: int | None = None
    limit: int = 100


def listing(tx: Tx, query: AuditQuery) -> list[AuditRow]:
    clauses, params = ["at_us >= ?"], list[Any]([query.since_us])
    for column, value in (("who", query.who), ("about", query.about)):
        if value:
            clauses.append(f"{column} = ?")
            params.append(value)
    if query.what:
        clauses.append("(what = ? OR (what >= ? AND what < ?))")
        params += [query.what, f"{query.what}.", f"{query.what}/"]
    if query.before is not None:
        clauses.append("n < ?")
        params.append(query.before)
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM audit WHERE {' AND '.join(clauses)} ORDER BY n DESC LIMIT ?",
        (*params, query.limit),
    )
    return [_row(row) for row in rows]


def rows_after(tx: Tx, n: int) -> Iterator[AuditRow]:
    """The oldest first, a batch at a time, so that a long log needs no more memory than a short one."""
    while found := batch(tx, n):
        yield from found
        n = found[-1].n


def batch(tx: Tx, n: int) -> list[AuditRow]:
    """The next rows after this one; none: that was all."""
    rows = tx.rows(f"SELECT {_COLUMNS} FROM audit WHERE n > ? ORDER BY n LIMIT ?", (n, BATCH))
    return [_row(row) for row in rows]


def verify(tx: Tx, *heads: Head, after: Head = Head(0, BEGINNING)) -> Break | None:
    """The first place at which the log is not what was written; None: nothing shows.

    `heads`: kept elsewhere; each must be in the log. `after`: a row up to which all was verified before.
    """
    n, before = after.n, after.digest
    kept = {
        each.n: {other.digest for other in heads if other.n == each.n} for each in heads if each.n > after.n
    }
    for row in rows_after(tx, after.n):
        if row.n != n + 1:
            return Break(n + 1, f"Row {n + 1} is missing.")
        if row.digest != _digest_or_none(before, row):
            return Break(row.n, f"Row {row.n}, or the one before it, is not as it was written.")
        if kept.pop(row.n, {row.digest}) != {row.digest}:
            return Break(
                row.n,
                f"Row {row.n} is not the one of the head that was kept: this or an earlier row differs.",
            )
        n, before = row.n, row.digest
    if kept:
        return Break(n + 1, f"The log ends with row {n}, and row {max(kept)} was there: its end is cut off.")
    last = tx.row("SELECT n, digest FROM audit_head WHERE one = 1")
    if last is None or (last[0], bytes(last[1])) != (n, before):
        return Break(
            n + 1, f"The log ends with row {n}, and by its own account with {last[0] if last else 'none'}."
        )
    return None


def digest_at(tx: Tx, n: int) -> bytes | None:
    """None: there is no such row."""
    if n == 0:
        return BEGINNING
    row = tx.row("SELECT digest FROM audit WHERE n = ?", (n,))
    return None if row is None else bytes(row[0])


def _row(row: Row) -> AuditRow:
    n, at_us, who, what, about, outcome, door, address, through, detail, digest = row
    # Whoever changed it may have left what is no digest at all.
    whole = bytes(digest) if isinstance(digest, bytes | bytearray | memoryview) else b""
    return AuditRow(n, at_us, who, what, about, outcome, door, address, through, detail, whole)


def _digest_or_none(before: bytes, row: AuditRow) -> bytes | None:
    try:
        return digest_after(before, row)
    except NotSerialisable:
        return None  # No value that was ever written.


def _short(text: str) -> str:
    return storable_text(text)[:TEXT_CHARS_MAX]
