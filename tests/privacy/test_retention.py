"""Retention: what is old goes, the oldest first and in batches; what is open stays; sums stay; each is counted."""

from pathlib import Path
from typing import Any

import pytest

from airworthy.app.holdings import HOLDINGS
from airworthy.app.recorder_settings import RecorderSettings, load_recorder_settings
from airworthy.app.retention_settings import RetentionRule
from airworthy.policy import PolicyError, ToolRule
from airworthy.recorder import outgoing
from airworthy.recorder.holdings import Kept
from airworthy.recorder.retention import Keep, Retention
from airworthy.recorder.traces import own_text, read
from airworthy.runtime import State
from airworthy.runtime.describing import describe
from airworthy.runtime.holdings import TASK_ROWS
from airworthy.store import Tx
from tests.database import memory
from tests.privacy.kit import DAY_US, filled, foreign, handler, look_up, mail
from tests.recorder.traces.kit import entries
from tests.runtime.kit import Bench, bench


def shop(**policy: Any) -> Bench:
    return bench(handler, mail, look_up, database=memory(), **policy)


def retention(made: Bench, **days: float) -> Retention:
    keep = Keep({Kept(name): value for name, value in days.items()})
    return Retention(made.app.database, HOLDINGS, TASK_ROWS, keep, own_text.forget)


def count(made: Bench, table: str, where: str = "1 = 1") -> int:
    row = made.app.database.read_now(lambda tx: tx.row(f"SELECT COUNT(*) FROM {table} WHERE {where}"))
    assert row is not None
    return int(row[0])


def found(made: Bench, word: str) -> int:
    return len(entries(made.app.database, word))


async def test_payloads_go_after_their_days_and_the_task_stays_readable() -> None:
    made = shop()
    task = await filled(made, "ada", "marmalade")
    now_us = made.app.clock.now_us()

    early = retention(made, payloads=10).round(now_us + 9 * DAY_US, refs_max=100)
    late = retention(made, payloads=10).round(now_us + 11 * DAY_US, refs_max=100)

    assert (early.tasks[Kept.PAYLOADS], late.tasks[Kept.PAYLOADS]) == (0, 1)
    assert count(made, "payloads") == found(made, "marmalade") == 0
    assert made.task(task).state is State.ANSWERED
    assert made.task(task).user_id == "ada"
    assert [step.arguments for step in made.steps(task)] == [None] * len(made.steps(task))
    assert made.effect(task).arguments == "{}"


async def test_a_second_round_finds_nothing_more() -> None:
    made = shop()
    await filled(made, "ada", "marmalade")
    later_us = made.app.clock.now_us() + 40 * DAY_US
    retention(made, payloads=10, scores=10).round(later_us, refs_max=100, anew=True)

    again = retention(made, payloads=10, scores=10).round(later_us, refs_max=100, anew=True)

    assert (dict(again.rows), dict(again.tasks)) == ({}, {})


async def test_traces_go_whole_and_rollups_stay() -> None:
    made = shop()
    await filled(made, "ada", "marmalade")
    foreign(made.app.database, made.app.clock.now_us(), "ada", "marmalade", "ab" * 16)
    sums = made.app.database.read_now(lambda tx: tx.rows("SELECT * FROM rollups ORDER BY width_s, bucket_us"))
    later_us = made.app.clock.now_us() + 40 * DAY_US
    kept = retention(made, traces=30)

    kept.round(later_us, refs_max=100)
    kept.round(later_us + 2 * DAY_US, refs_max=100)  # facets of what is no more go with the next sweep

    for table in (
        "tasks",
        "steps",
        "payloads",
        "effects",
        "traces",
        "facets",
        "spans",
        "chunks",
        "docs",
        "feedback",
    ):
        assert count(made, table) == 0, table
    assert found(made, "marmalade") == 0
    assert (
        made.app.database.read_now(lambda tx: tx.rows("SELECT * FROM rollups ORDER BY width_s, bucket_us"))
        == sums
    )


async def test_what_is_open_waits_for_a_person_or_is_in_doubt_is_never_touched() -> None:
    made = shop(tools={"mail": ToolRule(approval="always", critical=False)})
    task = made.submit(
        {"who": "who", "to": "a@mail.example", "words": "please send marmalade today"}, user="ada"
    )
    await made.work()
    later_us = made.app.clock.now_us() + 400 * DAY_US

    left = retention(made, payloads=1, traces=1).round(later_us, refs_max=100)

    assert made.task(task).state is State.WAITING
    assert count(made, "payloads") > 0
    assert left.waiting == {"payloads: open": 1, "traces: open": 1}
    assert not left.tasks


async def test_an_agent_may_have_days_of_its_own() -> None:
    made = shop()
    await filled(made, "ada", "marmalade")
    foreign(made.app.database, made.app.clock.now_us(), "ada", "tangerine", "ab" * 16)
    later_us = made.app.clock.now_us() + 40 * DAY_US
    keep = Keep({Kept.PAYLOADS: 365.0}, {"elsewhere": {Kept.PAYLOADS: 30.0}})

    done = Retention(made.app.database, HOLDINGS, TASK_ROWS, keep, own_text.forget).round(
        later_us, refs_max=100
    )

    assert done.tasks[Kept.PAYLOADS] == 1
    assert count(made, "payloads") > 0
    assert (count(made, "chunks"), found(made, "tangerine")) == (0, 0)
    page = made.app.database.read_now(lambda tx: read.spans_of(tx, "ab" * 16))
    assert [(span.name, span.payload) for span in page.spans] == [("handle", None)]


async def test_a_round_stops_at_its_bound_and_the_next_goes_on_there() -> None:
    made = shop()
    for number in range(205):
        foreign(made.app.database, made.app.clock.now_us() + number, "ada", "marmalade", f"{number + 1:032x}")
    later_us = made.app.clock.now_us() + 40 * DAY_US
    kept = retention(made, payloads=30)

    first = kept.round(later_us, refs_max=100)
    second = kept.round(later_us, refs_max=100)

    assert (first.tasks[Kept.PAYLOADS], first.more) == (200, True)
    assert (second.tasks[Kept.PAYLOADS], second.more) == (5, False)


async def test_what_was_open_when_a_sweep_passed_goes_with_a_later_one() -> None:
    made = shop(tools={"mail": ToolRule(approval="always", critical=False)})
    task = made.submit({"who": "who", "to": "a@mail.example", "words": "please send marmalade today"})
    await made.work()
    later_us = made.app.clock.now_us() + 40 * DAY_US
    kept = retention(made, payloads=1)
    kept.round(later_us, refs_max=100)
    made.app.operations.cancel(task, "dana")
    made.app.database.write_now(lambda tx: tx.execute("DELETE FROM touched"))
    made.app.database.write_now(lambda tx: tx.execute("UPDATE review_items SET status = 'gone'"))

    kept.round(later_us + 2 * DAY_US, refs_max=100)
    kept.round(later_us + 2 * DAY_US, refs_max=100)

    assert count(made, "payloads") == 0


async def test_a_dry_run_counts_and_changes_nothing() -> None:
    made = shop()
    await filled(made, "ada", "marmalade")
    later_us = made.app.clock.now_us() + 40 * DAY_US

    done = retention(made, payloads=1, traces=1, scores=1).round(later_us, refs_max=100, dry=True, anew=True)

    assert done.tasks == {Kept.PAYLOADS: 1, Kept.TRACES: 1}
    assert done.rows == {"feedback": 1, "results": 1}
    assert count(made, "payloads") > 0
    assert count(made, "feedback") == 1
    assert count(made, "removed") == 0


async def test_what_has_gone_is_counted_by_day() -> None:
    made = shop()
    await filled(made, "ada", "marmalade")

    retention(made, payloads=1).round(made.app.clock.now_us() + 40 * DAY_US, refs_max=100)

    rows = made.app.database.read_now(
        lambda tx: tx.rows("SELECT what, count FROM removed WHERE what LIKE 'of %'")
    )
    assert rows == [("of payloads", 1)]


async def test_payloads_wait_for_their_day_to_be_sealed_where_that_is_asked() -> None:
    made = shop()
    task = await filled(made, "ada", "marmalade")
    later_us = made.app.clock.now_us() + 40 * DAY_US
    keep = Keep({Kept.PAYLOADS: 30.0}, sealed=True)
    kept = Retention(made.app.database, HOLDINGS, TASK_ROWS, keep, own_text.forget)

    before = kept.round(later_us, refs_max=100, anew=True)
    pieces = count(made, "steps")
    made.app.database.write_now(
        lambda tx: tx.execute("INSERT INTO sealed (ref, part, pieces) VALUES (?, 'x/1', ?)", (task, pieces))
    )
    after = kept.round(later_us, refs_max=100, anew=True)

    assert before.waiting == {"payloads: not sealed": 1}
    assert after.tasks[Kept.PAYLOADS] == 1


def test_nothing_is_removed_where_nothing_is_said() -> None:
    assert RetentionRule().keep() == Keep()
    assert RecorderSettings().retention.keep().latest_us(Kept.PAYLOADS, 10**18) is None


def test_settings_are_read_with_every_mistake_named(tmp_path: Path) -> None:
    (tmp_path / "recorder.toml").write_text(
        "[retention]\npayloads_days = 90\ntraces_days = 30\n[retention.agents.support]\npayloads_day = 3\n"
        '[redact]\nemail = "yes"\n[[redact.rules]]\nname = "x"\npattern = "(a+)+"\n'
    )

    with pytest.raises(PolicyError) as refused:
        load_recorder_settings(tmp_path)

    text = str(refused.value)
    for said in ("payloads_day", "email", "cannot be searched for safely"):
        assert said in text


async def test_a_task_of_before_the_index_is_entered_though_its_words_went_first() -> None:
    made = shop()
    task = await filled(made, "ada", "marmalade")
    other = await made.done({"who": "x", "to": "x@mail.example", "words": "please send it"}, user="bob")

    def before_the_index(tx: Tx) -> None:
        tx.execute("DELETE FROM traces")
        tx.execute("UPDATE index_due SET what = 'all'")
        tx.execute(
            "INSERT INTO index_due (ref, what) VALUES (?, 'all') ON CONFLICT (ref) DO NOTHING", (task,)
        )

    made.app.database.write_now(before_the_index)
    retention(made, payloads=30).round(made.app.clock.now_us() + 40 * DAY_US, refs_max=100)
    while await describe(made.app.database):
        continue

    listed = made.app.database.read_now(lambda tx: tx.rows("SELECT id, user_id FROM traces ORDER BY user_id"))
    assert listed == [(task, "ada"), (other.id, "bob")]


async def test_a_closing_that_was_not_sent_yet_is_sent_without_the_words_and_not_lost() -> None:
    made = shop()
    await made.app.database.write(lambda tx: outgoing.begin(tx, 1))
    task = await filled(made, "ada", "marmalade")
    retention(made, payloads=30).round(made.app.clock.now_us() + 40 * DAY_US, refs_max=100)

    assert [due.task_id for due in made.app.database.read_now(lambda tx: outgoing.due(tx, 10))] == [task]
    assert count(made, "payloads") == 0
