"""A record that was emptied or cleaned explains no run any more: a replay and a fork say so, and do nothing."""

from functools import partial
from typing import Any

import pytest

from airworthy.app import privacy
from airworthy.app.holdings import HOLDINGS
from airworthy.cli.replay import _exit_of
from airworthy.core.personal import BUILT_IN, Personal
from airworthy.recorder.holdings import Kept
from airworthy.recorder.personal_rows import PersonalRows
from airworthy.recorder.retention import Keep, Retention
from airworthy.recorder.traces import own_text
from airworthy.runtime import Agent, Run
from airworthy.runtime.forking import CannotFork, Changes, Forks
from airworthy.runtime.holdings import TASK_ROWS
from airworthy.runtime.replayed import Replayed, Verdict
from airworthy.runtime.replaying import Replays
from tests.privacy.kit import DAY_US, filled, handler, look_up, mail
from tests.runtime.kit import Bench, bench


async def replayed(made: Bench, task: str) -> Replayed:
    return await Replays(made.app.database, made.app.payloads, {made.agent.name: made.agent}).replay(task)


def fork(made: Bench, task: str) -> None:
    app = made.app
    Forks(app.database, app.clock, app.ids, app.payloads, {made.agent.name: made.agent}).fork(
        task, 2, Changes()
    )


def cleaned(made: Bench) -> None:
    hooks = (partial(own_text.forget, spans=False), own_text.due)
    app = made.app
    rows = PersonalRows(app.database, app.payloads, Personal(BUILT_IN), HOLDINGS, TASK_ROWS, hooks)
    rows.round(10**18, 100)


def emptied(made: Bench) -> None:
    keep = Keep({Kept.PAYLOADS: 1.0})
    Retention(made.app.database, HOLDINGS, TASK_ROWS, keep, own_text.forget).round(
        made.app.clock.now_us() + 9 * DAY_US, refs_max=100
    )


def erased(made: Bench) -> None:
    privacy.erased(made.app, "ada", "dana", scrubs=False)


@pytest.mark.parametrize(
    ("done", "said"),
    [(emptied, "retention"), (erased, "user was erased"), (cleaned, "taken out of its input")],
)
async def test_it_is_said_plainly_and_with_its_own_exit_code(done: Any, said: str) -> None:
    made = bench(handler, mail, look_up)
    task = await filled(made, "ada", "marmalade")
    assert (await replayed(made, task)).verdict is Verdict.SAME
    done(made)

    report = await replayed(made, task)

    assert (report.verdict, _exit_of([report])) == (Verdict.CANNOT, 2)
    assert said in report.text
    assert report.mend
    with pytest.raises(CannotFork, match=said):
        fork(made, task)
    assert len(made.app.database.read_now(lambda tx: tx.rows("SELECT id FROM tasks"))) == 1


async def test_where_a_step_alone_was_cleaned_that_is_told_beside_what_differs() -> None:
    async def forward(run: Run) -> str:
        found = await run.tool(look_up, name="the office")
        await run.tool(mail, to=found["street"], text="hello")
        return "sent"

    made = bench(forward, mail, look_up)
    task = (await made.done("forward it", user="ada")).id
    made.app.database.write_now(
        lambda tx: tx.execute("UPDATE steps SET exact = 0 WHERE task_id = ? AND name = 'look_up'", (task,))
    )

    async def otherwise(run: Run) -> str:
        return "nothing"

    today = Agent(made.agent.policy, tools=made.agent.tools)
    today.task(otherwise)
    report = await Replays(made.app.database, made.app.payloads, {today.name: today}).replay(task)

    assert report.verdict is Verdict.DIFFERS
    assert "taken out of step" in report.mend
