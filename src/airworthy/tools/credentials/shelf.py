"""Rows of `tokens`: what all processes know of a grant's token; sees tokens only sealed."""

from dataclasses import dataclass, replace

from airworthy.core.clock import US_PER_S
from airworthy.store import Row, Tx

UNUSED_US_MAX = 30 * 86_400 * US_PER_S


@dataclass(frozen=True, slots=True)
class TokenRow:
    """`sealed` None: there is none yet. `generation` counts tokens, so that a late writer is noticed.

    `failures` in a row since the last token, `retry_us` when the next attempt may be made, `why` in words; `broken`:
    no attempt is made until a person says so or gives another secret, which has another row.
    """

    name: str
    dependency: str
    kind: str
    sealed: bytes | None = None
    made_us: int = 0
    until_us: int = 0
    generation: int = 0
    failures: int = 0
    retry_us: int = 0
    why: str = ""
    mend: str = ""
    broken: bool = False
    changed_us: int = 0


_COLUMNS = (
    "name, dependency, kind, sealed, made_us, until_us, generation, failures, retry_us, why, mend, "
    "broken, changed_us"
)


def find(tx: Tx, name: str) -> TokenRow | None:
    row = tx.row(f"SELECT {_COLUMNS} FROM tokens WHERE name = ?", (name,))
    return None if row is None else _row(row)


def listing(tx: Tx) -> list[TokenRow]:
    return [_row(row) for row in tx.rows(f"SELECT {_COLUMNS} FROM tokens ORDER BY dependency, changed_us")]


def put(tx: Tx, row: TokenRow) -> None:
    """Also forgets what the dependency's earlier secrets left behind, a month after its last use."""
    tx.execute("DELETE FROM tokens WHERE name = ?", (row.name,))
    tx.execute(
        "DELETE FROM tokens WHERE dependency = ? AND changed_us < ?",
        (row.dependency, row.changed_us - UNUSED_US_MAX),
    )
    tx.execute(
        f"INSERT INTO tokens ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.name, row.dependency, row.kind, row.sealed, row.made_us, row.until_us, row.generation, row.failures,
            row.retry_us, row.why, row.mend, int(row.broken), row.changed_us,
        ),
    )  # fmt: skip


def mended(tx: Tx, name: str) -> None:
    """A person says that it may be tried again now."""
    tx.execute("UPDATE tokens SET broken = 0, failures = 0, retry_us = 0 WHERE name = ?", (name,))


def _row(values: Row) -> TokenRow:
    row = TokenRow(*values)
    return replace(row, broken=bool(row.broken))
