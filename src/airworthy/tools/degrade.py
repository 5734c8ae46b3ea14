"""What takes the place of a read whose dependency is down, and how its step and its run say so."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from airworthy.core.canonical import digest
from airworthy.core.clock import US_PER_S
from airworthy.core.errors import AirworthyError
from airworthy.core.halt import Suspend
from airworthy.core.outcome import ErrorFact
from airworthy.recorder import StepFacts, StepState
from airworthy.store import Tx
from airworthy.tools import hearing, last_good
from airworthy.tools.errors import ToolError, error_from
from airworthy.tools.gaps import Gap, gap_of
from airworthy.tools.guard import Tried
from airworthy.tools.outages import Outage
from airworthy.tools.terms import OTHER
from airworthy.tools.tool import SchemaBroken

if TYPE_CHECKING:
    from airworthy.tools.call import Call
    from airworthy.tools.toolbox import Toolbox

AGE_S_MAX = 86_400.0  # Of a last good result, where no rule says.


class Away(AirworthyError):
    """The dependency is away by its own calendar; no attempt was made."""

    code = "away"


def away(call: "Call", outage: Outage) -> Away:
    """For a tool that is not critical. Raises: Suspend, until the window's end, for one that is."""
    name = call.tool.dependency or call.tool.name
    if call.rule.critical:
        raise _suspended(call, outage)
    return Away(f"{name} is {outage}.")


def _suspended(call: "Call", outage: Outage) -> Suspend:
    return Suspend(f"{call.tool.dependency or call.tool.name}, which is {outage}", outage.until_us)


async def without(box: "Toolbox", call: "Call", failure: ErrorFact, facts: StepFacts) -> Any:
    """Records the gap, and what took the place of the result, and returns that. Raises: ToolError when nothing did."""
    gap, result = await _instead(box, call, failure)
    facts = replace(facts, notes=(*facts.notes, gap.note()))
    call.run.gaps.note(call.slot, gap)
    journal = call.run.journal
    if result is None:
        call.run.gate.observe(call.fact, None)
        await journal.record(call.slot, StepState.FAILED, error=failure, facts=facts)
        raise error_from(failure, call.slot.seq)
    hearing.instead(call.run.ledger, call.slot.seq, call.tool.name, gap, orjson.loads(result))
    await journal.record(call.slot, StepState.DONE, result=result, facts=facts)
    call.run.gate.observe(call.fact, result)
    return read(box, call, gap, result)


def told(call: "Call", failure: ErrorFact, facts: StepFacts) -> StepFacts:
    """For an act, whose place nothing takes: the agent is told, and the step says so."""
    gap = gap_for(call, failure)
    call.run.gaps.note(call.slot, gap)
    return replace(facts, notes=(*facts.notes, gap.note()))


async def hold_back(box: "Toolbox", call: "Call") -> None:
    """Before an act's intent: one that is critical, approved or begun waits for the end of a declared outage, any other
    fails at once. Raises: Suspend, ToolError.
    """
    outage = box.dependency(call.tool.name).outage()
    if outage is None:
        return
    if call.slot.recorded is not None:
        raise _suspended(call, outage)
    tried = Tried(error=away(call, outage), attempts=0)
    failure = box.failure(call, tried)
    facts = told(call, failure, box.facts(call, tried, None))
    call.run.gate.observe(call.fact, None)
    await call.run.journal.record(call.slot, StepState.FAILED, error=failure, facts=facts)
    raise error_from(failure, call.slot.seq)


def read(box: "Toolbox", call: "Call", gap: Gap, result: bytes) -> Any:
    """A result that took another's place, now or as it was recorded."""
    if gap.instead == "nothing":
        return None
    if gap.instead.startswith(OTHER):
        other = box.tools.get(gap.instead.removeprefix(OTHER))
        return orjson.loads(result) if other is None else other.read_result(result)
    return call.tool.read_result(result)


def gap_for(call: "Call", failure: ErrorFact, instead: str = "error", age_s: float | None = None) -> Gap:
    return gap_of(call.tool.name, call.tool.dependency, instead, failure.message, age_s)


def keeping(box: "Toolbox", call: "Call", result: bytes) -> "Keeping | None":
    """To be written with the step's own record: the result, for a day on which its dependency is down."""
    if call.rule.fallback != "last_good" or call.rule.critical or len(result) > last_good.BYTES_MAX:
        return None
    place = _place(call)
    if place is None:
        return None
    payloads = call.run.journal.payloads
    if payloads.redactor.redact_bytes(result)[1]:
        return None
    return Keeping(place, payloads.pack(result), box.clock.now_us())


class Keeping:
    """The write itself."""

    def __init__(self, place: last_good.Place, packed: bytes, now_us: int) -> None:
        self._place = place
        self._packed = packed
        self._now_us = now_us

    def __call__(self, tx: Tx) -> None:
        last_good.keep(tx, self._place, self._packed, self._now_us)


async def _instead(box: "Toolbox", call: "Call", failure: ErrorFact) -> tuple[Gap, bytes | None]:
    fallback = call.rule.fallback or "error"
    if fallback == "nothing":
        return gap_for(call, failure, "nothing"), b"null"
    if fallback == "last_good":
        found = await _last_good(box, call)
        if found is not None:
            age_s = max(0.0, (box.clock.now_us() - found.at_us) / US_PER_S)
            return gap_for(call, failure, "last_good", round(age_s, 3)), found.result
    if fallback.startswith(OTHER):
        name = fallback.removeprefix(OTHER)
        try:
            value = await box.call(call.run, name, orjson.dumps(call.arguments))
            return gap_for(call, failure, fallback), box.tools[name].write_result(value)
        except ToolError:
            pass  # Its own step says why; this one says that nothing took its place.
    return gap_for(call, failure), None


async def _last_good(box: "Toolbox", call: "Call") -> last_good.LastGood | None:
    place = _place(call)
    if place is None:
        return None
    age_s_max = call.rule.last_good_age_s_max or AGE_S_MAX
    since_us = box.clock.now_us() - round(age_s_max * US_PER_S)
    found = await call.run.journal.database.read(lambda tx: last_good.find(tx, place, since_us))
    if found is None:
        return None
    try:
        call.tool.read_result(found.result)
    except SchemaBroken:
        return None  # The tool returns something else by now.
    return found


def _place(call: "Call") -> last_good.Place | None:
    """None when the arguments hold a secret."""
    if call.hides:
        return None
    task = call.run.journal.task
    whom = "anyone" if call.rule.last_good_for == "anyone" else f"user:{task.user}"
    return last_good.Place(task.agent, call.tool.name, whom, digest(call.slot.arguments))
