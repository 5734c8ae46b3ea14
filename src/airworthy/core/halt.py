"""The words that end a run from inside a call. `BaseException`s, so that no framework turns them into text."""

from airworthy.core.outcome import ErrorFact, Outcome, Reason


class Halt(BaseException):
    """The run must not make another call; an agent that swallows it meets it again at its next call."""


class Suspend(Halt):
    """Park the task and call the agent again later; costs a row, not memory.

    `wake_us` is when (None: when somebody decides); `waiting_for` says in words what for; `effect` is the id of the
    one that a person has to decide on.
    """

    def __init__(
        self, waiting_for: str, wake_us: int | None = None, *, paused: bool = False, effect: str = ""
    ) -> None:
        super().__init__(waiting_for)
        self.waiting_for = waiting_for
        self.wake_us = wake_us
        self.paused = paused
        self.effect = effect


class Stop(Halt):
    """Close the task now with this outcome, whatever the agent returns."""

    def __init__(self, outcome: Outcome, reason: Reason) -> None:
        super().__init__(f"{outcome}: {reason.text}")
        self.outcome = outcome
        self.reason = reason


class TryLater(Halt):
    """A dependency the task cannot do without is down: call the agent again later, with step `seq` to be redone."""

    def __init__(self, fact: ErrorFact, seq: int) -> None:
        super().__init__(fact.message)
        self.fact = fact
        self.seq = seq


class NeedsMending(Halt):
    """Something outside the task is set up wrongly (a key, a model's name) and would fail every task alike.

    The agent is paused with this as the reason, and step `seq` is redone when somebody has mended it.
    """

    def __init__(self, fact: ErrorFact, seq: int) -> None:
        super().__init__(fact.message)
        self.fact = fact
        self.seq = seq


class Lost(Halt):
    """This run can record no more: another worker has taken the task over, or the store is broken.

    What is stored stands; whoever runs the task next goes on from there.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error
