"""What a worker does by itself, as recorder.toml of its folder says, read anew at each round."""

from dataclasses import replace
from pathlib import Path

import pytest

from airworthy.app import privacy
from airworthy.app.build import App
from airworthy.app.chores import chores_of
from airworthy.policy import PolicyError
from airworthy.recorder import sealed_files
from airworthy.runtime.chores import Chores
from airworthy.store import SQLiteDatabase, Tx
from airworthy.store.scrub import Scrubbed, scrub
from tests.privacy.kit import DAY_US, filled, foreign, handler, look_up, mail
from tests.runtime.kit import Bench, bench


def in_folder(made: Bench, folder: Path, settings: str) -> App:
    (folder / "recorder.toml").write_text(settings)
    return replace(made.app, folder=folder)


def left(made: Bench, table: str) -> int:
    row = made.app.database.read_now(lambda tx: tx.row(f"SELECT COUNT(*) FROM {table}"))
    assert row is not None
    return int(row[0])


async def test_a_round_seals_then_removes_then_cleans(tmp_path: Path) -> None:
    made = bench(handler, mail, look_up)
    task = await filled(made, "ada", "marmalade")
    foreign(made.app.database, made.app.clock.now_us(), "bob", "tangerine", "cd" * 16)
    app = in_folder(made, tmp_path, (
        "[retention]\npayloads_days = 100\nseal = true\n[retention.agents.elsewhere]\npayloads_days = 1\n"
        '[redact]\nemail = "redact"\nclosed_after_hours = 1\n'
    ))  # fmt: skip
    # As if the worker had come back after two days; a test cannot wait for the end of a day.
    later = replace(app, clock=_Later(app.clock.now_us() + 2 * DAY_US))

    privacy.kept_once(later, later.clock.now_us())

    assert len(sealed_files.names(tmp_path / "sealed")) == 1
    assert left(made, "chunks") == 0
    assert left(made, "payloads") > 0
    assert "marmalade@mail.example" not in repr(made.steps(task))


async def test_the_chore_is_among_those_of_a_worker_and_does_nothing_without_settings() -> None:
    made = bench(handler, mail, look_up)
    await filled(made, "ada", "marmalade")
    (chore,) = [chore for chore in chores_of(made.app, [made.agent]) if chore.name == "retention"]
    rows = left(made, "payloads")

    await Chores(made.app.database, made.app.clock, "wkr_1", [chore]).once(chore)

    assert left(made, "payloads") == rows
    assert left(made, "removed") == 0


async def test_a_file_that_cannot_be_read_stops_a_worker_from_starting(tmp_path: Path) -> None:
    """Rather than keeping for ever what somebody meant to have removed."""
    made = bench(handler, mail, look_up)

    with pytest.raises(PolicyError):
        privacy.privacy_chores(in_folder(made, tmp_path, "[retention]\npayload_days = 3\n"))


@pytest.mark.slow
def test_a_reader_of_an_older_state_keeps_the_log_and_that_is_told(tmp_path: Path) -> None:
    """Slow: SQLite waits for the reader before it gives up."""
    database = SQLiteDatabase(tmp_path / "a.db")
    database.write_now(lambda tx: tx.execute("CREATE TABLE words (word VARCHAR)"))
    database.write_now(lambda tx: tx.execute("INSERT INTO words VALUES ('marmalade')"))

    def reading(tx: Tx) -> Scrubbed:
        tx.rows("SELECT * FROM words")
        return scrub(database, wait_s=0.2)

    during = database.read_now(reading)
    after = scrub(database)

    assert (during.log_left, after.log_left) == (True, False)
    database.close()


class _Later:
    def __init__(self, now_us: int) -> None:
        self._now_us = now_us

    def now_us(self) -> int:
        return self._now_us
