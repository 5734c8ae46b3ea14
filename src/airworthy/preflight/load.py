"""Part of a preflight: ten times the declared volume, judged by success, duplicates, queueing and cost."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from airworthy.core.clock import US_PER_S
from airworthy.core.money import usd_text
from airworthy.evals import Finding
from airworthy.evals.scoring import Standing, standing
from airworthy.evals.stats import wilson
from airworthy.policy import Policy
from airworthy.preflight import crowd
from airworthy.preflight.arrivals import TIMES_MIN, arrivals, burst
from airworthy.preflight.cell import CellResult, Part, State
from airworthy.preflight.crowd_settings import LoadSettings
from airworthy.preflight.plan import Cell, Context, Golden, came_to
from airworthy.preflight.report import Section, Verdict
from airworthy.preflight.stage.script import Placed, Played, Script
from airworthy.recorder import Recorded
from airworthy.resilience.chaos import Fault

NO_VOLUME: Final = (
    "Nobody has declared how many tasks are expected. Say `per_hour = ...` under [load] in preflight.toml, or "
    "`rate` under [admission] in the policy."
)
COST_TIMES_MAX: Final = (
    1.5  # What a task may cost under load, as a multiple of alone: more is retries in a crowd.
)
WORTH_WAITING_S: Final = 0.05  # A call that took less when it was recorded is not slowed down.
CALLS_MAX: Final = 50
HOURS_A_DAY: Final = 24


@dataclass(frozen=True, slots=True)
class Volume:
    """`said_by`: where it is declared, in words."""

    per_hour: float
    said_by: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """Of the one cell, in the order of its scripts."""

    golden: tuple[Golden, ...]
    labels: tuple[str, ...]
    volume: Volume
    pattern: str


def declared(policy: Policy, settings: LoadSettings) -> Volume | None:
    """preflight.toml first; else the rate at which the policy lets tasks begin."""
    if settings.per_hour is not None:
        return Volume(settings.per_hour, f"{settings.per_hour:g} an hour, as preflight.toml says")
    rule = policy.admission
    if rule is not None and rule.rate is not None:
        per_hour = rule.rate.calls / rule.rate.per_s * 3600
        return Volume(per_hour, f"{rule.rate}, the policy's admission rate")
    return None


def plan(ctx: Context) -> list[Cell]:
    settings = ctx.settings.load
    name, title = "load/volume", f"{settings.times:g} times the declared volume"
    volume = declared(ctx.policy, settings)
    if volume is None or not ctx.golden:
        lacking = NO_VOLUME if volume is None else crowd.NO_GOLDEN
        return [Cell(name, Part.LOAD, title, lacking=lacking)]
    wanted = crowd.spread(ctx.golden, settings.tasks)
    chosen = wanted[: max(2, crowd.under_caps(ctx.policy, wanted))]
    cases = [
        crowd.taking_part(each, each.case, ctx.settings).model_copy(
            update={"session": f"{each.case.session or each.case.id}-{number}"}
        )
        for number, each in enumerate(chosen, start=1)
    ]
    at_s = arrivals(ctx.arrivals_s, len(cases), volume.per_hour * settings.times, ctx.seed)
    about = Loaded(tuple(chosen), tuple(crowd.labels(cases)), volume, _pattern(ctx.arrivals_s, at_s))
    title = f"{len(cases)} tasks at {settings.times:g} times the declared volume ({volume.said_by})"
    axes = {"volume": f"{settings.times:g} x {volume.per_hour:g}/h"}
    slowed = tuple(
        Script(script.case, script.label, script.repeat, script.seed, faults=_taking_time(each, settings))
        for script, each in zip(crowd.scripts(cases, name, ctx.seed), chosen, strict=True)
    )
    return [Cell(name, Part.LOAD, title, axes=axes, scripts=slowed, arrivals_s=at_s, about=about)]


async def judge(ctx: Context, cell: Cell, played: Sequence[Played]) -> CellResult:
    """Asks no model: a judge's score says nothing about load."""
    assert isinstance(cell.about, Loaded)
    about, settings = cell.about, ctx.settings.load
    own = [
        crowd.trial_findings(script, each, label)
        for script, each, label in zip(cell.scripts, played, about.labels, strict=True)
    ]
    good = sum(not found for found in own)
    waited = _all_waited_s(cell, played, settings.places)
    found = [finding for each in own for finding in each]
    lasting = [finding for finding in found if finding.kind == "duplicate_effect"]
    too_few = good < settings.success_min * len(played)
    held = [
        *lasting,
        *_queueing(waited, settings),
        *_costs(about, played),
        *(found if too_few else ()),
    ]
    state = State.FAILED if standing(held) is Standing.FAILED else State.PASSED
    if found and standing(found) is Standing.UNDECIDED and state is State.PASSED:
        state, held = State.BROKEN, found
    evidence = _evidence(ctx, cell, about, played, waited)
    result = came_to(cell, played, state, passed=good, findings=list(dict.fromkeys(held)), evidence=evidence)
    return replace(result, interval=wilson(good, len(played)) if played else None)


def section(ctx: Context, results: Sequence[CellResult]) -> Section:
    result = results[0] if results else None
    if result is None or result.state in (State.UNDECIDED, State.BROKEN):
        why = result.why if result is not None else "It was not run."
        sentence = "How the agent does under load is not known."
        return Section(Part.LOAD, Verdict.INCONCLUSIVE, sentence, tuple(results), (why or sentence,))
    facts = {key: value for key, value in result.evidence.items() if key != "runs"}
    told = (
        f"{result.passed} of {result.runs} tasks ended as expected at {ctx.settings.load.times:g} times the declared "
        f"volume; {facts['duplicates']} acts were done twice; nineteen of twenty began within "
        f"{facts['waited_p95_s']:g} s; a task cost {facts['cost_per_task']}."
    )
    verdict = Verdict.GO if result.state is State.PASSED else Verdict.NO_GO
    if verdict is Verdict.NO_GO and result.why:
        told = f"{told} {result.why}"
    return Section(Part.LOAD, verdict, told, tuple(results), (), facts)


def _pattern(times: Sequence[float], at_s: Sequence[float]) -> str:
    if len(times) < TIMES_MIN:
        return "at random, for want of a recording"
    return f"as {len(times)} recorded tasks came (unevenness {burst(times):.2g}, here {burst(at_s):.2g}; 1 is chance)"


def _taking_time(each: Golden, settings: LoadSettings) -> tuple[Placed, ...]:
    """Every call takes as long as it did: stand-ins answer at once, and nothing would ever queue."""
    steps = each.played.recording.steps
    tools: dict[str, int] = {}
    models = 0
    placed = []
    for step in steps[:CALLS_MAX]:
        if step.kind == "model":
            models += 1
            seconds = settings.model_s if settings.model_s is not None else _took_s(step)
            placed.append(("model", "", models, seconds))
        elif step.kind == "tool":
            tools[step.name] = tools.get(step.name, 0) + 1
            seconds = settings.tool_s if settings.tool_s is not None else _took_s(step)
            placed.append(("tool", step.name, tools[step.name], seconds))
    return tuple(
        Placed("model" if on == "model" else "tool", name, nth, Fault("slow", "always", round(seconds, 3)))
        for on, name, nth, seconds in placed
        if seconds >= WORTH_WAITING_S
    )


def _took_s(step: Recorded) -> float:
    ended_us = step.ended_us if step.ended_us is not None else step.started_us
    return max(0, ended_us - step.started_us) / US_PER_S


def _waited_s(steps: Sequence[Recorded]) -> float | None:
    """From being handed in to the first thing done for it; None: nothing was."""
    handed_in = next((step.started_us for step in steps if step.kind == "input"), None)
    begun = min((step.started_us for step in steps if step.kind != "input"), default=None)
    return None if handed_in is None or begun is None else max(0, begun - handed_in) / US_PER_S


def _all_waited_s(cell: Cell, played: Sequence[Played], places: int) -> list[float | None]:
    """Of each what admission made it wait on the stage, where there is room for all, and then for a worker's place."""
    begun = [_waited_s(each.recording.steps) for each in played]
    ready = [at + (own or 0.0) for at, own in zip(cell.arrivals_s or (), begun, strict=True)]
    more = queued_s(ready, [each.trial.seconds for each in played], places)
    return [None if own is None else own + extra for own, extra in zip(begun, more, strict=True)]


def queued_s(ready_s: Sequence[float], work_s: Sequence[float], places: int) -> list[float]:
    """How long each waits for one of so many places, first come first served. Both in the same order."""
    free = [0.0] * places
    waits = [0.0] * len(ready_s)
    for at in sorted(range(len(ready_s)), key=lambda at: ready_s[at]):
        begins = max(ready_s[at], heapq.heappop(free))
        waits[at] = begins - ready_s[at]
        heapq.heappush(free, begins + work_s[at])
    return waits


def _queueing(waited: Sequence[float | None], settings: LoadSettings) -> list[Finding]:
    known = sorted(each for each in waited if each is not None)
    never = len(waited) - len(known)
    found = []
    if never:
        found.append(Finding("queueing", f"{never} of {len(waited)} tasks were never begun."))
    late_s = quantile(known, 0.95)
    if late_s > settings.queue_s_max:
        text = (
            f"One task in twenty waited {late_s:.1f} s or more for its beginning; {settings.queue_s_max:g} s are "
            "allowed (queue_s_max under [load])."
        )
        found.append(Finding("queueing", text))
    return found


def _costs(about: Loaded, played: Sequence[Played]) -> list[Finding]:
    """Against the same cases alone. An unknown price is told by the golden part, not here again."""
    alone, under_load = _mean_nano([each.played for each in about.golden]), _mean_nano(played)
    if alone is None or under_load is None or alone == 0 or under_load <= alone * COST_TIMES_MAX:
        return []
    text = (
        f"A task costs {usd_text(round(under_load))} under load and {usd_text(round(alone))} alone: calls are made "
        "again and again."
    )
    return [Finding("cost", text)]


def _mean_nano(played: Sequence[Played]) -> float | None:
    priced = [each.trial.cost_nano for each in played if each.trial.cost_nano is not None]
    return sum(priced) / len(priced) if priced and len(priced) == len(played) else None


def _evidence(
    ctx: Context, cell: Cell, about: Loaded, played: Sequence[Played], waited: Sequence[float | None]
) -> dict[str, Any]:
    settings = ctx.settings.load
    known = sorted(each for each in waited if each is not None)
    per_task = _mean_nano(played)
    hourly = about.volume.per_hour * settings.times
    return {
        "volume": about.volume.said_by,
        "arrivals": about.pattern,
        "places": settings.places,
        "tasks": len(played),
        "over_s": round((cell.arrivals_s or (0.0,))[-1], 1),
        "duplicates": sum(act.times - 1 for each in played for act in each.trial.duplicates),
        "waited_p50_s": round(quantile(known, 0.5), 3),
        "waited_p95_s": round(quantile(known, 0.95), 3),
        "waited_max_s": round(known[-1] if known else 0.0, 3),
        "cost_per_task": usd_text(round(per_task)) if per_task is not None else "not known",
        "cost_per_hour": usd_text(round(per_task * hourly)) if per_task is not None else "not known",
        "bounds_reached": _bounds(ctx.policy, about, played, hourly),
        "runs": crowd.told(cell.scripts, played),
    }


def _bounds(policy: Policy, about: Loaded, played: Sequence[Played], hourly: float) -> str:
    """Which bound of a day such a volume reaches first, and after how many hours: what then waits or is refused."""
    hours: dict[str, float] = {}
    for tool, rule in policy.tools.items():
        acts = sum(act.times for each in played for act in each.trial.acts if act.tool == tool)
        if rule.per_day is not None and acts:
            hours[f"per_day of {tool}"] = rule.per_day / (acts / len(about.golden) * hourly)
    per_task, day_usd = _mean_nano(played), policy.budgets.day_usd
    if per_task and day_usd is not None:
        hours["day_usd of the budgets"] = day_usd * 1e9 / (per_task * hourly)
    reached = sorted((at, name) for name, at in hours.items() if at < HOURS_A_DAY)
    return "; ".join(f"{name} after {at:.1f} hours" for at, name in reached) or "none within a day"


def quantile(ordered: Sequence[float], share: float) -> float:
    """The least value that this share of them does not pass; of none: 0."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]
