"""Erasure: nothing of the user is left in any byte, nothing of others is touched, sums stay, and a crash is no end."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airworthy.app import privacy
from airworthy.policy import ToolRule
from airworthy.recorder.erase import StillOpen
from airworthy.recorder.holdings import tables_of
from airworthy.runtime import State
from airworthy.store import Database, Tx
from tests.privacy.kit import bytes_of, filled, foreign, handler, look_up, mail, shop
from tests.recorder.traces.kit import entries
from tests.runtime.kit import bench


def everything(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables but those that say what was done."""
    said = {"erasures", "audit", "audit_head", "privacy_keys", "claims", "owners", "retention_marks"}

    def read(tx: Tx) -> dict[str, list[tuple[Any, ...]]]:
        names = [name for name in tables_of(tx) if name not in said | {"texts"}]
        return {name: sorted(tx.rows(f"SELECT * FROM {name}"), key=repr) for name in names}

    return database.read_now(read)


def payloads_of(database: Database) -> list[bytes]:
    rows = database.read_now(
        lambda tx: tx.rows("SELECT body FROM payloads UNION ALL SELECT body FROM chunks")
    )
    return [bytes(row[0]) for row in rows]


@pytest.mark.slow
async def test_no_word_of_an_erased_user_is_left_in_the_bytes_of_the_database(tmp_path: Path) -> None:
    """The file, its log and its index, read as bytes. Slow: a database on the disk, rebuilt."""
    path = tmp_path / "a.db"
    made = shop(path)
    await filled(made, "ada-lovelace", "marmalade")
    packed = set(payloads_of(made.app.database))
    await filled(made, "bob", "tangerine")
    shared = {body for body in packed if payloads_of(made.app.database).count(body) > 1}
    packed -= shared  # What both have, such as a check that passed, is told of neither.
    foreign(made.app.database, made.app.clock.now_us(), "ada-lovelace", "marmalade", "ab" * 16)
    foreign(made.app.database, made.app.clock.now_us() + 5, "bob", "tangerine", "cd" * 16)
    assert all(word in bytes_of(path) for word in (b"ada-lovelace", b"marmalade", *packed))

    done = privacy.erased(made.app, "ada-lovelace", "dana")

    left = bytes_of(path)
    assert [word for word in (b"ada-lovelace", b"marmalade", *packed) if word in left] == []
    assert b"tangerine" in left
    assert (done.made.tasks, done.made.traces) == (1, 1)
    made.app.database.close()


@pytest.mark.slow
async def test_without_the_rebuild_bytes_stay_and_that_is_what_the_rebuild_is_for(tmp_path: Path) -> None:
    """Else the claim above would hold by chance. Slow: a database on the disk."""
    made = shop(tmp_path / "a.db")
    await filled(made, "ada-lovelace", "marmalade")

    done = privacy.erased(made.app, "ada-lovelace", "dana", scrubs=False)

    assert done.scrubbed is None
    assert b"marmalade" in bytes_of(tmp_path / "a.db")
    made.app.database.close()


async def test_nothing_of_anybody_else_changes() -> None:
    made = bench(handler, mail, look_up)
    await filled(made, "bob", "tangerine")
    foreign(made.app.database, made.app.clock.now_us() + 5, "bob", "tangerine", "cd" * 16)
    before = everything(made.app.database)

    privacy.erased(made.app, "ada", "dana")

    assert everything(made.app.database) == before


async def test_counts_costs_and_outcomes_stay_true() -> None:
    made = bench(handler, mail, look_up)
    task = await filled(made, "ada", "marmalade")
    foreign(made.app.database, made.app.clock.now_us(), "ada", "marmalade", "ab" * 16)
    kept = (
        "SELECT id, agent, release, feature, at_us, ended_us, outcome, steps, model_calls, tool_calls, errors,"
        " cost_nano FROM traces ORDER BY id"
    )
    before = made.app.database.read_now(lambda tx: (tx.rows(kept), tx.rows("SELECT * FROM rollups")))

    privacy.erased(made.app, "ada", "dana")

    assert made.app.database.read_now(lambda tx: (tx.rows(kept), tx.rows("SELECT * FROM rollups"))) == before
    assert made.task(task).state is State.ANSWERED
    assert (made.task(task).user_id, made.task(task).idempotency_key) == ("", None)
    assert made.task(task).why is not None


async def test_the_index_finds_no_word_of_theirs_and_every_word_of_others() -> None:
    made = bench(handler, mail, look_up)
    await filled(made, "ada", "marmalade")
    await filled(made, "bob", "tangerine")

    privacy.erased(made.app, "ada", "dana")

    def found(word: str) -> int:
        return len(entries(made.app.database, word))

    assert (found("marmalade"), found("tangerine")) == (0, 1)


async def test_a_task_that_is_not_over_stops_the_erasure_before_it_begins() -> None:
    made = bench(handler, mail, look_up, tools={"mail": ToolRule(approval="always", critical=False)})
    await made.done({"who": "w", "to": "a", "words": "please send marmalade today"}, user="ada")
    made.app.reviews.keep_up()
    before = everything(made.app.database)

    with pytest.raises(StillOpen) as refused:
        privacy.erased(made.app, "ada", "dana")

    assert [each.state for each in refused.value.blocked] == ["waiting"]
    assert everything(made.app.database) == before


async def test_what_is_open_can_be_cancelled_first() -> None:
    made = bench(handler, mail, look_up, tools={"mail": ToolRule(approval="always", critical=False)})
    task = (await made.done({"who": "w", "to": "a", "words": "please send marmalade today"}, user="ada")).id

    asked = privacy.cancelled(made.app, "ada", "dana")
    done = privacy.erased(made.app, "ada", "dana")

    assert asked == [task]
    assert done.made.tasks == 1
    assert made.task(task).state is State.CANCELLED
    assert all(step.arguments is None for step in made.steps(task))


class Crash(Exception):
    pass


@pytest.mark.parametrize("at", range(1, 14, 3))
async def test_after_a_crash_in_the_middle_the_next_call_finishes(
    at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies at the n-th write of an erasure; whoever calls again need know nothing of it."""
    made = bench(handler, mail, look_up)
    for number in range(3):
        await filled(made, "ada", f"marmalade{number}")
    foreign(made.app.database, made.app.clock.now_us(), "ada", "marmalade", "ab" * 16)
    database, writes = made.app.database, 0
    write_now = database.write_now

    def dying(op: Callable[[Tx], Any]) -> Any:
        nonlocal writes
        writes += 1
        if writes == at:
            raise Crash
        return write_now(op)

    # The store is the only way to end an erasure at a chosen write.
    monkeypatch.setattr(database, "write_now", dying)
    with pytest.raises(Crash):
        privacy.erased(made.app, "ada", "dana")
    monkeypatch.setattr(database, "write_now", write_now)

    privacy.erased(made.app, "ada", "dana")

    assert "marmalade" not in repr(everything(database))
    assert "'ada'" not in repr(everything(database))


async def test_a_second_erasure_finds_nothing() -> None:
    made = bench(handler, mail, look_up)
    await filled(made, "ada", "marmalade")
    privacy.erased(made.app, "ada", "dana")

    again = privacy.erased(made.app, "ada", "dana")

    assert (again.made.tasks, again.made.traces, dict(again.made.rows)) == (0, 0, {})


async def test_who_erased_whom_is_on_record_without_the_name() -> None:
    made = bench(handler, mail, look_up)
    await filled(made, "ada", "marmalade")

    first = privacy.erased(made.app, "ada", "dana")
    second = privacy.erased(made.app, "ada", "vera")

    rows = made.app.database.read_now(lambda tx: tx.rows("SELECT who, what, about FROM audit ORDER BY n"))
    assert rows[-4:] == [
        ("dana", "user.erase.begin", first.made.digest), ("dana", "user.erase", first.made.digest),
        ("vera", "user.erase.begin", first.made.digest), ("vera", "user.erase", first.made.digest),
    ]  # fmt: skip
    assert first.made.digest == second.made.digest
    assert "ada" not in repr(made.app.database.read_now(lambda tx: tx.rows("SELECT * FROM erasures")))


@pytest.mark.parametrize("user", ["a%a", "a_a", "100%", "!", "o'neil", "x" * 300, "zoë", "a:b/c"])
async def test_a_name_means_itself_and_nobody_else(user: str) -> None:
    """Marks of LIKE, quotes, and names longer than a facet holds."""
    made = bench(handler, mail, look_up)
    other = "aXa" if user != "x" * 300 else "x" * 299
    await filled(made, other, "tangerine")
    before = everything(made.app.database)
    await filled(made, user, "marmalade")

    privacy.erased(made.app, user, "dana")

    after = everything(made.app.database)
    assert "marmalade" not in repr(after)
    assert before["payloads"] == after["payloads"]
    assert before["feedback"][0] in after["feedback"]


async def test_another_user_of_the_same_foreign_trace_loses_their_name_with_it() -> None:
    made = bench(handler, mail, look_up)
    at_us = made.app.clock.now_us()
    foreign(made.app.database, at_us, "ada", "marmalade", "ab" * 16)
    foreign(made.app.database, at_us + 7, "eve", "marmalade", "ab" * 16)

    privacy.erased(made.app, "ada", "dana")

    facets = made.app.database.read_now(
        lambda tx: tx.rows("SELECT value FROM facets WHERE field IN ('user', 'session')")
    )
    assert facets == []


async def test_money_that_a_user_spent_becomes_nobodys_and_the_sum_stays() -> None:
    made = bench(handler, mail, look_up)
    row = "('2026-01-01', 'support', '', ?, '', 'm', 1, 10, 10, 0, 0, ?, 0)"

    def spend(tx: Tx) -> None:
        for user, nano in (("ada", 5), ("", 7), ("bob", 11)):
            tx.execute(f"INSERT INTO spend_rollup VALUES {row}", (user, nano))

    made.app.database.write_now(spend)

    privacy.erased(made.app, "ada", "dana")

    rows = made.app.database.read_now(
        lambda tx: tx.rows("SELECT user_id, calls, settled_nano FROM spend_rollup ORDER BY user_id")
    )
    assert rows == [("", 2, 12), ("bob", 1, 11)]


@pytest.mark.slow
async def test_workers_go_on_while_a_user_is_erased(tmp_path: Path) -> None:
    """Slow: two users on a real file, one working while the other is erased and the file rebuilt."""
    made = shop(tmp_path / "a.db")
    await filled(made, "ada", "marmalade")

    tasks = [
        made.submit({"who": "w", "to": f"b{n}", "words": "please send tangerine today"}, user="bob")
        for n in range(3)
    ]
    done, _ = await asyncio.gather(asyncio.to_thread(privacy.erased, made.app, "ada", "dana"), made.work())

    assert done.made.tasks == 1
    assert [made.task(task).state for task in tasks] == [State.ANSWERED] * 3
    assert b"marmalade" not in bytes_of(tmp_path / "a.db")
    made.app.database.close()
