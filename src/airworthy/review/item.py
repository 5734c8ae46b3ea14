"""One thing that waits for a person, as a value: what kind, of which task, who is asked, until when. Does nothing."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    APPROVAL = "approval"  # A call held until a person says yes.
    DELAYED = "delayed"  # A call that goes out at its time unless a person stops it.
    IN_DOUBT = "in_doubt"  # A call that was started and whose result was lost.
    QUESTION = "question"  # A running task asks and waits for the answer.
    ESCALATION = "escalation"  # A task that stopped and was handed to people.
    BLOCKED_ANSWER = "blocked_answer"  # A finished answer that a check held back.
    DEAD_LETTER = "dead_letter"  # A task that could not be processed.


class Status(StrEnum):
    OPEN = "open"
    DECIDED = "decided"
    GONE = "gone"  # What it was about has changed or ended without a decision in the queue.


class Act(StrEnum):
    """What a person (or the deadline) can do with an item."""

    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"
    ANSWER = "answer"
    REOPEN = "reopen"
    HOLD = "hold"
    HAPPENED = "happened"
    NOT_HAPPENED = "not_happened"
    AGAIN = "again"
    ASSIGN = "assign"


# What can be said about each kind, in the order in which it is offered.
ACTS: dict[Kind, tuple[Act, ...]] = {
    Kind.APPROVAL: (Act.APPROVE, Act.EDIT, Act.REJECT),
    Kind.DELAYED: (Act.REJECT, Act.HOLD),
    Kind.IN_DOUBT: (Act.HAPPENED, Act.NOT_HAPPENED, Act.AGAIN),
    Kind.QUESTION: (Act.ANSWER,),
    Kind.ESCALATION: (Act.ANSWER, Act.REOPEN, Act.APPROVE, Act.REJECT),
    Kind.BLOCKED_ANSWER: (Act.APPROVE, Act.EDIT, Act.ANSWER, Act.REOPEN, Act.REJECT),
    Kind.DEAD_LETTER: (Act.APPROVE, Act.REJECT, Act.ANSWER),
}


@dataclass(frozen=True, slots=True)
class Item:
    """As it is stored. `subject`: the effect, the question, or the task and its run ("tsk_1#3").

    `wake_us`: when a clock has something to do about it, a reminder or the deadline. `placed`: whether the rules of its
    policy have been applied; until then nobody knows its team or its deadline. `reminders`: how many were sent.
    """

    id: str
    kind: Kind
    status: Status
    subject: str
    task_id: str
    agent: str
    to: str
    created_us: int
    placed: bool = False
    assigned: str = ""
    deadline_us: int | None = None
    on_deadline: str = "wait"
    escalate_to: str = ""
    wake_us: int | None = None
    reminders: int = 0
    edited_by: str = ""
    decided_us: int | None = None
    act: str = ""
    by: str = ""
    role: str = ""
    note: str = ""

    @property
    def overdue_at(self) -> int | None:
        """The deadline, where passing it means something."""
        return self.deadline_us if self.on_deadline != "wait" else None


@dataclass(frozen=True, slots=True)
class Record:
    """Who did what with an item, when, in which role, and what they had seen. Never changed, never deleted."""

    item_id: str
    number: int
    at_us: int
    act: Act
    by: str
    role: str
    note: str
    seen: str
    detail: str = "null"  # JSON: the changed arguments, the answer, the team.
