"""Commands on a PostgreSQL: where it is named, what is said when it cannot be reached, who is at work on it."""

import socket
import sys
from pathlib import Path

import pytest

from airworthy import __version__
from airworthy.app.build import MIGRATIONS
from airworthy.app.config import Config, load_config
from airworthy.core.clock import US_PER_S, SystemClock
from airworthy.core.errors import ConfigError
from airworthy.store import PostgresDatabase, Tx, lease
from tests.cli.conftest import Airworthy
from tests.database import fresh

PASSWORD = "sesame-open-4711"


@pytest.fixture(scope="module")
def url() -> str:
    """With a password, which this server does not ask for."""
    return fresh().replace("postgres@", f"postgres:{PASSWORD}@")


@pytest.fixture(autouse=True)
def _named(airworthy: Airworthy, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRWORTHY_DATABASE", url)


def test_a_database_is_made_seen_and_used_and_its_password_is_never_shown(
    airworthy: Airworthy, url: str, folder: Path
) -> None:
    (folder / "airworthy.toml").write_text(
        (folder / "airworthy.toml").read_text() + 'database = "other.db"\n'
    )
    said = [
        airworthy("status"),
        airworthy("migrate", "--check"),
        airworthy("migrate", "--json"),
        airworthy("migrate", "--check"),
        airworthy("submit", "--input", f"look at {PASSWORD}", "--json"),
        airworthy("run", "--until-idle"),
        airworthy("status"),
        airworthy("doctor", "--all"),
        airworthy("--debug", "trace", "list"),
    ]
    task = said[4].json["id"]
    shown = airworthy("task", "show", task, "--json")

    assert [each.code for each in said[:7]] == [2, 1, 0, 0, 0, 0, 0], [each.err for each in said]
    assert "There are no tables of airworthy in the database postgresql://postgres@" in said[0].err
    assert f"{len(MIGRATIONS)} steps would be applied to" in said[1].out
    assert len(said[2].json["steps"]) == len(MIGRATIONS)
    assert "has every step of this version" in said[3].out
    assert shown.json["state"] == "answered"
    assert "keeps what it acknowledged" in said[7].out or "is off: a crash" in said[7].out
    assert "question takes" in said[7].out
    assert not any(PASSWORD in each.out + each.err for each in (*said, shown))
    assert not list(folder.glob("*.db*"))
    assert [path.suffix for path in folder.glob("*.audit-head")] in ([], [".audit-head"])


def test_who_is_at_work_is_shown_on_whatever_machine(airworthy: Airworthy, url: str) -> None:
    airworthy("migrate")
    id_ = airworthy("submit", "--input", "sleep 60").word
    database = PostgresDatabase(url)
    now_us = database.clock(SystemClock()).now_us()

    def join(tx: Tx) -> None:
        for owner, s_ago in (
            (lease.Owner("wkr_1", "elsewhere", 7, "", "worker", "red", "0.1", "shop, sales"), 1),
            (lease.Owner("mon_1", "elsewhere", 8, "", "monitor", "blue", __version__), 0),
            (lease.Owner("wkr_gone", "elsewhere", 9, "", "worker", "grey", "0.1"), 60),
        ):
            lease.join(tx, owner, now_us - s_ago * US_PER_S)
        lease.take(tx, id_, "wkr_1", now_us)
        lease.take(tx, "chore:review", "mon_1", now_us)

    database.write_now(join)
    database.close()
    worker, monitor = airworthy("workers", "--json").lines
    text = airworthy("workers", "--tasks")

    assert (worker["id"], worker["roles"], worker["agents"], worker["machine"], worker["pid"], worker["here"]) == (
        "wkr_1", ["worker"], ["shop", "sales"], "red", 7, False,
    )  # fmt: skip
    assert worker["tasks"] == [{"id": id_, "agent": "shop"}]
    assert 0 < worker["lease_s"] <= lease.LEASE_S
    assert (monitor["chores"], monitor["version"]) == (["review"], __version__)
    assert all(word in text.out for word in ("red", "blue", "review", id_))
    assert "grey" not in text.out


def test_nobody_at_work_is_said(airworthy: Airworthy, folder: Path) -> None:
    airworthy("submit", "--input", "x", "--database", "here.db")

    assert airworthy("workers", "--json", "--database", "here.db").out == ""
    assert "airworthy run" in airworthy("workers", "--database", "here.db").err


def _closed() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.mark.parametrize(
    ("address", "code", "says"),
    [
        (f"postgresql://u:{PASSWORD}@127.0.0.1:CLOSED/x", 3, "did not answer"),
        (f"postgresql://nobody-here:{PASSWORD}@HERE/postgres", 3, "let nobody in"),
        (f"postgresql://postgres:{PASSWORD}@HERE/no-such-name", 3, "createdb"),
        ("postgresql://postgres:short@HERE/postgres", 2, "Give its user one of at least 8"),
        (f"postgresql://u:{PASSWORD}/@HERE/x", 2, "a / before its @"),
        (f"postgresql://u:{PASSWORD}@HERE/x?nonsense=1", 2, "nonsense"),
        (f"mysql://u:{PASSWORD}@HERE/x", 2, "A mysql database cannot be used."),
    ],
)
def test_what_is_wrong_with_an_address_is_said_with_its_mend(
    address: str, code: int, says: str, airworthy: Airworthy, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = url.rpartition("@")[2].partition("/")[0]
    monkeypatch.setenv("AIRWORTHY_DATABASE", address.replace("CLOSED", str(_closed())).replace("HERE", here))
    said = [airworthy("task", "list"), airworthy("--debug", "submit", "--input", "x")]
    doctor = airworthy("doctor")

    assert [each.code for each in said] == [code, code], said[0].err
    assert all(says in each.err for each in said)
    assert doctor.code == 1
    assert not any(PASSWORD in each.out + each.err for each in (*said, doctor))


@pytest.mark.parametrize("lacking", ["psycopg", "greenlet"])
def test_without_what_postgresql_needs_the_install_line_is_told(
    lacking: str, airworthy: Airworthy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, lacking, None)
    said = airworthy("task", "list")

    assert said.code == 2
    assert lacking in said.err
    assert "pip install 'airworthy[postgres]'" in said.err


def test_an_address_may_lie_in_a_file_as_secrets_of_containers_do(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "address"
    file.write_text(url + "\n")
    monkeypatch.setenv("AIRWORTHY_DATABASE_FILE", str(file))
    with pytest.raises(ConfigError, match="Both"):
        load_config(tmp_path)
    monkeypatch.delenv("AIRWORTHY_DATABASE")
    found = load_config(tmp_path)
    file.write_text("")
    with pytest.raises(ConfigError, match="holds no address"):
        load_config(tmp_path)
    file.unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)

    assert found.database_url == url
    assert PASSWORD not in repr(found) + found.where
    assert Config(tmp_path).where == str(tmp_path / "airworthy.db")
