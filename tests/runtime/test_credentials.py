"""Credentials in whole tasks: what a broken one does to an agent, and that no secret is found anywhere afterwards."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from airworthy.app.credentials import credentials_of
from airworthy.core.errors import ConfigError
from airworthy.policy import CredentialRule, DependencyRule, Policy, ToolRule
from airworthy.recorder import alerts
from airworthy.runtime import Agent
from airworthy.runtime.agent import AgentDefinitionError
from airworthy.runtime.machine import State
from airworthy.store import Database
from airworthy.tools import ToolNotAuthorised, tool
from tests.database import opened_at
from tests.dump import dumped
from tests.runtime.kit import Bench, bench
from tests.tools.credentials.kit import FIRST_REFRESH, SECRET, Answer, Asked, Server, Tokens


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_SECRET", SECRET)
    monkeypatch.setenv("CRM_REFRESH", FIRST_REFRESH)


def _rule(endpoint: str, **about: Any) -> CredentialRule:
    return CredentialRule(**{
        "kind": "refresh_token", "token_url": endpoint, "client_id": "client-1", "secret_env": "CRM_SECRET",
        "refresh_token_env": "CRM_REFRESH", **about,
    })  # fmt: skip


@tool(dependency="crm")
async def look(client: httpx.AsyncClient) -> str:
    """Looks."""
    return (await client.get("/me")).text


async def _agent(run: Any) -> str:
    try:
        return str(await run.tool("look"))
    except ToolNotAuthorised as error:
        return f"without the crm: {error.mend}"


def _bench(endpoint: Server, api: Server, database: Database | None = None, **rule: Any) -> Bench:
    dependencies = {"crm": DependencyRule(base_url=api.url, credentials=_rule(endpoint.url), internal=True)}
    return bench(_agent, look, database=database, dependencies=dependencies, tools={"look": ToolRule(**rule)})


def _revoked(_: Asked) -> Answer:
    return Answer(400, {"error": "invalid_grant"})


def test_a_revoked_refresh_token_pauses_the_agent_with_the_mend_and_the_task_goes_on_when_it_is_mended() -> (
    None
):
    tokens = Tokens(rotates=True)
    with Server(_revoked) as endpoint, Server(lambda _: Answer(200, b"it is Ann")) as api:

        async def main() -> None:
            made = _bench(endpoint, api)
            task = made.submit()
            await made.work()
            paused = made.task(task)
            (alert,) = made.app.database.read_now(alerts.listing)
            assert paused.state is State.PAUSED
            assert paused.waiting_for.count("give a new refresh token, or a new secret") == 1
            assert alert.severity == "critical"
            assert len(endpoint.asked) == 1

            endpoint.answer = tokens
            made.app.database.write_now(lambda tx: tx.execute("UPDATE tokens SET broken = 0, retry_us = 0"))
            again = _bench(endpoint, api, made.app.database)  # As a worker that was started anew.
            again.app.operations.resume("agent:support")
            await again.work()
            assert again.answer(task) == "it is Ann"

        asyncio.run(main())


def test_a_tool_that_is_not_critical_tells_the_agent_what_to_mend() -> None:
    with Server(_revoked) as endpoint, Server(lambda _: Answer()) as api:

        async def main() -> str:
            made = _bench(endpoint, api, critical=False)
            return str(made.answer((await made.done()).id))

        assert asyncio.run(main()).startswith(
            "without the crm: It was revoked, has expired, or was used elsewhere"
        )


def test_no_secret_and_no_token_is_in_the_database_in_logs_or_in_errors(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = Tokens(rotates=True, expires_in=30)
    caplog.set_level(logging.DEBUG)

    def echo(asked: Asked) -> Answer:
        """A service that repeats what it was sent, as debugging pages do."""
        return Answer(200, {"your_header": asked.headers["authorization"].removeprefix("Bearer ")})

    def leaking(asked: Asked) -> Answer:
        return Answer(401, {"error": "invalid_client", "error_description": f"{SECRET} {asked.form}"})

    with Server(tokens) as endpoint, Server(echo) as api:

        async def main() -> list[str]:
            database = opened_at(tmp_path)
            made = _bench(endpoint, api, database)
            told = [str(made.answer((await made.done(n)).id)) for n in range(2)]
            endpoint.answer = leaking
            made.app.database.write_now(lambda tx: tx.execute("UPDATE tokens SET until_us = 0"))
            broken = _bench(endpoint, api, database)
            task = broken.submit("after")
            await broken.work()
            told += [broken.task(task).waiting_for, str(broken.ended), dumped(database)]
            database.close()
            return told

        *told, dump = asyncio.run(main())

    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    secrets = [SECRET, FIRST_REFRESH, *tokens.given, tokens.valid]
    assert tokens.given
    for secret in secrets:
        assert secret.encode() not in stored
        assert secret not in dump
        assert secret not in caplog.text
        assert all(secret not in each for each in told[2:])
    assert "[redacted:known]" in told[0]
    assert "invalid_client" in told[2]


@pytest.mark.parametrize(
    ("rule", "environment", "says"),
    [
        ({"kind": "api_key", "secret_env": "CRM_KEY"}, {}, "CRM_KEY, which holds its secret, is not set"),
        ({"kind": "api_key", "secret_file": "/nowhere/key"}, {}, "/nowhere/key, cannot be read"),
        ({"kind": "refresh_token", "token_url": "http://x", "client_id": "c", "refresh_token_env": "CRM_NONE"}, {},
         "CRM_NONE, which holds the first refresh token, is not set"),
    ],
)  # fmt: skip
async def test_what_is_missing_is_said_at_the_start(rule: Any, environment: Any, says: str) -> None:
    dependencies = {"crm": DependencyRule(base_url="http://crm.test", credentials=CredentialRule(**rule))}
    made = bench(_agent, dependencies=dependencies)

    with pytest.raises(ConfigError) as caught:
        credentials_of(made.agent, made.app)
    assert says in str(caught.value)
    assert caught.value.mend


async def test_a_refresh_token_needs_the_library_that_seals_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # The library is part of the tests' own environment, so its absence has to be played.
    monkeypatch.setattr(
        "airworthy.app.credentials.sealing_missing", lambda: "Install it: pip install 'airworthy[oauth]'."
    )
    dependencies = {"crm": DependencyRule(base_url="http://crm.test", credentials=_rule("http://x"))}
    made = bench(_agent, dependencies=dependencies)

    with pytest.raises(ConfigError, match=r"airworthy\[oauth\]"):
        credentials_of(made.agent, made.app)


def test_a_callable_is_given_in_code_for_exactly_the_dependencies_that_ask_for_it() -> None:
    rule = DependencyRule(base_url="http://crm.test", credentials=CredentialRule(kind="callable"))
    policy = Policy(agent="support", purpose="tests", dependencies={"crm": rule})
    Agent(policy, credentials={"crm": lambda: "text"})

    with pytest.raises(AgentDefinitionError, match="has none for it"):
        Agent(policy)
    with pytest.raises(AgentDefinitionError, match="does not ask for"):
        Agent(policy, credentials={"crm": lambda: "text", "erp": lambda: "text"})


def test_a_key_file_that_is_being_changed_gives_the_last_key_and_then_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("old-key-123\n")
    seen: list[str] = []

    def note(asked: Asked) -> Answer:
        seen.append(asked.headers["x-api-key"])
        return Answer()

    with Server(note) as api:

        async def main() -> Callable[[], None]:
            rule = CredentialRule(kind="api_key", secret_file=str(file), header="X-Api-Key", scheme="")
            made = bench(_agent, dependencies={"crm": DependencyRule(base_url=api.url, credentials=rule)})
            auth = credentials_of(made.agent, made.app)["crm"]

            def call() -> None:
                with httpx.Client(base_url=api.url, auth=auth, trust_env=False) as client:
                    client.get("/")

            return call

        call = asyncio.run(main())
        call()
        file.write_text("")
        call()
        file.write_text("new-key-456\n")
        call()

    assert seen == ["old-key-123", "old-key-123", "new-key-456"]
