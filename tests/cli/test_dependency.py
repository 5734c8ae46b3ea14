"""`dependency`: how well each is, how it knows us, and when it is away; asked now or read from the database."""

import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from airworthy.core.clock import US_PER_S, SystemClock
from airworthy.policy import parse_policy
from airworthy.tools import health_rows
from airworthy.tools.health_rows import Counted
from airworthy.tools.windows import HOUR_US
from tests.cli.conftest import POLICY, Airworthy, make_folder, started
from tests.database import opened_at
from tests.tools.credentials.kit import Answer, Asked, Server, Tokens

CRM = """
[dependencies.crm]
base_url = "URL"
internal = true
[dependencies.crm.health]
path = "/health"
timeout_s = 10
[dependencies.crm.credentials]
kind = "client_credentials"
token_url = "URL/token"
client_id = "client-1"
secret_env = "CRM_SECRET"
"""


class Crm:
    """A service with its token endpoint; `status` is what its health says, `tokens` what its endpoint does."""

    def __init__(self) -> None:
        self.status = 200
        self.tokens = Tokens()
        self.refuses = False

    def __call__(self, asked: Asked) -> Answer:
        if asked.path == "/token":
            if self.refuses:
                return Answer(
                    401, {"error": "invalid_client", "error_description": "canary-secret-99 is wrong"}
                )
            return self.tokens(asked)
        return Answer(
            self.status if asked.headers.get("authorization", "").startswith("Bearer canary-") else 401
        )


@pytest.fixture
def crm() -> Crm:
    return Crm()


@pytest.fixture
def folder(tmp_path: Path, crm: Crm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("CRM_SECRET", "canary-secret-99")
    with Server(crm) as server:
        yield make_folder(tmp_path / "work", policy=POLICY + CRM.replace("URL", server.url))


def test_a_check_asks_for_a_token_and_for_the_health_and_the_list_says_what_came_of_it(
    airworthy: Airworthy, crm: Crm
) -> None:
    before = airworthy("dependency", "list", "--json").json
    said = airworthy("dependency", "check")
    after = airworthy("dependency", "list", "--json").json
    crm.status = 503
    down = airworthy("dependency", "check", "crm", "--json")
    text = airworthy("dependency", "list").out
    shown = airworthy("dependency", "show", "crm").out

    assert (before["health"], before["credential"]["standing"]) == (None, "unknown")
    assert (said.code, said.word) == (0, "crm is well.")
    assert (after["health"]["ok"], after["credential"]["standing"]) == (True, "good")
    assert down.code == 1
    assert down.json["reason"] == "it answered 503 instead of 200"
    assert "unwell: it answered 503" in text
    assert "client_credentials: good until" in shown
    assert len(crm.tokens.given) == 1


def test_a_credential_that_was_given_up_is_tried_again_by_hand_alone(airworthy: Airworthy, crm: Crm) -> None:
    crm.refuses = True
    refused = airworthy("dependency", "check")
    shown = airworthy("dependency", "show", "crm").out
    crm.refuses = False
    still = airworthy("dependency", "list", "--json").json["credential"]
    mended = airworthy("dependency", "check")

    assert refused.code == 1
    assert (
        "crm: credential: crm cannot be used: The token endpoint answered 401: invalid_client" in refused.err
    )
    assert "Check client_id, the secret and client_auth" in refused.err
    assert "canary" not in refused.err + refused.out + shown
    assert still["standing"] == "bad"
    assert (mended.code, mended.word) == (0, "crm is well.")


def test_windows_are_printed_ready_for_the_policy(airworthy: Airworthy, folder: Path) -> None:
    airworthy("dependency", "check")
    database = opened_at(folder)
    now_us = SystemClock().now_us()
    week_us = 168 * HOUR_US
    monday_us = now_us // week_us * week_us - 3 * 24 * HOUR_US - 9 * week_us  # 1970 began on a Thursday.
    many = [
        Counted("crm", monday_us + hour * HOUR_US + slot * 300 * US_PER_S, ok=hour % 168 != 27, times=5)
        for hour in range(8 * 168)
        for slot in range(12)
    ]
    database.write_now(partial(health_rows.count, source="check", what=many))
    database.close()
    said = airworthy("dependency", "outages")
    berlin = airworthy("dependency", "outages", "crm", "--zone", "Asia/Kolkata", "--json")
    wrong = airworthy("dependency", "outages", "--zone", "Europe/Nowhere")

    rule = (
        parse_policy(POLICY + CRM.replace("URL", "http://crm.test") + said.out).dependencies["crm"].outages[0]
    )
    assert (rule.days, rule.begin, rule.end, rule.zone) == (("tue",), "03:00", "04:00", "UTC")
    assert "bad on 8 of 8 days" in said.err
    assert "192 slots were tried" in said.err
    assert (berlin.json["begin"], berlin.json["zone"], berlin.json["days"]) == (
        "08:30",
        "Asia/Kolkata",
        ["tue"],
    )
    assert wrong.code == 1
    assert "'Europe/Nowhere' is no time zone" in wrong.err


def test_a_name_that_nobody_declares_is_said_with_those_that_are(airworthy: Airworthy) -> None:
    said = airworthy("dependency", "show", "erp")

    assert said.code == 1
    assert "declares a dependency 'erp'. " not in said.out
    assert "Declared: crm." in said.err


@pytest.mark.process
def test_processes_that_want_a_token_at_the_same_time_ask_for_it_once(folder: Path, crm: Crm) -> None:
    """Four of them, each with a database handle and a claim of its own."""
    slow, tokens = threading.Event(), crm.tokens
    crm.tokens = lambda asked: (slow.wait(0.5), tokens(asked))[1]  # type: ignore[assignment]
    processes = [started(folder, "dependency", "check", "--json") for _ in range(4)]
    said = [process.communicate(timeout=60)[0] for process in processes]

    assert [json.loads(each)["well"] for each in said] == [True] * 4
    assert len(tokens.given) == 1


@pytest.mark.process
def test_a_process_killed_while_it_asks_for_a_token_leaves_the_next_one_free_to_ask(
    folder: Path, crm: Crm
) -> None:
    asked, over, tokens = threading.Event(), threading.Event(), crm.tokens

    def held(request: Asked) -> Answer:
        asked.set()
        over.wait(20)
        return tokens(request)

    crm.tokens = held  # type: ignore[assignment]
    with started(folder, "dependency", "check") as first:
        assert asked.wait(30)
        first.kill()
        first.communicate(timeout=30)
    over.set()
    crm.tokens = tokens
    with started(folder, "dependency", "check", "--json") as second:
        said = second.communicate(timeout=60)[0]

    assert json.loads(said)["well"]
