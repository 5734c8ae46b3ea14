"""Sends what waits for one channel: forms messages, hands them to the courier, records what became of each.

A message is stored with its id before it is sent and marked as sent after it: a crash between the two sends it again,
with the same id, and loses nothing.
"""

import asyncio
from functools import partial
from typing import Final

from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.ids import Ids
from airworthy.review import alerted, forming, messages, routing, storm
from airworthy.review.alerted import TeamsOf
from airworthy.review.channel_rule import ChannelRule
from airworthy.review.couriers import Courier, Later, Result
from airworthy.review.message import Message, Redact
from airworthy.review.messages import MessageRow
from airworthy.review.people import People
from airworthy.store import Database, Tx

SENT_MAX: Final = 100  # messages of one round
ROUTES_MAX: Final = 50  # transactions of one round
SWEEP_S: Final = 600.0  # How often what is old or astray is looked for.
GRACE_S: Final = 5.0  # A courier bounds itself; this is for one that does not.


class Sorting:
    """Before the channels: alerts become notices, and notices are given to the lanes of their teams."""

    def __init__(self, database: Database, people: People, teams_of: TeamsOf) -> None:
        self._database = database
        self._people = people
        self._channels = tuple(people.channels)
        self._teams_of = teams_of
        self._swept_us = 0

    async def round(self, now_us: int) -> None:
        if now_us >= self._swept_us + round(SWEEP_S * US_PER_S):
            await self._database.write(lambda tx: self._swept(tx, now_us))
            self._swept_us = now_us
        # Looked for first: a round with nothing to sort must not take the writer's turn.
        for _ in range(ROUTES_MAX):
            if not await self._database.read(_anything):
                return
            await self._database.write(lambda tx: self._sorted(tx, now_us))

    def _sorted(self, tx: Tx, now_us: int) -> None:
        alerted.tell(tx, self._teams_of, now_us)
        routing.route(tx, self._people, now_us)

    def _swept(self, tx: Tx, now_us: int) -> None:
        routing.route_strays(tx, self._channels)
        messages.give_up_strays(tx, self._channels, now_us)
        messages.prune(tx, now_us)


def _anything(tx: Tx) -> bool:
    return alerted.any_to_tell(tx) or routing.any_to_route(tx)


async def carried(courier: Courier, rule: ChannelRule, message: Message, now_us: int) -> Result:
    """One attempt, bounded in time whatever the courier does."""
    bound_s = rule.timeout_s + GRACE_S
    try:
        async with asyncio.timeout(bound_s):
            return await courier.carry(message, now_us)
    except TimeoutError:
        return Later(f"The channel did not end an attempt within {bound_s:g} s.")
    except Exception as error:  # noqa: BLE001  # a courier's own fault must not send it round and round without a wait
        return Later(f"The courier failed: {type(error).__name__}.", all_alike=False)


class PostOffice:
    """Of one channel; each has its own, so that one that hangs holds up no other."""

    def __init__(
        self,
        name: str,
        rule: ChannelRule,
        courier: Courier,
        database: Database,
        clock: Clock,
        *,
        ids: Ids,
        redact: Redact,
    ) -> None:
        self._name = name
        self._rule = rule
        self._courier = courier
        self._database = database
        self._clock = clock
        self._ids = ids
        self._redact = redact

    async def round(self, _: int) -> None:
        """Until nothing is due, the channel fails, or SENT_MAX are sent; the rest goes in the next round."""
        left = SENT_MAX
        try:
            while left > 0:
                await self._form()
                now_us = self._clock.now_us()
                rows = await self._database.read(partial(messages.due, channel=self._name, now_us=now_us))
                if not rows:
                    return
                for row in rows[:left]:
                    left -= 1
                    if not await self._sent(row):
                        return
        finally:
            await self._courier.close()

    async def _sent(self, row: MessageRow) -> bool:
        """False when the channel itself fails."""
        result = await carried(self._courier, self._rule, row.message, self._clock.now_us())
        chance, now_us = self._ids.random(), self._clock.now_us()
        await self._database.write(lambda tx: messages.record(tx, row, result, now_us, chance))
        return not (isinstance(result, Later) and result.all_alike)

    async def _form(self) -> None:
        now_us = self._clock.now_us()
        found = await self._database.read(
            lambda tx: forming.heaps(tx, self._name, self._rule.digest_s, now_us)
        )
        decided = [
            (heap, storm.plan(heap.waiting, heap.lately, self._rule.per_hour, self._rule.digest_s, now_us))
            for heap in found
        ]
        if all(isinstance(plan, storm.Wait) for _, plan in decided) and not await self._database.read(
            partial(forming.any_over, channel=self._name)
        ):
            return
        # Ids are drawn here: what runs in the transaction may run twice.
        ids = [self._ids.new("msg", now_us) for _ in range(forming.ids_needed(decided))]
        envelope = forming.Envelope(self._name, ids, now_us, self._rule.give_up_s, self._redact)
        await self._database.write(lambda tx: forming.form(tx, envelope, decided))
