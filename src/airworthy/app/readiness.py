"""Where the readiness checklist gets its evidence: policy, approvals, preflights, releases, alerts, people, cases."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airworthy.app.build import App
from airworthy.app.people import PEOPLE_FILE, load_people
from airworthy.core.chars import printable
from airworthy.core.errors import AirworthyError
from airworthy.gateway.prices import unpriced
from airworthy.policy import golive_gaps
from airworthy.policy.approval import when_text
from airworthy.preflight import records
from airworthy.preflight.readiness import Evidence, checklist
from airworthy.preflight.readiness.waivers import listing as waivers_of
from airworthy.preflight.report import Item, Report, Verdict
from airworthy.recorder import alerts
from airworthy.runtime import Agent
from airworthy.runtime import releases as stored_releases
from airworthy.runtime.releases import release_of
from airworthy.runtime.verdicts import checks_of

if TYPE_CHECKING:
    from airworthy.evals import Case
    from airworthy.store import Tx

ALERTS_MAX: Final = 100
RELEASES_MAX: Final = 20
MODEL: Final = "model"  # What cells of the matrix call whichever model is asked.


def checklist_of(app: App, agent: Agent, folder: Path, report: Report | None = None) -> tuple[Item, ...]:
    """`report`: one that is being made; left out, the newest that is stored."""
    given = evidence_of(app, agent, folder, report)
    return checklist(given)


def evidence_of(app: App, agent: Agent, folder: Path, report: Report | None = None) -> Evidence:
    """Reads; runs nothing but the functions that give cases, where there are such."""
    policy = agent.policy
    release = release_of(agent, folder)
    approval = app.operations.approval(agent.name)
    gaps = golive_gaps(policy, approval, agent.tool_facts, unpriced=unpriced, teams=_teams(folder))
    approved = f"{printable(approval.approver)}, on {when_text(approval.at_us)}" if approval else ""
    given = Evidence(
        policy, app.clock.now_us(), release.short, gaps, approved,
        cases=_cases(app, agent.name, folder), dependencies=_dependencies(agent),
        unpriced=tuple(rule.name for rule in policy.models if unpriced(rule)),
        checks=tuple(check.name for check in checks_of(agent)[1]), making=report is not None,
    )  # fmt: skip
    given = app.database.read_now(lambda tx: _stored(tx, agent.name, given))
    return given if report is None else replace(given, report=report)


def _stored(tx: "Tx", agent: str, given: Evidence) -> Evidence:
    known = [row.release.short for row in stored_releases.listing(tx, [agent], RELEASES_MAX)]
    runs = records.listing(tx, [agent], RELEASES_MAX)
    good = [run.release for run in runs if run.verdict == Verdict.GO.value]
    alarms = [
        row for row in alerts.listing(tx, agents=[agent], limit=ALERTS_MAX) if row.severity == "critical"
    ]
    return replace(
        given, report=records.latest(tx, agent), waivers=waivers_of(tx, agent),
        earlier=tuple(short for short in known if short != given.release),
        good=tuple(dict.fromkeys(short for short in good if short != given.release)),
        alarms=tuple(row.title for row in alarms),
    )  # fmt: skip


def _teams(folder: Path) -> list[str] | None:
    """As `scope check` takes them; None without a file, and with one that cannot be read, which is told elsewhere."""
    if not (folder / PEOPLE_FILE).exists():
        return None
    try:
        return sorted(load_people(folder).teams)
    except AirworthyError:
        return []


def _cases(app: App, agent: str, folder: Path) -> tuple[tuple[str, ...], ...]:
    """Tags of each, of files and of tasks that people made cases of.

    A suite that cannot be read gives none: `airworthy case check` says why.
    """
    from airworthy.app.cases import cases_of
    from airworthy.app.preflight_parts import suite_of
    from airworthy.app.preflight_settings import load_preflight_settings

    stored = [each.case for each in cases_of(app).listing([agent])]
    try:
        found: tuple[Case, ...] = suite_of(folder, load_preflight_settings(folder), (), stored).cases
    except AirworthyError:
        return ()
    return tuple(case.tags for case in found)


def _dependencies(agent: Agent) -> Mapping[str, tuple[str, ...]]:
    """A tool that names no system stands for itself, as its breaker does."""
    found: dict[str, tuple[str, ...]] = {}
    for tool in agent.tools:
        name = tool.dependency or tool.name
        found[name] = (*found.get(name, ()), tool.name)
    if agent.policy.models:
        found["its model"] = (*(rule.name for rule in agent.policy.models), MODEL)
    return found
