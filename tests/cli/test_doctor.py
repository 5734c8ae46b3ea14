"""`doctor`: whatever is wrong is said with its value and the mend, and nothing that hangs or crashes hides the rest."""

import contextlib
import os
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from airworthy.app.config import load_config
from airworthy.app.doctor import server
from airworthy.app.project import existing
from airworthy.store import lease as leases
from airworthy.store.lease import Owner
from tests.cli.conftest import AGENT, POLICY, Airworthy, Said, make_folder
from tests.cli.test_dependency import CRM, Crm
from tests.database import ON_POSTGRES
from tests.tools.credentials.kit import FIRST_REFRESH, Answer, Server


@pytest.fixture(autouse=True)
def _server_keeps_its_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the tests' own the doctor says, rightly, that a crash would lose what was acknowledged."""
    monkeypatch.setattr(server, "_settings", lambda _: iter(()))


@pytest.fixture
def crm() -> Crm:
    return Crm()


@pytest.fixture
def folder(tmp_path: Path, crm: Crm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("CRM_SECRET", "canary-secret-99")
    with Server(crm) as server:
        yield make_folder(tmp_path / "work", policy=POLICY + CRM.replace("URL", server.url))


def found(said: Said, level: str) -> dict[str, str]:
    """By subject, all that is said of it."""
    told: dict[str, str] = {}
    for one in said.json["findings"]:
        if one["level"] == level:
            text = f"{one['text']} {one['mend'] or ''}".strip()
            told[one["subject"]] = f"{told.get(one['subject'], '')} {text}".strip()
    return told


@pytest.mark.sqlite(
    "a folder is without a file at first; and the tests' server forgets, which the doctor says"
)
@pytest.mark.sqlite("a server's database is there before the first task")
def test_a_healthy_folder_is_told_so_and_none_is_made(airworthy: Airworthy, folder: Path) -> None:
    said = airworthy("doctor", "--json")
    text = airworthy("doctor")

    assert said.code == text.code == 0, said.out
    assert said.json["healthy"]
    assert {"dependency crm", "credential crm", "airworthy.toml", "agent shop"} <= found(said, "ok").keys()
    assert "none broken" in text.out
    assert not (folder / "airworthy.db").exists()


@pytest.mark.sqlite("the tests' server of PostgreSQL forgets, which the doctor says")
def test_with_a_database_its_state_is_told(airworthy: Airworthy) -> None:
    airworthy("submit", "--input", "hello")
    said = airworthy("doctor", "--json", "--all")
    airworthy("run", "--until-idle")
    after = airworthy("doctor", "--json")

    assert said.code == 1
    assert found(said, "broken") == {
        "workers": "1 tasks are to be worked on and no worker runs. Start one: airworthy run"
    }
    assert after.code == 0
    assert {"database", "network" if ON_POSTGRES else "disk", "breakers", "alerts"} <= found(
        after, "ok"
    ).keys()
    assert "Start one" in found(after, "caution")["workers"]


def test_workers_without_a_monitor_are_told(airworthy: Airworthy, folder: Path) -> None:
    """They go on with tasks, and nobody is notified of anything."""
    airworthy("submit", "--input", "hello")
    with existing(load_config(folder)) as app:
        owner = Owner("wkr_1", "", 1, "", "worker")
        app.database.write_now(lambda tx: leases.join(tx, owner, app.clock.now_us()))
        without = airworthy("doctor", "--json", "--all")
        app.database.write_now(lambda tx: leases.take(tx, "chore:review", owner.id, app.clock.now_us()))
        with_one = airworthy("doctor", "--json", "--all")

    assert "airworthy up --roles monitor" in found(without, "broken")["monitor"]
    assert "monitor" not in found(with_one, "broken")


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("airworthy.toml", 'agent = ["x:y"]', "unknown key 'agent'. Did you mean 'agents'?"),
        ("airworthy.toml", "agents = [", "cannot be read"),
        ("airworthy.toml", 'agents = ["nowhere:agent"]', "cannot be loaded"),
        ("gateway.toml", "drain_s = -1", "drain_s = -1 cannot be used. Set it between"),
        ("gateway.toml", 'policies = ["none.toml"]', "does not exist"),
        ("people.toml", '[teams.support]\nmembers = ["ann"]', "names 'ann', which is not there"),
        ("people.toml", "[people", "Not valid TOML"),
        (
            "people.toml",
            '[channels.ops]\nkind = "webhook"\nurl_env = "OPS_URL"\nsecret_env = "OPS_KEY"',
            "OPS_URL is not set",
        ),
        ("policy.toml", 'agent = "shop"\npurpose = "p"\nlimits = 3', "limits"),
    ],
)
def test_a_file_that_cannot_be_used_is_said_and_the_rest_is_looked_at(
    airworthy: Airworthy, folder: Path, file: str, text: str, says: str
) -> None:
    (folder / file).write_text(text)
    said = airworthy("doctor", "--json")

    assert said.code == 1
    assert says in " ".join(found(said, "broken").values())
    assert len(said.json["findings"]) >= 3


def test_people_that_cannot_be_read_hide_no_other_file(airworthy: Airworthy, folder: Path) -> None:
    (folder / "people.toml").write_text("[people")
    said = airworthy("doctor", "--json")

    assert "Not valid TOML" in found(said, "broken")["people.toml"]
    assert "airworthy.toml" in found(said, "ok")


def test_a_look_that_crashes_keeps_what_it_found_before(
    airworthy: Airworthy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_: Path) -> None:
        raise RuntimeError("not foreseen")

    # No file is known that brings the reading down.
    monkeypatch.setattr("airworthy.app.doctor.settings.load_people", crash)
    (folder / "people.toml").write_text("")
    said = airworthy("doctor", "--json")

    assert "not foreseen" in found(said, "broken")["settings"]
    assert "airworthy.toml" in found(said, "ok")


def test_files_of_a_channel_lie_in_the_working_folder(
    airworthy: Airworthy, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = '[channels.ops]\nkind = "webhook"\nurl_file = "ops.url"\nsecret_file = "ops.key"\n'
    (folder / "people.toml").write_text(channel)
    (folder / "ops.url").write_text("https://example.com/hook")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    said = airworthy("doctor", "--json", "-C", str(folder))

    assert found(said, "broken")["channel ops"] == "ops.key does not exist. Put the secret into it."


def test_only_a_channel_by_apprise_needs_its_package(
    airworthy: Airworthy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    monkeypatch.setenv("OPS_URL", "https://example.com/hook")
    (folder / "people.toml").write_text(
        '[channels.chat]\nkind = "slack"\nurl_env = "OPS_URL"\n'
        '[channels.other]\nkind = "apprise"\nurl_env = "OPS_URL"\ninternal = true\n'
    )
    said = airworthy("doctor", "--json")

    assert "airworthy[notify]" in found(said, "broken")["channel other"]
    assert "channel chat" not in found(said, "broken")


def test_an_empty_folder_is_told_how_to_begin(airworthy: Airworthy, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = airworthy("doctor", "-C", str(tmp_path / "empty"))

    assert said.code == 1
    assert "airworthy init support" in said.out


def test_code_that_hangs_when_it_is_imported_costs_its_share_of_the_time(
    airworthy: Airworthy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import threading\nthreading.Event().wait(30)\n" + AGENT
    folder = make_folder(tmp_path / "hangs", agent=code)
    said = airworthy("doctor", "--json", "--timeout", "2", "-C", str(folder))

    assert said.code == 1
    assert "did not end within" in found(said, "broken")["agents"]
    assert "airworthy.toml" in found(said, "ok")


def test_code_that_raises_when_it_is_imported_is_said_with_its_place(
    airworthy: Airworthy, tmp_path: Path
) -> None:
    folder = make_folder(tmp_path / "raises", agent="raise RuntimeError('no such shop')\n")
    said = airworthy("doctor", "--json", "-C", str(folder))

    assert "no such shop" in found(said, "broken")["agents"]


def test_a_dependency_that_swallows_packets_or_answers_nothing_is_said_within_the_time(
    airworthy: Airworthy, tmp_path: Path, crm: Crm
) -> None:
    never = threading.Event()
    with Server(lambda _: Answer(raw=iter(lambda: b"", b"x"))) as server:
        policy = POLICY + CRM.replace("URL", server.url).replace("timeout_s = 10", "timeout_s = 30")
        folder = make_folder(tmp_path / "silent", policy=policy)
        said = airworthy("doctor", "--json", "--timeout", "2", "-C", str(folder))
        never.set()

    assert said.code == 1
    assert "did not end within" in found(said, "broken")["dependency crm"]
    assert "did not end within" in found(said, "broken")["credential crm"]
    assert "agent shop" in found(said, "ok")


def test_what_keeps_a_dependency_away_is_named(airworthy: Airworthy, tmp_path: Path, crm: Crm) -> None:
    crm.status = 500
    unwell = found(airworthy("doctor", "--json"), "broken")
    policy = POLICY + CRM.replace("URL", "http://127.0.0.1:1").replace("internal = true", "internal = false")
    guarded = found(
        airworthy("doctor", "--json", "-C", str(make_folder(tmp_path / "g", policy=policy))), "broken"
    )
    policy = POLICY + CRM.replace("URL", "http://127.0.0.1:1")
    closed = found(
        airworthy("doctor", "--json", "-C", str(make_folder(tmp_path / "c", policy=policy))), "broken"
    )

    assert "/health: it answered 500 instead of 200" in unwell["dependency crm"]
    assert "airworthy breaker open dependency:crm" in unwell["dependency crm"]
    assert "internal = true" in guarded["dependency crm"]
    assert "127.0.0.1:1 cannot be reached" in closed["dependency crm"]
    assert "token endpoint cannot be reached" in closed["credential crm"]


@pytest.mark.sqlite("a server's database is there before the first task")
def test_a_refresh_token_is_not_used_up_where_the_next_one_could_not_be_kept(
    airworthy: Airworthy, tmp_path: Path, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_REFRESH", FIRST_REFRESH)
    rule = 'kind = "refresh_token"\nrefresh_token_env = "CRM_REFRESH"'
    with Server(crm) as server:
        policy = POLICY + CRM.replace("URL", server.url).replace('kind = "client_credentials"', rule)
        folder = str(make_folder(tmp_path / "refresh", policy=policy))
        without = airworthy("doctor", "--json", "-C", folder)
        asked = len(server.asked)
        airworthy("submit", "--input", "hello", "-C", folder)
        having = airworthy("doctor", "--json", "-C", folder)

    assert "could be kept" in found(without, "skipped")["dependency crm"]
    assert asked == 0
    assert "refresh_token: good" in found(having, "ok")["credential crm"]


def test_credentials_that_are_missing_or_refused_are_said_without_their_secret(
    airworthy: Airworthy, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    crm.refuses = True
    refused = airworthy("doctor", "--json")
    monkeypatch.delenv("CRM_SECRET")
    missing = airworthy("doctor", "--json")

    assert "invalid_client" in found(refused, "broken")["credential crm"]
    assert "airworthy dependency check crm" in found(refused, "broken")["credential crm"]
    assert "canary" not in refused.out
    assert "export CRM_SECRET=" in found(missing, "broken")["credential crm"]


def test_models_without_a_key_a_pin_or_a_price_are_said(airworthy: Airworthy, tmp_path: Path) -> None:
    models = """
[[models]]
name = "gpt-5-mini"
provider = "openai"
base_url = "http://127.0.0.1:1/v1"
[[models]]
name = "house-model-2026-01-01"
provider = "compatible"
base_url = "http://127.0.0.1:1/v1"
"""
    folder = make_folder(tmp_path / "m", policy=POLICY + models)
    said = airworthy("doctor", "--json", "-C", str(folder))
    broken, cautions = found(said, "broken"), found(said, "caution")

    assert "export OPENAI_API_KEY=" in " ".join(broken.values())
    assert "floating name" in cautions["model gpt-5-mini"]
    assert "price" in broken["model house-model-2026-01-01"]
    assert any("127.0.0.1:1 cannot be reached" in text for text in broken.values())


def test_models_that_only_the_gateway_serves_are_looked_at_too(airworthy: Airworthy, folder: Path) -> None:
    (folder / "gateway.toml").write_text('policies = ["outside.toml"]')
    (folder / "outside.toml").write_text(
        'agent = "outside"\npurpose = "p"\n[[models]]\nname = "claude-sonnet-4-5-20250929"\nprovider = "anthropic"\n'
        'base_url = "http://127.0.0.1:1/v1"\n'
    )
    said = airworthy("doctor", "--json")

    assert "export ANTHROPIC_API_KEY=" in found(said, "broken")["model claude-sonnet-4-5-20250929"]


def test_a_live_agent_with_gaps_is_broken(airworthy: Airworthy, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "live", policy='stage = "beta"\n' + POLICY)
    said = airworthy("doctor", "--json", "-C", str(folder))

    assert "It is live and does not start" in found(said, "broken")["agent shop"]


def test_what_waits_or_is_off_is_said_with_the_command_for_it(airworthy: Airworthy) -> None:
    airworthy("submit", "--input", "escalate look at this")
    airworthy("submit", "--input", "fail")
    airworthy("run", "--until-idle")
    airworthy("pause", "--agent", "shop", "--why", "wrong prices")
    said = airworthy("doctor")

    assert "Paused by dana: wrong prices" in said.out
    assert "airworthy resume --agent shop" in said.out
    assert "1 tasks could not be processed" in said.out
    assert "airworthy dead-letter list" in said.out


@pytest.mark.sqlite("a file can be damaged")
def test_a_damaged_database_is_said_and_the_rest_is_looked_at(airworthy: Airworthy, folder: Path) -> None:
    airworthy("submit", "--input", "hello")
    with sqlite3.connect(folder / "airworthy.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    path = folder / "airworthy.db"
    raw = bytearray(path.read_bytes())
    raw[4096 * 3 : 4096 * 20] = os.urandom(4096 * 17)
    path.write_bytes(bytes(raw))
    said = airworthy("doctor", "--json")

    assert said.code == 1
    assert "damaged" in found(said, "broken")["database"]
    assert "airworthy.toml" in found(said, "ok")


@pytest.mark.sqlite("a file can be something else")
def test_a_file_that_is_no_database_is_said(airworthy: Airworthy, folder: Path) -> None:
    (folder / "airworthy.db").write_bytes(b"no database at all, but long enough to be read as one" * 100)
    said = airworthy("doctor", "--json")

    assert said.code == 1
    assert str(folder / "airworthy.db") in found(said, "broken")["database"] or "airworthy.db" in said.out


@pytest.mark.sqlite("a file is locked whole")
def test_a_database_that_somebody_locks_is_said_within_the_time(airworthy: Airworthy, folder: Path) -> None:
    airworthy("submit", "--input", "hello")
    with contextlib.closing(sqlite3.connect(folder / "airworthy.db", isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        said = airworthy("doctor", "--json", "--timeout", "3")
        connection.execute("ROLLBACK")

    assert said.code == 1
    assert "database" in found(said, "broken")
    assert "airworthy.toml" in found(said, "ok")
