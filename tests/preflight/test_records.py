"""Preflights as they are stored: one at a time for an agent, gone on with where all is the same, and compared."""

import asyncio
from dataclasses import replace

import pytest

from airworthy.app.build import MIGRATIONS
from airworthy.app.preflight_told import without_secrets
from airworthy.core.redact import Redactor
from airworthy.evals import Finding, Severity
from airworthy.evals.stats import Observed
from airworthy.preflight import records
from airworthy.preflight.against import against
from airworthy.preflight.cell import CellResult, Part, State
from airworthy.preflight.records import Kept, PreflightUnderWay, RunState, Stored
from airworthy.preflight.report import Report, Section, Verdict
from airworthy.store import Database, StaleFence, Tx, migrate
from airworthy.store import lease as leases
from airworthy.store.lease import LEASE_S, Owner
from tests.database import memory
from tests.preflight.kit import case

NOW_US = 1_800_000_000_000_000
RUN = Stored("pfl_1", "support", "abc123", RunState.RUNNING, "", NOW_US, None, 7, "same", 0, 0)
CELL = CellResult(
    "golden/a", Part.GOLDEN, State.FAILED, "a", Severity.CRITICAL, 5, 3, (Finding("facts", "It lacks x.", 2),),
    "It lacks x.", {"case": "a"}, (0.2, 0.9), {"input": "ü"}, 17, 9, 8, 1.5,
)  # fmt: skip
TRIALS = (Observed(True, {"steps": 3.0}, {"find": 2}), Observed(None))


@pytest.fixture
def database() -> Database:
    made = memory()
    migrate(made, MIGRATIONS)
    return made


def report(of: Stored, verdict: Verdict) -> Report:
    return Report(of.id, of.agent, of.release, verdict, "Because.", of.began_us, 1.0, of.seed)


def ended(database: Database, of: Stored, verdict: Verdict, state: RunState = RunState.DONE) -> None:
    def write(tx: Tx) -> None:
        records.begun(tx, of)
        records.keep(tx, of.id, Kept(CELL, TRIALS), at_us=of.began_us, spent_nano=5)
        records.ended(tx, report(of, verdict), state, at_us=of.began_us + 1, worked_us=9, spent_nano=7)

    database.write_now(write)


def test_a_cell_comes_back_as_it_was_kept(database: Database) -> None:
    ended(database, RUN, Verdict.GO)

    assert database.read_now(lambda tx: records.cells(tx, "pfl_1")) == {"golden/a": Kept(CELL, TRIALS)}
    assert database.read_now(lambda tx: records.get(tx, "pfl_1")) == report(RUN, Verdict.GO)


def test_only_one_process_runs_preflights_of_an_agent(database: Database) -> None:
    ours, theirs = Owner("pfl_a", "here", 1, "b"), Owner("pfl_b", "there", 2, "c")
    database.write_now(lambda tx: records.taken(tx, "support", ours, NOW_US))

    with pytest.raises(PreflightUnderWay, match="under way"):
        database.write_now(lambda tx: records.taken(tx, "support", theirs, NOW_US))
    database.write_now(lambda tx: records.taken(tx, "another", theirs, NOW_US))


def test_what_died_gives_way_and_can_write_no_more(database: Database) -> None:
    dead, next_ = Owner("pfl_a", "elsewhere", 1, "b"), Owner("pfl_b", "here", 2, "c")
    old = database.write_now(lambda tx: records.taken(tx, "support", dead, NOW_US))
    later_us = NOW_US + round((LEASE_S + 1) * 1e6)
    database.write_now(lambda tx: records.taken(tx, "support", next_, later_us))

    with pytest.raises(StaleFence):
        asyncio.run(database.write(lambda tx: records.begun(tx, RUN), fence=old))
    database.write_now(lambda tx: leases.leave(tx, next_.id))
    assert database.read_now(lambda tx: leases.holder(tx, records.lease_name("support"))) is None


@pytest.mark.parametrize(
    ("state", "same", "found", "why"),
    [
        (RunState.STOPPED, "same", True, "a person or the cap ended it"),
        (RunState.RUNNING, "same", True, "its process died"),
        (RunState.DONE, "same", False, "it is over"),
        (RunState.STOPPED, "other", False, "code, cases or options are not those"),
    ],
)
def test_what_was_broken_off_is_gone_on_with(
    database: Database, state: RunState, same: str, found: bool, why: str
) -> None:
    ended(database, RUN, Verdict.INCONCLUSIVE, state)

    row = database.read_now(lambda tx: records.unfinished(tx, "support", same))

    assert (row is not None) is found, why
    if row is not None:
        assert (row.spent_nano, row.worked_us) == (7, 9)


def test_last_good_is_the_newest_that_ended_with_go(database: Database) -> None:
    runs = [
        (replace(RUN, id="pfl_1"), Verdict.GO, RunState.DONE),
        (replace(RUN, id="pfl_2", began_us=NOW_US + 1, release="def456"), Verdict.GO, RunState.DONE),
        (replace(RUN, id="pfl_3", began_us=NOW_US + 2), Verdict.NO_GO, RunState.DONE),
        (replace(RUN, id="pfl_4", began_us=NOW_US + 3), Verdict.INCONCLUSIVE, RunState.STOPPED),
    ]
    for run, verdict, state in runs:
        ended(database, run, verdict, state)

    def named(name: str) -> str:
        row = database.read_now(lambda tx: records.before(tx, "support", name))
        return row.id if row else ""

    assert named("last-good") == "pfl_2"
    assert named("abc") == "pfl_3"
    assert named("pfl_1") == "pfl_1"
    assert named("pfl_4") == ""
    assert database.read_now(lambda tx: records.before(tx, "another", "last-good")) is None


def test_a_case_that_falls_is_worse_and_other_tools_alone_are_only_changed() -> None:
    good, bad = Observed(True, {"steps": 4.0}, {"find": 1}), Observed(False, {"steps": 4.0}, {"find": 1})
    other = Observed(True, {"steps": 4.0}, {"find": 3})
    names = [f"case{number}" for number in range(12)]
    suite = [case(id=name) for name in names]
    before = dict.fromkeys(names, [good] * 5)

    worse = against(RUN, before, {**before, **dict.fromkeys(names[:4], [bad] * 5)}, suite, seed=7, first=5)
    changed = against(RUN, before, dict.fromkeys(names, [other] * 5), suite, seed=7, first=5)

    assert worse["judged"] == "worse"
    assert {each["case"] for each in worse["worse"]} == set(names[:4])
    assert worse["worse"][0]["severity"] == "major"
    assert changed["judged"] != "worse"
    assert changed["worse"] == []
    assert "find 1 to 3" in changed["changed"][0]["text"]


def test_no_secret_is_kept_or_told() -> None:
    secret = "sk-ant-abcdefghij0123456789"
    cell = replace(CELL, evidence={"acts": [{"tool": "send", "arguments": f'{{"to": "{secret}"}}'}]})
    database = memory()
    migrate(database, MIGRATIONS)

    def write(tx: Tx) -> None:
        records.keep(tx, "pfl_1", Kept(cell), at_us=NOW_US, spent_nano=0, redactor=Redactor())

    database.write_now(write)
    kept = database.read_now(lambda tx: records.cells(tx, "pfl_1"))["golden/a"].result
    told = without_secrets(
        replace(report(RUN, Verdict.GO), sections=(Section(Part.GOLDEN, Verdict.GO, "", (cell,)),)),
        Redactor(),
    )

    assert kept.evidence["acts"][0]["arguments"] == '{"to": "[redacted:anthropic_key]"}'
    assert told.sections[0].cells[0] == kept
