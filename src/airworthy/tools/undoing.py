"""Taking a done effect back: an effect of its own, with its own key, intent and result, asked for by a person.

It waits in the outbox like any delayed effect and is carried out by a worker, which has the tool's code. The policy's
bounds and caps are about doing; they do not keep a person from taking back.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from airworthy.core.canonical import digest
from airworthy.core.redact import MARK
from airworthy.policy import ToolRule
from airworthy.recorder import read_step
from airworthy.store import Tx
from airworthy.tools import outbox
from airworthy.tools.outbox import EffectRow, EffectState, TransitionRefused
from airworthy.tools.tool import SchemaBroken, Tool

# A taking-back that came to nothing may be asked for again; under a new key, because the old one was never used.
_CAME_TO_NOTHING: Final = (EffectState.FAILED, EffectState.REJECTED, EffectState.CANCELLED)


def ask(tx: Tx, effect_id: str, by: str, note: str, now_us: int) -> EffectRow:
    """Puts the taking-back into the outbox, due now. Raises: TransitionRefused, with the reason in words."""
    row = outbox.find(tx, effect_id)
    if row is None:
        raise TransitionRefused(
            f"There is no effect {effect_id}.", mend="List them with `airworthy outbox list --all`."
        )
    earlier = outbox.undone_by(tx, row.id)
    why_not, mend = _why_not(row, earlier)
    if why_not:
        raise TransitionRefused(f"Effect {row.id} ({row.tool}) {why_not}.", mend=mend)
    result = row.result if row.result is not None else _result_of(tx, row)
    said = b"".join((b'{"arguments":', row.arguments.encode(), b',"result":', result.encode(), b"}"))
    if MARK in said.decode():
        raise TransitionRefused(
            f"Effect {row.id} ({row.tool}) held a secret, which is not kept, so it cannot be taken back from here.",
            mend="Take it back on the other side.",
        )
    undo = EffectRow(
        id=f"eff_{digest(b'undo', row.id.encode(), str(len(earlier)).encode()).hex()}",
        task_id=row.task_id, seq=row.seq, agent=row.agent, tool=row.tool, effect=row.effect,
        state=EffectState.SCHEDULED, keyed=False,  # Known to the worker, which has the code.
        arguments=said.decode(), recipient=row.recipient,
        day=outbox.day_of(now_us), created_us=now_us, due_us=now_us, decided_by=by, decided_us=now_us,
        note=note or None, undo_of=row.id,
    )  # fmt: skip
    outbox.insert(tx, undo)
    return undo


def undo_of(tools: Mapping[str, Tool], row: EffectRow) -> tuple[Tool | None, Mapping[str, Any]]:
    """What takes it back, and what it is handed. None when the code cannot any more."""
    tool = tools.get(row.tool)
    if tool is None or tool.undoing is None:
        return None, {}
    said = orjson.loads(row.arguments)
    try:
        arguments = tool.read_arguments(orjson.dumps(said["arguments"]))[0]
    except SchemaBroken:
        return None, {}
    try:
        result = tool.read_result(orjson.dumps(said["result"]))
    except SchemaBroken:
        result = said["result"]  # A person's word in place of the tool's own.
    return tool.undoing, {"arguments": arguments, "result": result}


def arguments_of(row: EffectRow) -> Mapping[str, Any]:
    """Those of the call itself, also for what takes it back."""
    found: Mapping[str, Any] = orjson.loads(row.arguments)
    return found["arguments"] if row.undo_of is not None else found


def no_longer(name: str, rule: ToolRule) -> str | None:
    """The one thing that the policy may say against a taking-back."""
    return f"{name} is only rehearsed now, says the policy." if rule.dry_run else None


def _why_not(row: EffectRow, earlier: list[EffectRow]) -> tuple[str, str]:
    look = f"Look at it with `airworthy outbox show {row.id}`."
    open_ = next((each for each in earlier if each.state not in _CAME_TO_NOTHING), None)
    if row.undo_of is not None:
        return "takes back another; that cannot be taken back itself", "Have the task done anew."
    if row.state is EffectState.UNDONE:
        return "has been taken back already", look
    if open_ is not None:
        return f"is being taken back already ({open_.id} is {open_.state.value})", look
    if row.state is not EffectState.DONE:
        return f"is {row.state.value.replace('_', ' ')}; only what was done can be taken back", look
    if not row.undoable:
        return "cannot be taken back: its tool declares no undo", "Take it back on the other side."
    return "", ""


def _result_of(tx: Tx, row: EffectRow) -> str:
    """Of an effect that its run carried out, the result stands in the journal."""
    step = read_step(tx, row.task_id, row.seq)
    return orjson.dumps(step.result if step is not None else None).decode()
