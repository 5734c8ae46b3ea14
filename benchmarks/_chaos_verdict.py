"""What is left after the chaos, held against what the outside world saw and against what agents were told."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from airworthy.app.build import App
from airworthy.recorder import read_steps
from airworthy.review.item import Kind
from airworthy.review.items import ItemQuery
from airworthy.tools import EffectState
from benchmarks._chaos_audit import Note, stale_writes, takeovers
from benchmarks._chaos_fleet import Happened
from benchmarks._chaos_worker import ACTS, WORDS, labels

TAKEN_OVER_S = 12.0  # The lease, and two seconds.
TAKES_OVER = ("kill", "freeze", "part", "unplug")
OUTAGES = ("restart", "crash")
AFTER_S = 15.0  # For so long, what happened is still the reason.


@dataclass
class Verdict:
    """Counts of what must not be, and figures. `faults`: each in words, for who looks for the cause."""

    lost: int = 0
    outcomes_twice: int = 0
    duplicate_keyed_effects: int = 0
    unkeyed_twice: int = 0
    stale_writes_accepted: int = 0
    words_not_kept: int = 0
    steps_missing: int = 0
    ended_otherwise: int = 0
    in_doubt: int = 0
    in_review_queue: int = 0
    wrongly_buried: int = 0
    takeover_s: dict[str, dict[str, float]] = field(default_factory=dict)
    recovery_s: dict[str, dict[str, float]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether what must hold did; how long things took is judged by who knows how busy the machine was."""
        zeros = (
            self.lost, self.outcomes_twice, self.duplicate_keyed_effects, self.unkeyed_twice,
            self.stale_writes_accepted, self.words_not_kept, self.steps_missing, self.ended_otherwise,
        )  # fmt: skip
        return not any(zeros) and self.in_doubt == self.in_review_queue


def lines(folder: Path, name: str) -> list[list[str]]:
    path = folder / name
    return [line.split("\t") for line in path.read_text().splitlines()] if path.exists() else []


@dataclass(frozen=True, slots=True)
class Seen:
    """What the outside world saw of each call: how often it was really made, and what agents were told of it."""

    acts: dict[str, list[list[str]]]
    told: dict[str, set[str]]


def seen(folder: Path) -> Seen:
    acts: dict[str, list[list[str]]] = defaultdict(list)
    for line in lines(folder, ACTS):
        acts[line[0]].append(line)
    told: dict[str, set[str]] = defaultdict(set)
    for label, answer, _ in lines(folder, WORDS):
        told[label].add(answer)
    return Seen(acts, told)


def judged(
    app: App, ids: Sequence[str], steps: int, outside: Seen, log: list[Note], happened: list[Happened]
) -> Verdict:
    """`ids`: of the tasks, by number."""
    verdict = Verdict()
    doubtful: set[str] = set()
    for number, task_id in enumerate(ids):
        doubtful |= _judge_task(verdict, app, labels(number, steps), task_id, outside)
    _judge_log(verdict, log, happened)
    queued = app.reviews.listing(ItemQuery(kinds=(Kind.IN_DOUBT,), limit=10 * len(ids)))
    verdict.in_doubt = len(doubtful)
    verdict.in_review_queue = len({look.item.subject for look in queued} & doubtful)
    return verdict


def _judge_task(
    verdict: Verdict, app: App, calls: Sequence[tuple[str, str]], task_id: str, outside: Seen
) -> set[str]:
    """The effects of the task that are in doubt."""
    task = app.operations.task(task_id)
    steps = app.database.read_now(lambda tx: read_steps(tx, task_id))
    effects = app.operations.effects(task_id)
    doubtful = [row for row in effects if row.state is EffectState.IN_DOUBT]
    outcomes = [step for step in steps if step.kind == "outcome"]
    if task.outcome is None or not outcomes:
        verdict.lost += 1
        verdict.faults.append(f"{task_id} has no outcome: {task.state}")
    if len(outcomes) > 1:
        verdict.outcomes_twice += 1
    if doubtful and any(row.tool != "post" for row in doubtful):
        verdict.faults.append(f"{task_id}: a keyed effect is in doubt")
        verdict.lost += 1
    stored = {
        step.arguments["label"]: step.result for step in steps if step.kind == "tool" and step.arguments
    }
    answered = task.outcome is not None and task.outcome.value == "answered"
    if not answered and not doubtful:
        verdict.ended_otherwise += 1
        verdict.faults.append(f"{task_id} ended as {task.state} without a doubt: {task.why}")
    if answered and len(stored) + sum(step.name == "now" for step in steps) <= len(calls):
        verdict.steps_missing += 1
        verdict.faults.append(f"{task_id} was answered with {len(stored)} calls on record")
    for name, label in calls:
        _judge_call(verdict, name, label, outside.acts[label], done=answered)
        kept = outside.told[label] - {stored.get(label)}
        if kept:
            verdict.words_not_kept += 1
            verdict.faults.append(
                f"{label}: told {sorted(outside.told[label])}, on record {stored.get(label)}"
            )
    return {row.id for row in doubtful}


def _judge_call(verdict: Verdict, name: str, label: str, acts: list[list[str]], *, done: bool) -> None:
    """The outside world takes the first act with a key and answers any other with the same as it did."""
    if name == "send" and len({act[1] for act in acts}) > 1:
        verdict.duplicate_keyed_effects += 1
        verdict.faults.append(f"{label} was sent with {len({act[1] for act in acts})} keys")
    if name == "post" and len(acts) > 1:
        verdict.unkeyed_twice += 1
        verdict.faults.append(f"{label} was posted {len(acts)} times")
    if name != "look" and done and not acts:
        verdict.lost += 1
        verdict.faults.append(f"{label} is on record as done and was never done")


def _judge_log(verdict: Verdict, log: list[Note], happened: list[Happened]) -> None:
    workers = frozenset(note.name for note in log if note.what == "joined")
    stale = stale_writes(log, workers)
    verdict.stale_writes_accepted = len(stale)
    verdict.faults += [f"accepted though stale: {note}" for note in stale[:20]]
    closed = Counter(note.name for note in log if note.what == "closed")
    verdict.outcomes_twice += sum(count > 1 for count in closed.values())
    gone = [note for note in log if note.what == "gone" and note.who != note.name]
    for note in gone:
        reasons = (each for each in happened if each.owner in ("", note.name))
        if not any(each.from_s <= note.at_s <= each.to_s + AFTER_S for each in reasons):
            verdict.wrongly_buried += 1
    outages = [each for each in happened if each.kind in OUTAGES]
    for each in happened:
        if each.kind not in TAKES_OVER:
            continue
        for found in takeovers(log, each.owner, each.from_s):
            ends_s = each.from_s + found.seconds
            broken = any(out.from_s <= ends_s and out.to_s >= each.from_s for out in outages)
            _add(verdict.takeover_s, f"{each.kind} in an outage" if broken else each.kind, found.seconds)
    _sum_up(verdict.takeover_s)
    for each in outages:
        after = (note.at_s for note in log if note.what == "step" and note.at_s > each.to_s)
        first_s = next(after, None)
        if first_s is not None:  # There was still something to do.
            _add(verdict.recovery_s, each.kind, first_s - each.to_s)
    _sum_up(verdict.recovery_s)


def _add(to: dict[str, Any], kind: str, seconds: float) -> None:
    to.setdefault(kind, []).append(seconds)


def _sum_up(of: dict[str, Any]) -> None:
    for kind, times in of.items():
        of[kind] = {"count": len(times), "p50": round(median(times), 2), "max": round(max(times), 2)}
