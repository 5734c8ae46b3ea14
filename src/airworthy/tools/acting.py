"""A call that changes the world: intent on disk, then the act, then its result; never twice, never past a guard."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from airworthy.core.canonical import encode
from airworthy.core.clock import US_PER_S
from airworthy.core.halt import Halt, Lost, Stop, Suspend, TryLater
from airworthy.core.outcome import ErrorFact, Outcome, ReasonCode
from airworthy.policy.stops import stop
from airworthy.recorder import StepFacts, StepState
from airworthy.store import Tx
from airworthy.tools import asking, degrade, hearing, outbox
from airworthy.tools.amended import as_amended
from airworthy.tools.errors import error_from
from airworthy.tools.guard import Tried
from airworthy.tools.outbox import CapReached, Caps, EffectRow, EffectState, TransitionRefused
from airworthy.tools.resource import bump
from airworthy.tools.rules import counted, no_longer, recipient_of, refusal, storable
from airworthy.tools.tool import SchemaBroken

if TYPE_CHECKING:
    from airworthy.tools.call import Call
    from airworthy.tools.toolbox import Toolbox


async def act(box: "Toolbox", call: "Call") -> Any:
    """One path for a new call, a resumed one and a decided one. Raises: ToolError, Halt."""
    recorded = call.slot.recorded
    if recorded is None:
        return await _new(box, call)
    if recorded.state in (StepState.HELD, StepState.STARTED, StepState.IN_DOUBT):
        try:
            call = await as_amended(call)
        except SchemaBroken as error:
            return await _unreadable(box, call, error)
    match recorded.state:
        case StepState.HELD:
            return await _decided(box, call)
        case StepState.STARTED if call.tool.keyed and not call.rule.dry_run:
            # The other side honours the key: the same call again is the same effect.
            return await _carry_out(box, call)
        case StepState.STARTED:
            raise await _leave_in_doubt(box, call, Tried(attempts=0), recorded.facts)
        case StepState.IN_DOUBT:
            return await _settled(box, call)
        case _:
            return box.replayed(call, recorded)


async def _new(box: "Toolbox", call: "Call") -> Any:
    call.run.gate.admit(call.fact)
    refused = refusal(call.tool.name, call.rule, call.arguments)
    if refused is not None:
        return await box.refuse(call, refused)
    await call.run.journal.may_act()
    if call.rule.dry_run:
        return await _rehearse(box, call)
    asked = await asking.asked(call, lambda: _row(box, call))
    if asked is not None and not await _approved_before(call):
        clean = call.run.journal.clean
        note, evidence = clean(asked.note.encode()).decode(), clean(asked.evidence).decode()
        row = replace(_row(box, call), state=EffectState.HELD, note=note, evidence=evidence)
        await call.run.journal.open(
            call.slot,
            StepState.HELD,
            facts=StepFacts(notes=call.run.notes),
            also=lambda tx: outbox.insert(tx, row),
        )
        raise _waits(call)
    if call.rule.delay_s > 0:
        return await _schedule(box, call)
    return await _carry_out(box, call)


async def _unreadable(box: "Toolbox", call: "Call", error: SchemaBroken) -> Any:
    """The arguments that a person gave the call are none of today's code; what was begun with them stays in doubt."""
    recorded = call.slot.recorded
    assert recorded is not None
    if recorded.state is StepState.HELD:
        text = f"The changed arguments break the schema of {call.tool.name} now: {error}."
        return await _refuse(box, call, text, "ToolArgumentsInvalid")
    if recorded.state is StepState.STARTED:
        raise await _leave_in_doubt(box, call, Tried(attempts=0), recorded.facts)
    raise _in_doubt_stop(box, call)


async def _approved_before(call: "Call") -> bool:
    """A person approved this very call, and it failed in a way that may pass: nobody need be asked again."""
    row = await call.run.journal.database.read(lambda tx: outbox.find(tx, call.effect_id))
    return row is not None and row.state is EffectState.FAILED and row.decided_by is not None


async def _decided(box: "Toolbox", call: "Call") -> Any:
    row = await call.run.journal.database.read(lambda tx: outbox.find(tx, call.effect_id))
    state = row.state if row is not None else EffectState.CANCELLED
    match state:
        case EffectState.HELD:
            raise _waits(call)
        case EffectState.APPROVED:
            refused = no_longer(call.tool.name, call.rule, call.arguments)
            if refused is not None:
                return await _refuse(box, call, refused)
            await call.run.journal.may_act()
            return await (_schedule(box, call) if call.rule.delay_s > 0 else _carry_out(box, call))
        case EffectState.STARTED:
            return await _carry_out(box, call)
        case _:
            who = row.decided_by if row is not None and row.decided_by else "a person"
            why = f": {row.note}" if row is not None and row.note else ""
            return await box.refuse(call, f"{call.tool.name} was {state.value} by {who}{why}.")


async def _settled(box: "Toolbox", call: "Call") -> Any:
    """An effect in doubt, looked at again: a person may have said by now what became of it."""
    journal = call.run.journal
    row = await journal.database.read(lambda tx: outbox.find(tx, call.effect_id))
    match row.state if row is not None else EffectState.IN_DOUBT:
        case EffectState.DONE:
            result = row.result.encode() if row is not None and row.result else b"null"
            facts = StepFacts(
                notes=({"as_is": True, "settled_by": row.decided_by if row is not None else ""},)
            )
            await journal.close(call.slot, StepState.DONE, result=result, facts=facts)
            return orjson.loads(result)
        case EffectState.FAILED:
            fact = ErrorFact(
                type="ToolFailed",
                message=f"{call.tool.name} did not happen, says {row.decided_by if row else ''}.",
                step=f"tool call {call.slot.seq}",
                dependency=call.tool.dependency,
                attempt=1,
            )
            await journal.close(call.slot, StepState.FAILED, error=fact)
            raise error_from(fact, call.slot.seq)
        case EffectState.APPROVED:
            refused = no_longer(call.tool.name, call.rule, call.arguments)
            return await (_carry_out(box, call) if refused is None else _refuse(box, call, refused))
        case _:
            raise _in_doubt_stop(box, call)


async def _rehearse(box: "Toolbox", call: "Call") -> Any:
    """Dry run: everything but the act."""
    rehearse = call.tool.rehearse
    result = (
        call.tool.write_result(rehearse(**call.values))
        if rehearse is not None
        else encode({"dry_run": True, "tool": call.tool.name})
    )
    row = replace(_row(box, call), state=EffectState.REHEARSED)
    await call.run.journal.record(
        call.slot, StepState.DONE, result=result, also=lambda tx: outbox.insert(tx, row),
        facts=StepFacts(notes=({"dry_run": True, "as_is": rehearse is None},)),
    )  # fmt: skip
    return call.tool.read_result(result) if rehearse is not None else orjson.loads(result)


async def _schedule(box: "Toolbox", call: "Call") -> Any:
    """Accepted into the outbox; carried out at its time unless it is cancelled before."""
    row = _row(box, call)
    if call.hides:
        return await box.refuse(
            call, f"{call.tool.name} cannot wait in the outbox, because its arguments hold a secret."
        )
    due_us = box.clock.now_us() + round(call.rule.delay_s * US_PER_S)
    # It counts for the day on which it is going to happen.
    waiting = replace(
        row, state=EffectState.SCHEDULED, due_us=due_us, started_us=None, day=outbox.day_of(due_us)
    )
    result = encode({
        "accepted": True,
        "effect": call.effect_id,
        "due": datetime.fromtimestamp(due_us / US_PER_S, UTC).isoformat(timespec="seconds"),
    })  # fmt: skip

    def accept(tx: Tx) -> None:
        call.run.journal.confirm(tx)
        if call.slot.recorded is None:
            outbox.insert(tx, waiting, _caps(call))
        else:
            outbox.check_caps(tx, waiting, _caps(call))
            sets = (("due_us", due_us), ("day", waiting.day))
            outbox.move(tx, waiting.id, EffectState.SCHEDULED, sets=sets)

    try:
        facts = StepFacts(notes=({"as_is": True, "delayed_s": call.rule.delay_s}, *call.notes))
        await call.run.journal.record(call.slot, StepState.DONE, result=result, facts=facts, also=accept)
    except CapReached as error:
        return await _refuse(box, call, error.message)
    except TransitionRefused:
        if not _was_held(call):
            raise
        return await _decided(box, call)  # Whoever had approved it changed their mind before it began.
    call.run.gate.observe(call.fact, result)
    return orjson.loads(result)


async def _refuse(box: "Toolbox", call: "Call", text: str, kind: str = "ToolRefused") -> Any:
    """An approval that cannot be used any more must neither look as if it could nor count against a cap."""

    def withdraw(tx: Tx) -> None:
        row = outbox.find(tx, call.effect_id)
        if row is not None and row.state is EffectState.APPROVED:
            outbox.move(tx, row.id, EffectState.CANCELLED, sets=(("note", text),))

    return await box.refuse(call, text, kind, withdraw)


def _goes_on(call: "Call", halt: Halt, *, again: bool) -> bool:
    """Whether the call is made although its run is to make no other. `again`: it was begun before, under its key.

    What was begun is no new act: left out, it would be in doubt although asking again answers it. A person has said yes
    to what was held, so it need not wait for what the run waits for beside it. Neither goes past people who stop it,
    nor is made for a run that can record no more.
    """
    match halt:
        case Lost():
            return False
        case Suspend():
            return not halt.paused and (again or _was_held(call))
        case Stop():
            return again and halt.outcome is not Outcome.CANCELLED
        case _:
            return again


def _was_held(call: "Call") -> bool:
    return call.slot.recorded is not None and call.slot.recorded.state is StepState.HELD


async def _carry_out(box: "Toolbox", call: "Call") -> Any:
    await degrade.hold_back(box, call)
    async with box.holding(call) as version:
        return await _carried_out(box, call, version)


async def _carried_out(box: "Toolbox", call: "Call", version: int | None) -> Any:
    resource = call.resource
    seen = call.run.seen.get(resource) if resource is not None else None
    recorded = call.slot.recorded
    again = recorded is not None and recorded.state is StepState.STARTED
    if again and recorded is not None and version != recorded.facts.resource_version:
        # If it did not happen before the crash, it would now undo what others have changed since.
        raise await _leave_in_doubt(box, call, Tried(attempts=0), recorded.facts)
    if version is not None and seen is not None and seen != version and not again:
        text = f"{resource} was changed by another task after this one read it. Read it again, then decide."
        return await _refuse(box, call, text, "ResourceChanged")
    try:
        call.run.gate.check_halted()
    except Halt as halt:
        if not _goes_on(call, halt, again=again):
            raise
    row = _row(box, call)
    if version is not None and not again:
        version += 1
    intent = StepFacts(resource=resource, resource_version=version, notes=call.run.notes)

    def begin(tx: Tx) -> None:
        outbox.begin(tx, row, _caps(call))
        if resource is not None and not again:
            bump(tx, resource)

    try:
        await call.run.journal.open(call.slot, StepState.STARTED, facts=intent, also=begin)
    except CapReached as error:
        return await _refuse(box, call, error.message)
    except TransitionRefused:
        if not _was_held(call):
            raise
        return await _decided(box, call)  # Whoever had approved it changed their mind before it began.
    if resource is not None and version is not None:
        call.run.seen[resource] = version
    tried = await box.try_call(call, key=call.effect_id if call.tool.keyed else None, again=again)
    return await _finish(box, call, tried, box.facts(call, tried, version))


async def _finish(box: "Toolbox", call: "Call", tried: Tried, facts: StepFacts) -> Any:
    journal = call.run.journal
    if tried.result is not None:
        call.run.ledger.hear(call.slot.seq, "source", call.tool.name, tried.result)
        await journal.close(
            call.slot,
            StepState.DONE,
            result=tried.result,
            facts=facts,
            also=_ends(box, call, EffectState.DONE),
        )
        call.run.gate.observe(call.fact, tried.result)
        return tried.value
    failure = box.failure(call, tried)
    hearing.failed(call.run.ledger, call.slot.seq, call.tool.name, failure)
    if tried.returned and not tried.retryable:
        # It took place; only its result cannot be kept. Doing it again would be doing it twice.
        await journal.close(
            call.slot, StepState.DONE, error=failure, facts=facts, also=_ends(box, call, EffectState.DONE)
        )
        raise box.raised(call, failure)
    later = call.rule.critical or call.run.again_soon
    if tried.happened == "maybe" and call.tool.keyed and tried.retryable and later:
        # The other side honours the key, so the same call may be made again when it is back; until then its intent
        # stands. Only when the task gives up does a person have to look.
        raise TryLater(failure, call.slot.seq)
    if tried.happened == "maybe":
        raise await _leave_in_doubt(box, call, tried, facts)
    call.run.gate.observe(call.fact, None)
    if tried.unavailable and not call.rule.critical:
        facts = degrade.told(call, failure, facts)
    await journal.close(
        call.slot, StepState.FAILED, error=failure, facts=facts, also=_ends(box, call, EffectState.FAILED)
    )
    raise box.raised(call, failure)


async def _leave_in_doubt(box: "Toolbox", call: "Call", tried: Tried, facts: StepFacts) -> BaseException:
    # The facts name the version its intent made of the resource: whoever does it again must not meet itself as another.
    fact = box.failure(call, tried) if tried.error is not None else None
    await call.run.journal.close(
        call.slot, StepState.IN_DOUBT, error=fact, facts=replace(facts, attempts=tried.attempts),
        also=_ends(box, call, EffectState.IN_DOUBT),
    )  # fmt: skip
    return _in_doubt_stop(box, call, fact)


def _in_doubt_stop(box: "Toolbox", call: "Call", error: ErrorFact | None = None) -> BaseException:
    return stop(
        box.policy, "in_doubt", ReasonCode.IN_DOUBT,
        f"{call.tool.name} was started and its result was lost: it may or may not have happened. "
        "Look at the other side, then say which it was.",
        evidence={"effect": call.effect_id, "tool": call.tool.name, "arguments": call.arguments}, error=error,
    )  # fmt: skip


def _ends(box: "Toolbox", call: "Call", state: EffectState) -> Callable[[Tx], None]:
    sets = (("ended_us", box.clock.now_us()),)

    def op(tx: Tx) -> None:
        outbox.move(tx, call.effect_id, state, sets=sets)

    return op


def _waits(call: "Call") -> Suspend:
    call.run.awaited.add(call.effect_id)
    return Suspend(f"a person to decide on {call.tool.name} ({call.effect_id})", effect=call.effect_id)


def _caps(call: "Call") -> Caps:
    return Caps.of(call.rule)


def _row(box: "Toolbox", call: "Call") -> EffectRow:
    now_us = box.clock.now_us()
    task = call.run.journal.task
    return EffectRow(
        id=call.effect_id,
        task_id=task.id,
        seq=call.slot.seq,
        agent=task.agent,
        tool=call.tool.name,
        effect=call.tool.effect.value,
        state=EffectState.STARTED,
        keyed=call.tool.keyed,
        arguments=call.slot.arguments.decode(),
        recipient=storable(
            counted(recipient_of(call.rule, call.arguments)), counted(recipient_of(call.rule, call.stored))
        ),
        day=outbox.day_of(now_us),
        created_us=now_us,
        started_us=now_us,
        server=call.tool.server,
        undoable=call.tool.undo is not None,
    )
