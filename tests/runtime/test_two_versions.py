"""Old and new code on one database: what a newer version adds to every table disturbs no older one."""

import re
from pathlib import Path

import airworthy
from airworthy.app.build import MIGRATIONS, assembled
from airworthy.policy import Policy
from airworthy.runtime import Run, Submission
from airworthy.runtime.machine import State
from airworthy.store import Migration, Tx, migrate
from airworthy.tools import EffectState, tool
from tests.runtime.kit import bench

SOURCE = Path(airworthy.__file__).parent
# A statement that names no columns means others once there are more of them.
NAMELESS = re.compile(r"INSERT (?:OR \w+ )?INTO (\w+) (?:VALUES|SELECT)|SELECT (?:\w\.)?\* FROM (\w+)")
# The agent's own shop and the template's ledger; neither is our database.
THEIRS = ("demo/", "cli/templates/")


def test_every_statement_names_its_columns() -> None:
    found = [
        f"{path.relative_to(SOURCE)}: {match[0]}"
        for path in SOURCE.rglob("*.py")
        if not path.relative_to(SOURCE).as_posix().startswith(THEIRS)
        for match in NAMELESS.finditer(path.read_text())
    ]

    assert found == []


def wider(names: list[str]) -> Migration:
    """What a newer version may do: a column more in each table, and a table that nobody knows."""
    more = [f"ALTER TABLE {name} ADD COLUMN of_tomorrow VARCHAR NOT NULL DEFAULT 'x'" for name in names]
    return Migration(
        "tomorrow", 1, "more of everything", lambda _: [*more, "CREATE TABLE of_tomorrow (id INTEGER)"]
    )


def tables(tx: Tx, dialect: str) -> list[str]:
    """But those of a full-text index, which nobody widens."""
    sql = {
        "sqlite": "SELECT name FROM pragma_table_list WHERE type = 'table' AND schema = 'main'"
        " AND name NOT LIKE 'sqlite_%' AND name <> 'migrations'",
        "postgresql": "SELECT tablename FROM pg_tables t JOIN pg_class c ON c.oid = to_regclass(tablename)"
        " WHERE schemaname = 'public' AND tablename <> 'migrations' AND NOT c.relispartition",
    }
    return [row[0] for row in tx.rows(sql[dialect])]


async def test_a_worker_and_its_people_go_on_after_a_newer_version_has_added_to_every_table() -> None:
    @tool(effect="send")
    def pay(to: str, amount: float) -> str:
        """Pays."""
        return f"paid {amount} to {to}"

    async def handle(run: Run) -> str:
        return str(await run.tool(pay, to="ann", amount=80.0))

    rules = {"pay": {"amount_arg": "amount", "approval_above": 50}}
    on = bench(handle, pay, tools=rules, escalation={"default": "team"})
    database = on.app.database
    before = on.submit()
    names = database.read_now(lambda tx: tables(tx, database.dialect))

    migrate(database, (*MIGRATIONS, wider(names)))
    await on.work()
    held = on.task(before).state
    on.decide(before, EffectState.APPROVED)
    await on.work()
    after = await on.done()
    newcomer = assembled(database, [on.agent], clock=on.app.clock, ids=on.app.ids)
    late = newcomer.operations.submit(Policy(agent="support", purpose="x"), Submission("hello")).task

    assert len(names) > 40
    assert (held, on.task(before).state) == (State.WAITING, State.ANSWERED)
    assert after.state is State.WAITING
    assert newcomer.operations.task(late.id).state is State.QUEUED
