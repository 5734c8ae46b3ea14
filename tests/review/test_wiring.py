"""A worker of a folder with people.toml tells them: its chores, its secrets, and which team hears of which alert."""

import asyncio
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from airworthy.app import notify
from airworthy.app.build import App, assembled, worker
from airworthy.app.notify import notify_chores, secrets_of, teams_of
from airworthy.app.people import load_people
from airworthy.core.clock import Clock
from airworthy.policy import Policy
from airworthy.recorder.alerts import Alert, raised
from airworthy.review import People, messages
from airworthy.review.couriers import ChannelUnset, Result
from airworthy.runtime import Agent
from airworthy.runtime.chores import Chores
from airworthy.store import lease
from airworthy.store.lease import Owner
from tests.database import memory
from tests.review.kit import SECRET, Pigeon, receiving, rule
from tests.virtual import LoopClock

PEOPLE = """
[people.ann]
name = "Ann"

[teams.leads]
members = ["ann"]
notify = ["ops", "dead"]

[channels.ops]
kind = "webhook"
url_env = "OPS_URL"
secret_file = "ops.key"
internal = true

[channels.dead]
kind = "slack"
url_env = "NO_SUCH_VARIABLE"
"""


def _app(folder: Path, clock: Clock | None = None) -> App:
    return replace(assembled(memory(), [_agent()], clock, people=load_people(folder)), folder=folder)


def _agent(name: str = "support", *, to: str = "leads", owner: str = "") -> Agent:
    policy = {"agent": name, "purpose": "tests of notices", "owner": {"name": owner} if owner else {}}
    agent = Agent(Policy.model_validate({**policy, "escalation": {"default": to} if to else {}}))
    agent.task(lambda run: "done")
    return agent


async def test_a_worker_tells_an_alert_to_the_team_of_its_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "people.toml").write_text(PEOPLE)
    (tmp_path / "ops.key").write_text(f"{SECRET}\n")
    clock = LoopClock()
    async with receiving() as receiver:
        monkeypatch.setenv("OPS_URL", receiver.url)
        app = _app(tmp_path, clock)
        made = worker(app, [_agent()], concurrency=1, owner=Owner("wkr_1", "", 1, ""))
        app.database.write_now(partial(lease.join, owner=Owner("wkr_1", "", 1, ""), now_us=clock.now_us()))
        alert = Alert(
            "schema:crm", "schema", "support", "critical", "The CRM has changed", "A field is gone."
        )
        app.database.write_now(lambda tx: raised(tx, alert, clock.now_us()))
        running = asyncio.create_task(Chores(app.database, clock, "wkr_1", made.chores).run())
        await asyncio.sleep(60)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert receiver.seen[0].json["data"]["title"] == "The CRM has changed"
    states = {row.message.channel: row.state for row in app.database.read_now(messages.listing)}
    assert states == {"ops": "sent", "dead": "pending"}
    titles = {seen.json["data"]["title"] for seen in receiver.seen}
    assert titles == {"The CRM has changed", "The channel dead does not deliver"}


def test_without_a_channel_nothing_is_done_and_nothing_lost(tmp_path: Path) -> None:
    assert notify_chores(_app(tmp_path), [_agent()]) == []

    (tmp_path / "people.toml").write_text(PEOPLE)
    assert [chore.name for chore in notify_chores(_app(tmp_path), [_agent()])] == [
        "notices",
        "channel:ops",
        "channel:dead",
    ]


@pytest.mark.parametrize(
    ("why", "alerts", "agents", "of", "expected"),
    [
        ("the agent's own team", "night", [_agent()], "support", ("leads",)),
        ("what concerns no single agent", "night", [_agent()], "", ("night",)),
        ("an agent that is not here", "night", [_agent()], "other", ("night",)),
        ("without a team for those: all", None, [_agent(), _agent("b", to="night")], "", ("leads", "night")),
        ("its owner, where that is a team", None, [_agent(to="", owner="night")], "support", ("night",)),
        ("a person is no team", "leads", [_agent(to="", owner="Ann")], "support", ("leads",)),
        ("nobody at all", None, [_agent(to="")], "support", ()),
    ],
)  # fmt: skip
def test_who_hears_of_an_alert(
    why: str, alerts: str | None, agents: list[Agent], of: str, expected: object
) -> None:
    teams = {name: {"members": ["ann"]} for name in ("leads", "night")}
    who = People.model_validate({"people": {"ann": {"name": "Ann"}}, "teams": teams, "alerts": alerts})

    assert teams_of(who, agents, of) == expected, why


def test_a_secret_is_read_anew_when_its_file_or_variable_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = rule(secret_env="", secret_file="key", previous_secret_env="OLD")
    monkeypatch.setenv("URL", " https://x.example/1 \n")
    (tmp_path / "key").write_text("first\n")
    first = secrets_of(tmp_path, "ops", channel)
    (tmp_path / "key").write_text("second\n")
    monkeypatch.setenv("OLD", "first")
    second = secrets_of(tmp_path, "ops", channel)

    assert (first.address, first.secret, first.previous) == ("https://x.example/1", "first", "")
    assert (second.secret, second.previous) == ("second", "first")


@pytest.mark.parametrize("content", [None, "", "   \n", b"\xff\xfe", "x" * 20_000])
def test_a_secret_that_is_not_there_is_said(
    tmp_path: Path, content: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("URL", "https://x.example")
    if isinstance(content, bytes):
        (tmp_path / "key").write_bytes(content)
    elif isinstance(content, str):
        (tmp_path / "key").write_text(content)

    with pytest.raises(ChannelUnset, match="the file key"):
        secrets_of(tmp_path, "ops", rule(secret_env="", secret_file="key"))


def test_nothing_heavy_is_imported_for_a_worker_without_channels() -> None:
    import subprocess
    import sys

    heavy = ("httpx", "apprise", "smtplib", "standardwebhooks")
    code = f"import sys, airworthy.app.build; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )

    assert done.stdout.strip() == "[]"


async def test_a_courier_that_fails_by_itself_is_an_attempt_that_failed_in_a_trial_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> Result:
        raise KeyError("a fault of its own")

    (tmp_path / "people.toml").write_text(PEOPLE)
    # No courier of ours raises, as far as we know.
    monkeypatch.setattr("airworthy.app.notify.courier_of", lambda *_: Pigeon(fails))

    assert await notify.tested(tmp_path, "ops", "") == ("later", "The courier failed: KeyError.")
