"""The questions, each with what answers it. Pure: from the evidence to a finding, one function a question."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from airworthy.core.money import usd_text
from airworthy.preflight.cell import CellResult, Part, State
from airworthy.preflight.readiness.evidence import Evidence
from airworthy.preflight.report import Report, Section, Verdict

# Faults under which a dependency is away, as opposed to odd.
OUTAGES: Final = frozenset({"http_500", "http_503", "timeout", "reset_before", "reset_after"})
KINDS: Final = ("normal", "edge", "failure")
BEYOND: Final = frozenset({"limit", "cost"})
_LISTED_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Said:
    """`yes`: it is answered. `mend`: what to do where it is not."""

    yes: bool
    evidence: str
    link: str = ""
    mend: str = ""


def _yes(evidence: str, link: str = "") -> Said:
    return Said(True, evidence, link)  # noqa: FBT003  # what it is stands in the name


def _no(evidence: str, link: str, mend: str) -> Said:
    return Said(False, evidence, link, mend)  # noqa: FBT003  # as above


def owner(given: Evidence) -> Said:
    who = given.policy.owner
    if who.name and who.contact:
        return _yes(f"{who.name}, {who.contact}.", "policy.toml [owner]")
    return _no("Nobody who could be reached is named.", "", "Set name and contact under [owner].")


def review(given: Evidence) -> Said:
    if given.policy.owner.review:
        return _yes(f"It is reviewed {given.policy.owner.review}.", "policy.toml [owner]")
    return _no(
        "No review is planned.",
        "",
        'Set review = "weekly" (or daily, monthly, quarterly) under [owner].',
    )


def approval(given: Evidence) -> Said:
    gap = next((gap for gap in given.gaps if gap.subject == "approval"), None)
    if gap is None:
        return _yes(f"{given.approved}.", "airworthy scope show")
    return _no(gap.missing, "airworthy scope show", gap.mend)


def escalation(given: Evidence) -> Said:
    found = [g for g in given.gaps if g.subject.startswith(("escalation", "stop[", "review."))]
    if found:
        return _no(found[0].missing, "", found[0].mend)
    return _yes(
        f"Stops go to {given.policy.escalation.default or 'the teams that each names'}.",
        "policy.toml [escalation]",
    )


def manual(given: Evidence) -> Said:
    said = given.policy.readiness.by_hand
    if said:
        return _yes(said, "airworthy manual")
    return _no("Nobody says who does the tasks while the agent cannot.", "", "Set by_hand under [readiness].")


def rollback(given: Evidence) -> Said:
    plan = given.policy.readiness.rollback
    if not plan:
        return _no("No plan says how to go back.", "", "Set rollback under [readiness].")
    if given.good:
        return _yes(
            f"{plan} The last good release is {given.good[0]}.",
            f"airworthy release show {given.good[0]}",
        )
    if given.earlier:
        return _yes(
            f"{plan} The release before is {given.earlier[0]}.",
            f"airworthy release show {given.earlier[0]}",
        )
    return _yes(
        f"{plan} This is the first release, so going back means doing the tasks by hand.",
        "airworthy release list",
    )


def cost(given: Evidence) -> Said:
    if given.unpriced:
        names = _some(given.unpriced)
        return _no(
            f"The price of {names} is unknown, so no cap could hold.",
            "",
            "Set the prices under [[models]].",
        )
    report = _report(given)
    cells = _cells(report)
    tried = [cell for cell in cells if cell.state in (State.PASSED, State.FAILED)]
    if report is None or not tried:
        return _no("No preflight of this release has run.", "", "Run `airworthy preflight`.")
    beyond = [cell for cell in tried if any(finding.kind in BEYOND for finding in cell.findings)]
    if beyond:
        told = f"{len(beyond)} cells went past a limit or a budget, as {beyond[0].title}."
        return _no(told, f"#cell:{beyond[0].id}", "See the cell, and mend what spends.")
    if any(cell.cost_nano is None for cell in tried):
        return _no("A trial made a call whose price is unknown.", "#run", "Set the prices under [[models]].")
    most = max((cell.cost_nano or 0) / max(cell.runs, 1) for cell in tried)
    cap = given.policy.limits.cost_usd
    return _yes(
        f"A task may cost {cap:.2f} USD; the dearest of {len(tried)} cells took {usd_text(round(most))} a trial.",
        "#run",
    )


def hallucination(given: Evidence) -> Said:
    own = given.policy.readiness.grounding_check
    used = [name for name in ("numbers_grounded", own) if name and name in given.checks]
    if used:
        return _yes(
            f"Each answer passes the check {_some(tuple(used))} before it is given.",
            "policy.toml [checks]",
        )
    told = (
        f"There is no output check {own!r}."
        if own
        else "No output check looks for claims that nothing supports."
    )
    return _no(
        told,
        "",
        'Add "numbers_grounded" to checks.output, or name your own as readiness.grounding_check.',
    )


def failure(given: Evidence) -> Said:
    report = _report(given)
    section = _section(report, Part.FAILURES)
    tried = [cell for cell in section.cells if cell.state in (State.PASSED, State.FAILED)] if section else []
    if report is None or section is None or not tried:
        return _no(
            "No failure of a tool or a model was tried on this release.",
            "",
            "Run `airworthy preflight`.",
        )
    left = len(section.cells) - len(tried)
    worst = report.how_it_fails[0] if report.how_it_fails else "None of them made it fail."
    if left:
        told = f"{len(tried)} failures were tried and {left} could not be told."
        return _no(told, "#failures", "See the cells that are undecided or broken.")
    return _yes(f"{len(tried)} failures were tried. {worst}", "#how")


def dependencies(given: Evidence) -> Said:
    if not given.dependencies:
        return _yes("It depends on nothing: it has no tool and no model.")
    section = _section(_report(given), Part.FAILURES)
    if section is None:
        return _no("No outage was tried on this release.", "", "Run `airworthy preflight`.")
    untried: list[str] = []
    for name, called in given.dependencies.items():
        cells = [cell for cell in section.cells if cell.axes.get("tool") in called and _is_outage(cell)]
        failed = [cell for cell in cells if cell.state is State.FAILED]
        if failed:
            told = f"It does not survive an outage of {name}: {failed[0].title}."
            return _no(
                told,
                f"#cell:{failed[0].id}",
                "Mend what fails there, or declare what takes its place.",
            )
        if not any(cell.state is State.PASSED for cell in cells):
            untried.append(name)
    if untried:
        told = f"No golden case calls {_some(tuple(untried))}, so its outage was not tried."
        return _no(told, "#failures", "Add a golden case that needs it.")
    return _yes(
        f"It survives an outage of each of {len(given.dependencies)}: {_some(tuple(given.dependencies))}.",
        "#failures",
    )


def cases(given: Evidence) -> Said:
    least, total = given.policy.readiness.cases, len(given.cases)
    counted = {kind: sum(kind in tags for tags in given.cases) for kind in KINDS}
    told = f"{total} cases: {', '.join(f'{n} {kind}' for kind, n in counted.items())}."
    lacking = [kind for kind, n in counted.items() if n == 0]
    if total < least:
        mend = "Take more from recorded tasks with `airworthy case from-task`, or waive it."
        return _no(f"{told} {least} are asked for.", "#golden", mend)
    if lacking:
        return _no(told, "#golden", f"Add cases with the tag {' and '.join(lacking)}.")
    return _yes(told, "#golden")


def alerts(given: Evidence) -> Said:
    if given.alarms:
        told = f"{len(given.alarms)} critical alerts stand: {_some(given.alarms)}."
        return _no(told, "airworthy alert list", "See to them, and end them with `airworthy alert end`.")
    return _yes("No critical alert stands.", "airworthy alert list")


def preflight(given: Evidence) -> Said:
    report = given.report
    if report is None:
        return _no("There was no preflight.", "", "Run `airworthy preflight`.")
    if report.release != given.release:
        told = f"The newest preflight was of release {report.release}, and this is {given.release}."
        return _no(told, f"airworthy release diff {report.release}", "Run `airworthy preflight` again.")
    if report.verdict is not Verdict.GO:
        return _no(
            f"{report.verdict.value}: {report.sentence}",
            f"/preflights/{report.id}",
            "Mend what it shows.",
        )
    return _yes(f"Go: {report.sentence}", f"/preflights/{report.id}")


# Key -> the question, and what answers it; in the order in which they are read.
QUESTIONS: Final[dict[str, tuple[str, Callable[[Evidence], Said]]]] = {
    "owner": ("Who answers for the agent?", owner),
    "review": ("How often is it looked at again?", review),
    "approval": ("Did a person approve what it may do?", approval),
    "failure": ("Is it known how it fails?", failure),
    "dependencies": ("Does it survive an outage of everything it depends on?", dependencies),
    "cost": ("Is it proven that its costs are capped?", cost),
    "hallucination": ("Are unsupported claims noticed?", hallucination),
    "escalation": ("Does every question reach a person?", escalation),
    "manual": ("Who does the tasks when it cannot?", manual),
    "rollback": ("Is there a plan to go back?", rollback),
    "cases": ("Are there enough cases, of normal, edge and failure?", cases),
    "alerts": ("Is nothing alarming open?", alerts),
    "preflight": ("Did a preflight of this very release say go?", preflight),
}
# Told by `golive_gaps` too, whatever the checklist says, so a waiver of them would let nothing go live.
OF_THE_POLICY: Final = frozenset({"owner", "review", "approval", "escalation"})


def _report(given: Evidence) -> Report | None:
    """Only one of this very release proves anything about it."""
    report = given.report
    return report if report is not None and report.release == given.release else None


def _section(report: Report | None, part: Part) -> Section | None:
    return next((each for each in report.sections if each.part is part), None) if report else None


def _cells(report: Report | None) -> list[CellResult]:
    return [cell for section in report.sections for cell in section.cells] if report else []


def _is_outage(cell: CellResult) -> bool:
    return cell.axes.get("fault", "").partition(".")[0] in OUTAGES


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - _LISTED_MAX
    return ", ".join(names[:_LISTED_MAX]) + (f" and {more} more" if more > 0 else "")
