"""Dependencies are looked at, their calls are counted from the journal, and what is learnt is told once."""

import asyncio
from functools import partial
from typing import Any

import pytest

from airworthy.app.build import MIGRATIONS
from airworthy.app.chores import chores_of
from airworthy.app.health import (
    Declared,
    checked,
    count_calls,
    declared,
    health_chores,
    learnt,
    looked,
    tell_windows,
)
from airworthy.core.clock import US_PER_S
from airworthy.policy import CredentialRule, DependencyRule, HealthRule, OutageRule, ToolRule
from airworthy.recorder import alerts
from airworthy.store import Database, migrate
from airworthy.tools import Transient, health_rows, tool
from airworthy.tools.health_rows import KEPT_US, Counted
from airworthy.tools.windows import HOUR_US
from tests.database import memory
from tests.runtime.kit import Bench, bench
from tests.tools.credentials.kit import Answer, Asked, Server

START_US = 1_764_547_200 * US_PER_S  # A Monday, midnight.


async def _nothing(_run: Any) -> str:
    return "nothing"


def _bench(url: str, **rule: Any) -> tuple[Bench, Declared]:
    health = HealthRule(path="/health", timeout_s=0.2)
    made = bench(
        _nothing,
        dependencies={"crm": DependencyRule(**{"base_url": url, "internal": True, "health": health, **rule})},
    )
    (one,) = declared([made.agent])
    return made, one


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(200), ""),
        (Answer(503), "it answered 503 instead of 200"),
        (Answer(302, headers={"Location": "http://elsewhere.test/"}), "it answered 302 instead of 200"),
        (Answer(raw=iter([b""] * 1000)), "did not answer within 0.2 s"),
        (Answer(raw=iter([b"HTTP/1.1 200 OK\r\nX: "] + [b"y"] * 1000)), "did not answer within 0.2 s"),
        (Answer(raw=iter([b"\x00garbage\r\n\r\n"])), "broke"),
    ],
)
def test_a_check_says_what_it_found_and_always_ends(answer: Answer, says: str) -> None:
    with Server(lambda _: answer) as server:

        async def main() -> str:
            made, one = _bench(server.url)
            health = await checked(made.app, one)
            return health.reason

        reason = asyncio.run(main())

    assert says in reason
    assert bool(says) == bool(reason)
    assert server.asked[0].path == "/health"


def test_a_check_shows_who_we_are_and_says_so_when_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = CredentialRule(kind="api_key", secret_env="CRM_KEY")

    def guarded(asked: Asked) -> Answer:
        return Answer(200 if asked.headers.get("authorization") == "Bearer canary-key-1" else 401)

    with Server(guarded) as server:

        async def main() -> list[str]:
            made, one = _bench(server.url, credentials=rule)
            missing = await looked(made.app, one)
            monkeypatch.setenv("CRM_KEY", "canary-key-1")
            good = await checked(made.app, one)
            return [getattr(missing, "reason", ""), good.reason]

        found = asyncio.run(main())

    assert "CRM_KEY" in found[0]
    assert found[1] == ""


def test_an_internal_address_that_is_not_declared_as_such_is_unwell() -> None:
    with Server(lambda _: Answer()) as server:

        async def main() -> str:
            made, one = _bench(server.url, internal=False)
            return (await checked(made.app, one)).reason

        assert "internal = true" in asyncio.run(main())
    assert server.asked == []


def test_being_unwell_for_three_checks_is_one_alert_and_being_well_ends_it() -> None:
    answers = [200, 500, 500, 500, 500, 200]
    seen: list[int] = []
    with Server(lambda _: Answer(answers[0])) as server:

        async def main() -> None:
            made, one = _bench(server.url)
            while True:
                health = await checked(made.app, one)
                assert health.ok == (answers[0] == 200)
                seen.append(sum(row.count for row in made.app.database.read_now(alerts.listing)))
                if len(answers) == 1:
                    break
                answers.pop(0)

        asyncio.run(main())

    assert seen == [0, 0, 0, 1, 1, 0]


async def test_each_dependency_with_a_check_has_a_chore_as_often_as_it_says() -> None:
    made, _ = _bench("http://127.0.0.1:1", health=HealthRule(every_s=30))
    names = {chore.name: chore.every_s for chore in chores_of(made.app, [made.agent])}

    assert names["health:crm"] == 30.0
    assert {"health of calls", "outage windows"} <= names.keys()
    assert health_chores(made.app, [bench(_nothing).agent]) == []


async def test_calls_are_counted_once_by_dependency_and_a_replaced_result_counts_as_failed() -> None:
    down = [False]

    @tool(dependency="crm")
    async def look() -> str:
        """Looks."""
        if down[0]:
            raise Transient("down", happened="no")
        return "found"

    @tool(dependency="erp")
    async def price() -> str:
        """Prices."""
        raise ValueError("a bug of ours")

    async def agent(run: Any) -> str:
        await run.tool("look")
        try:
            await run.tool("price")
        except Exception:
            pass
        return "done"

    rules = {"look": ToolRule(critical=False, fallback="last_good", attempts=2, retry_wait_s=0.01)}
    dependencies = {"crm": DependencyRule(), "erp": DependencyRule()}
    made = bench(agent, look, price, tools=rules, dependencies=dependencies)
    database = made.app.database
    for broken in (False, False, True):
        down[0] = broken
        await made.done()
    count = partial(count_calls, made.app, [made.agent])
    await asyncio.sleep(61)
    await count()
    await asyncio.sleep(400)
    await count()

    def totals(name: str) -> tuple[int, int]:
        return database.read_now(lambda tx: health_rows.totals(tx, name, "call", 0))

    assert totals("crm") == (2, 1)
    assert totals("erp") == (0, 0)


def _database() -> Database:
    database = memory()
    migrate(database, MIGRATIONS)
    return database


def test_what_was_counted_by_one_worker_is_not_counted_by_another() -> None:
    database = _database()
    what = [Counted("crm", START_US, ok=True, times=7)]
    first = database.write_now(lambda tx: health_rows.count_once(tx, "call", what, None, START_US + 10))
    second = database.write_now(lambda tx: health_rows.count_once(tx, "call", what, None, START_US + 10))

    assert (first, second) == (True, False)
    assert database.read_now(lambda tx: health_rows.totals(tx, "crm", "call", 0)) == (7, 0)


def test_hours_are_kept_for_twelve_weeks_and_one_row_each() -> None:
    database = _database()
    until_us = START_US + KEPT_US + 14 * 86_400 * US_PER_S
    for day in range(98):
        at_us = START_US + day * 86_400 * US_PER_S
        many = [Counted("crm", at_us + minute * 60 * US_PER_S, ok=minute % 9 > 0) for minute in range(60)]
        database.write_now(partial(health_rows.count, source="call", what=many))
    database.write_now(lambda tx: health_rows.count_once(tx, "call", [], None, until_us))
    rows = database.read_now(lambda tx: tx.rows("SELECT COUNT(*), MAX(ok + failed) FROM health_hours"))

    assert rows == [(84, 60)]


async def test_a_learnt_window_is_told_once_ready_to_paste_and_not_again_after_a_person_has_seen_it() -> None:
    made, one = _bench("http://127.0.0.1:1")
    database = made.app.database
    for hour in range(8 * 168):
        bad = hour % 168 == 2
        at_us = START_US + hour * HOUR_US
        many = [
            Counted("crm", at_us + slot * 300 * US_PER_S, ok=not (bad and slot < 6), times=5)
            for slot in range(12)
        ]
        database.write_now(partial(health_rows.count, source="check", what=many))
    await tell_windows(made.app, one)
    await tell_windows(made.app, one)
    (alert,) = database.read_now(alerts.listing)
    database.write_now(lambda tx: alerts.ended(tx, alert.key, "dana", made.app.clock.now_us()))
    await tell_windows(made.app, one)
    after = database.read_now(alerts.listing)
    rule = OutageRule(days=("mon",), begin="02:00", end="02:30")
    scheduled = Declared("crm", one.rule.model_copy(update={"outages": (rule,)}), one.agent)

    assert (alert.key, alert.count) == ("outages:crm", 1)
    assert "mon 02:00 to 02:30 UTC" in alert.title
    assert "[[dependencies.crm.outages]]" in alert.text
    assert "bad on 8 of 8 days" in alert.text
    assert after == []
    assert database.read_now(lambda tx: learnt(tx, scheduled)) == []
