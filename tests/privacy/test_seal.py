"""Sealed days: whole or not there, once or again the same, read back by a reader of its own; erasure reaches them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from airworthy.app.holdings import HOLDINGS
from airworthy.recorder import parquet, sealed_files
from airworthy.recorder.holdings import Kept
from airworthy.recorder.retention import Keep, Retention
from airworthy.recorder.seal import Sealer, day_of
from airworthy.recorder.sealed_files import SealBroken, SealBusy
from airworthy.recorder.traces import find
from airworthy.recorder.traces.own_text import forget
from airworthy.runtime.holdings import TASK_ROWS
from tests.privacy.kit import DAY_US, filled, foreign, handler, look_up, mail
from tests.runtime.kit import Bench, bench


def sealer(made: Bench, out: Path) -> Sealer:
    return Sealer(made.app.database, HOLDINGS, TASK_ROWS, out)


def later_us(made: Bench) -> int:
    return made.app.clock.now_us() + 2 * DAY_US


def today(made: Bench) -> str:
    return day_of(made.app.clock.now_us())


async def two(**policy: Any) -> Bench:
    made = bench(handler, mail, look_up, **policy)
    await filled(made, "ada", "marmalade")
    foreign(made.app.database, made.app.clock.now_us(), "bob", "tangerine", "cd" * 16)
    return made


def files_of(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()
    }


def table(out: Path, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for path in sorted(out.glob(f"*/*/{name}.parquet")):
        rows += pyarrow.parquet.read_table(path).to_pylist()
    return rows


async def test_a_sealed_day_holds_each_task_and_trace_with_all_that_was_said(tmp_path: Path) -> None:
    made = await two()

    done = sealer(made, tmp_path).seal(today(made), later_us(made))

    assert (done.refs, done.open, [part.name for part in done.parts]) == (2, 0, [f"{today(made)}/0001"])
    traces = {row["user"]: row for row in table(tmp_path, "traces")}
    assert traces["ada"]["outcome"] == "answered"
    row = made.app.database.read_now(lambda tx: find.get(tx, traces["ada"]["id"]))
    assert traces["ada"]["release"] == row.release, "as every list names it"
    assert traces["ada"]["at"].tzinfo is not None
    assert traces["bob"]["origin"] == "otlp"
    steps = made.steps(traces["ada"]["id"])
    assert [row["name"] for row in table(tmp_path, "steps")] == [step.name for step in steps]
    bodies = {
        row["seq"]: json.loads(row["body"]) for row in table(tmp_path, "payloads") if row["span"] is None
    }
    assert bodies[0]["arguments"] == steps[0].arguments
    assert len(bodies) == len(steps)
    spans = [row for row in table(tmp_path, "payloads") if row["span"] is not None]
    assert json.loads(spans[0]["body"]) == {"input": "tangerine"}
    assert {row["table"] for row in table(tmp_path, "records")} >= {
        "tasks",
        "effects",
        "feedback",
        "results",
        "scores",
    }


async def test_the_columns_are_those_that_are_documented(tmp_path: Path) -> None:
    made = await two()
    sealer(made, tmp_path).seal(today(made), later_us(made))

    for name, columns in parquet.COLUMNS.items():
        (path,) = tmp_path.glob(f"*/*/{name}.parquet")
        assert pyarrow.parquet.read_schema(path).names == list(columns)
        assert pyarrow.parquet.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"


async def test_sealing_again_writes_nothing(tmp_path: Path) -> None:
    made = await two()
    sealer(made, tmp_path).seal(today(made), later_us(made))
    before = files_of(tmp_path)

    again = sealer(made, tmp_path).seal(today(made), later_us(made))

    assert (again.refs, again.parts) == (0, [])
    assert files_of(tmp_path) == before


async def test_what_came_later_goes_into_a_part_of_its_own(tmp_path: Path) -> None:
    made = await two()
    sealer(made, tmp_path).seal(today(made), later_us(made))
    at_us = made.app.clock.now_us()
    foreign(made.app.database, at_us + 9, "bob", "another", "ef" * 16)
    foreign(made.app.database, at_us + 11, "bob", "a span that came late", "cd" * 16)

    again = sealer(made, tmp_path).seal(today(made), later_us(made))

    assert [part.name for part in again.parts] == [f"{today(made)}/0002"]
    assert [part.counts["traces"] for part in again.parts] == [2]
    assert [wrong for _, wrong in sealer(made, tmp_path).verify()] == ["", ""]


async def test_what_is_open_is_left_for_later_and_counted(tmp_path: Path) -> None:
    from airworthy.policy import ToolRule

    made = bench(handler, mail, look_up, tools={"mail": ToolRule(approval="always", critical=False)})
    await made.done({"who": "w", "to": "a", "words": "please send marmalade today"}, user="ada")

    done = sealer(made, tmp_path).seal(today(made), later_us(made))

    assert (done.refs, done.open) == (0, 1)
    assert sealed_files.names(tmp_path) == []


async def test_days_are_those_on_which_anything_began_and_none_that_is_not_over(tmp_path: Path) -> None:
    made = await two()
    foreign(made.app.database, made.app.clock.now_us() - 3 * DAY_US, "bob", "old", "12" * 16)
    now_us = made.app.clock.now_us()

    assert sealer(made, tmp_path).days(now_us + DAY_US) == [day_of(now_us - 3 * DAY_US), day_of(now_us)]


@pytest.mark.parametrize("spoil", [
    lambda part: (part / "steps.parquet").write_bytes(b"PAR1"),
    lambda part: (part / "steps.parquet").unlink(),
    lambda part: (part / "manifest.json").write_text("{}"),
    lambda part: shutil.copy(part / "spans.parquet", part / "steps.parquet"),
    shutil.rmtree,
], ids=["cut", "missing", "manifest", "other file", "gone"])  # fmt: skip
async def test_what_was_changed_afterwards_shows(spoil: Callable[[Path], object], tmp_path: Path) -> None:
    made = await two()
    sealer(made, tmp_path).seal(today(made), later_us(made))
    spoil(tmp_path / today(made) / "0001")

    ((name, wrong),) = sealer(made, tmp_path).verify()

    assert name == f"{today(made)}/0001"
    assert wrong


async def test_a_part_with_a_manifest_of_its_own_making_is_not_the_recorded_one(tmp_path: Path) -> None:
    made = await two()
    sealer(made, tmp_path).seal(today(made), later_us(made))
    rows = sealed_files.rows_of(tmp_path, f"{today(made)}/0001")
    sealed_files.put(tmp_path, f"{today(made)}/0001", {**rows, "records": []}, "2026-01-01")

    ((_, wrong),) = sealer(made, tmp_path).verify()

    assert wrong == "Its manifest is not the one that was recorded."


class Crash(Exception):
    pass


@pytest.mark.parametrize("at", ["write", "manifest", "swap", "record"])
async def test_after_a_crash_the_next_sealing_makes_the_day_whole(
    at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await two()

    def die(*_args: object, **_more: object) -> None:
        raise Crash

    with (
        monkeypatch.context() as patched
    ):  # A crash comes between two acts on the disk; nothing else can place one there.
        match at:
            case "write":
                patched.setattr(parquet, "read", die)
            case "manifest":
                patched.setattr(sealed_files, "_swap", die)
            case "swap":
                patched.setattr(sealed_files, "check", die)
            case "record":
                patched.setattr(Sealer, "_record", die)
        with pytest.raises(Crash):
            sealer(made, tmp_path).seal(today(made), later_us(made))

    sealer(made, tmp_path).seal(today(made), later_us(made))

    assert [wrong for _, wrong in sealer(made, tmp_path).verify()] == [""]
    assert sorted(row["user"] for row in table(tmp_path, "traces")) == ["ada", "bob"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith((".new", ".old"))] == []
    again = sealer(made, tmp_path).seal(today(made), later_us(made))
    assert again.refs == 0


async def test_erasure_takes_a_user_out_of_sealed_days_and_leaves_the_others(tmp_path: Path) -> None:
    made = await two()
    sealer(made, tmp_path).seal(today(made), later_us(made))

    gone = sealer(made, tmp_path).erase(["ada"], [], later_us(made))

    assert gone == 1
    assert [row["user"] for row in table(tmp_path, "traces")] == ["bob"]
    assert b"marmalade" not in b"".join(files_of(tmp_path).values())
    assert "marmalade" not in repr([table(tmp_path, name) for name in parquet.COLUMNS])
    assert [wrong for _, wrong in sealer(made, tmp_path).verify()] == [""]
    assert json.loads((tmp_path / today(made) / "0001" / "manifest.json").read_text())["erased"] == 1


async def test_a_crash_while_a_part_is_replaced_leaves_the_old_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await two()
    sealer(made, tmp_path).seal(today(made), later_us(made))
    rename, renamed = Path.rename, 0

    def dying(self: Path, target: Path) -> Path:
        nonlocal renamed
        renamed += 1
        if renamed == 2:
            raise Crash
        return rename(self, target)

    with (
        monkeypatch.context() as patched
    ):  # Between the two renames, where for a moment there is no part at all.
        patched.setattr(Path, "rename", dying)
        with pytest.raises(Crash):
            sealer(made, tmp_path).erase(["ada"], [], later_us(made))
    assert sealed_files.names(tmp_path) == []

    sealer(made, tmp_path).erase(["ada"], [], later_us(made))

    assert [row["user"] for row in table(tmp_path, "traces")] == ["bob"]
    sealed_files.check(tmp_path, f"{today(made)}/0001")


async def test_two_at_once_do_not_write_the_same_part(tmp_path: Path) -> None:
    made = await two()
    with sealed_files.locked(tmp_path), pytest.raises(SealBusy):
        sealer(made, tmp_path).seal(today(made), later_us(made))


async def test_payloads_go_only_after_they_were_sealed_and_read_back(tmp_path: Path) -> None:
    made = await two()
    keep = Retention(made.app.database, HOLDINGS, TASK_ROWS, Keep({Kept.PAYLOADS: 1.0}, sealed=True), forget)

    before = keep.round(later_us(made), refs_max=100, anew=True)
    sealer(made, tmp_path).seal(today(made), later_us(made))
    after = keep.round(later_us(made), refs_max=100, anew=True)

    assert (before.tasks[Kept.PAYLOADS], after.tasks[Kept.PAYLOADS]) == (0, 2)
    assert "marmalade" in repr(table(tmp_path, "payloads"))


async def test_a_part_that_does_not_read_back_is_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await two()
    with monkeypatch.context() as patched:  # A disk that keeps something else than it was given.
        patched.setattr(parquet, "read", lambda *_: [])
        with pytest.raises(SealBroken):
            sealer(made, tmp_path).seal(today(made), later_us(made))

    assert made.app.database.read_now(lambda tx: tx.rows("SELECT * FROM sealed")) == []


async def test_old_days_can_be_dropped_and_may_be_sealed_again(tmp_path: Path) -> None:
    made = await two()
    sealer(made, tmp_path).seal(today(made), later_us(made))

    dropped = sealer(made, tmp_path).drop("9999-01-01")

    assert dropped == 1
    assert sealed_files.names(tmp_path) == []
    assert sealer(made, tmp_path).seal(today(made), later_us(made)).refs == 2
