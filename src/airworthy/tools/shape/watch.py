"""Holds every result of a tool against its pinned shape, beside the call: no call waits for it or fails by it.

A result that fits costs one test in memory. What is learnt and found is kept in memory, and goes to the store in
batches; the pinned shapes come from there, so that all workers hold results against the same.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import orjson

from airworthy.core.canonical import NotSerialisable, encode
from airworthy.core.clock import US_PER_S, Clock
from airworthy.policy import Policy, ToolRule, policy_hash
from airworthy.recorder.alerts import Alert, raised
from airworthy.store import Database, StoreError, Tx
from airworthy.tools.guard import ResultTooLarge, Tried
from airworthy.tools.shape import book, telling
from airworthy.tools.shape.compare import Difference, differences
from airworthy.tools.shape.declared import declared_shape
from airworthy.tools.shape.folding import Batch, ShapeRow, standing
from airworthy.tools.shape.learning import added, merged, of_value
from airworthy.tools.shape.matcher import LOOKED_AT_BYTES_MAX, Matcher
from airworthy.tools.shape.node import Shape
from airworthy.tools.shape.tally import Tally
from airworthy.tools.shape.words import is_error
from airworthy.tools.tool import SchemaBroken, Tool

SYNC_S = 1.0  # From a finding to the store.
RESTATE_S = 10.0  # The same for what a person has been told of already.
REFRESH_S = 5.0  # From the store to every process, while its tools are used.
WAITING_MAX = 32  # Results that came before the shape was read from the store.
LOOK_AGAIN_S = 0.05  # Once a change is told, differing results are looked at no more often.
LARGE_EVERY = 8  # Of the results too large to be looked at each time, one in so many is.


@dataclass(slots=True)
class _Watched:
    """One tool in this process. `row` is None until it was read from the store."""

    name: str
    learn: int
    declared: Shape | None = None
    row: ShapeRow | None = None
    matcher: Matcher | None = None
    tally: Tally = field(default_factory=Tally)
    waiting: list[tuple[bytes, str]] = field(default_factory=list)
    learnt: Shape | None = None
    since: Shape | None = None
    changed: bool = False  # Something is told, and no person has accepted it.
    look_us: int = 0
    large: int = 0
    fault: str = ""  # Why this one is not watched any more.
    fault_told: bool = False
    unsaved: bool = False  # The row is not stored so for this release: nobody could see or accept it.

    @property
    def urgent(self) -> bool:
        return self.learnt is not None or self.tally.news or self.unsaved

    @property
    def dirty(self) -> bool:
        return self.urgent or (self.changed and self.since is not None)

    @property
    def has_fault(self) -> bool:
        return bool(self.fault) and not self.fault_told

    def rests(self, now_us: int) -> bool:
        """A change is told, and a result was looked at a moment ago."""
        return self.changed and self.matcher is not None and now_us < self.look_us

    def batch(self) -> Batch:
        """Takes what is to be stored; `give_back` if it could not be."""
        made = Batch(learnt=self.learnt)
        self.learnt = None
        if self.changed:
            made.changes, made.since, self.since = self.tally.drained(), self.since, None
        return made

    def give_back(self, batch: Batch) -> None:
        self.learnt = _together(batch.learnt, self.learnt)
        self.since = _together(batch.since, self.since)
        self.tally.give_back(batch.changes)

    def adopt(self, stored: ShapeRow, now_us: int) -> None:
        """The row as it stands in the store."""
        row = standing(stored, self.declared, now_us)
        self.unsaved = row is not stored or (row.version == 0 and row.source == "release before")
        before, self.row = self.row, row
        if before is not None and (before.pinned_us, before.state) != (row.pinned_us, row.state):
            self.tally, self.since, self.changed = Tally(), None, False
        if row.state != "pinned":
            self.matcher = None
        elif before is None or self.matcher is None or before.version != row.version:
            self.matcher = Matcher(row.shape)


def _raw(tried: Tried) -> bytes | None:
    """What the function returned, before its type dropped the fields that it does not know. None where the function
    itself made more of it than JSON, or JSON cannot say it.
    """
    if type(tried.raw) not in (dict, list):
        return None
    try:
        return encode(tried.raw)
    except NotSerialisable:
        return None


def _together(one: Shape | None, other: Shape | None) -> Shape | None:
    if one is None or other is None:
        return one if other is None else other
    return merged(one, other)


class ShapeWatch:
    """One per toolbox; used from one event loop. Whoever runs the toolbox calls `sync` about every SYNC_S."""

    def __init__(self, policy: Policy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._tools: dict[str, _Watched] = {}
        self._synced_us = 0
        self._read_us = 0

    @cached_property
    def _release(self) -> str:
        return policy_hash(self._policy)

    def watch(self, tools: Iterable[tuple[Tool, ToolRule]]) -> None:
        """These from now on, and no others; what is known of those that stay, stays. Raises: SchemaUnusable."""
        made: dict[str, _Watched] = {}
        for tool, rule in tools:
            if not rule.schema_watch:
                continue
            declared = declared_shape(tool, rule)
            known = self._tools.get(tool.name)
            if known is None or known.declared != declared:
                known = _Watched(tool.name, rule.schema_learn, declared)
            made[tool.name] = known
        self._tools = made

    def saw(self, tool: Tool, task_id: str, tried: Tried) -> None:
        """The outcome of one call as the tool itself gave it. Never raises, and never waits."""
        watched = self._tools.get(tool.name)
        if watched is None or watched.fault:
            return
        try:
            self._saw(watched, tool, task_id, tried)
        except Exception as error:  # noqa: BLE001  # a fault of ours: it becomes an alert, and the call goes on
            watched.fault = type(error).__name__  # Its words may hold what a result holds.

    def _saw(self, watched: _Watched, tool: Tool, task_id: str, tried: Tried) -> None:
        result = tried.result
        if result is None:
            self._refused(watched, task_id, tried)
            return
        if not tried.returned:
            return  # Something else in its place: a fallback.
        if watched.row is None:
            if len(watched.waiting) < WAITING_MAX and len(result) <= LOOKED_AT_BYTES_MAX:
                met = result if tool.result_adapter is None else _raw(tried) or result
                watched.waiting.append((met, task_id))
            return
        if watched.changed and watched.rests(self._clock.now_us()):
            return  # Here, so that it is not written and read again for nothing.
        # Without a declared type the value is what the JSON says, and need not be read again.
        if tool.result_adapter is None:
            self._met(watched, tried.value, len(result), task_id)
        elif type(tried.raw) not in (dict, list) or not self._fits(watched, tried.raw, len(result)):
            self._met(watched, orjson.loads(_raw(tried) or result), len(result), task_id)

    def _met(self, watched: _Watched, value: Any, size: int, task_id: str) -> None:
        if watched.matcher is None:
            self._learn(watched, value, size)
        elif not self._fits(watched, value, size):
            self._look(watched, value, size, task_id)

    def _fits(self, watched: _Watched, value: Any, size: int) -> bool:
        if watched.matcher is None or watched.changed or not watched.matcher.fits(value, size):
            return False
        watched.tally.results += 1
        return True

    def _learn(self, watched: _Watched, value: Any, size: int) -> None:
        assert watched.row is not None
        if watched.row.state == "unstable" or is_error(value):
            return
        learnt = watched.learnt if watched.learnt is not None else Shape()
        if learnt.results < watched.learn:  # Enough, until the store says whether it is.
            watched.learnt = added(learnt, value, size)

    def _look(self, watched: _Watched, value: Any, size: int, task_id: str) -> None:
        """A result that does not fit, or any once something has changed."""
        now_us = self._clock.now_us()
        if watched.rests(now_us):
            return
        if watched.changed:
            watched.look_us = now_us + round(LOOK_AGAIN_S * US_PER_S)
        if size > LOOKED_AT_BYTES_MAX:
            watched.large += 1
            if watched.large % LARGE_EVERY != 1:
                return
        if is_error(value):
            return
        assert watched.row is not None
        watched.tally.results += 1
        seen = of_value(value, size)
        found = differences(watched.row.shape, seen)
        if found or watched.changed:
            watched.since = added(watched.since if watched.since is not None else Shape(), value, size)
        self._tell(watched, found, task_id, now_us)

    def _refused(self, watched: _Watched, task_id: str, tried: Tried) -> None:
        """A result that never reached the agent: it broke the declared type, or was too large."""
        error, more = tried.error, list[Difference]()
        if isinstance(error, ResultTooLarge):
            found = Difference(
                "", "size", "within result_bytes_max", "larger, and the call fails", breaking=True
            )
        elif error is not None and isinstance(error.__cause__, SchemaBroken):
            found = Difference(
                "", "type", "as the code declares it", "not so, and the call fails", breaking=True
            )
            row, raw = watched.row, _raw(tried)
            if row is not None and row.state == "pinned" and raw is not None:
                more = differences(row.shape, of_value(orjson.loads(raw), 0))  # Where it is not so.
        else:
            return
        watched.tally.results += 1
        self._tell(watched, [found, *more], task_id, self._clock.now_us())

    def _tell(self, watched: _Watched, found: Iterable[Difference], task_id: str, now_us: int) -> None:
        if watched.tally.met(found, task_id, now_us):
            watched.changed = True

    async def sync(self, database: Database, *, last: bool = False) -> None:
        """Between memory and store, both ways. What cannot be stored now is kept for the next time.

        `last`: nothing follows, so nothing is left for later.
        """
        if not self._tools:
            return
        now_us = self._clock.now_us()
        known = {name: each for name, each in self._tools.items() if each.row is not None and not each.fault}
        restate = last or now_us - self._synced_us >= RESTATE_S * US_PER_S
        batches: dict[str, Batch] = {}
        if restate or any(each.urgent for each in known.values()):
            batches = {name: each.batch() for name, each in known.items() if each.dirty}
        faults = [each for each in self._tools.values() if each.has_fault]
        stale = now_us - self._read_us >= REFRESH_S * US_PER_S or any(
            each.row is None and not each.fault for each in self._tools.values()
        )
        if not (batches or faults or stale):
            return
        try:
            if batches or faults:
                store = partial(self._store, known=known, batches=batches, faults=faults, now_us=now_us)
                rows = await database.write(store)
                self._synced_us = now_us
            else:
                rows = await database.read(partial(self._read, now_us=now_us))
        except (StoreError, book.Outrun):
            for name, batch in batches.items():
                known[name].give_back(batch)
            return
        except Exception as error:  # noqa: BLE001  # as in `saw`: no worker stops because its watch cannot go on
            for each in self._tools.values():
                each.fault = each.fault or type(error).__name__
            return
        self._read_us = now_us
        for each in faults:
            each.fault_told = True
        for row in rows:
            if row.tool in self._tools:  # An MCP server may have taken it back meanwhile.
                self._adopt(self._tools[row.tool], row, now_us)
        if last and any(each.dirty for each in self._tools.values() if not each.fault):
            await self.sync(database)  # What the results that waited for their shape came to.

    def _adopt(self, watched: _Watched, row: ShapeRow, now_us: int) -> None:
        watched.adopt(row, now_us)
        waiting, watched.waiting = watched.waiting, []
        for result, task_id in waiting:
            self._met(watched, orjson.loads(result), len(result), task_id)

    def _store(
        self,
        tx: Tx,
        known: dict[str, _Watched],
        batches: dict[str, Batch],
        faults: list[_Watched],
        now_us: int,
    ) -> list[ShapeRow]:
        added = [
            book.add(
                tx,
                (self._policy.agent, name, self._release),
                batch,
                known[name].learn,
                now_us,
                known[name].declared,
            )
            for name, batch in batches.items()
        ]
        book.tell(tx, added, now_us)
        for each in faults:
            key = f"shape-watch:{self._policy.agent}:{each.name}"
            title = f"The results of {each.name} are not watched, because the watch failed"
            raised(tx, Alert(key, telling.KIND, self._policy.agent, "warning", title, each.fault), now_us)
        return [*(each.row for each in added), *self._read(tx, now_us, batches)]

    def _read(self, tx: Tx, now_us: int, written: Container[str] = ()) -> list[ShapeRow]:
        """Those that are new to this process, or that another has changed; not those just `written`."""
        agent = self._policy.agent
        stored = book.versions(tx, agent, self._release)
        return [
            book.current(tx, agent, name, self._release, now_us)
            for name, watched in self._tools.items()
            if name not in written
            and not watched.fault
            and (watched.row is None or watched.row.version != stored.get(name, 0))
        ]
