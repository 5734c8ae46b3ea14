"""Whether what is stored of a task is still what its run was told: retention, erasure and clean-up change that."""

from collections.abc import Sequence

from airworthy.recorder import Recorded
from airworthy.runtime.tasks import TaskRow
from airworthy.store import Tx


def why_not_whole(tx: Tx, task: TaskRow, recorded: Sequence[Recorded]) -> str:
    """What became of its record, in words; "" while an agent can be called again with it."""
    gone = tx.row(
        "SELECT 1 FROM steps s WHERE s.task_id = ? AND NOT EXISTS"
        " (SELECT 1 FROM payloads p WHERE p.task_id = s.task_id AND p.seq = s.seq) LIMIT 1",
        (task.id,),
    )
    if gone is not None:
        # An erasure alone takes the digest too.
        return (
            "Its user was erased, and with them what was said in it."
            if not task.input_digest
            else "What was said in it has passed its days (retention), and is no longer kept."
        )
    # Nothing else makes an input inexact.
    if recorded and not recorded[0].exact:
        return "Personal data was taken out of its input after it had ended."
    return ""


def inexact(recorded: Sequence[Recorded]) -> str:
    """A hint for a replay that came to something else; "" when every step is on record as it was."""
    steps = [str(step.seq) for step in recorded if not step.exact]
    if not steps:
        return ""
    named = ", ".join(steps[:5]) + (f" and {len(steps) - 5} more" if len(steps) > 5 else "")
    return (
        f"A secret or personal data was taken out of step{'s' if len(steps) > 1 else ''} {named}, so the agent is not"
        " told what it was told then; that alone may be the difference."
    )
