"""An item in plain words: what happened, why it stopped, what is asked, what follows each answer. No model is asked.

The sentences quote texts from outside; whoever prints them makes them safe to print.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from airworthy.core.clock import utc_text
from airworthy.core.outcome import ReasonCode
from airworthy.review import ACTS, Act, Item, Kind, Status
from airworthy.review.plain_text import cut
from airworthy.runtime.looking import Look
from airworthy.runtime.machine import OPEN

QUOTE_CHARS_MAX = 600
LINE_CHARS_MAX = 200
_DOES: Final[Mapping[str, str]] = {
    "write": "changes records", "send": "sends something", "delete": "deletes something",
}  # fmt: skip
_WENT_ON: Final = "The task goes on where it stopped."
_DEFAULTS: Final[Mapping[str, str]] = {
    "reject": "the call is rejected and never happens",
    "approve": "the call is approved and made",
    "decline": "the task is declined",
    "default": "the question is answered with its default",
}


@dataclass(frozen=True, slots=True)
class Told:
    """`answers`: each possible act with what it leads to."""

    happened: str
    stopped: str
    asked: str
    answers: tuple[tuple[Act, str], ...]
    default: str


def told(look: Look) -> Told:
    happened, stopped, asked = _TELL[look.item.kind](look)
    answers = tuple((act, _follows(look, act)) for act in ACTS[look.item.kind])
    return Told(happened, stopped, asked, answers, default_of(look.item))


def line(look: Look) -> str:
    """The item in one short line, for a list."""
    effect = look.effect
    if effect is not None:
        text = f"{effect.tool} {effect.arguments[: 2 * LINE_CHARS_MAX]}"
    elif look.question is not None:
        text = look.question.text
    else:
        text = _why(look)
    return cut(" ".join(text[: 4 * LINE_CHARS_MAX].split()), LINE_CHARS_MAX)


def default_of(item: Item) -> str:
    """What happens if nobody decides."""
    if item.status is not Status.OPEN:
        return ""
    if item.kind is Kind.DELAYED:
        return "It goes out at its time."
    if not item.placed:
        return "Not known yet: a worker sets its team and its deadline."
    if item.deadline_us is None:
        return "It waits until somebody decides."
    when = utc_text(item.deadline_us)
    if item.on_deadline == "escalate":
        return f"If nobody decides by {when}, it goes to {item.escalate_to}."
    follows = _DEFAULTS.get(item.on_deadline)
    return (
        f"If nobody decides by {when}, {follows}."
        if follows
        else f"It is overdue after {when}, and still waits."
    )


def _approval(look: Look) -> tuple[str, str, str]:
    effect = look.effect
    assert effect is not None
    to = f" to {effect.recipient}" if effect.recipient else ""
    does = _DOES.get(effect.effect, "acts")
    asked = f"{look.task.agent} asked for {effect.tool}{to}, which {does}."
    if look.item.status is not Status.OPEN:
        # The effect's note may be the decision's by now, and the call may have been made.
        return (
            f"{asked} It is {effect.state.value.replace('_', ' ')} now.",
            "The policy asked a person first.",
            "",
        )
    happened = f"{asked} Nothing was sent."
    stopped = (
        f"It was held: {effect.note.rstrip('.')}."
        if effect.note
        else "The policy asks a person before this call."
    )
    if look.item.edited_by:
        stopped += f" {look.item.edited_by} has changed its arguments since."
    return happened, stopped, "Shall this call be made, with exactly these arguments?"


def _delayed(look: Look) -> tuple[str, str, str]:
    effect = look.effect
    assert effect is not None
    due = utc_text(effect.due_us) if effect.due_us is not None else "once a run asks for it"
    happened = f"{look.task.agent} asked for {effect.tool}, which goes out at {due}."
    return happened, "The policy delays it, so that a person can stop it.", "Nothing; stop it if it is wrong."


def _in_doubt(look: Look) -> tuple[str, str, str]:
    effect = look.effect
    assert effect is not None
    began = f" at {utc_text(effect.started_us)}" if effect.started_us is not None else ""
    happened = f"{effect.tool} was started{began}, and its result was lost: it may or may not have happened."
    if effect.note:
        happened += f" What is known: {_quoted(effect.note)}"
    stopped = "Doing it again could do it twice, so nothing is done until somebody has looked."
    return happened, stopped, "Look at the other side. Did it happen?"


def _question(look: Look) -> tuple[str, str, str]:
    question = look.question
    assert question is not None
    stopped = "The agent needs the answer to go on."
    if question.problem:
        stopped += f" It was answered before: {_quoted(question.problem)}"
    return f"{look.task.agent} asks a question in the middle of its work.", stopped, question.text


def _escalation(look: Look) -> tuple[str, str, str]:
    why = look.task.why
    agents_own = why is not None and why.code is ReasonCode.AGENT_ESCALATED
    stopped = f"In the agent's own words, which nobody checked: {_why(look)}" if agents_own else _why(look)
    happened = (
        f"{look.task.agent} stopped without an answer and handed the task to {look.item.to or 'people'}."
    )
    return happened, stopped, "What shall become of it?"


def _blocked(look: Look) -> tuple[str, str, str]:
    happened = (
        f"{look.task.agent} finished, and its answer was held back. Whoever asked has seen nothing of it."
    )
    return happened, _why(look), "May this answer go out?"


def _dead(look: Look) -> tuple[str, str, str]:
    happened = f"{look.task.agent} could not process this task. Its input is kept whole."
    why = look.task.why
    mend = f" {why.error.mend}" if why is not None and why.error is not None and why.error.mend else ""
    return happened, _why(look) + mend, "Is the cause mended, so that it can be tried again?"


_TELL: Final = {
    Kind.APPROVAL: _approval,
    Kind.DELAYED: _delayed,
    Kind.IN_DOUBT: _in_doubt,
    Kind.QUESTION: _question,
    Kind.ESCALATION: _escalation,
    Kind.BLOCKED_ANSWER: _blocked,
    Kind.DEAD_LETTER: _dead,
}


def _follows(look: Look, act: Act) -> str:
    kind, from_outbox = look.item.kind, look.effect is not None and look.effect.due_us is not None
    then = "" if look.task.state not in OPEN or from_outbox else f" {_WENT_ON}"
    if kind is Kind.APPROVAL and act is Act.APPROVE:
        if from_outbox:
            return "It is sent at once, once."
        if look.task.state not in OPEN:
            return f"Its task is {look.task.state.value}; the call is made only if somebody opens that again."
        return f"The call is made once, if the policy of that moment still allows it.{then}"
    if kind is Kind.QUESTION:
        return _WENT_ON
    return _SENTENCES[kind, act] + (then if kind is Kind.APPROVAL else "")


_SENTENCES: Final[Mapping[tuple[Kind, Act], str]] = {
    (
        Kind.APPROVAL,
        Act.EDIT,
    ): "Your arguments are checked against the tool's schema and the policy, then approved.",
    (Kind.APPROVAL, Act.REJECT): "It never happens, and the agent is told your reason.",
    (Kind.DELAYED, Act.REJECT): "It is never sent.",
    (Kind.DELAYED, Act.HOLD): "It waits for somebody's yes instead of for its time.",
    (Kind.IN_DOUBT, Act.HAPPENED): "It is on record as done, with the result you give, and the task goes on.",
    (
        Kind.IN_DOUBT,
        Act.NOT_HAPPENED,
    ): "It is on record as not done, the agent is told, and the task goes on.",
    (Kind.IN_DOUBT, Act.AGAIN): "It is done now, and the task goes on. Be sure that it has not happened.",
    (Kind.ESCALATION, Act.ANSWER): "Your text is the answer to whoever asked, and the task is over.",
    (Kind.ESCALATION, Act.REOPEN): "The task goes on, with fresh limits, and its agent is given your word.",
    (Kind.ESCALATION, Act.APPROVE): "The task goes on, with fresh limits, as if it had not stopped.",
    (Kind.ESCALATION, Act.REJECT): "The task is declined, and whoever asked is told your reason.",
    (Kind.BLOCKED_ANSWER, Act.APPROVE): "The answer below goes out as it stands, and the task is over.",
    (Kind.BLOCKED_ANSWER, Act.EDIT): "The answer goes out as you write it, and the task is over.",
    (Kind.BLOCKED_ANSWER, Act.ANSWER): "Your text is the answer instead, and the task is over.",
    (
        Kind.BLOCKED_ANSWER,
        Act.REOPEN,
    ): "The task goes on, with fresh limits, and its agent is given your word.",
    (Kind.BLOCKED_ANSWER, Act.REJECT): "The task is declined, and whoever asked is told your reason.",
    (Kind.DEAD_LETTER, Act.APPROVE): "It is tried again: done steps stand, failed ones are made anew.",
    (Kind.DEAD_LETTER, Act.REJECT): "It is put away: kept whole, listed no more.",
    (Kind.DEAD_LETTER, Act.ANSWER): "Your text is the answer to whoever asked, and the task is over.",
}


def _why(look: Look) -> str:
    why = look.task.why
    return _quoted(why.text) if why is not None else f"It is {look.task.state.value}."


def _quoted(text: str) -> str:
    return cut(text, QUOTE_CHARS_MAX)
