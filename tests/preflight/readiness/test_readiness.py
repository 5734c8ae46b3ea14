"""Each question is answered from evidence alone; what is not answered holds a live agent back, until it is waived."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airworthy.app.build import App, assembled, check_live
from airworthy.app.readiness import checklist_of
from airworthy.core.clock import US_PER_S
from airworthy.evals import Finding
from airworthy.policy import NotReadyToGoLive, Policy, golive_gaps, policy_hash
from airworthy.preflight.cell import CellResult, Part, State
from airworthy.preflight.readiness import QUESTIONS, Evidence, Waiver, checklist, gaps_of
from airworthy.preflight.readiness.waivers import BadWaiver, listing, taken_back, waived, waiver_of
from airworthy.preflight.report import Report, Section, Verdict
from airworthy.recorder import audit
from airworthy.recorder.audit import AuditQuery
from airworthy.runtime import Agent
from tests.database import memory

NOW_US = 1_800_000_000 * US_PER_S  # 2027-01-15
OUTAGE = ("http_500", "http_503", "timeout")


def cell(tool: str, fault: str, state: State = State.PASSED, **more: Any) -> CellResult:
    id_ = f"failures/a/{tool}.1/{fault}.always"
    axes = {"tool": tool, "fault": f"{fault}.always"}
    return CellResult(
        id_, Part.FAILURES, state, f"{tool} {fault}", axes=axes, passed=1, cost_nano=2_000_000, **more
    )


CELLS = tuple(cell(tool, fault) for tool in ("look", "model") for fault in OUTAGE)


def report(*cells: CellResult, release: str = "r1", verdict: Verdict = Verdict.GO) -> Report:
    section = Section(Part.FAILURES, verdict, "It bears all.", cells or CELLS)
    return Report(
        "pfl_1", "support", release, verdict, "Ready.", NOW_US, 1.0, 7, (section,), how_it_fails=("When.",)
    )


def ready(**keys: Any) -> Policy:
    given: dict[str, Any] = {
        "agent": "support", "purpose": "Helps.", "owner": {"name": "Ann", "contact": "ann@x", "review": "weekly"},
        "escalation": {"default": "desk"},
        "readiness": {"rollback": "Ann starts the release before.", "by_hand": "The desk does them."},
    }  # fmt: skip
    return Policy(**given | keys)


def evidence(**more: Any) -> Evidence:
    policy = more.pop("policy", ready())
    cases = (("normal",),) * 90 + (("edge",),) * 6 + (("failure", "edge"),) * 4
    base = Evidence(
        policy, NOW_US, "r1", approved="Ann, on a day", report=report(), cases=cases, checks=("numbers_grounded",),
        dependencies={"shop": ("look",), "its model": ("m-2026", "model")},
    )  # fmt: skip
    return replace(base, **more)


def state(key: str, given: Evidence) -> str:
    return next(item.state for item in checklist(given) if item.key == key)


def test_with_all_evidence_every_item_is_answered_with_a_sentence_and_a_place_to_look() -> None:
    items = checklist(evidence())

    assert [item.key for item in items] == list(QUESTIONS)
    assert {item.state for item in items} == {"answered"}
    assert all(item.evidence and item.link for item in items)
    assert gaps_of(items) == ()


def _gap(policy: Policy) -> dict[str, Any]:
    return {"policy": policy, "gaps": golive_gaps(policy, None, ())}


@pytest.mark.parametrize(
    ("key", "lacks", "why"),
    [
        ("owner", {"policy": ready(owner={"name": "Ann", "review": "weekly"})}, "nobody can be reached"),
        ("review", {"policy": ready(owner={"name": "Ann", "contact": "x"})}, "no cadence"),
        ("approval", _gap(ready()), "nobody approved"),
        ("escalation", _gap(ready(escalation={})), "a stop reaches nobody"),
        ("manual", {"policy": ready(readiness={"rollback": "x"})}, "nobody does it by hand"),
        ("rollback", {"policy": ready(readiness={"by_hand": "x"})}, "no plan"),
        ("cost", {"unpriced": ("m",)}, "a price is unknown"),
        ("cost", {"report": None}, "nothing was run"),
        (
            "cost",
            {"report": report(cell("look", "null", State.FAILED, findings=(Finding("limit", "x"),)))},
            "passed",
        ),
        ("cost", {"report": report(replace(CELLS[0], cost_nano=None))}, "a trial is unpriced"),
        ("hallucination", {"checks": ("schema",)}, "no check"),
        (
            "hallucination",
            {"checks": (), "policy": ready(readiness={"grounding_check": "mine"})},
            "no such check",
        ),
        ("failure", {"report": report(release="r0")}, "another release"),
        (
            "failure",
            {"report": report(replace(CELLS[0], state=State.BROKEN), *CELLS[1:])},
            "one could not be told",
        ),
        ("dependencies", {"report": report(cell("look", "http_500", State.FAILED))}, "it does not survive"),
        ("dependencies", {"dependencies": {"mail": ("send",)}}, "never tried"),
        ("dependencies", {"report": report(*(cell("look", "null"),))}, "an odd answer is no outage"),
        ("cases", {"cases": (("normal",), ("edge",), ("failure",)) * 33}, "99 are too few"),
        ("cases", {"cases": (("normal",),) * 200}, "one kind alone"),
        ("alerts", {"alarms": ("The till is on fire",)}, "an alert stands"),
        ("preflight", {"report": report(verdict=Verdict.NO_GO)}, "no-go"),
        ("preflight", {"release": "r2"}, "the code was changed since"),
    ],
)
def test_an_item_is_unanswered_without_its_evidence(key: str, lacks: dict[str, Any], why: str) -> None:
    given = evidence(**lacks)
    item = next(item for item in checklist(given) if item.key == key)

    assert item.state == "unanswered", why
    assert item.evidence
    assert item.mend


def test_another_output_check_may_look_for_unsupported_claims() -> None:
    given = evidence(checks=("mine",), policy=ready(readiness={"grounding_check": "mine"}))

    assert state("hallucination", given) == "answered"


def test_a_report_in_the_making_is_not_asked_for_its_own_verdict() -> None:
    assert "preflight" not in {item.key for item in checklist(evidence(making=True))}


def test_a_waiver_holds_until_its_last_day_is_over_and_says_who_and_why() -> None:
    waiver = waiver_of("cases", "Ann", "2027-01-31", "40 will do", NOW_US)
    item = next(i for i in checklist(evidence(cases=(), waivers=(waiver,))) if i.key == "cases")
    over = evidence(cases=(), waivers=(waiver,), now_us=waiver.until_us)

    assert item.state == "waived"
    assert "Waived by Ann until 2027-01-31: 40 will do" in item.evidence
    assert state("cases", replace(over, now_us=waiver.until_us - 1)) == "waived"
    ended = next(i for i in checklist(over) if i.key == "cases")
    assert (ended.state, "The waiver of Ann ended" in ended.evidence) == ("unanswered", True)


def test_a_waiver_of_what_is_answered_changes_nothing() -> None:
    waiver = Waiver("cases", "Ann", "x", NOW_US + 1, NOW_US)

    assert state("cases", evidence(waivers=(waiver,))) == "answered"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"item": "weather"}, "no such item"),
        ({"item": "owner"}, "asked for by the policy itself"),
        ({"by": "  "}, "no name"),
        ({"because": ""}, "no reason"),
        ({"until": "2027-01-14"}, "over"),
        ({"until": "2029-01-14"}, "too far away"),
        ({"until": "2027-02-30"}, "no such day"),
        ({"until": "tomorrow"}, "no day"),
        ({"until": "20270201"}, "another spelling"),
    ],
)
def test_a_waiver_needs_an_item_a_name_a_reason_and_an_end(changed: dict[str, str], why: str) -> None:
    given = {"item": "cases", "by": "Ann", "until": "2027-02-01", "because": "so"} | changed

    with pytest.raises(BadWaiver):
        pytest.fail(f"{why}: {waiver_of(**given, now_us=NOW_US)}")


def stored(policy: Policy, folder: Path) -> tuple[App, Agent]:
    agent = Agent(policy)

    @agent.task
    async def handle(run: object) -> str:
        return "done"

    return replace(assembled(memory(), [agent]), folder=folder), agent


def test_waivers_are_stored_one_for_an_item_and_told_in_the_audit_log(tmp_path: Path) -> None:
    app, _ = stored(ready(), tmp_path)
    for who in ("Ann", "Ben"):
        waived(app.database, "support", waiver_of("cases", who, "2027-02-01", "so", NOW_US))

    rows = app.database.read_now(lambda tx: listing(tx, "support"))
    assert [(row.item, row.by) for row in rows] == [("cases", "Ben")]
    assert taken_back(app.database, "support", "cases", "Cem", NOW_US)
    assert not taken_back(app.database, "support", "cases", "Cem", NOW_US)
    told = app.database.read_now(lambda tx: audit.listing(tx, AuditQuery(what="readiness")))
    assert [(row.what, row.who) for row in told] == [
        ("readiness.unwaive", "Cem"), ("readiness.waive", "Ben"), ("readiness.waive", "Ann"),
    ]  # fmt: skip


def test_unanswered_items_hold_a_live_agent_back_unless_its_policy_goes_without(tmp_path: Path) -> None:
    live = {"stage": "beta", "models": ({"name": "m-2026-01-01", "base_url": "http://127.0.0.1/v1", "pinned": True,
                                         "input_usd_per_mtok": 1.0, "output_usd_per_mtok": 1.0},)}  # fmt: skip
    required = ready(**live, readiness={"rollback": "x", "by_hand": "y"})
    for policy in (ready(**live, readiness={"required": False}), required):
        app, agent = stored(policy, tmp_path)
        app.operations.approve_policy(policy, "Ann")
        if policy is required:
            with pytest.raises(NotReadyToGoLive) as caught:
                check_live(app, agent)
            subjects = {gap.subject for gap in caught.value.gaps}
            assert subjects == {
                f"readiness.{key}"
                for key in ("failure", "dependencies", "cost", "hallucination", "cases", "preflight")
            }
            for item in checklist_of(app, agent, tmp_path):
                if item.state == "unanswered":
                    day = waiver_of(item.key, "Ann", "2027-02-01", "beta", app.clock.now_us())
                    waived(app.database, "support", day)
        check_live(app, agent)


def test_an_approval_given_before_there_was_a_checklist_still_holds() -> None:
    assert policy_hash(ready(readiness={})) == policy_hash(ready(readiness={"required": True}))
    assert policy_hash(ready(readiness={})) != policy_hash(ready())
