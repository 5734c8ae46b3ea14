"""The key `engine` of airworthy.toml: what may stand there, and that tasks go their way with either."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airworthy.app.build import open_database, opened, woken_by
from airworthy.app.config import ENGINES, Config, load_config
from airworthy.core.errors import ConfigError
from airworthy.core.outcome import Outcome
from airworthy.runtime import Run
from airworthy.runtime.engines import EngineName
from airworthy.store import Database
from tests.database import Rehearsal, end_test
from tests.runtime.kit import bench


@pytest.fixture
def rehearsal() -> Iterator[Database]:
    yield Rehearsal()
    end_test()


def test_each_engine_can_be_chosen_by_its_name() -> None:
    assert tuple(EngineName) == ENGINES


@pytest.mark.parametrize(
    ("engine", "mend"),
    [("procrastinat", "Did you mean 'procrastinate'?"), ("temporal", "one of: embedded, procrastinate")],
)
def test_another_name_is_an_error_with_its_mend(tmp_path: Path, engine: str, mend: str) -> None:
    (tmp_path / "airworthy.toml").write_text(f'engine = "{engine}"')

    with pytest.raises(ConfigError, match=f"engine is '{engine}'") as raised:
        load_config(tmp_path)

    assert mend in raised.value.mend


def test_procrastinate_needs_a_postgresql(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match="needs a PostgreSQL"),
        opened(Config(tmp_path, engine="procrastinate")),
    ):
        pass

    assert open_database(Config(tmp_path, database="other.db")).dialect == "sqlite"


async def test_with_procrastinate_a_task_sleeps_wakes_and_ends_and_no_job_is_left(
    rehearsal: Database,
) -> None:
    async def handle(run: Run) -> str:
        await run.sleep(30)
        return run.text

    on = bench(handle, database=rehearsal)
    on.app = woken_by(on.app, EngineName.PROCRASTINATE)
    task = on.submit("awake")
    jobs = "SELECT queue_name, task_name, queueing_lock, status::text FROM procrastinate_jobs"
    asked = rehearsal.read_now(lambda tx: tx.rows(jobs))
    await on.work()
    left = rehearsal.read_now(lambda tx: tx.rows(jobs))

    assert asked == [("airworthy:support", "airworthy.advance", task, "todo")]
    assert on.task(task).outcome is Outcome.ANSWERED
    assert left == []


async def test_what_the_other_engine_left_is_taken_over(rehearsal: Database) -> None:
    async def handle(run: Run) -> str:
        return run.text

    on = bench(handle, database=rehearsal)
    before, embedded = on.submit("before"), on.app
    on.app = woken_by(on.app, EngineName.PROCRASTINATE)
    after = on.submit("after")
    on.app = replace(embedded, engine=EngineName.EMBEDDED)
    await on.work()

    assert [on.task(each).outcome for each in (before, after)] == [Outcome.ANSWERED] * 2
