"""All that the database and the policy say of one dependency at one moment; asks nobody."""

from dataclasses import dataclass

from airworthy.app.build import App
from airworthy.app.credential_state import CredentialState, credential_state
from airworthy.app.health import Declared, learnt
from airworthy.core.clock import US_PER_S
from airworthy.policy import DependencyRule
from airworthy.resilience import shared
from airworthy.store import Tx
from airworthy.tools import health_rows
from airworthy.tools.health_rows import Health
from airworthy.tools.outages import in_outage

DAY_US = 86_400 * US_PER_S


@dataclass(frozen=True, slots=True)
class View:
    """`ok` and `failed`: calls of the last day. `outage`: the declared window that is open now, in words; `learnt`: how
    many windows are proposed."""

    name: str
    rule: DependencyRule
    health: Health | None
    ok: int
    failed: int
    credential: CredentialState | None
    breaker: str
    outage: str
    learnt: int


def view_of(app: App, one: Declared) -> View:
    now_us = app.clock.now_us()
    credential = None if one.rule.credentials is None else credential_state(one.name, one.agent, app)
    outage = in_outage(one.rule.outages, now_us)

    def query(tx: Tx) -> View:
        ok, failed = health_rows.totals(tx, one.name, "call", now_us - DAY_US)
        breaker = next(
            (row.state.mode.value for row in shared.listing(tx) if row.name == f"dependency:{one.name}"), ""
        )
        return View(
            one.name, one.rule, health_rows.find(tx, one.name), ok, failed, credential, breaker.replace("_", " "),
            "" if outage is None else str(outage), len(learnt(tx, one)),
        )  # fmt: skip

    return app.database.read_now(query)
