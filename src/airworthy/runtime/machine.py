"""The life of a task, as a table. Rule 1: no other file changes a state. Rule 2: what is not here is an error."""

from enum import StrEnum

from airworthy.core.errors import AirworthyError
from airworthy.core.outcome import Outcome


class State(StrEnum):
    """Four open states, and the five outcomes."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"  # For a time or a decision.
    PAUSED = "paused"
    ANSWERED = "answered"
    DECLINED = "declined"
    ESCALATED = "escalated"
    DEAD_LETTERED = "dead_lettered"
    CANCELLED = "cancelled"


class Event(StrEnum):
    CLAIM = "claim"  # A worker takes it.
    TAKE_OVER = "take_over"  # A worker takes it from a dead one.
    SUSPEND = "suspend"  # The run waits for a time or a decision.
    RETRY = "retry"  # A dependency is down; again later.
    WAKE = "wake"  # A decision was recorded.
    PAUSE = "pause"
    RESUME = "resume"
    ANSWER = "answer"
    DECLINE = "decline"
    ESCALATE = "escalate"
    DEAD_LETTER = "dead_letter"
    CANCEL = "cancel"
    REQUEUE = "requeue"  # A person sends a dead letter back.
    REOPEN = "reopen"  # A person has settled what it was escalated for.


OPEN = frozenset({State.QUEUED, State.RUNNING, State.WAITING, State.PAUSED})

TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.QUEUED, Event.CLAIM): State.RUNNING,
    (State.WAITING, Event.CLAIM): State.RUNNING,
    (State.RUNNING, Event.TAKE_OVER): State.RUNNING,
    (State.RUNNING, Event.SUSPEND): State.WAITING,
    (State.RUNNING, Event.RETRY): State.WAITING,
    (State.WAITING, Event.WAKE): State.QUEUED,
    (State.QUEUED, Event.PAUSE): State.PAUSED,
    (State.WAITING, Event.PAUSE): State.PAUSED,
    (State.RUNNING, Event.PAUSE): State.PAUSED,
    (State.PAUSED, Event.RESUME): State.QUEUED,
    (State.RUNNING, Event.ANSWER): State.ANSWERED,
    (State.RUNNING, Event.DECLINE): State.DECLINED,
    (State.QUEUED, Event.DECLINE): State.DECLINED,  # Refused at the door, before any run.
    (State.RUNNING, Event.ESCALATE): State.ESCALATED,
    (State.QUEUED, Event.ESCALATE): State.ESCALATED,  # The agent is off, and people do its tasks.
    (State.WAITING, Event.ESCALATE): State.ESCALATED,
    (State.PAUSED, Event.ESCALATE): State.ESCALATED,
    (State.RUNNING, Event.DEAD_LETTER): State.DEAD_LETTERED,
    (State.QUEUED, Event.DEAD_LETTER): State.DEAD_LETTERED,  # Its record cannot be read.
    (State.WAITING, Event.DEAD_LETTER): State.DEAD_LETTERED,
    (State.QUEUED, Event.CANCEL): State.CANCELLED,
    (State.WAITING, Event.CANCEL): State.CANCELLED,
    (State.PAUSED, Event.CANCEL): State.CANCELLED,
    (State.RUNNING, Event.CANCEL): State.CANCELLED,
    (State.DEAD_LETTERED, Event.REQUEUE): State.QUEUED,
    (State.ESCALATED, Event.REOPEN): State.QUEUED,
    (State.ESCALATED, Event.ANSWER): State.ANSWERED,  # By hand, in the review queue.
    (State.ESCALATED, Event.DECLINE): State.DECLINED,
    (State.DEAD_LETTERED, Event.ANSWER): State.ANSWERED,
}

ENDING: dict[Outcome, Event] = {
    Outcome.ANSWERED: Event.ANSWER,
    Outcome.DECLINED: Event.DECLINE,
    Outcome.ESCALATED: Event.ESCALATE,
    Outcome.DEAD_LETTERED: Event.DEAD_LETTER,
    Outcome.CANCELLED: Event.CANCEL,
}


class IllegalTransition(AirworthyError):
    """The task is not in a state in which this can happen; nothing was changed."""

    code = "illegal_transition"


def after(state: State, event: Event) -> State:
    """Raises: IllegalTransition."""
    following = TRANSITIONS.get((state, event))
    if following is None:
        possible = ", ".join(sorted(known.value for was, known in TRANSITIONS if was is state)) or "nothing"
        raise IllegalTransition(
            f"A task that is {state.value} cannot be moved by {event.value!r}.",
            mend=f"From here it can only be moved by: {possible}.",
        )
    return following
