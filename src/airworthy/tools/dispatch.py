"""Carries out what waited in the outbox, at its time: intent, act, result, and never after its cancellation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.errors import told
from airworthy.core.redact import Redactor
from airworthy.policy import ToolRule
from airworthy.store import Database, Fence, StaleFence, Tx
from airworthy.store import lease as leases
from airworthy.tools import outbox, resource, undoing
from airworthy.tools.guard import Tried, deadline_us
from airworthy.tools.outbox import EffectRow, EffectState
from airworthy.tools.rules import no_longer
from airworthy.tools.tool import SchemaBroken, Tool
from airworthy.tools.toolbox import Toolbox

DUE_AT_ONCE_MAX = 64
LATER_S = 60.0  # After the retries of the policy, each a little later, have been used up.
LATER_FOR_S = 86_400.0
PAUSED_S = 2.0  # How soon an effect that was due while it was paused is looked at again.
NOTE_CHARS_MAX = 2000


class Dispatcher:
    """One per worker. `boxes` by agent's name; effects of other agents are left to other workers, and those of an MCP
    server to the proxies that stand before it (`server`; empty: the agents' own code).

    `may_send` is asked in the transaction that begins an effect: whether nobody has paused it.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        boxes: Mapping[str, Toolbox],
        owner_id: str,
        redactor: Redactor,
        may_send: Callable[[Tx, EffectRow], bool] = lambda _tx, _row: True,
        *,
        server: str = "",
    ) -> None:
        self._server = server
        self._redactor = redactor
        self._may_send = may_send
        self._database = database
        self._clock = clock
        self._boxes = boxes
        self._owner_id = owner_id

    async def due(self, agents: Sequence[str]) -> list[EffectRow]:
        if not agents:
            return []
        now_us = self._clock.now_us()
        return await self._database.read(
            lambda tx: outbox.due(tx, agents, now_us, DUE_AT_ONCE_MAX, self._server)
        )

    async def orphans(self) -> list[EffectRow]:
        """Delayed effects that a dead worker had started: again with the same key, or in doubt without one."""
        rows = await self._database.read(orphans)
        return [row for row in rows if row.agent in self._boxes and row.server == self._server]

    async def carry_out(self, row: EffectRow) -> None:
        """Twice at once, by two workers: the claim lets one through."""
        box = self._boxes[row.agent]
        tool, values = (
            undoing.undo_of(box.tools, row) if row.undo_of is not None else _call_of(box.tools, row)
        )
        why_not = _why_not(box, row, tool)
        rule = box.rule(row.tool)
        begun = await self._database.write(lambda tx: self._begin(tx, row, tool, rule, why_not))
        if begun is None or tool is None:
            return
        until_us = deadline_us(
            self._clock, rule.timeout_s * rule.attempts + rule.retry_wait_s_max * rule.attempts
        )
        tried = await box.guards.run(
            tool, rule, values, key=row.id if begun.keyed else None, deadline_us=until_us, again=begun.again
        )
        if row.undo_of is None:  # What takes back answers in a shape of its own, under the same name.
            box.shapes.saw(tool, row.task_id, tried)
        now_us = self._clock.now_us()
        state = _became(row, tried, now_us)
        note = f"{type(tried.error).__name__}: {told(tried.error)}" if tried.error is not None else ""
        clean = self._redactor.redact_text(note)[:NOTE_CHARS_MAX]
        result = None if tried.result is None else self._redactor.redact_bytes(tried.result)[0].decode()
        sets: tuple[tuple[str, Any], ...] = (
            ("ended_us", now_us),
            ("note", clean or None),
            ("result", result),
        )
        if state is EffectState.SCHEDULED:
            sets = (("due_us", now_us + round(LATER_S * US_PER_S)), ("note", clean or None))

        def finish(tx: Tx) -> None:
            outbox.move(tx, row.id, state, sets=sets)
            resource.release_all(tx, row.id)
            leases.forget(tx, row.id)

        try:
            await self._database.write(finish, fence=begun.fence)
        except StaleFence:
            return  # Another worker took this over after we were given up for dead; its record stands.

    def _begin(
        self, tx: Tx, row: EffectRow, tool: Tool | None, rule: ToolRule, why_not: str | None
    ) -> "_Begun | None":
        """Claims and marks as started; None when it was cancelled, taken, may not be done again, or must wait."""
        now = outbox.find(tx, row.id)
        if now is None or leases.holder(tx, row.id) is not None:
            return None
        again = now.state is EffectState.STARTED
        if again and (not now.keyed or tool is None or why_not is not None):
            outbox.move(
                tx, row.id, EffectState.IN_DOUBT, sets=(("note", "the worker died while it was under way"),)
            )
            resource.release_all(tx, row.id)
            return None
        if now.state not in (EffectState.SCHEDULED, EffectState.STARTED):
            return None
        outage = self._boxes[row.agent].dependency(row.tool).outage() if tool is not None else None
        if outage is not None:
            outbox.postpone(tx, now.id, outage.until_us)
            return None
        if not self._may_send(tx, now):
            outbox.postpone(tx, now.id, self._clock.now_us() + round(PAUSED_S * US_PER_S))
            return None
        if tool is None or why_not is not None:
            outbox.move(tx, row.id, EffectState.HELD, sets=(("note", why_not),))
            return None
        day = outbox.day_of(self._clock.now_us())
        try:
            # It may have been put off to another day, let go by a person, or the cap lowered.
            if not again and now.undo_of is None:
                outbox.check_caps(tx, replace(now, day=day), outbox.Caps.of(rule))
        except outbox.CapReached as error:
            outbox.move(tx, row.id, EffectState.HELD, sets=(("note", error.message),))
            return None
        name = tool.resource_of(undoing.arguments_of(row))
        if name is not None:
            # In the name of the effect, not of its task, which may be closed by now and cannot release it.
            if resource.acquire(tx, name, row.id)[1] is not None:
                return None  # A task is at it; due again at the next look.
            resource.bump(tx, name)
        keyed = now.keyed if now.undo_of is None or again else tool.keyed
        sets: tuple[tuple[str, Any], ...] = (("started_us", self._clock.now_us()), ("keyed", int(keyed)))
        outbox.move(tx, row.id, EffectState.STARTED, sets=sets if again else (*sets, ("day", day)))
        return _Begun(leases.take(tx, row.id, self._owner_id, self._clock.now_us()), again, keyed)


def _why_not(box: Toolbox, row: EffectRow, tool: Tool | None) -> str | None:
    """What has changed since the effect was accepted, so that a person must look at it again."""
    if tool is None:
        lacks = "takes these arguments" if row.undo_of is None else "can take this back"
        return f"The code has no tool {row.tool} that {lacks} any more."
    if not box.allowed(row.tool):
        return f"The policy does not name {row.tool} any more."
    if row.undo_of is not None:
        return undoing.no_longer(row.tool, box.rule(row.tool))
    return no_longer(row.tool, box.rule(row.tool), orjson.loads(row.arguments))


def _call_of(tools: Mapping[str, Tool], row: EffectRow) -> tuple[Tool | None, Mapping[str, Any]]:
    """None when the tool has changed since the effect was accepted."""
    tool = tools.get(row.tool)
    try:
        return tool, {} if tool is None else tool.read_arguments(row.arguments.encode())[0]
    except SchemaBroken:
        return None, {}


@dataclass(frozen=True, slots=True)
class _Begun:
    """`again`: a worker that died had begun it before, and nobody knows how far it came."""

    fence: Fence
    again: bool
    keyed: bool


def orphans(tx: Tx) -> list[EffectRow]:
    """Started from the outbox (they had a due time), and nobody holds them any more."""
    return [
        row
        for row in outbox.listing(tx, (EffectState.STARTED,), 1000)
        if row.due_us is not None and leases.holder(tx, row.id) is None
    ]


def _became(row: EffectRow, tried: Tried, now_us: int) -> EffectState:
    """Turned away in a way that may pass, it is tried again later, for a day; nobody else would."""
    if tried.result is not None or (tried.returned and not tried.retryable):
        return EffectState.DONE
    if tried.happened == "maybe":
        return EffectState.IN_DOUBT
    fresh = now_us - row.created_us < LATER_FOR_S * US_PER_S
    return EffectState.SCHEDULED if tried.retryable and fresh else EffectState.FAILED
