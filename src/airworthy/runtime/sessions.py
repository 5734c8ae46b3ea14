"""How a session of an agent that runs elsewhere ends: decided here, by what is left open of it. Knows no connection.

A session cannot be run again. When nobody holds it any more it is parked while an effect of it is open, and closed
otherwise; it is closed at last when nobody has come back for SESSION_KEPT_S.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airworthy.core.clock import US_PER_S
from airworthy.core.outcome import Outcome, Reason, ReasonCode
from airworthy.recorder import read_step
from airworthy.recorder.steps import INPUT_SEQ
from airworthy.runtime import tasks
from airworthy.runtime.machine import Event, State
from airworthy.runtime.tasks import TaskRow
from airworthy.store import Tx
from airworthy.store import lease as leases
from airworthy.tools import EffectState, outbox, resource

if TYPE_CHECKING:
    from airworthy.runtime.lifecycle import Lifecycle

SESSION_KEPT_S = 86_400.0
SETTLED_AT_ONCE_MAX = 1000
DOUBTFUL_EFFECTS = frozenset({EffectState.STARTED, EffectState.IN_DOUBT})
OPEN_EFFECTS = frozenset({EffectState.HELD, EffectState.APPROVED, EffectState.SCHEDULED})


@dataclass(frozen=True, slots=True)
class Park:
    """Somebody may come back to it; `waiting_for` says in words what for."""

    waiting_for: str


@dataclass(frozen=True, slots=True)
class Close:
    outcome: Outcome
    reason: Reason


def ending(
    effects: Collection[EffectState], *, died: bool, kept_s: float, team: str, said: str = ""
) -> Park | Close:
    """What becomes of a session that nobody holds. `died`: nobody ended it; `kept_s`: so long it was parked.

    `team`: who is asked about effects in doubt. `said`: how it went, for one that was ended in order.
    """
    doubtful = sum(state in DOUBTFUL_EFFECTS for state in effects)
    if doubtful:
        text = (
            f"The session ended while {doubtful} of its effects may or may not have happened. "
            "Look at the other side, then say which it was."
        )
        return Close(Outcome.ESCALATED, Reason(code=ReasonCode.IN_DOUBT, text=text, to=team))
    if any(state in OPEN_EFFECTS for state in effects):
        if kept_s < SESSION_KEPT_S:
            return Park("a decision on what it has asked for, and somebody to go on with it")
        text = f"Nobody came back to this session for {SESSION_KEPT_S / 3600:g} h; what it had asked for is cancelled."
        return Close(Outcome.CANCELLED, Reason(code=ReasonCode.CANCELLED, text=text))
    if died:
        text = "What held this session died. Nothing it had begun was left open."
        return Close(Outcome.CANCELLED, Reason(code=ReasonCode.CRASHED, text=text))
    return Close(Outcome.ANSWERED, Reason(code=ReasonCode.DONE, text=said or "The session ended."))


def settle(lifecycle: "Lifecycle", tx: Tx, now_us: int) -> None:
    """Sessions whose holder died, and parked ones with nothing left to wait for."""
    rows = tx.rows(
        "SELECT t.id FROM tasks t LEFT JOIN claims c ON c.name = t.id WHERE t.kind = 'session'"
        " AND t.state IN ('running', 'waiting') AND c.owner IS NULL LIMIT ?",
        (SETTLED_AT_ONCE_MAX,),
    )
    for (task_id,) in rows:
        task = tasks.get(tx, task_id)
        died = task.state is State.RUNNING
        kept_s = 0.0 if died else (now_us - task.changed_us) / US_PER_S
        end(lifecycle, tx, task, now_us, died=died, kept_s=kept_s)


def end(
    lifecycle: "Lifecycle", tx: Tx, task: TaskRow, now_us: int, *, died: bool, kept_s: float = 0.0, said: str = ""
) -> Park | Close:  # fmt: skip
    """Parks or closes it, as its effects say. One that was parked already stays as it is."""
    states = [row.state for row in outbox.of_task(tx, task.id)]
    # Every sweep comes here for each parked session; its record is read only where it is needed.
    team = "" if DOUBTFUL_EFFECTS.isdisjoint(states) else _team(tx, task)
    found = ending(states, died=died, kept_s=kept_s, team=team, said=said)
    if isinstance(found, Close):
        close(lifecycle, tx, task, found, now_us)
    elif task.state is State.RUNNING:
        tasks.move(tx, task, Event.SUSPEND, now_us, waiting_for=found.waiting_for, active_us=task.active_us)
        resource.release_all(tx, task.id)
        leases.forget(tx, task.id)
    return found


def close(lifecycle: "Lifecycle", tx: Tx, task: TaskRow, how: Close, now_us: int) -> None:
    """What it had proposed and nobody decided on is not proposed any more: there is nobody to hear of it."""
    if task.state is State.WAITING and how.outcome is not Outcome.CANCELLED:
        # The table lets only a task that runs end in this way.
        tasks.move(tx, task, Event.CLAIM, now_us)
        task = tasks.get(tx, task.id)
    for row in outbox.of_task(tx, task.id):
        if row.state in (EffectState.HELD, EffectState.APPROVED) and how.outcome is not Outcome.CANCELLED:
            outbox.move(tx, row.id, EffectState.CANCELLED, sets=(("note", "its session ended"),))
    lifecycle.close_unclaimed(tx, task, how.outcome, how.reason, now_us)


def _team(tx: Tx, task: TaskRow) -> str:
    """Stored with the session, because whoever settles it may not have its policy."""
    try:
        opening = read_step(tx, task.id, INPUT_SEQ)
        said: Any = opening.arguments if opening is not None else {}
        return str(said.get("escalate_to") or "")
    except Exception:  # noqa: BLE001  # a damaged record must not keep a session open for ever
        return ""
