"""A cap of the policy holds however often an agent asks; each counts only what it bounds."""

from dataclasses import replace

import pytest

from airworthy.store import MemoryDatabase, migrate
from airworthy.tools.outbox import CapReached, Caps, EffectRow, EffectState, insert
from airworthy.tools.tables import MIGRATIONS

ROW = EffectRow(
    id="eff_1", task_id="tsk_1", seq=3, agent="support", tool="send_reply", effect="send", state=EffectState.DONE,
    keyed=True, arguments="{}", recipient="a@example.com", day="2025-11-24", created_us=1,
)  # fmt: skip


@pytest.mark.parametrize(
    ("other", "refused", "why"),
    [
        (replace(ROW, id="eff_2"), True, "the same task"),
        (replace(ROW, id="eff_2", day="2025-11-25"), True, "the same task on another day"),
        (replace(ROW, id="eff_2", task_id="tsk_2"), False, "another task"),
        (replace(ROW, id="eff_2", tool="refund"), False, "another tool"),
    ],
)
def test_a_cap_per_task_bounds_the_task_alone(other: EffectRow, refused: bool, why: str) -> None:
    database = MemoryDatabase()
    migrate(database, MIGRATIONS)
    database.write_now(lambda tx: insert(tx, ROW))

    if refused:
        with pytest.raises(CapReached, match="1 times in this task; the policy allows 1 a task"):
            database.write_now(lambda tx: insert(tx, other, Caps(per_task=1)))
    else:
        database.write_now(lambda tx: insert(tx, other, Caps(per_task=1)))
    database.close()
