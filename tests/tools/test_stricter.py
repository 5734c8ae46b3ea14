"""A policy that became stricter while an effect waited holds for that effect too."""

import asyncio
from typing import Any

import pytest

from airworthy.core.halt import Stop, Suspend
from airworthy.policy import ToolRule
from airworthy.tools import EffectState, Tool, Toolbox, ToolRefused, tool
from tests.tools.kit import Kit, kit


def mailing(sent: list[str], *, keyed: bool = True) -> Tool:
    async def with_key(to: str, *, idempotency_key: str) -> str:
        """Sends."""
        sent.append(to)
        if to == "hang":
            await asyncio.sleep(1e5)
        return "ok"

    async def without(to: str) -> str:
        """Sends."""
        sent.append(to)
        return "ok"

    return tool(effect="send", keyed=keyed, name="mail")(with_key if keyed else without)


def restarted(k: Kit, changed: Tool, stage: str = "development", **rules: ToolRule) -> Kit:
    """The same database under another policy."""
    policy = k.policy.model_copy(update={"tools": rules, "stage": stage})
    return Kit(k.database, k.clock, policy, Toolbox(policy, [changed], k.clock), k.resources, k.runs)


async def send_due(k: Kit) -> None:
    dispatcher = k.dispatcher()
    for row in await dispatcher.due([k.policy.agent]):
        await dispatcher.carry_out(row)


STRICTER: list[tuple[dict[str, Any], str]] = [
    ({"mail": ToolRule(dry_run=True)}, "nothing leaves while it is a rehearsal"),
    ({"mail": ToolRule(recipient_arg="to", recipients=("bob",))}, "the recipient is no longer allowed"),
    ({"stage": "general"}, "the policy no longer names the tool"),
]


@pytest.mark.parametrize(("policy", "why"), STRICTER)
async def test_a_scheduled_effect_is_held_for_a_person_instead_of_sent(
    policy: dict[str, Any], why: str
) -> None:
    sent: list[str] = []
    mail = mailing(sent)
    k = kit(mail, rules={"mail": ToolRule(delay_s=5)})
    await k.call(k.run(), mail, to="ann")
    await asyncio.sleep(6)
    await send_due(restarted(k, mail, **policy))

    assert sent == [], why
    assert k.effect().state is EffectState.HELD
    assert k.effect().note


@pytest.mark.parametrize(("policy", "why"), STRICTER)
async def test_an_approved_call_is_refused_and_its_approval_withdrawn(
    policy: dict[str, Any], why: str
) -> None:
    sent: list[str] = []
    mail = mailing(sent)
    k = kit(mail, rules={"mail": ToolRule(approval="always")})
    with pytest.raises(Suspend):
        await k.call(k.run(), mail, to="ann")
    k.decide(k.effect().id, EffectState.APPROVED)
    stricter = restarted(k, mail, **policy)
    with pytest.raises(ToolRefused):
        await stricter.call(stricter.run(), mail, to="ann")

    assert sent == [], why


async def test_a_keyed_effect_whose_worker_died_is_not_sent_again_while_it_is_a_rehearsal() -> None:
    sent: list[str] = []
    mail = mailing(sent)
    k = kit(mail)
    dying = asyncio.create_task(k.call(k.run(), mail, to="hang"))
    await asyncio.sleep(1)
    dying.cancel()
    await asyncio.wait([dying])
    rehearsing = restarted(k, mail, mail=ToolRule(dry_run=True))
    with pytest.raises(Stop):
        await rehearsing.call(rehearsing.run(), mail, to="hang")

    assert sent == ["hang"]
    assert k.effect().state is EffectState.IN_DOUBT
