"""The budgets of `airworthy.gateway.budget` for callers that count in money alone."""

from collections.abc import Sequence

from airworthy.gateway.budget import rows
from airworthy.gateway.budget.rows import begin_anew, of_task, spent
from airworthy.gateway.budget.scopes import scopes_of
from airworthy.gateway.budget.values import Amount, Exceeded, Scope
from airworthy.store import Tx

__all__ = ["Exceeded", "Scope", "begin_anew", "of_task", "reserve", "scopes_of", "settle", "spent"]


def reserve(tx: Tx, scopes: Sequence[Scope], amount_nano: int) -> Exceeded | None:
    return rows.reserve(tx, scopes, Amount(amount_nano))


def settle(tx: Tx, scopes: Sequence[Scope], reserved_nano: int, actual_nano: int) -> None:
    rows.settle(tx, scopes, Amount(reserved_nano), Amount(actual_nano))
