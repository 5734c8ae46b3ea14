"""The store's side of ledgers: slices are lent, used up, given back, and lost with their process.

Rule 1: what a slice's row holds is part of its scope's `reserved`; both change in one transaction, by the same amount.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from airworthy.gateway.budget.rollup import Dimensions, Tally, roll
from airworthy.gateway.budget.rows import change, standing
from airworthy.gateway.budget.values import NOTHING, Amount, Exceeded, Scope, Standing
from airworthy.store import Tx
from airworthy.store import lease as leases
from airworthy.store.lease import Owner

SHARE = (
    16  # A slice takes at most this part of what is left, so that a crash loses little and others find some.
)


@dataclass(frozen=True, slots=True)
class Ask:
    """`amount` is the whole call's, `missing` what its ledger does not hold of it, `wish` what would do for a while.

    `seen` is the scope's `wanted` when this ledger last looked; None: never.
    """

    scope: Scope
    amount: Amount
    missing: Amount
    wish: Amount
    seen: int | None


@dataclass(frozen=True, slots=True)
class Lent:
    """`contended`: another process has asked for this scope since this one last looked."""

    granted: Amount
    exceeded: Exceeded | None
    row: Standing
    wanted: int
    contended: bool


@dataclass(frozen=True, slots=True)
class Delta:
    """How one scope changes. `backed` is covered by the owner's slice, `bare` by none, as nothing bounds it there."""

    scope: str
    backed: Standing | None
    bare: Standing | None
    slice: tuple[int, int, int] | None
    last: bool


class Changes:
    """What a ledger has to write, in whatever transaction; applied once, however often it is tried."""

    __slots__ = ("_deltas", "_tallies", "owner", "seq")

    def __init__(
        self, owner: str, seq: int, deltas: Sequence[Delta], tallies: Sequence[tuple[Dimensions, Tally]]
    ) -> None:
        self.owner = owner
        self.seq = seq
        # In one order everywhere, so that two writers never wait for each other.
        self._deltas = sorted(deltas, key=lambda delta: delta.scope)
        self._tallies = sorted(tallies)

    def __bool__(self) -> bool:
        return bool(self._deltas or self._tallies)

    def apply(self, tx: Tx) -> bool:
        """False when the owner was given up for dead: its slices count as lost, and what they paid with them."""
        if not self:
            return True
        alive = True
        if not tx.execute(
            "UPDATE ledgers SET seq = ? WHERE owner = ? AND seq < ?", (self.seq, self.owner, self.seq)
        ):
            alive = tx.row("SELECT seq FROM ledgers WHERE owner = ?", (self.owner,)) is not None
            if alive:
                return True
        for delta in self._deltas:
            if delta.bare is not None:
                change(tx, delta.scope, delta.bare)
            if delta.backed is not None and alive:
                change(tx, delta.scope, delta.backed)
                _draw(tx, self.owner, delta)
        for who, tally in self._tallies:
            roll(tx, who, tally)
        return alive


def enter(tx: Tx, owner: Owner, now_us: int) -> None:
    leases.join(tx, owner, now_us)
    tx.execute("INSERT INTO ledgers (owner, seq) VALUES (?, 0)", (owner.id,))


def lend(tx: Tx, owner: str, asks: Sequence[Ask]) -> list[Lent] | None:
    """One answer per ask, in order. None: the owner was given up for dead, and gets nothing."""
    if tx.row("SELECT seq FROM ledgers WHERE owner = ?", (owner,)) is None:
        return None
    return [_lend(tx, owner, ask) for ask in asks]


def _lend(tx: Tx, owner: str, ask: Ask) -> Lent:
    row = standing(tx, ask.scope.name)
    contended = ask.seen is not None and row.wanted != ask.seen
    exceeded = row.exceeded(ask.scope, ask.amount, ask.missing)
    if exceeded is not None:
        # Whoever holds an idle slice of it sees this and gives it back.
        asked = 1 if exceeded.passing and ask.amount != NOTHING else 0
        if asked:
            change(tx, ask.scope.name, Standing(wanted=asked))
        return Lent(NOTHING, exceeded, row, row.wanted + asked, contended)
    granted = _grant(row, ask, contended=contended)
    if granted != NOTHING:
        change(
            tx,
            ask.scope.name,
            Standing(
                reserved_nano=granted.nano, reserved_tokens=granted.tokens, reserved_calls=granted.calls
            ),
        )
        tx.execute(
            "INSERT INTO slices (owner, scope, nano, tokens, calls) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (owner, scope) DO UPDATE SET nano = slices.nano + excluded.nano,"
            " tokens = slices.tokens + excluded.tokens, calls = slices.calls + excluded.calls",
            (owner, ask.scope.name, granted.nano, granted.tokens, granted.calls),
        )
    return Lent(granted, None, row, row.wanted, contended)


def _grant(row: Standing, ask: Ask, *, contended: bool) -> Amount:
    """Of each bounded kind what is missing, and up to the wish if the scope has plenty."""
    wishes = (ask.wish.nano, ask.wish.tokens, ask.wish.calls)
    missing = (ask.missing.nano, ask.missing.tokens, ask.missing.calls)
    granted = []
    for left, wish, needed in zip(row.left(ask.scope), wishes, missing, strict=True):
        if left is None:
            granted.append(0)
        else:
            granted.append(needed if contended else max(needed, min(wish, left // SHARE)))
    return Amount(*granted)


def wanted_of(tx: Tx, owner: str) -> dict[str, int]:
    """For each scope the owner holds a slice of, how often it was asked for in vain by anybody."""
    rows: list[tuple[str, int]] = tx.rows(
        "SELECT slices.scope, spend.wanted FROM slices JOIN spend ON spend.scope = slices.scope WHERE slices.owner = ?",
        (owner,),
    )
    return dict(rows)


def recover(tx: Tx) -> int:
    """Counts every slice whose owner is gone as lost, each once; call it after `bury`. Answers with how many.

    What a dead process had not settled may have been spent, so it is never free again.
    """
    orphans = tx.rows(
        "SELECT owner, scope, nano, tokens, calls FROM slices WHERE owner NOT IN (SELECT id FROM owners)"
        " ORDER BY scope, owner"
    )
    for owner, scope, nano, tokens, calls in orphans:
        change(tx, scope, Standing(lost_nano=nano, lost_tokens=tokens, lost_calls=calls))
        tx.execute("DELETE FROM slices WHERE owner = ? AND scope = ?", (owner, scope))
    tx.execute("DELETE FROM ledgers WHERE owner NOT IN (SELECT id FROM owners)")
    return len(orphans)


def _draw(tx: Tx, owner: str, delta: Delta) -> None:
    assert delta.slice is not None
    tx.execute(
        "UPDATE slices SET nano = nano + ?, tokens = tokens + ?, calls = calls + ? WHERE owner = ? AND scope = ?",
        (*delta.slice, owner, delta.scope),
    )
    if delta.last:
        tx.execute(
            "DELETE FROM slices WHERE owner = ? AND scope = ? AND nano = 0 AND tokens = 0 AND calls = 0",
            (owner, delta.scope),
        )
