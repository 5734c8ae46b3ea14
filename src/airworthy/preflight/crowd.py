"""Many runs at once, made of golden cases: who takes part, with what each begins, what is expected of it. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, Final

from airworthy.evals import Case, Finding, Number
from airworthy.evals.scoring import score
from airworthy.policy import Policy
from airworthy.policy.bounds import recipient_of
from airworthy.preflight.plan import Golden
from airworthy.preflight.settings import StageSettings
from airworthy.preflight.stage.script import Played, Script

NO_GOLDEN: Final = "No golden case has passed, so there is nothing to run many of."
SHOWN_MAX: Final = 50
RESULTS_MAX: Final = 200
_GAVE_WAY: Final = "ResourceChanged"
# A run that was told to look again may end with a person instead; nothing else is forgiven it.
_FORGIVEN: Final = frozenset(
    {"outcome", "reason", "missing_effect", "tools", "order", "facts", "json_schema", "approval"}
)


def spread(golden: Sequence[Golden], wanted: int) -> list[Golden]:
    """So many, in turns: first of every user, then of every case, so that strangers meet."""
    by_user: dict[str, list[Golden]] = defaultdict(list)
    for each in golden:
        by_user[each.case.user].append(each)
    turns: list[Golden] = []
    for turn in range(max((len(own) for own in by_user.values()), default=0)):
        turns += [own[turn] for own in by_user.values() if turn < len(own)]
    return [turns[at % len(turns)] for at in range(wanted)] if turns else []


def taking_part(each: Golden, case: Case, settings: StageSettings) -> Case:
    """The case as one of many: it brings its own recorded results, because its session is another than the recorded,
    and its time, steps and cost are not held against it, because others are in its way.
    """
    results = [
        {"tool": found.tool, "arguments": found.arguments, "result": found.result}
        for found in each.played.recording.results
        if not found.error and not _has_world(settings, found.tool)
    ]
    expect = case.expect.model_copy(
        update={"steps": Number(), "seconds": Number(), "cost_usd": Number(), "judge": None, "rubric": ""}
    )
    return case.model_copy(update={"expect": expect, "results": (*case.results, *results[:RESULTS_MAX])})


def scripts(cases: Sequence[Case], cell: str, seed: int) -> tuple[Script, ...]:
    return tuple(Script(case, cell, number, seed) for number, case in zip(count(1), cases, strict=False))


def labels(cases: Sequence[Case]) -> list[str]:
    return [f"run {number} ({case.id.partition('@')[0]})" for number, case in enumerate(cases, start=1)]


def trial_findings(script: Script, played: Played, label: str) -> tuple[Finding, ...]:
    """What is held against one of many, said with its name."""
    trial = played.trial
    gave_way = any(use.error == _GAVE_WAY for use in trial.tools)
    return tuple(
        Finding(finding.kind, f"{label}: {finding.text}", finding.seq)
        for finding in score(script.case, trial)
        if not (gave_way and trial.outcome is not None and finding.kind in _FORGIVEN)
    )


def gave_way(played: Sequence[Played]) -> int:
    """Runs that a guard told that another had changed what they had read."""
    return sum(any(use.error == _GAVE_WAY for use in each.trial.tools) for each in played)


def under_caps(policy: Policy, chosen: Sequence[Golden]) -> int:
    """How many of these may run in one day before a cap of the policy refuses an act of theirs."""
    by_tool: Counter[str] = Counter()
    by_recipient: Counter[tuple[str, str]] = Counter()
    for number, each in enumerate(chosen):
        for tool, recipient in _acts(policy, each):
            by_tool[tool] += 1
            by_recipient[tool, recipient] += 1
            rule = policy.tools.get(tool)
            if rule is None:
                continue
            day, each_day = rule.per_day, rule.per_recipient_per_day
            if day is not None and by_tool[tool] > day:
                return number
            if each_day is not None and recipient and by_recipient[tool, recipient] > each_day:
                return number
    return len(chosen)


def told(script_list: Sequence[Script], played: Sequence[Played]) -> list[dict[str, Any]]:
    """One line a run, for the report."""
    return [
        {
            "run": number,
            "case": script.case.id,
            "outcome": each.trial.outcome.value if each.trial.outcome is not None else "none",
            "reason": each.trial.reason,
            "acts": sum(act.times for act in each.trial.acts),
        }
        for number, script, each in zip(count(1), script_list, played, strict=False)
    ][:SHOWN_MAX]


def _acts(policy: Policy, each: Golden) -> Iterator[tuple[str, str]]:
    for act in each.played.trial.acts:
        rule = policy.tools.get(act.tool)
        yield act.tool, (recipient_of(rule, act.arguments) or "") if rule is not None else ""


def _has_world(settings: StageSettings, tool: str) -> bool:
    """Whether preflight.toml gives the tool a stand-in of its own, which remembers what was done."""
    return tool in settings.tools and ":" in settings.tools[tool].stand_in
