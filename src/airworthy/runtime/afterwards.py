"""What people and other systems say of a task once it is theirs: feedback, and what came of it in the business."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.errors import AirworthyError, InputError
from airworthy.core.ids import Ids
from airworthy.recorder import Payloads
from airworthy.review import feedback, links, results
from airworthy.review.feedback import Feedback, Thumb
from airworthy.review.links import LINK_S_DEFAULT, LINK_S_MAX, Link
from airworthy.review.results import Result, Tally
from airworthy.runtime import tasks
from airworthy.runtime.tasks import TaskRow
from airworthy.store import Database, StoreError, Tx

BATCH = 500


@dataclass(frozen=True, slots=True)
class Told:
    """One result as another system tells it: of a task by its `task` id, or by `agent` and the `key` it was sent with.

    `at_us` None: now. `line` is where it stood, for what is said of it.
    """

    name: str
    value: float = 1.0
    task: str = ""
    agent: str = ""
    key: str = ""
    at_us: int | None = None
    by: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """One result of many that could not be read or kept, and why."""

    line: int
    why: str


class Afterwards:
    """Synchronous, for commands and the API. `link_secret`: empty: one is drawn and kept in the store."""

    def __init__(
        self, database: Database, clock: Clock, ids: Ids, payloads: Payloads, link_secret: str = ""
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._payloads = payloads
        self._link_secret = link_secret

    def say(self, said: Feedback) -> Feedback:
        """Stores it, redacted; `id`, `agent` and `at_us` are filled in here. Raises: NoSuchTask, FeedbackRefused."""
        now_us = self._clock.now_us()
        feedback.checked(said)
        clean = self._payloads.redactor.redact_text
        kept = replace(
            said, id=self._ids.new("fbk", now_us), at_us=now_us, correction=clean(said.correction),
            text=clean(said.text), by=clean(said.by),
        )  # fmt: skip

        def op(tx: Tx) -> Feedback:
            whole = replace(kept, agent=tasks.get(tx, kept.task_id).agent)
            feedback.add(tx, whole)
            return whole

        return self._database.write_now(op)

    def said_of(self, task_id: str) -> list[Feedback]:
        return self._database.read_now(lambda tx: feedback.of_task(tx, task_id))

    def said(
        self, *, agent: str = "", thumb: Thumb | None = None, before: str = "", limit: int = 50
    ) -> list[Feedback]:
        return self._database.read_now(lambda tx: feedback.listing(tx, agent, thumb, before, limit))

    def link(self, task_id: str, seconds: float = LINK_S_DEFAULT) -> tuple[str, Link]:
        """The signed text for an address, and what it says. Raises: NoSuchTask, InputError."""
        if not 0 < seconds <= LINK_S_MAX:
            raise InputError(f"A link cannot be good for {seconds:g} s.", mend="Give it up to 366 days.")
        self._database.read_now(lambda tx: tasks.get(tx, task_id))
        link = Link(task_id, self._clock.now_us() + round(seconds * US_PER_S))
        return links.signed(link, self._secret()), link

    def linked(self, text: str) -> Link:
        """Raises: LinkRefused."""
        return links.opened(text, self._secret(), self._clock.now_us())

    def tell(self, told: Told) -> Result:
        """Raises: NoSuchTask, ResultRefused."""
        return self._database.write_now(lambda tx: self._put(tx, told))

    def tell_all(self, told: Iterable[Told | Refused]) -> tuple[int, list[Refused]]:
        """How many were kept, and by line those that could not be, or came refused because they could not be read.

        One that is bad holds up no other; told again is no harm.
        """
        kept = 0
        refused: list[Refused] = []
        batch: list[Told] = []
        for one in told:
            if isinstance(one, Refused):
                refused.append(one)
                continue
            batch.append(one)
            if len(batch) == BATCH:
                kept += self._batch(batch, refused)
                batch = []
        kept += self._batch(batch, refused)
        return kept, sorted(refused, key=lambda one: one.line)

    def results_of(self, task_id: str) -> list[Result]:
        return self._database.read_now(lambda tx: results.of_task(tx, task_id))

    def tallies(self, agent: str = "") -> list[Tally]:
        return self._database.read_now(lambda tx: results.tallies(tx, (agent,) if agent else ()))

    def _batch(self, batch: Sequence[Told], refused: list[Refused]) -> int:
        def op(tx: Tx) -> list[Refused]:
            bad = []
            for one in batch:
                try:
                    self._put(tx, one)
                except StoreError:
                    raise  # On some engines nothing of the transaction can be stored after it.
                except AirworthyError as error:  # Of our own making, so nothing of it was written.
                    bad.append(Refused(one.line, str(error)))
            return bad

        bad = self._database.write_now(op) if batch else []
        refused += bad
        return len(batch) - len(bad)

    def _put(self, tx: Tx, told: Told) -> Result:
        now_us = self._clock.now_us()
        at_us = now_us if told.at_us is None else told.at_us
        clean = self._payloads.redactor.redact_text(told.by)
        task = self._task_of(tx, told)
        result = results.checked(Result(task.id, task.agent, told.name, told.value, at_us, now_us, clean))
        results.put(tx, result)
        return result

    def _task_of(self, tx: Tx, told: Told) -> TaskRow:
        return _task_of(tx, told)

    def _secret(self) -> str:
        return self._link_secret or self._database.write_now(self._drawn)

    def _drawn(self, tx: Tx) -> str:
        tx.execute(
            "INSERT INTO link_secret (one, secret) VALUES ('one', ?) ON CONFLICT (one) DO NOTHING",
            (self._ids.trace() + self._ids.trace(),),
        )
        row = tx.row("SELECT secret FROM link_secret")
        assert row is not None
        return str(row[0])


def _task_of(tx: Tx, told: Told) -> TaskRow:
    """Raises: NoSuchTask, InputError."""
    if told.task:
        return tasks.get(tx, told.task)
    if not told.agent or not told.key:
        raise InputError("It names no task.", mend="Give the task's id, or its agent and key.")
    found = tasks.find_by_key(tx, told.agent, told.key)
    if found is None:
        raise tasks.NoSuchTask(
            f"{told.agent} has no task with the key {told.key!r}.",
            mend="Check the key it was submitted with.",
        )
    return found
