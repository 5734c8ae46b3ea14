"""A person's yes or no before an effect, and caps on how many there may be, under any concurrency."""

import asyncio
from typing import Any

import pytest

from airworthy.core.halt import Suspend, TryLater
from airworthy.policy import ToolRule
from airworthy.recorder import StepState
from airworthy.tools import EffectState, Tool, ToolRefused, Transient, TransitionRefused, tool
from airworthy.tools.provenance.judge import FINDINGS_MAX
from tests.tools.kit import Kit, kit

ASK = ToolRule(approval="always")
DAY_S = 86_400.0


def mailing(sent: list[str], *failures: Exception) -> Tool:
    left = list(failures)

    @tool(effect="send", keyed=True)
    async def mail(to: str, text: str = "", *, idempotency_key: str) -> str:
        """Sends."""
        if left:
            raise left.pop(0)
        sent.append(to)
        return "ok"

    return mail


async def asked(k: Kit, mail: Tool, task: str = "tsk_1", **arguments: Any) -> str:
    with pytest.raises(Suspend, match="a person to decide"):
        await k.call(k.run(task), mail, **arguments)
    return k.effects(task)[-1].id


async def test_a_call_that_needs_a_yes_waits_for_it_without_acting_however_often_the_run_is_called() -> None:
    sent: list[str] = []
    mail = mailing(sent)
    k = kit(mail, rules={"mail": ASK})
    for _ in range(3):
        await asked(k, mail, to="a")

    assert sent == []
    assert k.effect().state is EffectState.HELD
    assert k.steps()[0].state is StepState.HELD
    assert k.effect().note == "the policy asks a person before every such call"


async def test_after_the_yes_it_is_carried_out_once() -> None:
    sent: list[str] = []
    mail = mailing(sent)
    k = kit(mail, rules={"mail": ASK})
    k.decide(await asked(k, mail, to="a"), EffectState.APPROVED)

    answers = [await k.call(k.run(), mail, to="a") for _ in range(2)]

    assert answers == ["ok", "ok"]
    assert sent == ["a"]
    assert (k.effect().state, k.effect().decided_by) == (EffectState.DONE, "dana")


@pytest.mark.parametrize("to", [EffectState.REJECTED, EffectState.CANCELLED])
async def test_after_the_no_the_agent_is_told_who_said_it_and_why(to: EffectState) -> None:
    sent: list[str] = []
    mail = mailing(sent)
    k = kit(mail, rules={"mail": ASK})
    k.decide(await asked(k, mail, to="a"), to, "not this customer")

    for _ in range(2):
        with pytest.raises(ToolRefused, match=f"was {to} by dana: not this customer"):
            await k.call(k.run(), mail, to="a")

    assert sent == []
    assert k.effect().state is to


async def test_two_people_at_once_decide_once() -> None:
    mail = mailing([])
    k = kit(mail, rules={"mail": ASK})
    effect = await asked(k, mail, to="a")
    k.decide(effect, EffectState.REJECTED)

    with pytest.raises(TransitionRefused, match="rejected"):
        k.decide(effect, EffectState.APPROVED)


async def test_what_is_under_way_or_over_is_nobodys_to_decide() -> None:
    mail = mailing([])
    k = kit(mail)
    await k.call(k.run(), mail, to="a")

    for to in EffectState:
        with pytest.raises(TransitionRefused):
            k.decide(k.effect().id, to)
    assert k.effect().state is EffectState.DONE


async def test_an_approved_call_that_fails_for_now_is_done_later_without_asking_again() -> None:
    sent: list[str] = []
    mail = mailing(sent, *[Transient("busy", happened="no")] * 3)
    k = kit(mail, rules={"mail": ASK})
    k.decide(await asked(k, mail, to="a"), EffectState.APPROVED)
    with pytest.raises(TryLater) as later:
        await k.call(k.run(), mail, to="a")
    k.database.write_now(
        lambda tx: tx.execute("UPDATE steps SET key = NULL WHERE seq = ?", (later.value.seq,))
    )

    answer = await k.call(k.run(), mail, to="a")

    assert answer == "ok"
    assert sent == ["a"]


async def test_only_amounts_above_the_bound_are_asked_about() -> None:
    @tool(effect="write")
    async def refund(amount: float) -> str:
        """Pays back."""
        return "ok"

    rule = ToolRule(amount_arg="amount", approval_above=50.0, amount_max=100.0)
    k = kit(refund, rules={"refund": rule})

    small = await k.call(k.run("tsk_1"), refund, amount=50)
    with pytest.raises(Suspend):
        await k.call(k.run("tsk_2"), refund, amount=51)
    with pytest.raises(ToolRefused):
        await k.call(k.run("tsk_3"), refund, amount=101)

    assert small == "ok"
    assert k.effects("tsk_3") == []


CAPS = [
    (ToolRule(per_day=3), "abcdef", 3, "a day"),
    (ToolRule(recipient_arg="to", per_recipient_per_day=2), "aabbaA", 4, "a recipient and day, in any spelling"),
    (ToolRule(recipient_arg="to", per_recipient_per_day=2, per_day=3), "aabbab", 3, "both"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "recipients", "passed", "why"), CAPS)
@pytest.mark.parametrize("together", [True, False])
async def test_caps_hold_whether_calls_come_together_or_one_by_one(
    rule: ToolRule, recipients: str, passed: int, why: str, together: bool
) -> None:
    sent: list[str] = []
    mail = mailing(sent)
    k = kit(mail, rules={"mail": rule})

    async def one(number: int, to: str) -> object:
        try:
            return await k.call(k.run(f"tsk_{number}"), mail, to=to)
        except ToolRefused as refused:
            return refused

    calls = [one(number, to) for number, to in enumerate(recipients)]
    answers = await asyncio.gather(*calls) if together else [await call for call in calls]

    assert len(sent) == answers.count("ok") == passed, why
    assert all("the policy allows" in str(answer) for answer in answers if answer != "ok")


async def test_a_cap_is_whole_again_on_the_next_utc_day() -> None:
    sent: list[str] = []
    mail = mailing(sent)
    k = kit(mail, rules={"mail": ToolRule(per_day=1)})
    await k.call(k.run("tsk_1"), mail, to="a")
    with pytest.raises(ToolRefused, match="used 1 times on 2025-11-24"):
        await k.call(k.run("tsk_2"), mail, to="a")
    await asyncio.sleep(DAY_S)

    assert await k.call(k.run("tsk_3"), mail, to="a") == "ok"


async def test_what_failed_for_certain_uses_up_no_cap() -> None:
    sent: list[str] = []
    mail = mailing(sent, Transient("busy", happened="no"))
    k = kit(mail, rules={"mail": ToolRule(per_day=1, attempts=1, critical=False)})
    with pytest.raises(Exception, match="busy"):
        await k.call(k.run("tsk_1"), mail, to="a")

    assert await k.call(k.run("tsk_2"), mail, to="a") == "ok"


async def test_of_two_approved_calls_under_a_cap_of_one_exactly_one_is_carried_out() -> None:
    sent: list[str] = []
    mail = mailing(sent)
    k = kit(mail, rules={"mail": ToolRule(approval="always", per_day=1)})
    for task in ("tsk_1", "tsk_2"):
        k.decide(await asked(k, mail, task, to=task), EffectState.APPROVED)

    with pytest.raises(ToolRefused, match="the policy allows 1 a day"):
        await k.call(k.run("tsk_1"), mail, to="tsk_1")
    answer = await k.call(k.run("tsk_2"), mail, to="tsk_2")

    assert answer == "ok"
    assert sent == ["tsk_2"]
    assert k.effect("tsk_1").state is EffectState.CANCELLED


async def test_a_secret_recipient_is_counted_and_never_stored() -> None:
    mail = mailing([])
    hook = "https://hooks.slack.com/services/T0AAAAAAA/B0BBBBBBB/cccccccccccccccccccccccc"
    k = kit(mail, rules={"mail": ToolRule(recipient_arg="to", per_recipient_per_day=1)})
    await k.call(k.run("tsk_1"), mail, to=hook)
    with pytest.raises(ToolRefused, match="the policy allows 1 a day"):
        await k.call(k.run("tsk_2"), mail, to=hook)
    await k.call(k.run("tsk_3"), mail, to=hook[:-1] + "d")

    rows = k.database.read_now(lambda tx: tx.rows("SELECT recipient, arguments FROM effects"))
    assert "cccccc" not in str(rows)


@pytest.mark.parametrize("known", [FINDINGS_MAX - 1, FINDINGS_MAX])
async def test_however_many_values_a_person_said_yes_to_one_more_is_asked_about(known: int) -> None:
    """A question tells of so many findings; those that are answered must not crowd out the one that is not."""
    sent: list[list[str]] = []

    @tool(effect="send", keyed=True)
    async def mail(to: list[str], *, idempotency_key: str) -> str:
        """Sends."""
        sent.append(to)
        return "ok"

    k = kit(mail, rules={"mail": ToolRule(approval_untrusted="strict", destination_args=("to",))})
    named = [f"{number}@example.com" for number in range(known)]
    k.decide(await asked(k, mail, to=named), EffectState.APPROVED)
    run = k.run()
    await k.call(run, mail, to=named)
    await k.call(run, mail, to=named)  # Said yes to once.

    with pytest.raises(Suspend):
        await k.call(run, mail, to=[*named, "eve@evil.example"])
    assert sent == [named, named]
    assert "eve@evil.example" in (k.effects()[-1].note or "")
