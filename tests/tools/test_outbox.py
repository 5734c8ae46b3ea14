"""What waits in the outbox: sent at its time, once, by one worker, and never after its cancellation was confirmed."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from airworthy.core.halt import Suspend
from airworthy.policy import ToolRule
from airworthy.store import lease as leases
from airworthy.tools import (
    EffectState,
    Permanent,
    Tool,
    ToolRefused,
    Transient,
    TransitionRefused,
    outbox,
    tool,
)
from airworthy.tools.outbox import DECISIONS, TRANSITIONS
from tests.tools.kit import Kit, kit

S = EffectState
LATER = ToolRule(delay_s=300)
ALLOWED = {
    (S.HELD, S.APPROVED), (S.HELD, S.REJECTED), (S.HELD, S.CANCELLED),
    (S.APPROVED, S.STARTED), (S.APPROVED, S.SCHEDULED), (S.APPROVED, S.CANCELLED),
    (S.SCHEDULED, S.STARTED), (S.SCHEDULED, S.CANCELLED), (S.SCHEDULED, S.HELD),
    (S.STARTED, S.STARTED), (S.STARTED, S.DONE), (S.STARTED, S.FAILED), (S.STARTED, S.IN_DOUBT),
    (S.STARTED, S.SCHEDULED),
    (S.IN_DOUBT, S.DONE), (S.IN_DOUBT, S.FAILED), (S.IN_DOUBT, S.APPROVED),
    (S.FAILED, S.STARTED),
    (S.DONE, S.UNDONE),
}  # fmt: skip


def mailing(sent: list[Any], answer: Callable[[], Any] = lambda: "ok") -> Tool:
    @tool(effect="send", keyed=True)
    async def mail(to: str, *, idempotency_key: str) -> str:
        """Sends."""
        sent.append((asyncio.get_running_loop().time(), to, idempotency_key))
        return answer()  # type: ignore[no-any-return]

    return mail


async def send_due(k: Kit, owner: str = "worker") -> int:
    dispatcher = k.dispatcher(owner)
    rows = await dispatcher.due([k.policy.agent])
    await asyncio.gather(*(dispatcher.carry_out(row) for row in rows))
    return len(rows)


@pytest.mark.parametrize("was", list(S))
@pytest.mark.parametrize("to", list(S))
async def test_an_effect_goes_from_state_to_state_as_the_table_says_and_in_no_other_way(
    was: S, to: S
) -> None:
    mail = mailing([])
    k = kit(mail)
    await k.call(k.run(), mail, to="a")
    effect = k.effect().id
    k.database.write_now(lambda tx: tx.execute("UPDATE effects SET state = ?", (was,)))

    if (was, to) in ALLOWED:
        assert k.database.write_now(lambda tx: outbox.move(tx, effect, to)).state is was
        assert k.effect().state is to
    else:
        with pytest.raises(TransitionRefused, match=f"is {was}; it cannot become {to}"):
            k.database.write_now(lambda tx: outbox.move(tx, effect, to))
        assert k.effect().state is was


def test_the_table_knows_every_state_and_people_decide_within_it() -> None:
    assert set(TRANSITIONS) == set(S)
    assert {(was, to) for was, tos in TRANSITIONS.items() for to in tos} == ALLOWED
    for was, tos in DECISIONS.items():
        assert tos <= TRANSITIONS[was]
        assert was is not S.STARTED


async def test_an_effect_nobody_made_cannot_be_moved() -> None:
    k = kit()
    with pytest.raises(TransitionRefused, match="no effect eff_0"):
        k.database.write_now(lambda tx: outbox.move(tx, "eff_0", S.DONE))


async def test_a_delayed_call_is_accepted_at_once_and_sent_at_its_time_and_not_before() -> None:
    sent: list[Any] = []
    mail = mailing(sent)
    k = kit(mail, rules={"mail": LATER})
    answer = await k.call(k.run(), mail, to="a")
    again = await k.call(k.run(), mail, to="a")

    await asyncio.sleep(299.9)
    early = await send_due(k)
    await asyncio.sleep(0.2)
    due = await send_due(k)
    later = await send_due(k)

    effect = k.effect()
    assert answer == again
    assert answer["accepted"] is True
    assert answer["effect"] == effect.id
    assert (early, due, later) == (0, 1, 0)
    assert [(to, key) for _, to, key in sent] == [("a", effect.id)]
    assert (effect.state, effect.result) == (S.DONE, '"ok"')


async def test_cancelled_within_the_delay_it_never_happened() -> None:
    sent: list[Any] = []
    mail = mailing(sent)
    k = kit(mail, rules={"mail": LATER})
    await k.call(k.run(), mail, to="a")
    k.decide(k.effect().id, S.CANCELLED)

    await asyncio.sleep(301)
    await send_due(k)

    assert sent == []
    assert k.effect().state is S.CANCELLED


@pytest.mark.parametrize("cancel_first", [True, False])
async def test_between_cancelling_and_sending_exactly_one_wins(cancel_first: bool) -> None:
    sent: list[Any] = []
    mail = mailing(sent)
    k = kit(mail, rules={"mail": LATER})
    await k.call(k.run(), mail, to="a")
    await asyncio.sleep(301)
    dispatcher = k.dispatcher()
    (row,) = await dispatcher.due([k.policy.agent])

    if cancel_first:
        k.decide(row.id, S.CANCELLED)
        await dispatcher.carry_out(row)
        assert sent == []
    else:
        await dispatcher.carry_out(row)
        with pytest.raises(TransitionRefused, match="done"):
            k.decide(row.id, S.CANCELLED)
        assert len(sent) == 1


async def test_while_it_is_being_sent_it_cannot_be_cancelled_any_more() -> None:
    refused: list[str] = []

    def answer() -> str:
        try:
            k.decide(k.effect().id, S.CANCELLED)
        except TransitionRefused as error:
            refused.append(str(error))
        return "ok"

    mail = mailing([], answer)
    k = kit(mail, rules={"mail": LATER})
    await k.call(k.run(), mail, to="a")
    await asyncio.sleep(301)
    await send_due(k)

    assert len(refused) == 1
    assert k.effect().state is S.DONE


async def test_two_workers_send_a_due_effect_once() -> None:
    sent: list[Any] = []
    mail = mailing(sent)
    k = kit(mail, rules={"mail": LATER})
    await k.call(k.run(), mail, to="a")
    await asyncio.sleep(301)

    await asyncio.gather(send_due(k, "one"), send_due(k, "two"))

    assert len(sent) == 1


@pytest.mark.parametrize(
    ("error", "state", "why"),
    [
        (Permanent("no such address"), S.FAILED, "certainly not, and never will"),
        (Transient("refused", happened="no"), S.SCHEDULED, "not yet; it is tried again later"),
        (Transient("lost"), S.IN_DOUBT, "perhaps, even after every try"),
        (ValueError("bug"), S.IN_DOUBT, "a bug may lie behind the act"),
    ],
)
async def test_a_delayed_effect_that_fails_says_whether_it_may_have_happened(
    error: Exception, state: S, why: str
) -> None:
    def fail() -> Any:
        raise error

    mail = mailing([], fail)
    k = kit(mail, rules={"mail": LATER})
    await k.call(k.run(), mail, to="a")
    await asyncio.sleep(301)
    await send_due(k)

    assert k.effect().state is state, why
    assert type(error).__name__ in (k.effect().note or "")


async def test_a_delayed_effect_that_is_turned_away_is_sent_when_the_other_side_is_back() -> None:
    sent: list[Any] = []

    def back_after_a_while() -> str:
        if len(sent) <= 3:
            raise Transient("try later", happened="no")
        return "ok"

    k = kit(mailing(sent, back_after_a_while), rules={"mail": LATER})
    await k.call(k.run(), next(iter(k.box.tools.values())), to="a")
    await asyncio.sleep(301)
    for _ in range(2):
        await send_due(k)
        await asyncio.sleep(61)

    assert k.effect().state is S.DONE
    assert len({key for _, _, key in sent}) == 1


async def test_a_delayed_effect_that_is_turned_away_for_a_day_has_failed() -> None:
    def away() -> str:
        raise Transient("try later", happened="no")

    k = kit(mailing([], away), rules={"mail": LATER})
    await k.call(k.run(), next(iter(k.box.tools.values())), to="a")
    await asyncio.sleep(86_401)
    await send_due(k)

    assert k.effect().state is S.FAILED


async def test_a_secret_in_the_answer_of_a_delayed_effect_is_not_kept() -> None:
    mail = mailing([], lambda: "token=ghp_abcdefghijklmnopqrstuvwxyz0123456789")
    k = kit(mail, rules={"mail": LATER})
    await k.call(k.run(), mail, to="a")
    await asyncio.sleep(301)
    await send_due(k)

    assert "[redacted:" in (k.effect().result or "")
    assert "ghp_" not in (k.effect().result or "")


async def test_a_call_whose_arguments_hold_a_secret_cannot_wait_where_it_would_be_stored() -> None:
    mail = mailing([])
    k = kit(mail, rules={"mail": LATER})

    with pytest.raises(ToolRefused, match="hold a secret"):
        await k.call(k.run(), mail, to="ghp_abcdefghijklmnopqrstuvwxyz0123456789")

    assert k.effects() == []


def kill(k: Kit, owner: str) -> None:
    k.database.write_now(lambda tx: leases.leave(tx, owner))


async def begun(keyed: bool) -> tuple[Kit, Tool, list[str]]:
    """A delayed effect whose worker died while it was under way."""
    acts: list[str] = []

    async def with_key(to: str, *, idempotency_key: str) -> str:
        """Sends."""
        return await act(idempotency_key)

    async def without(to: str) -> str:
        """Sends."""
        return await act("")

    async def act(key: str) -> str:
        acts.append(key)
        if len(acts) == 1:
            await asyncio.sleep(1e5)
        return "ok"

    mail = tool(effect="send", keyed=keyed, name="mail")(with_key if keyed else without)
    k = kit(mail, rules={"mail": ToolRule(delay_s=1, timeout_s=100)})
    await k.call(k.run(), mail, to="a")
    await asyncio.sleep(2)
    dying = asyncio.create_task(send_due(k, "dying"))
    await asyncio.sleep(1)
    dying.cancel()
    await asyncio.wait([dying])
    kill(k, "dying")
    return k, mail, acts


async def recover(k: Kit) -> None:
    dispatcher = k.dispatcher("next")
    for row in await dispatcher.orphans():
        await dispatcher.carry_out(row)


async def test_crash_while_sending_sends_a_keyed_effect_again_with_its_key() -> None:
    k, _, acts = await begun(keyed=True)
    await recover(k)

    assert acts == [k.effect().id] * 2
    assert k.effect().state is S.DONE


async def test_crash_while_sending_leaves_an_unkeyed_effect_in_doubt() -> None:
    k, _, acts = await begun(keyed=False)
    await recover(k)
    await recover(k)

    assert len(acts) == 1
    assert k.effect().state is S.IN_DOUBT


async def test_an_effect_whose_tool_has_changed_since_is_held_for_a_person() -> None:
    mail = mailing([])
    k = kit(mail, rules={"mail": LATER})
    await k.call(k.run(), mail, to="a")
    await asyncio.sleep(301)

    @tool(effect="send", name="mail")
    async def other(address: str) -> str:
        """Sends elsewhere."""
        return "ok"

    await send_due(k.restarted([other]))

    assert k.effect().state is S.HELD
    assert "takes these arguments" in (k.effect().note or "")


async def test_an_approved_call_with_a_delay_waits_for_its_time_after_the_yes() -> None:
    sent: list[Any] = []
    mail = mailing(sent)
    k = kit(mail, rules={"mail": ToolRule(approval="always", delay_s=300)})
    with pytest.raises(Suspend):
        await k.call(k.run(), mail, to="a")
    await asyncio.sleep(86_400)
    k.decide(k.effect().id, S.APPROVED)
    answer = await k.call(k.run(), mail, to="a")
    early = await send_due(k)
    await asyncio.sleep(301)
    await send_due(k)

    assert answer["accepted"] is True
    assert early == 0
    assert len(sent) == 1
    assert k.effect().day == "2025-11-25"  # It counts on the day on which it was let go.


async def test_what_may_not_be_sent_now_waits_and_lets_others_pass() -> None:
    sent: list[Any] = []
    mail = mailing(sent)
    k = kit(mail, rules={"mail": ToolRule(delay_s=1)})
    for number in range(70):
        await k.call(k.run(f"tsk_{number:03}"), mail, to=f"{number}")
    await asyncio.sleep(2)
    dispatcher = k.dispatcher(may_send=lambda _, row: row.task_id >= "tsk_065")

    for _ in range(3):
        for row in await dispatcher.due([k.policy.agent]):
            await dispatcher.carry_out(row)

    assert sorted(to for _, to, _ in sent) == ["65", "66", "67", "68", "69"]
    assert k.effect("tsk_000").state is S.SCHEDULED


async def test_effects_of_agents_that_work_elsewhere_stand_in_nobodys_way() -> None:
    sent: list[Any] = []
    mail = mailing(sent)
    k = kit(mail, rules={"mail": ToolRule(delay_s=1)})
    for number in range(70):
        await k.call(k.run(f"tsk_{number}"), mail, to=f"{number}")
    k.database.write_now(
        lambda tx: tx.execute("UPDATE effects SET agent = 'other' WHERE task_id <> 'tsk_69'")
    )
    await asyncio.sleep(2)
    await send_due(k)

    assert [to for _, to, _ in sent] == ["69"]
