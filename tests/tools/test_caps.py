"""A cap of the policy holds however often an agent asks, on the day on which something happens; each counts its own."""

import asyncio
from dataclasses import replace

import pytest

from airworthy.core.halt import Suspend
from airworthy.policy import ToolRule
from airworthy.store import migrate
from airworthy.tools import Tool, ToolRefused, tool
from airworthy.tools.outbox import CapReached, Caps, EffectRow, EffectState, insert
from airworthy.tools.rules import counted
from airworthy.tools.tables import MIGRATIONS
from tests.database import memory
from tests.tools.kit import Kit, kit

ROW = EffectRow(
    id="eff_1", task_id="tsk_1", seq=3, agent="support", tool="send_reply", effect="send", state=EffectState.DONE,
    keyed=True, arguments="{}", recipient="a@example.com", day="2025-11-24", created_us=1,
)  # fmt: skip


@pytest.mark.parametrize(
    ("other", "refused", "why"),
    [
        (replace(ROW, id="eff_2"), True, "the same task"),
        (replace(ROW, id="eff_2", day="2025-11-25"), True, "the same task on another day"),
        (replace(ROW, id="eff_2", task_id="tsk_2"), False, "another task"),
        (replace(ROW, id="eff_2", tool="refund"), False, "another tool"),
    ],
)
def test_a_cap_per_task_bounds_the_task_alone(other: EffectRow, refused: bool, why: str) -> None:
    database = memory()
    migrate(database, MIGRATIONS)
    database.write_now(lambda tx: insert(tx, ROW))

    if refused:
        with pytest.raises(CapReached, match="1 times in this task; the policy allows 1 a task"):
            database.write_now(lambda tx: insert(tx, other, Caps(per_task=1)))
    else:
        database.write_now(lambda tx: insert(tx, other, Caps(per_task=1)))
    database.close()


DAY_S, NOON_S = 86_400.0, 43_200.0


def mailing(sent: list[tuple[str, float]]) -> Tool:
    @tool(effect="send", keyed=True)
    async def mail(to: str, *, idempotency_key: str) -> str:
        """Sends."""
        sent.append((to, asyncio.get_running_loop().time()))
        return "ok"

    return mail


async def send_due(*kits: Kit) -> None:
    """Every worker looks at the same moment."""
    dispatchers = [k.dispatcher(f"worker {number}") for number, k in enumerate(kits)]
    found = [await each.due([k.policy.agent]) for each, k in zip(dispatchers, kits, strict=True)]
    await asyncio.gather(
        *(each.carry_out(row) for each, rows in zip(dispatchers, found, strict=True) for row in rows)
    )


async def accepted(k: Kit, mail: Tool, tasks: range) -> int:
    count = 0
    for number in tasks:
        try:
            await k.call(k.run(f"tsk_{number:03}"), mail, to="ada")
            count += 1
        except ToolRefused:
            pass
    return count


async def test_what_waits_over_midnight_counts_on_the_day_on_which_it_happens() -> None:
    sent: list[tuple[str, float]] = []
    mail = mailing(sent)
    k = kit(mail, rules={"mail": ToolRule(per_day=2, delay_s=NOON_S)})
    await asyncio.sleep(
        DAY_S - k.clock.now_us() / 1e6 % DAY_S + NOON_S + 60
    )  # Noon, so that all of it is due tomorrow.
    first = await accepted(k, mail, range(3))
    await asyncio.sleep(NOON_S)
    second = await accepted(k, mail, range(10, 13))  # Due on the same day as the first two.
    await send_due(k)
    await asyncio.sleep(NOON_S)
    await send_due(k)

    assert (first, second, len(sent)) == (2, 0, 2)


async def test_what_was_put_off_to_another_day_counts_there_and_is_held_when_that_day_is_full() -> None:
    sent: list[tuple[str, float]] = []
    mail = mailing(sent)
    k = kit(mail, rules={"mail": ToolRule(per_day=1, delay_s=60)})
    await accepted(k, mail, range(1))
    await asyncio.sleep(DAY_S)  # No worker ran meanwhile.
    assert await accepted(k, mail, range(1, 2)) == 1
    await asyncio.sleep(61)
    await send_due(k)

    states = sorted(k.effect(f"tsk_{number:03}").state for number in range(2))
    assert len(sent) == 1
    assert states == [EffectState.DONE, EffectState.HELD]
    held = next(row for number in range(2) if (row := k.effect(f"tsk_{number:03}")).state is EffectState.HELD)
    assert "the policy allows 1 a day" in (held.note or "")


async def test_a_held_effect_that_a_person_lets_go_counts_like_any_other() -> None:
    sent: list[tuple[str, float]] = []
    mail = mailing(sent)
    k = kit(mail, rules={"mail": ToolRule(per_day=1, delay_s=60)})
    await accepted(k, mail, range(1))
    k.decide(k.effect("tsk_000").id, EffectState.HELD)
    await accepted(k, mail, range(1, 2))
    await asyncio.sleep(61)
    await send_due(k)
    k.database.write_now(
        lambda tx: tx.execute("UPDATE effects SET state = 'scheduled' WHERE task_id = 'tsk_000'")
    )
    await send_due(k)

    assert len(sent) == 1
    assert k.effect("tsk_000").state is EffectState.HELD


async def test_a_cap_lowered_while_effects_wait_holds_all_but_so_many() -> None:
    sent: list[tuple[str, float]] = []
    mail = mailing(sent)
    k = kit(mail, rules={"mail": ToolRule(per_day=5, delay_s=60)})
    assert await accepted(k, mail, range(6)) == 5
    stricter = k.policy.model_copy(update={"tools": {"mail": ToolRule(per_day=2, delay_s=60)}})
    now = Kit(k.database, k.clock, stricter, type(k.box)(stricter, [mail], k.clock), k.resources, k.runs)
    await asyncio.sleep(61)
    await send_due(now)

    assert len(sent) == 2


@pytest.mark.parametrize("workers", [1, 4])
async def test_workers_that_send_at_the_same_moment_keep_the_cap_together(workers: int) -> None:
    sent: list[tuple[str, float]] = []
    mail = mailing(sent)
    k = kit(mail, rules={"mail": ToolRule(recipient_arg="to", per_recipient_per_day=3, delay_s=60)})
    kits = [k, *(k.restarted([mail]) for _ in range(workers - 1))]
    results = await asyncio.gather(
        *(accepted(each, mail, range(100 * number, 100 * number + 4)) for number, each in enumerate(kits))
    )
    await asyncio.sleep(61)
    await send_due(*kits)

    assert sum(results) == len(sent) == 3


async def test_any_number_of_approvals_pending_lets_no_more_through_than_the_cap() -> None:
    sent: list[tuple[str, float]] = []
    mail = mailing(sent)
    k = kit(mail, rules={"mail": ToolRule(approval="always", recipient_arg="to", per_recipient_per_day=2)})
    tasks = [f"tsk_{number}" for number in range(6)]
    for task in tasks:
        with pytest.raises(Suspend):
            await k.call(
                k.run(task), mail, to="Ada <ada@example.com>" if task == "tsk_3" else "ada@example.com"
            )
        await asyncio.sleep(DAY_S / 4)  # Asked over two days.
    for task in tasks:
        k.decide(k.effect(task).id, EffectState.APPROVED)
    refused = 0
    for task in reversed(tasks):
        try:
            await k.call(
                k.run(task), mail, to="Ada <ada@example.com>" if task == "tsk_3" else "ada@example.com"
            )
        except ToolRefused:
            refused += 1

    assert (len(sent), refused) == (2, 4)


@pytest.mark.parametrize(
    ("said", "same", "why"),
    [
        ("Ada <ada@example.com>", "ada@example.com", "a name beside the address"),
        ("mailto:ada@example.com", "ada@example.com", "as a link"),
        ("+49 (170) 12-34", "+491701234", "a number with its gaps"),
        ("ada@example.com", "ada@example.com", "itself"),
        ("eve@evil.example <ada@example.com>", "eve@evil.example <ada@example.com>", "two are no name and one"),
        ("\u0430da@example.com", "\u0430da@example.com", "a look-alike is somebody else"),
        ("1.5", "1.5", "a short number is no account"),
    ],
)  # fmt: skip
def test_a_recipient_is_counted_in_one_spelling(said: str, same: str, why: str) -> None:
    assert counted(said) == same, why
