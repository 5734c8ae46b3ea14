"""What may be done with blind tests: begin, look, stop; and by a guest's link alone: try, and rate."""

from collections.abc import Mapping
from dataclasses import replace

from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.errors import InputError
from airworthy.core.ids import Ids
from airworthy.core.money import NANO_PER_USD
from airworthy.core.outcome import ReasonCode
from airworthy.gateway.keys.key import drawn
from airworthy.policy import Policy
from airworthy.preflight.blind import rows
from airworthy.preflight.blind.values import (
    DAYS_MAX,
    NOTE_CHARS_MAX,
    PEOPLE_MAX,
    PREFIX,
    SOURCE,
    TEXT_CHARS_MAX,
    TRIES_MAX,
    BlindRefused,
    BlindTest,
    BlindTestRefused,
    Guest,
    Rating,
    Try,
    checked_shape,
    text_of,
)
from airworthy.recorder import audit
from airworthy.recorder.audit import Entry
from airworthy.runtime import Operations, Submission
from airworthy.runtime.documents import answer_of, input_of
from airworthy.runtime.machine import State
from airworthy.runtime.tasks import find as find_task
from airworthy.store import Database, Tx

DAY_US = 86_400 * US_PER_S
OPEN_EACH_MAX = 1
# A try that has no task by then was lost in a crash, and keeps nobody from another.
HANDING_IN_US = 60 * US_PER_S
_ITS_OWN = frozenset({ReasonCode.AGENT_DECLINED, ReasonCode.AGENT_ESCALATED})


class BlindTests:
    """`policies` by agent's name. Synchronous, for commands and the console."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        operations: Operations,
        policies: Mapping[str, Policy],
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._operations = operations
        self._policies = policies

    def start(self, wanted: BlindTest, *, days: float) -> tuple[BlindTest, list[str]]:
        """The test and a secret for each of its people, which are never seen again. `wanted`: its id and times are
        filled in here. Raises: InputError.
        """
        if wanted.agent not in self._policies:
            known = ", ".join(self._policies)
            raise InputError(f"There is no agent {wanted.agent!r} here.", mend=f"Known agents: {known}.")
        for value, most, what in (
            (wanted.people, PEOPLE_MAX, "people"), (days, DAYS_MAX, "days"), (wanted.tries_max, TRIES_MAX, "tries"),
        ):  # fmt: skip
            if not 0 < value <= most:
                raise InputError(f"A blind test cannot have {value:g} {what}.", mend=f"Give it up to {most}.")
        if wanted.cap_nano <= 0:
            raise InputError("A blind test needs money it may spend.", mend="Give more than 0 USD.")
        now_us = self._clock.now_us()
        test = replace(
            wanted, id=self._ids.new("bld", now_us), shape=checked_shape(wanted.shape), created_us=now_us,
            expires_us=now_us + round(days * DAY_US),
        )  # fmt: skip
        secrets = [drawn(PREFIX, self._ids) for _ in range(test.people)]
        told = Entry(
            "blind_test.start", test.id, test.by, detail={"agent": test.agent, "people": test.people}
        )
        self._database.write_now(audit.noted(lambda tx: rows.add(tx, test, secrets), told, now_us))
        return test, secrets

    def get(self, test_id: str) -> BlindTest:
        """Raises: InputError."""
        found = self._database.read_now(lambda tx: rows.find(tx, test_id))
        if found is None:
            raise InputError(
                f"There is no blind test {test_id!r}.", mend="List them with `airworthy blind-test list`."
            )
        return found

    def listing(self, agent: str = "", limit: int = 100) -> list[BlindTest]:
        return self._database.read_now(lambda tx: rows.listing(tx, agent, limit))

    def stop(self, test_id: str, by: str = "") -> bool:
        """False: it was over before. Raises: InputError."""
        now_us = self._clock.now_us()
        self.get(test_id)
        told = Entry("blind_test.stop", test_id, by)
        op = audit.noted(
            lambda tx: rows.stop(tx, test_id, now_us), lambda done: told if done else None, now_us
        )
        return self._database.write_now(op)

    def tries(self, test_id: str) -> list[Try]:
        found = self._database.read_now(lambda tx: rows.tries(tx, test_id))
        return [self._try(*row) for row in found]

    def is_open(self, test: BlindTest) -> bool:
        return test.open_at(self._clock.now_us())

    def spent_nano(self, test: BlindTest) -> int:
        return self._database.read_now(lambda tx: rows.spent_nano(tx, test.id, self._most_each(test)))

    # By a link.

    def guest(self, secret: str) -> Guest:
        """Raises: BlindRefused, in the same words whatever is wrong."""
        return self._database.read_now(lambda tx: self._guest(tx, secret))

    def tries_of(self, guest: Guest) -> list[Try]:
        found = self._database.read_now(lambda tx: rows.tries(tx, guest.test.id, guest.number))
        return [self._try(*row) for row in found]

    def ask(self, secret: str, text: str, sent: str) -> Try:
        """Hands it in as a real task, in rehearsal. `sent`: the same for a form that is sent twice.

        Raises: BlindRefused, BlindTestRefused, and what handing in raises.
        """
        text = text.strip()
        if not text:
            raise BlindTestRefused("Nothing was written.", mend="Write what you want to ask.")
        if len(text) > TEXT_CHARS_MAX:
            raise BlindTestRefused(
                f"The text has {len(text)} characters.", mend=f"Write at most {TEXT_CHARS_MAX}."
            )
        now_us = self._clock.now_us()
        guest = self.guest(secret)
        key = f"{guest.user}.{sent}"[:200] if sent else None
        if key is not None and (known := self._known(guest, key)) is not None:
            return known
        # Counted before it is handed in: a crash between costs a try, and never gives one more.
        place = self._database.write_now(lambda tx: self._begun(tx, secret))
        try:
            accepted = self._operations.submit(
                self._policies[guest.test.agent],
                Submission(
                    guest.test.input_of(text), key=key, user=guest.user, session=f"{guest.user}.{guest.tries + 1}",
                    source=SOURCE, dry_run=True,
                ),
            )  # fmt: skip
        except Exception:
            self._database.write_now(lambda tx: rows.take_back(tx, secret, place))
            raise
        task = accepted.task.id
        self._database.write_now(lambda tx: rows.settle(tx, place, task))
        return self._try(task, guest.number, now_us, None)

    def rate(self, secret: str, task: str, rating: Rating) -> None:
        """Raises: BlindRefused, BlindTestRefused."""
        if not 1 <= rating.stars <= 5:
            raise BlindTestRefused("No stars were given.", mend="Choose one to five.")
        if len(rating.note) > NOTE_CHARS_MAX:
            raise BlindTestRefused(
                f"The note has {len(rating.note)} characters.", mend=f"Write at most {NOTE_CHARS_MAX}."
            )
        found = self.one(secret, task)
        if not found.over:
            raise BlindTestRefused("There is no answer yet.", mend="Wait for it, then rate it.")
        if found.outcome == "erased":  # A note could tell again what was erased.
            raise BlindTestRefused("This is not kept any more.", mend="Rate the other answers.")
        now_us = self._clock.now_us()
        self._database.write_now(lambda tx: rows.rate(tx, task, rating, now_us))

    def one(self, secret: str, task: str) -> Try:
        """A try of this guest, and of nobody else. Raises: BlindRefused."""
        for found in self.tries_of(self.guest(secret)):
            if found.task == task:
                return found
        raise BlindRefused

    def _guest(self, tx: Tx, secret: str) -> Guest:
        found = rows.guest(tx, secret)
        if found is None or not found.test.open_at(self._clock.now_us()):
            raise BlindRefused
        if found.test.agent not in self._policies:
            raise BlindRefused  # The agent is not here any more.
        return found

    def _begun(self, tx: Tx, secret: str) -> str:
        guest = self._guest(tx, secret)
        if not guest.left:
            raise BlindTestRefused(
                f"You have used all {guest.test.tries_max} tries. Thank you!",
                mend="Rate the answers you have.",
            )
        since_us = self._clock.now_us() - HANDING_IN_US
        if rows.under_way(tx, guest.test.id, guest.number, since_us) >= OPEN_EACH_MAX:
            raise BlindTestRefused(
                "Your last one is still being answered.", mend="Wait for its answer first."
            )
        most = self._most_each(guest.test)
        if rows.spent_nano(tx, guest.test.id, most) + most > guest.test.cap_nano:
            raise BlindTestRefused(
                "This test has used up the money it was given. Thank you!", mend="Rate the answers you have."
            )
        return rows.begin(tx, secret, guest, self._clock.now_us())

    def _most_each(self, test: BlindTest) -> int:
        """What one try may cost at most, by the policy's own limit of a task."""
        policy = self._policies.get(test.agent)
        return round(policy.limits.cost_usd * NANO_PER_USD) if policy is not None else 0

    def _known(self, guest: Guest, key: str) -> Try | None:
        for found in self.tries_of(guest):
            if self._key_of(found.task) == key:
                return found
        return None

    def _key_of(self, task: str) -> str | None:
        """None also for a task that is not kept any more."""
        row = self._database.read_now(lambda tx: find_task(tx, task))
        return row.idempotency_key if row is not None else None

    def _try(self, task: str, number: int, at_us: int, rating: Rating | None) -> Try:
        row = self._database.read_now(lambda tx: find_task(tx, task))
        if row is None:
            return Try(task, number, at_us, outcome="erased", rating=rating)
        steps = self._operations.steps(task)
        given, answer = input_of(steps), answer_of(steps)
        waits = row.state in {State.WAITING, State.PAUSED}
        text = text_of(answer) if answer is not None else row.why.text if row.why is not None else ""
        return Try(
            task, number, at_us, asked=text_of(given), input=given,
            outcome=row.outcome.value if row.outcome is not None else "", waits=waits, text=text,
            cost_nano=row.cost_nano, rating=rating,
            own_words=answer is not None or (not waits and row.why is not None and row.why.code in _ITS_OWN),
        )  # fmt: skip
