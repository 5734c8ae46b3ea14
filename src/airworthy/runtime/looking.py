"""All that is known about an item at one moment, and the seal of what a person who decides has seen of it."""

from dataclasses import dataclass

from airworthy.core.canonical import digest, encode
from airworthy.gateway import budget
from airworthy.review import Item, Kind, Question, items, questions
from airworthy.runtime import tasks
from airworthy.runtime.tasks import TaskRow
from airworthy.store import Tx
from airworthy.tools import EffectRow, outbox

SEAL_CHARS = 16
_OF_EFFECTS = (Kind.APPROVAL, Kind.DELAYED, Kind.IN_DOUBT)


@dataclass(frozen=True, slots=True)
class Look:
    """`cost_nano`: what the task has cost so far; None: unknown."""

    item: Item
    task: TaskRow
    effect: EffectRow | None
    question: Question | None
    cost_nano: int | None

    @property
    def seal(self) -> str:
        """Changes with whatever a decision is about: the call and its arguments, the question, why a task ended.

        Not with whom it is assigned to, nor with reminders.
        """
        effect, question = self.effect, self.question
        parts = [self.item.id, self.item.kind.value, self.item.status.value]
        if effect is not None:
            parts += [
                effect.id,
                effect.tool,
                effect.state.value,
                effect.arguments,
                effect.recipient or "",
                effect.note or "",
            ]
        if question is not None:
            parts += [question.id, question.text, encode(question.choices).decode(), question.problem]
        if effect is None and question is None:
            parts += [self.task.state.value, self.task.reason or "", str(self.task.closed_us)]
        return digest(*(part.encode() for part in parts)).hex()[:SEAL_CHARS]


def look(tx: Tx, item_id: str) -> Look:
    """Raises: NoSuchItem."""
    return look_at(tx, items.get(tx, item_id))


def look_at(tx: Tx, item: Item) -> Look:
    """`item`: as it is read in this transaction."""
    task = tasks.get(tx, item.task_id)
    effect = outbox.find(tx, item.subject) if item.kind in _OF_EFFECTS else None
    question = questions.find(tx, item.subject) if item.kind is Kind.QUESTION else None
    return Look(item, task, effect, question, budget.of_task(tx, task.id))
