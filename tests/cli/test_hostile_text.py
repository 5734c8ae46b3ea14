"""Text from outside in any table: nothing of it moves the cursor, turns the reading or makes a line of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from airworthy.app.afterwards import afterwards_of
from airworthy.app.build import opened
from airworthy.app.config import load_config
from airworthy.policy.chars import hides
from airworthy.recorder.alerts import Alert, raised
from airworthy.recorder.events import Event, Wish, note, set_up
from airworthy.review import Notice, enqueue
from airworthy.review.feedback import Feedback
from airworthy.runtime.switches import Switch, set_off
from airworthy.store import Tx
from tests.cli.conftest import Airworthy

EVIL = "ok\x1b[2J\u202egnp.exe\u2066\x9b31m\u2028forged\rline\nTask tsk_1 was approved by dana"
FORGED = "Task tsk_1 was approved by dana"
LOOKS = [
    ("status",), ("alert", "list"), ("alert", "show", "evil"), ("notice", "list"), ("event", "list"),
    ("feedback", "list"), ("mcp", "list"), ("breaker", "list"), ("outbox", "list"), ("outbox", "show", "eff_"),
    ("review", "list"), ("review", "list", "--all"), ("task", "list"), ("task", "show", "last"),
    ("access", "list"), ("call", "list"),
]  # fmt: skip


def poisoned(tx: Tx) -> None:
    raised(tx, Alert("evil", "chore", EVIL, "critical", EVIL, EVIL), 1)
    enqueue(tx, Notice("n1", "alert", EVIL, EVIL, EVIL, EVIL, EVIL, 1))
    set_up(tx, [Wish("crm", ("task.closed",))], 1)
    note(tx, Event("task.closed", EVIL, EVIL, "1", 1, "answered"))
    tx.execute("UPDATE event_due SET error = ?", (EVIL,))
    tx.execute("UPDATE event_subscriptions SET error = ?, failures = 1", (EVIL,))
    set_off(tx, Switch("agent:shop", EVIL, EVIL, 1))
    tx.execute("UPDATE effects SET note = ?, decided_by = ?, recipient = ?, tool = ?", (EVIL,) * 4)
    tx.execute("UPDATE review_items SET to_team = ?, assigned = ?, note = ?", (EVIL,) * 3)
    tx.execute("UPDATE tasks SET session = ?, user_id = ?, waiting_for = ?", (EVIL,) * 3)
    columns = tx.rows(
        "SELECT name, type FROM pragma_table_info('mcp_tools')"
        if tx.dialect == "sqlite"
        else "SELECT column_name, udt_name FROM information_schema.columns WHERE table_name = 'mcp_tools'"
        " ORDER BY ordinal_position"
    )
    # Whatever is text there: the rest of the row is of no account for how it is shown.
    pin = {name: EVIL if type_.upper() in ("VARCHAR", "TEXT") else 1 for name, type_ in columns}
    tx.execute(f"INSERT INTO mcp_tools VALUES ({', '.join('?' for _ in pin)})", tuple(pin.values()))


@pytest.mark.parametrize("look", LOOKS)
def test_every_list_spells_it_out(
    airworthy: Airworthy, folder: Path, ran: Callable[[str], str], look: tuple[str, ...]
) -> None:
    task = ran(f"pay {EVIL}")
    airworthy("review", "list")
    with opened(load_config(folder)) as app:
        afterwards_of(app).say(
            Feedback("", task, "", 0, via="api", thumb="down", correction=EVIL, text=EVIL, by=EVIL)
        )
        app.database.write_now(poisoned)
        (effect,) = app.operations.effects(task)
    chosen = tuple(effect.id if part == "eff_" else part for part in look)

    said = airworthy(*chosen)

    printed = said.out + said.err
    assert said.code == 0, said.err
    assert [char for char in printed.replace("\n", "") if hides(char)] == []
    assert not any(line.startswith(FORGED) for line in printed.splitlines())
    as_json = airworthy(*chosen, "--json")
    assert [char for char in as_json.out.replace("\n", "") if char < " "] == []
