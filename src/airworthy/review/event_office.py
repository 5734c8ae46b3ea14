"""Sends what one subscription asks to be told of: oldest first, of each task in order, until it arrives or is given up.

An event is written down with what it tells and deleted once it was taken: a crash between sending and deleting sends it
again with the same id, and loses nothing. What a message says is made anew for each attempt.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.errors import told
from airworthy.core.ids import Ids
from airworthy.recorder import events
from airworthy.recorder.alerts import Alert, ended, find, raised
from airworthy.recorder.events import Row, Standing
from airworthy.resilience import Retry
from airworthy.review.channel_rule import ChannelRule
from airworthy.review.couriers import Later, Refused, Result, Sent
from airworthy.review.post_office import GRACE_S
from airworthy.store import Database, StoreError, Tx

AT_ONCE: Final = 8  # requests under way, each of another task
SENT_MAX: Final = 1_000  # of one round
BATCH: Final = 64
BACKOFF: Final = Retry(attempts=1, wait_s=5.0, wait_s_max=900.0)
ASKED_WAIT_S_MAX: Final = 3_600.0
TELL_FROM: Final = 3  # The failure in a row from which on it is an alert.


class EventCourier(Protocol):
    """Of one webhook. Never raises for what the outside does; one request at a time."""

    async def carry_event(self, id_: str, body: str, now_us: int) -> Result: ...

    async def close(self) -> None: ...


Told = Callable[[Tx, Row], str | None]
"""The message of an event as JSON; None where its task is gone, so that there is nothing to tell."""
_Made = str | None | Refused


class EventOffice:
    """`couriers`: makes one; each is used for one request at a time."""

    def __init__(
        self,
        name: str,
        rule: ChannelRule,
        couriers: Callable[[], EventCourier],
        database: Database,
        clock: Clock,
        *,
        ids: Ids,
        told: Told,
    ) -> None:
        self._name = name
        self._rule = rule
        self._couriers = [couriers() for _ in range(AT_ONCE)]
        self._database = database
        self._clock = clock
        self._ids = ids
        self._told = told

    async def round(self, now_us: int) -> None:
        """Until nothing is due, the receiver fails, or SENT_MAX are sent; the rest goes in the next round."""
        standing = await self._database.read(lambda tx: events.standing(tx, self._name))
        if standing is None:
            return  # It is not set up yet.
        if await self._database.read(lambda tx: events.over_bound(tx, self._name)):
            await self._database.write(lambda tx: self._bounded(tx, now_us))
        if standing.stopped_us is not None or now_us < standing.next_us:
            return
        left = SENT_MAX
        try:
            while left > 0:
                due = await self._database.read(partial(self._due, limit=min(BATCH, left)))
                if not due or not await self._sent(due):
                    return
                left -= len(due)
        finally:
            for courier in self._couriers:
                await courier.close()

    def _due(self, tx: Tx, limit: int) -> list[tuple[Row, _Made]]:
        return [(row, self._made(tx, row)) for row in events.due(tx, self._name, self._clock.now_us(), limit)]

    def _made(self, tx: Tx, row: Row) -> _Made:
        try:
            return self._told(tx, row)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  # one damaged record must not hold up every other event
            return Refused(f"What is stored of it cannot be read: {type(error).__name__}: {told(error)}")

    async def _sent(self, due: Sequence[tuple[Row, _Made]]) -> bool:
        """False when the rest has to wait."""
        waiting = [(row, made) for row, made in due if isinstance(made, str)]
        results: list[tuple[Row, Result]] = [(row, made) for row, made in due if isinstance(made, Refused)]
        open_ = True

        async def carry(courier: EventCourier) -> None:
            nonlocal open_
            while waiting and open_:
                row, body = waiting.pop(0)
                result = await self._carried(courier, row, body)
                results.append((row, result))
                if _stops(result):
                    open_ = False

        await asyncio.gather(*(carry(courier) for courier in self._couriers))
        gone = [row for row, made in due if made is None]
        chance, now_us = self._ids.random(), self._clock.now_us()
        await self._database.write(lambda tx: self._recorded(tx, results, gone, (now_us, chance)))
        return open_

    async def _carried(self, courier: EventCourier, row: Row, body: str) -> Result:
        bound_s = self._rule.timeout_s + GRACE_S
        try:
            async with asyncio.timeout(bound_s):
                return await courier.carry_event(row.id, body, self._clock.now_us())
        except TimeoutError:
            return Later(f"The channel did not end an attempt within {bound_s:g} s.")

    def _recorded(
        self, tx: Tx, results: Sequence[tuple[Row, Result]], gone: Sequence[Row], at: tuple[int, float]
    ) -> None:
        """`at`: now, and a chance. What was taken first, so that a failure beside it pauses all the same."""
        now_us, _ = at
        known = events.standing(tx, self._name)
        if known is None:
            return  # It was taken out of people.toml meanwhile.
        taken = [row for row, result in results if isinstance(result, Sent)]
        if taken:
            events.sent(tx, taken, now_us)
            ended(tx, _key(self._name, "failing"), "airworthy", now_us)
        events.sent(tx, gone, now_us, untold=len(gone))
        late: list[Later] = []
        for row, result in results:
            match result:
                case Later():
                    self._later(tx, row, result, at)
                    late.append(result)
                case Refused(error, gone=True):
                    events.put_off(tx, row, 0, error)
                    events.stop(tx, self._name, now_us, error)
                    raised(tx, _stopped(self._name, error), now_us)
                case Refused(error):
                    self._failed(tx, row, error, now_us)
                case Sent():
                    pass  # Above.
        if late:
            self._paused(tx, known, taken, late, at)

    def _later(self, tx: Tx, row: Row, result: Later, at: tuple[int, float]) -> None:
        now_us, chance = at
        give_up_us = row.since_us + round(self._rule.give_up_s * US_PER_S)
        if now_us >= give_up_us:
            self._failed(tx, row, result.error, now_us)
            return
        wait_s = max(BACKOFF.backoff_s(row.attempts + 1, chance), _asked_s(result))
        events.put_off(tx, row, min(now_us + round(wait_s * US_PER_S), give_up_us), result.error)

    def _paused(
        self, tx: Tx, known: Standing, taken: Sequence[Row], late: Sequence[Later], at: tuple[int, float]
    ) -> None:
        """Where the receiver fails, its other events wait too. A success beside it begins the count anew."""
        now_us, chance = at
        failures = 1 if taken else known.failures + 1
        wait_s = max(BACKOFF.backoff_s(failures, chance), *(_asked_s(each) for each in late))
        events.pause(tx, self._name, now_us + round(wait_s * US_PER_S), late[0].error)
        if failures >= TELL_FROM:
            raised(tx, _failing(self._name, self._rule, late[0].error), now_us)

    def _failed(self, tx: Tx, row: Row, error: str, now_us: int) -> None:
        events.fail(tx, row, now_us, error)
        raised(tx, _given_up(row, error), now_us)

    def _bounded(self, tx: Tx, now_us: int) -> None:
        dropped = events.bound(tx, self._name)
        if dropped:
            raised(tx, _dropped(self._name, dropped), now_us)


def mended(tx: Tx, name: str, now_us: int) -> None:
    """A person has had them sent again, or wants them no more: what was told of it is over until it comes again."""
    for what in ("failing", "failed", "stopped", "dropped"):
        key = _key(name, what)
        if find(tx, key) is not None:
            ended(tx, key, "airworthy", now_us)


def _stops(result: Result) -> bool:
    return (isinstance(result, Later) and result.all_alike) or (isinstance(result, Refused) and result.gone)


def _asked_s(result: Later) -> float:
    return min(result.wait_s or 0.0, ASKED_WAIT_S_MAX)


def _key(name: str, what: str) -> str:
    return f"events:{name}:{what}"


def _failing(name: str, rule: ChannelRule, error: str) -> Alert:
    return Alert(
        _key(name, "failing"), "events", "", "warning", f"The events {name} are not delivered",
        f"{error}\nThey wait, each is tried for {rule.give_up_s:g} s; see `airworthy event list`.",
    )  # fmt: skip


def _given_up(row: Row, error: str) -> Alert:
    name = row.subscription
    return Alert(
        _key(name, "failed"), "events", row.agent, "critical", f"An event of {name} was not delivered",
        f"{row.id} ({row.kind} of {row.task_id}): {error}\nMend the receiver, and send what failed with"
        f" `airworthy event retry --of {name}`.", row.task_id,
    )  # fmt: skip


def _stopped(name: str, error: str) -> Alert:
    return Alert(
        _key(name, "stopped"), "events", "", "critical", f"The receiver of the events {name} is gone",
        f"{error}\nNothing is sent any more, and what happens is kept. Mend the channel's address and let it go on with"
        f" `airworthy event retry --of {name}`, or take [events.{name}] out of people.toml.",
    )  # fmt: skip


def _dropped(name: str, count: int) -> Alert:
    return Alert(
        _key(name, "dropped"), "events", "", "critical", f"Events of {name} were dropped",
        f"{count} of the oldest, as more than {events.WAITING_MAX} waited or {events.FAILED_MAX} had failed."
        " `airworthy event list` has how many in all.",
    )  # fmt: skip
