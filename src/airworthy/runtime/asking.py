"""A question that an agent asks people in the middle of its work: a step, a row, and a task that waits."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from airworthy.core.canonical import decode, digest, encode
from airworthy.core.errors import InputError, told
from airworthy.core.gate import CallFact
from airworthy.core.halt import Stop, Suspend
from airworthy.core.outcome import Outcome, Reason, ReasonCode
from airworthy.recorder import Journal, StepFacts, StepState
from airworthy.review import Question, questions
from airworthy.runtime.gate import RunGate
from airworthy.tools import RunTools

NO_DEFAULT: Final = object()
SHOWN_CHARS = 120
ANSWER: Final = "an answer to:"  # How what such a task waits for begins.


@dataclass(frozen=True, slots=True)
class Asking:
    """What `run.ask` was called with, checked. The journal knows a question by its text, team and choices."""

    text: str
    to: str
    choices: tuple[str, ...]
    adapter: TypeAdapter[Any] | None
    deadline_s: float | None
    default: bytes | None

    def read(self, answer: Any) -> Any:
        """Raises: ValidationError."""
        return answer if self.adapter is None else self.adapter.validate_python(answer)

    @property
    def key(self) -> bytes:
        return encode({"question": self.text, "to": self.to, "choices": self.choices})


def asking(
    text: str, to: str, choices: Sequence[str], output: Any, deadline_s: float | None, default: Any
) -> Asking:
    """Raises: InputError for a question that nobody could answer."""
    if not text.strip() or len(text) > questions.TEXT_CHARS_MAX:
        raise InputError(
            f"A question of {len(text)} characters cannot be asked.",
            mend=f"Write 1 to {questions.TEXT_CHARS_MAX} characters; evidence belongs into the steps before it.",
        )
    if len(choices) > questions.CHOICES_MAX or len(set(choices)) != len(choices):
        raise InputError(
            f"The choices are {choices!r}.", mend=f"Give at most {questions.CHOICES_MAX}, all different."
        )
    if deadline_s is not None and deadline_s <= 0:
        raise InputError(f"deadline_s is {deadline_s}.", mend="Give a number above 0, or leave it out.")
    try:
        adapter = None if output in (None, str) else TypeAdapter(output)
    except PydanticSchemaGenerationError as error:
        raise InputError(
            f"The answer type {output!r} has no schema.", mend="Ask for plain data or a model."
        ) from error
    made = Asking(text, to, tuple(choices), adapter, deadline_s, None)
    if default is NO_DEFAULT:
        return made
    raw = encode(default)
    try:
        made.read(decode(raw))
    except ValidationError as error:
        raise InputError(
            f"The default {default!r} is no such answer: {told(error)}", mend="Give one that fits."
        ) from error
    if choices and default not in choices:
        raise InputError(f"The default {default!r} is none of the choices.", mend="Give one of them.")
    return Asking(text, to, tuple(choices), adapter, deadline_s, raw)


async def ask(journal: Journal, gate: RunGate, tools: RunTools, asked: Asking) -> Any:
    """The answer, or a Suspend until there is one; asked once, however often the run is called again."""
    slot = journal.slot("ask", "ask", asked.key)
    recorded = slot.recorded
    if recorded is not None and recorded.state is StepState.DONE:
        return asked.read(recorded.result)
    question_id = questions.ID_PREFIX + digest(journal.task.id.encode(), slot.key).hex()
    waits = Suspend(f"{ANSWER} {asked.text[:SHOWN_CHARS]}")
    if recorded is None:
        gate.admit(CallFact("ask", "ask", slot.arguments, slot.occurrence))
        clean = decode(slot.arguments)
        question = Question(
            id=question_id, task_id=journal.task.id, seq=slot.seq, agent=journal.task.agent, text=clean["question"],
            to=asked.to, choices=asked.choices, schema=_schema(asked), deadline_s=asked.deadline_s,
            default=None if asked.default is None else asked.default.decode(), created_us=journal.clock.now_us(),
        )  # fmt: skip
        await journal.open(slot, StepState.HELD, also=lambda tx: questions.insert(tx, question))
        tools.awaited.add(question_id)
        raise waits
    found = await journal.database.read(lambda tx: questions.find(tx, question_id))
    if found is None or found.open:
        tools.awaited.add(question_id)
        raise waits
    if found.declined:
        text = f"Nobody answered in time: {found.text}"
        raise Stop(
            Outcome.DECLINED,
            Reason(code=ReasonCode.POLICY_STOP, text=text, evidence={"question": found.text}),
        )
    answer = json.loads(found.answer or "null")
    try:
        value = asked.read(answer)
    except ValidationError as error:
        problem = f"{found.answered_by} answered {found.answer}, and that cannot be used: {told(error)}"
        await journal.database.write(
            lambda tx: questions.ask_again(tx, found, problem[: questions.TEXT_CHARS_MAX]),
            fence=journal.fence,
        )
        tools.awaited.add(question_id)
        raise waits from None
    note = {"answered_by": found.answered_by, "role": found.role, "note": found.note}
    tools.ledger.hear(slot.seq, "person", "ask", answer)
    await journal.close(slot, StepState.DONE, result=encode(answer), facts=StepFacts(notes=(note,)))
    return value


def _schema(asked: Asking) -> dict[str, Any] | None:
    return None if asked.adapter is None else asked.adapter.json_schema()
