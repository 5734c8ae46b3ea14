"""The stand-in for people: says what the case has them say to calls that wait for approval, and answers questions."""

import contextlib
from typing import Any

import orjson

from airworthy.core.canonical import encode
from airworthy.evals import Asked
from airworthy.preflight.stage.part import Part
from airworthy.review import ItemQuery, Kind, items, questions
from airworthy.runtime import Operations, State, TaskRow
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.store import Tx
from airworthy.tools import EffectRow, EffectState, outbox

WHO = "the preflight, in a person's place"
_SAID = {"approve": EffectState.APPROVED, "reject": EffectState.REJECTED}


class StandInPeople:
    """Asked whenever nothing else is left to do. A question that the case has no answer to stays open."""

    def __init__(self, operations: Operations, lifecycle: Lifecycle) -> None:
        self._operations = operations
        self._lifecycle = lifecycle
        self._noted: set[str] = set()

    @property
    def left_one(self) -> bool:
        """Whether a question was put to them at all, which may still be open."""
        return bool(self._noted)

    def decide(self, part: Part) -> bool:
        """Whether anything was decided, so that its task goes on."""
        task = self._operations.task(part.task_id)
        decided = False
        for effect in self._operations.effects(task.id):
            if effect.state is EffectState.HELD and task.state is State.WAITING and effect.due_us is None:
                self._approval(part, effect)
                decided = True
        return self._questions(part, task) or decided

    def _approval(self, part: Part, effect: EffectRow) -> None:
        said = part.script.case.people
        part.asked.append((effect.seq, Asked(effect.tool, effect.note or effect.tool, said)))
        note = "" if said == "approve" else "a person said no"
        self._operations.decide(effect.id, _SAID[said], WHO, note)

    def _questions(self, part: Part, task: TaskRow) -> bool:
        def answer(tx: Tx) -> bool:
            answered = False
            for question in questions.of_task(tx, task.id):
                if not question.open:
                    continue
                said = _answer(part, question.text)
                if question.id not in self._noted:
                    part.asked.append((question.seq, Asked("", question.text, said or "")))
                    self._noted.add(question.id)
                elif said is not None:
                    continue  # It was answered before, and that answer could not be used.
                fits = (
                    []
                    if said is None
                    else [each for each in _read(said) if not questions.unfit(question, each)]
                )
                if not fits:
                    continue
                now_us = self._operations.clock.now_us()
                questions.answer(tx, question, encode(fits[0]).decode(), (WHO, "", ""), now_us)
                self._lifecycle.wake(tx, task.id, now_us)
                answered = True
            return answered

        return self._operations.database.write_now(answer)


def asked_until_us(tx: Tx) -> int | None:
    """When a clock has something to do about a question that nobody has answered."""
    listed = items.listing(tx, ItemQuery(kinds=(Kind.QUESTION,)))
    return min((item.wake_us for item in listed if item.wake_us is not None), default=None)


def _answer(part: Part, text: str) -> str | None:
    for mark, said in part.script.case.answers.items():
        if mark.casefold() in text.casefold():
            return said
    return None


def _read(said: str) -> list[Any]:
    """The answer itself, then what it says as JSON, for an agent that asked for a number or an object."""
    with contextlib.suppress(ValueError):
        return [said, orjson.loads(said)]
    return [said]


def waits_for(tx: Tx, task_id: str) -> str:
    """In words, what keeps a task from its end; empty: nothing of that kind."""
    held = [row.tool for row in outbox.of_task(tx, task_id) if row.state is EffectState.HELD]
    asked = [question.text for question in questions.of_task(tx, task_id) if question.open]
    parts = [f"approval of {tool}" for tool in held]
    parts += [f"an answer to {text[:200]!r}, which the case does not have" for text in asked]
    return "; ".join(parts)
