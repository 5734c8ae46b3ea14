"""The report as a person reads it: what came of the letters and why, what it cost, what held, where to look."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from airworthy.core.money import usd_text
from airworthy.core.outcome import Outcome, ReasonCode
from airworthy.demo.folder import REPORT
from airworthy.demo.plural import some
from airworthy.demo.report import Report
from airworthy.policy.chars import printable
from airworthy.runtime import TaskRow
from airworthy.tools import EffectRow, EffectState

WIDTH: Final = 110
MISMATCHES_SHOWN: Final = 5
_MEANING: Final = {
    Outcome.ANSWERED: "the customer got an answer, or their money",
    Outcome.DECLINED: "turned down politely, without a person",
    Outcome.ESCALATED: "a person is asked, with what is known so far",
    Outcome.DEAD_LETTERED: "kept whole, because it could not be finished",
    Outcome.CANCELLED: "stopped by a person",
}
_INPUT_BLOCKS: Final = {
    "language": "the letter was not in English",
    "garbled": "the letter could not be read",
    "empty": "the letter was empty",
    "too_long": "the letter was too long",
    "refused_topic": "the letter was about something the policy refuses",
}
_REASONS: Final = {
    ReasonCode.AGENT_DECLINED: "the agent judged that it was not for the shop, and told the writer so",
    ReasonCode.AGENT_ESCALATED: "the agent asked for a person, because its tools could not settle it",
    ReasonCode.POLICY_STOP: "the letter threatened legal action, which the policy hands to legal",
    ReasonCode.LOOP_IDENTICAL: "the agent repeated itself and was stopped",
    ReasonCode.LOOP_CYCLE: "the agent went round in circles and was stopped",
    ReasonCode.NO_PROGRESS: "the agent got no further and was stopped",
    ReasonCode.OFF_TRACK: "the agent lost its task and was stopped",
    ReasonCode.OUT_OF_SCOPE: "the agent asked for tools it does not have",
    ReasonCode.IN_DOUBT: "a mail or refund may or may not have happened; a person looks before anybody acts again",
    ReasonCode.DIVERGENCE: "a resumed run took another path and was stopped before it acted twice",
    ReasonCode.TOOL_FAILURE: "a service of the shop did not answer",
    ReasonCode.MODEL_FAILURE: "no model could be used",
    ReasonCode.BLOCKED_OUTPUT: "a check held the answer back",
    ReasonCode.BLOCKED_INPUT: "a check turned the letter away",
    ReasonCode.INVALID_OUTPUT: "the answer had the wrong form",
    ReasonCode.BUDGET: "a budget was used up",
    ReasonCode.LIMIT_COST: "the task would have cost more than one may",
    ReasonCode.AGENT_ERROR: "the agent's own code failed",
    ReasonCode.CRASHED: "the worker died over it again and again",
}
_FACT_CHECK: Final = "the answer stated a price or an order that the shop does not have"


def written(report: Report, folder: str) -> Iterator[str]:
    """Line by line; a line that starts at the edge and ends without a full stop is a heading. `folder`: the demo's."""
    yield from _opening(report)
    yield ""
    yield from _outcomes(report)
    yield from _people(report)
    yield ""
    yield from _claims(report)
    yield ""
    yield from _mismatches(report)
    yield from _look(report, folder)


def _opening(report: Report) -> Iterator[str]:
    evidence = report.evidence
    repeats = len(evidence.letters) - len(evidence.tasks)
    letters = f"{len(evidence.letters)} letters came in, {repeats} of them a second time: {len(evidence.tasks)} tasks"
    yield f"{letters}, done in {report.seconds:.0f} s."
    yield from folded(" ".join(_cost(report)).replace(" .", "."), "")


def _cost(report: Report) -> Iterator[str]:
    billed, lost = report.evidence.billed_nano, report.evidence.unbilled_nano
    if report.choice.simulated:
        yield f"The model was simulated and nothing was paid. At a small model's price: {usd_text(billed)}"
    else:
        yield f"The model was {report.choice.name}. It cost {usd_text(billed)}"
    if lost:
        yield f"and at most {usd_text(lost)} for calls whose answer was lost"
    yield "." if report.choice.price_known else "(its price is not known here, so 0 was counted)."


def _outcomes(report: Report) -> Iterator[str]:
    yield "What came of them"
    for outcome, count in report.outcomes.items():
        yield f"  {count:4}  {outcome.value.replace('_', '-'):14} {_MEANING[outcome] if count else ''}".rstrip()
        if outcome is not Outcome.ANSWERED:
            for reason, times in reasons(report, outcome):
                yield f"        {times:4}  {reason}"
    if report.without_outcome:
        yield f"  {report.without_outcome:4}  still open     they reached no outcome"


def reasons(report: Report, outcome: Outcome) -> list[tuple[str, int]]:
    """Why tasks ended so, in words, the most frequent first."""
    tasks = [task for task in report.evidence.tasks if task.outcome is outcome]
    return Counter(reason_of(task) for task in tasks).most_common()


def reason_of(task: TaskRow) -> str:
    why = task.why
    if why is None:
        return "no reason was given"
    check = str(why.evidence.get("check", ""))
    if why.code is ReasonCode.BLOCKED_INPUT:
        return _INPUT_BLOCKS.get(check, _REASONS[why.code])
    if why.code is ReasonCode.BLOCKED_OUTPUT and check == "stated_facts":
        return _FACT_CHECK
    return _REASONS.get(why.code, why.code.value.replace("_", " "))


def _people(report: Report) -> Iterator[str]:
    asked = [effect for effect in report.evidence.effects if effect.decided_by is not None]
    if not asked:
        return
    said_no = sum(1 for effect in asked if effect.state is EffectState.REJECTED)
    waited = f"{some(len(asked), 'large refund')} waited for a yes or no"
    yield f"  {waited}; {report.decided_by}, said yes to {len(asked) - said_no} and no to {said_no}."


def _claims(report: Report) -> Iterator[str]:
    yield "What held, and how it was looked at"
    for claim in report.claims:
        yield f"  {'yes' if claim.held else 'NO '}  {claim.text}"
        yield from folded(claim.how, "       ")


def _mismatches(report: Report) -> Iterator[str]:
    found = report.mismatches
    if not found:
        yield "Every letter ended as a good support team would have it end."
        yield ""
        return
    yield f"Not as a good support team would have it ({len(found)} of {len(report.evidence.tasks)})"
    if report.choice.simulated:
        yield "  Model and shop misbehave on purpose; a letter that such a fault hits goes to a person."
    for mismatch in found[:MISMATCHES_SHOWN]:
        kind, text = mismatch.letter.kind.replace("_", " "), printable(" ".join(mismatch.text.split()))
        line = f"  {mismatch.letter.key}  {kind}: {text}"
        yield line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
    if len(found) > MISMATCHES_SHOWN:
        yield f"  and {len(found) - MISMATCHES_SHOWN} more, in {REPORT}"
    yield ""


def _look(report: Report, folder: str) -> Iterator[str]:
    yield "Worth a look"
    for why, task_id in worth_a_look(report):
        yield f"  airworthy task show -C {folder} {task_id}   {why}"
    if report.in_doubt:
        yield f"  airworthy outbox list -C {folder}   what is in doubt, for you to settle"
    yield f"  airworthy task list -C {folder} --state escalated   what people would have on their desks"


def worth_a_look(report: Report) -> Iterator[tuple[str, str]]:
    """(why, task id); each kind once, when there is one."""
    evidence = report.evidence
    cut_off = {key for kill in evidence.kills for key in kill.cut_off}
    tasks = sorted(evidence.tasks, key=lambda task: -task.run)
    seen: set[str] = set()
    candidates: list[tuple[str, list[str]]] = [
        ("was sending when the worker was killed", _tasks_of(evidence.effects, cut_off)),
        ("was under way when the worker was killed", [task.id for task in tasks if task.run > 1]),
        (
            "waited for a person, then went on",
            [e.task_id for e in evidence.effects if e.decided_by is not None],
        ),
        (
            "stated a wrong price or order and was held back",
            [t.id for t in tasks if reason_of(t) == _FACT_CHECK],
        ),
        (
            "repeated itself and was stopped",
            [t.id for t in tasks if (t.reason_code or "").startswith("loop")],
        ),
        ("is in doubt", [t.id for t in tasks if t.reason_code == ReasonCode.IN_DOUBT]),
        ("could not be finished", [t.id for t in tasks if t.outcome is Outcome.DEAD_LETTERED]),
    ]
    for why, task_ids in candidates:
        found = next((task_id for task_id in task_ids if task_id not in seen), None)
        if found is not None:
            seen.add(found)
            yield why, found


def folded(text: str, indent: str) -> Iterator[str]:
    """Broken between words, so that no line is wider than WIDTH."""
    line = indent
    for word in text.split():
        if len(line) + len(word) + 1 > WIDTH and line.strip():
            yield line.rstrip()
            line = indent
        line += f"{word} "
    if line.strip():
        yield line.rstrip()


def _tasks_of(effects: Sequence[EffectRow], ids: set[str]) -> list[str]:
    return [effect.task_id for effect in effects if effect.id in ids]
