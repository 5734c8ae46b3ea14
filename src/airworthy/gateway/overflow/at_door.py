"""The fitting of a call through the HTTP door: a summary is paid from the call's budgets, and stands in its record."""

from airworthy.core.clock import Clock
from airworthy.gateway.bill import LedgerPurse
from airworthy.gateway.budget import Hold
from airworthy.gateway.carry import Carried
from airworthy.gateway.errand import Errand
from airworthy.gateway.fetch import Fetched, Fetcher
from airworthy.gateway.overflow.fitting import Fitting
from airworthy.gateway.overflow.summary import Summaries, Summariser
from airworthy.gateway.records import Record
from airworthy.policy import Policy


def fitting_at_door(
    errand: Errand,
    purse: LedgerPurse,
    record: Record,
    policy: Policy,
    shared: tuple[Fetcher, Clock, Summaries],
) -> Fitting[Hold] | None:
    mode = policy.gateway.on_overflow
    if mode == "refuse":
        return None

    def paid(done: Carried[Fetched, Hold]) -> None:
        facts, place = done.value.facts, done.visit.place
        bill_nano = purse.settle(done.hold, place, facts)
        if bill_nano is not None:
            record.cost_nano = (record.cost_nano or 0) + bill_nano
        done.visit.over(facts.usage.tokens_in + facts.usage.tokens_out if facts.usage.known else None)

    return Fitting(errand, mode, Summariser(purse, *shared, paid), tokens_in_max=policy.limits.tokens_in)
