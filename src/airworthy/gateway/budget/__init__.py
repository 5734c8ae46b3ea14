"""Budgets, exact under any concurrency: reserved before a call, settled after it, by row or by ledger."""

from typing import TYPE_CHECKING

from airworthy.core.late import late

if TYPE_CHECKING:
    from airworthy.gateway.budget.leasing import Changes, recover
    from airworthy.gateway.budget.ledger import Ledger
    from airworthy.gateway.budget.rollup import Dimensions, Question, Tally, report, roll
    from airworthy.gateway.budget.rows import (
        begin_anew,
        keep,
        of_task,
        release,
        reserve,
        settle,
        spent,
        standing,
    )
    from airworthy.gateway.budget.scopes import KeyBudgets, ScopeBook, day_of, scopes_of
    from airworthy.gateway.budget.slice import Hold
    from airworthy.gateway.budget.values import Amount, Exceeded, Scope, Standing, fits

__getattr__ = late(
    __name__,
    {
        "leasing": "Changes recover",
        "ledger": "Ledger",
        "rollup": "Dimensions Question Tally report roll",
        "rows": "begin_anew keep of_task release reserve settle spent standing",
        "scopes": "KeyBudgets ScopeBook day_of scopes_of",
        "slice": "Hold",
        "values": "Amount Exceeded Scope Standing fits",
    },
)

__all__ = [
    "Amount",
    "Changes",
    "Dimensions",
    "Exceeded",
    "Hold",
    "KeyBudgets",
    "Ledger",
    "Question",
    "Scope",
    "ScopeBook",
    "Standing",
    "Tally",
    "begin_anew",
    "day_of",
    "fits",
    "keep",
    "of_task",
    "recover",
    "release",
    "report",
    "reserve",
    "roll",
    "scopes_of",
    "settle",
    "spent",
    "standing",
]
