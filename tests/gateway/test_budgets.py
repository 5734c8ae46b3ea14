"""Not a nano over a budget and not a call past a cap, under any concurrency; a lost bill overcounts."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from airworthy.core.halt import Stop, Suspend
from airworthy.core.outcome import ReasonCode
from airworthy.gateway import ModelError, ModelMalformed, ModelOutage, ModelRateLimited, ModelTimeout
from airworthy.gateway.prices import bound_nano, check_priced, price_list
from airworthy.policy import Budgets, Limits
from airworthy.store import Database, StaleFence, Tx
from airworthy.store import lease as leases
from tests.database import memory, opened_at
from tests.gateway.kit import FIRST, HELLO, completion, kit, model, script

DAY = "agent:support:day:2025-11-24"
RULE = model(attempts=1)
BODY = b'{"max_tokens":100,"messages":[{"content":"hello","role":"user"}],"model":"' + FIRST.encode() + b'"}'
BOUND = bound_nano(check_priced(RULE, price_list()), len(BODY), 100)
WIDE = Limits(cost_usd=10.0)


@pytest.fixture(params=["memory", "disk"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    opened: Database = memory() if request.param == "memory" else opened_at(tmp_path)
    yield opened
    opened.close()


def usd(nano: int) -> float:
    return nano / 1e9


async def test_of_two_hundred_concurrent_calls_exactly_as_many_are_made_as_the_money_holds(
    database: Database,
) -> None:
    client = script(completion(tokens=None), delay_s=1)
    k = kit(
        client,
        RULE,
        database=database,
        budgets=Budgets(day_usd=usd(25 * BOUND)),
        limits=Limits(cost_usd=0.001),
    )
    over: list[int] = []

    async def one(number: int) -> object:
        try:
            return await k.run(f"tsk_{number}").ask()
        except Stop as stopped:
            over.append(sum(k.spent(DAY)))
            return stopped.reason.code

    answers = await asyncio.gather(*(one(number) for number in range(200)))

    assert len(client.bodies) == 25
    assert answers.count(ReasonCode.BUDGET) == 175
    assert max(over) <= 25 * BOUND
    assert k.spent(DAY) == (25 * BOUND, 0)  # No usage was reported: what was reserved stays so, and counts.


@pytest.mark.parametrize(("nano", "made"), [(25 * BOUND - 1, 24), (25 * BOUND, 25), (25 * BOUND + 1, 25)])
async def test_the_last_nano_decides(nano: int, made: int) -> None:
    client = script(completion(tokens=None), delay_s=1)
    k = kit(client, RULE, budgets=Budgets(month_usd=usd(nano)), limits=Limits(cost_usd=0.001))
    calls = [k.run(f"tsk_{number}").ask() for number in range(40)]
    await asyncio.gather(*calls, return_exceptions=True)

    assert len(client.bodies) == made


async def test_calls_are_capped_by_number_too() -> None:
    client = script(completion(), delay_s=1)
    k = kit(client, RULE, budgets=Budgets(calls_per_day=25), limits=WIDE)
    answers = await asyncio.gather(*(k.run(f"tsk_{n}").ask() for n in range(60)), return_exceptions=True)

    assert len(client.bodies) == k.calls(DAY) == 25
    assert sum(isinstance(answer, Stop) for answer in answers) == 35


async def test_a_settled_bill_makes_room_for_more_calls_than_the_bounds_alone_would() -> None:
    client = script(completion(tokens=(10, 5)))
    k = kit(client, RULE, limits=Limits(cost_usd=usd(2 * BOUND), steps=50, identical_calls=50))
    run = k.run()
    for _ in range(made := 1 + BOUND // 30_000):
        await run.ask()
    with pytest.raises(Stop, match="this task") as stopped:
        await run.ask()

    assert stopped.value.reason.code is ReasonCode.LIMIT_COST
    assert k.spent() == (0, made * 30_000)


KEPT = [
    (ModelTimeout("lost", billed=True), BOUND, "it may have been worked on"),
    (ModelTimeout("never begun"), 0, "the provider said it did not begin"),
    (ModelOutage("x", billed=True), BOUND, "it may have failed after the work"),
    (ModelRateLimited("x"), 0, "refused before any work"),
    (b"nonsense", BOUND, "nonsense is billed like sense"),
    (KeyError("a bug in a client"), BOUND, "nobody knows"),
]


@pytest.mark.parametrize(("answer", "reserved", "why"), KEPT)
async def test_a_failed_call_keeps_its_reservation_unless_it_certainly_cost_nothing(
    answer: Any, reserved: int, why: str
) -> None:
    k = kit(script(answer), RULE)
    with pytest.raises((ModelError, ModelMalformed, KeyError)):
        await k.run().ask()

    assert k.spent() == (reserved, 0), why
    assert k.spent(DAY) == (reserved, 0)


async def test_every_try_is_reserved_for_anew_and_only_the_last_is_settled() -> None:
    k = kit(script(ModelTimeout("lost", billed=True), completion(tokens=(10, 5))), model(attempts=3))
    await k.run().ask()

    assert k.spent() == (BOUND, 30_000)
    assert k.calls("task:tsk_1") == 2


async def test_a_retry_that_no_longer_fits_is_not_made() -> None:
    client = script(ModelTimeout("lost", billed=True), completion())
    k = kit(client, model(attempts=3), limits=Limits(cost_usd=usd(BOUND)))

    with pytest.raises(Stop) as stopped:
        await k.run().ask()

    assert stopped.value.reason.code is ReasonCode.LIMIT_COST
    assert len(client.bodies) == 1


async def test_crash_between_reply_and_record_overcounts_and_never_undercounts() -> None:
    k = kit(script(completion(), delay_s=5), RULE)
    dying = asyncio.create_task(k.run().ask())
    await asyncio.sleep(1)
    dying.cancel()
    await asyncio.wait([dying])
    await k.run().ask()

    assert k.spent() == (BOUND, 30_000)


@pytest.mark.parametrize(
    ("budgets", "scope", "who"),
    [
        (Budgets(user_day_usd=usd(BOUND)), "agent:support:user:ann:2025-11-24", {"user": "ann"}),
        (Budgets(feature_day_usd=usd(BOUND)), "agent:support:feature:mail:2025-11-24", {"feature": "mail"}),
    ],
)
async def test_a_users_or_features_budget_bounds_that_one_alone(
    budgets: Budgets, scope: str, who: dict[str, str]
) -> None:
    client = script(completion(tokens=None))
    k = kit(client, RULE, budgets=budgets, limits=Limits(cost_usd=usd(BOUND)))
    await k.run("tsk_1", **who).ask()
    with pytest.raises(Stop) as stopped:
        await k.run("tsk_2", **who).ask()
    await k.run("tsk_3", **dict.fromkeys(who, "another")).ask()
    await k.run("tsk_4").ask()

    assert stopped.value.reason.evidence["budget"] == scope
    assert len(client.bodies) == 3


async def test_a_days_budget_is_whole_again_on_the_next_utc_day_and_the_months_is_not() -> None:
    client = script(completion(tokens=None))
    k = kit(
        client,
        RULE,
        budgets=Budgets(day_usd=usd(BOUND), month_usd=usd(2 * BOUND)),
        limits=Limits(cost_usd=usd(BOUND)),
    )
    made = []
    for number in range(4):
        try:
            await k.run(f"tsk_{number}").ask()
            made.append(number)
        except Stop:
            pass
        await asyncio.sleep(43_200)
    await asyncio.sleep(86_400)
    with pytest.raises(Stop) as stopped:
        await k.run("tsk_9").ask()

    assert len(made) == 2
    assert "2025-11" in stopped.value.reason.evidence["budget"]


async def test_nothing_is_reserved_when_one_of_several_budgets_is_too_small() -> None:
    k = kit(script(completion()), RULE, limits=Limits(cost_usd=usd(BOUND - 1)))
    with pytest.raises(Stop):
        await k.run().ask()

    assert k.spent() == k.spent(DAY) == (0, 0)
    assert k.calls(DAY) == 0


async def test_a_worker_that_was_given_up_for_dead_spends_nothing() -> None:
    client = script(completion())
    k = kit(client, RULE)
    frozen = k.run()
    k.database.write_now(lambda tx: leases.take(tx, "tsk_1", "other", k.clock.now_us()))

    with pytest.raises(StaleFence):
        await frozen.ask()

    assert client.bodies == []
    assert k.spent() == (0, 0)


async def test_what_people_switched_off_is_looked_at_in_the_transaction_that_reserves() -> None:
    client = script(completion())
    k = kit(client, RULE)
    run = k.run()

    def off(_: Tx) -> None:
        raise Suspend("somebody to resume it", paused=True)

    run.journal.confirm = off
    with pytest.raises(Suspend):
        await run.ask()

    assert client.bodies == []
    assert k.spent() == (0, 0)


def test_the_bound_of_these_tests_is_that_of_the_body_that_is_sent() -> None:
    from airworthy.gateway import ModelRequest

    assert ModelRequest(HELLO).body(RULE) == BODY
