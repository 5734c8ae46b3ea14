"""What is left of a demo when every process has ended, read back from its files; judges nothing."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from airworthy.app.build import App
from airworthy.demo import ledger, shop
from airworthy.demo.folder import Folder
from airworthy.demo.inquiries import Inquiry
from airworthy.gateway import budget
from airworthy.recorder import Recorded, StepState
from airworthy.runtime import TaskQuery, TaskRow
from airworthy.store import Tx
from airworthy.tools import EffectRow, EffectState

EVERYTHING: Final = TaskQuery(limit=100_000, discarded=True)
EFFECTS_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class Kill:
    """The worker's end by SIGKILL, and what it left: tasks closed before it, under way, and effects it had begun."""

    closed: int
    under_way: int
    cut_off: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Journal:
    """One task's record, counted. `in_doubt` and `started`: the steps in these states; `runs`: which runs acted."""

    outcomes: int
    in_doubt: int
    started: int
    model_calls: int
    tool_calls: int

    @classmethod
    def of(cls, steps: Sequence[Recorded]) -> "Journal":
        return cls(
            outcomes=sum(1 for step in steps if step.kind == "outcome"),
            in_doubt=sum(1 for step in steps if step.state is StepState.IN_DOUBT),
            started=sum(1 for step in steps if step.state is StepState.STARTED),
            model_calls=sum(1 for step in steps if step.kind == "model"),
            tool_calls=sum(1 for step in steps if step.kind == "tool"),
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """`letters` as they were handed in, repeats included. Money is nano-USD: bills that came, and calls whose bill was
    lost, at their worst case. `mails` by the letter's key, as the shop has them. `told`: how many tasks of each outcome
    the console tells of, and as `opened` of how many in all.
    """

    letters: Sequence[Inquiry]
    tasks: Sequence[TaskRow]
    journals: Mapping[str, Journal]
    effects: Sequence[EffectRow]
    at_shop: ledger.Ledger
    keys_at_shop: Sequence[str]
    arrivals_cut_off: Mapping[str, Sequence[str]]
    mails: Mapping[str, Sequence[str]]
    kills: Sequence[Kill]
    kills_planned: int
    billed_nano: int
    unbilled_nano: int
    cap_nano: int
    told: Mapping[str, int]

    @property
    def tasks_by_key(self) -> dict[str, TaskRow]:
        return {task.idempotency_key or "": task for task in self.tasks}


@dataclass(frozen=True, slots=True)
class Course:
    """What only the demo itself knows of how it went."""

    letters: Sequence[Inquiry]
    kills: Sequence[Kill]
    kills_planned: int
    cap_nano: int
    told: Mapping[str, int]


def gathered(app: App, folder: Folder, course: Course) -> Evidence:
    tasks = app.operations.tasks(EVERYTHING)
    spent = _spent(app, [task.id for task in tasks])
    with closing(shop.connect(str(folder.shop))) as connection:
        return Evidence(
            letters=course.letters,
            tasks=tasks,
            journals={task.id: Journal.of(app.operations.steps(task.id)) for task in tasks},
            effects=app.operations.outbox(list(EffectState), EFFECTS_MAX),
            at_shop=ledger.verify(connection),
            keys_at_shop=ledger.keys_carried_out(connection),
            arrivals_cut_off={
                key: ledger.arrivals_of(connection, key) for kill in course.kills for key in kill.cut_off
            },
            mails=ledger.mail_texts_by_ticket(connection),
            kills=course.kills,
            kills_planned=course.kills_planned,
            billed_nano=sum(settled for _, settled in spent),
            unbilled_nano=sum(reserved for reserved, _ in spent),
            cap_nano=course.cap_nano,
            told=course.told,
        )


def _spent(app: App, task_ids: Sequence[str]) -> list[tuple[int, int]]:
    """(reserved, settled) of each."""

    def query(tx: Tx) -> list[tuple[int, int]]:
        return [budget.spent(tx, f"task:{task_id}") for task_id in task_ids]

    return app.database.read_now(query)
