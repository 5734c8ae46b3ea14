"""Export: all that is stored on one user and nothing on another, readable by machines and by people."""

import json
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pytest

from airworthy.app import privacy
from airworthy.app.holdings import HOLDINGS
from airworthy.recorder.seal import Sealer, day_of
from airworthy.runtime.holdings import TASK_ROWS
from tests.privacy.kit import DAY_US, filled, foreign, handler, look_up, mail
from tests.runtime.kit import Bench, bench


async def two() -> Bench:
    made = bench(handler, mail, look_up)
    await filled(made, "ada", "marmalade")
    await filled(made, "bob", "tangerine")
    foreign(made.app.database, made.app.clock.now_us(), "ada", "marmalade", "ab" * 16)
    return made


def read(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


async def test_an_export_holds_all_that_is_stored_on_a_user_and_nothing_on_another(tmp_path: Path) -> None:
    made = await two()

    done = privacy.exported(made.app, "ada", "dana", tmp_path / "ada.zip")

    files = read(tmp_path / "ada.zip")
    whole = "".join(files.values())
    assert (done.tasks, done.traces) == (1, 1)
    assert "tangerine" not in whole
    (task,) = [json.loads(text) for name, text in files.items() if name.startswith("tasks/")]
    assert task["tasks"][0]["user_id"] == "ada"
    assert task["payloads"][0]["body"]["arguments"]["to"] == "marmalade@mail.example"
    assert task["effects"][0]["arguments"]["text"] == "please send marmalade to my house today"
    assert task["feedback"][0]["correction"] == "better marmalade"
    (trace,) = [json.loads(text) for name, text in files.items() if name.startswith("traces/")]
    assert trace["chunks"][0]["body"] == [{"input": "marmalade"}]
    assert trace["scores"][0]["explanation"] == "because marmalade"
    assert json.loads(files["manifest.json"])["rows"]["payloads"] == done.rows["payloads"]


async def test_only_its_owner_may_read_the_file_and_nothing_half_written_stays(tmp_path: Path) -> None:
    made = await two()

    privacy.exported(made.app, "ada", "dana", tmp_path / "ada.zip")

    assert (tmp_path / "ada.zip").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["ada.zip"]


async def test_that_somebody_took_an_export_is_on_record(tmp_path: Path) -> None:
    made = await two()

    privacy.exported(made.app, "ada", "dana", tmp_path / "ada.zip")

    rows = made.app.database.read_now(
        lambda tx: tx.rows("SELECT who, what FROM audit ORDER BY n DESC LIMIT 1")
    )
    assert rows == [("dana", "user.export")]


async def test_what_only_sealed_days_hold_is_in_the_export_too(tmp_path: Path) -> None:
    made = await two()
    now_us = made.app.clock.now_us()
    Sealer(made.app.database, HOLDINGS, TASK_ROWS, tmp_path / "sealed").seal(
        day_of(now_us), now_us + 2 * DAY_US
    )
    settings = privacy.settings_of(made.app)
    sealer = privacy.sealer_of(made.app, settings, tmp_path / "sealed")

    rows = dict(sealer.rows_for(["ada"], []))

    (part,) = rows.values()
    assert {row["user"] for row in part["traces"]} == {"ada"}
    assert "marmalade" in repr(part["payloads"])
    assert "tangerine" not in repr(part)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]


@pytest.mark.parametrize(
    "user", ["<script>alert(1)</script>", "a\u202eb", "a\x00\x1b[31m", '"><img src=x>', "{{7*7}}"]
)
async def test_a_name_from_outside_is_text_on_the_page_and_every_link_leads_to_a_file(
    user: str, tmp_path: Path
) -> None:
    made = bench(handler, mail, look_up)
    foreign(made.app.database, made.app.clock.now_us(), user, "marmalade", "ab" * 16)

    privacy.exported(made.app, user, "dana", tmp_path / "x.zip")

    files = read(tmp_path / "x.zip")
    page = Tags()
    page.feed(files["index.html"])
    assert page.seen <= {"html", "meta", "title", "style", "h1", "h2", "p", "table", "tr", "td", "th", "a"}
    assert set(page.links) <= set(files)
    assert not {"\u202e", "\x1b", "\x00"} & set(files["index.html"])


async def test_a_user_of_whom_nothing_is_known_gets_an_export_that_says_so(tmp_path: Path) -> None:
    made = await two()

    done = privacy.exported(made.app, "nobody", "dana", tmp_path / "x.zip")

    assert (done.tasks, done.traces, done.rows) == (0, 0, {})
