"""A call that a person changed is from then on judged by what they wrote, by everybody who looks at it later."""

from typing import Any

import orjson
import pytest

from airworthy import Run, tool
from airworthy.core.errors import InputError
from airworthy.policy import ToolRule
from airworthy.review import Item, ItemQuery
from airworthy.runtime.deciding import NotFitting
from airworthy.tools import EffectState, Tool
from tests.runtime.kit import Bench, bench

EVE, ADA = "eve@example.com", "ada@example.com"


def mailing(sent: list[str]) -> Tool:
    async def unsend(arguments: dict[str, Any], result: str) -> str:
        sent.append(f"back from {arguments['to']}")
        return result

    @tool(effect="send", undo=unsend)
    async def mail(to: str, text: str) -> str:
        """Sends."""
        sent.append(to)
        return f"sent to {to}"

    return mail


def edited(made: Bench, to: str) -> Item:
    item = made.waiting()
    after = made.app.reviews.edit(item.look.item.id, "dana", {"to": to, "text": "hi"}, seen=item.look.seal)
    return after.look.item


async def test_a_changed_recipient_is_counted_in_the_spelling_in_which_all_are() -> None:
    sent: list[str] = []

    async def twice(run: Run) -> str:
        await run.tool("mail", to=EVE, text="hi")
        return str(await run.tool("mail", to=ADA, text="again"))

    rule = ToolRule(approval="always", recipient_arg="to", per_recipient_per_day=1, critical=False)
    made = bench(twice, mailing(sent), tools={"mail": rule}, runtime={"attempts_max": 1})
    task = made.submit()
    await made.work()
    edited(made, f"Ada <{ADA}>")
    await made.work()
    item = made.waiting()
    made.app.reviews.approve(item.look.item.id, "dana", seen=item.look.seal)
    await made.work()

    assert sent == [f"Ada <{ADA}>"], "the cap allows her one a day"
    first, second = made.app.operations.effects(task)
    assert (first.recipient, first.state) == (ADA, EffectState.DONE)
    assert second.state is EffectState.CANCELLED


async def test_what_a_person_wrote_instead_says_nothing_for_what_the_agent_wanted() -> None:
    """They took the stranger's address out, so it is asked about again when the agent comes back with it."""
    sent: list[str] = []

    async def insists(run: Run) -> str:
        await run.tool("mail", to=EVE, text="hi")
        return str(await run.tool("mail", to=EVE, text="now please"))

    rule = ToolRule(approval_untrusted="strict", destination_args=("to",), critical=False)
    made = bench(insists, mailing(sent), tools={"mail": rule})
    made.submit()
    await made.work()
    edited(made, ADA)
    await made.work()

    assert sent == [ADA]
    held = made.waiting().look.effect
    assert held is not None
    assert EVE in held.arguments


async def test_a_changed_call_is_taken_back_as_it_was_made() -> None:
    sent: list[str] = []

    async def once(run: Run) -> str:
        return str(await run.tool("mail", to=EVE, text="hi"))

    made = bench(once, mailing(sent), tools={"mail": ToolRule(approval="always", recipient_arg="to")})
    task = made.submit()
    await made.work()
    edited(made, ADA)
    await made.work()
    made.app.operations.undo(made.effect(task).id, "dana")
    await made.work()

    assert sent == [ADA, f"back from {ADA}"]


async def test_a_taking_back_that_waits_for_a_person_goes_by_no_bound_and_cannot_be_changed() -> None:
    """The policy narrowed meanwhile; what was done is all the more to be taken back."""
    sent: list[str] = []

    async def once(run: Run) -> str:
        return str(await run.tool("mail", to=EVE, text="hi"))

    made = bench(once, mailing(sent), tools={"mail": ToolRule(recipient_arg="to")})
    task = await made.done()
    undo = made.app.operations.undo(made.effect(task.id).id, "dana")
    made.app.operations.decide(undo.id, EffectState.HELD, "lee")
    rule = ToolRule(recipient_arg="to", recipients=("*@inside.example",), per_day=1)
    made.agent.policy = made.agent.policy.model_copy(update={"tools": {"mail": rule}})
    queue = made.app.reviews.with_agents([made.agent])
    (line,) = queue.listing(ItemQuery())
    with pytest.raises(NotFitting, match="takes back"):
        queue.edit(line.item.id, "dana", {"to": ADA, "text": "hi"}, seen=line.seal)

    queue.approve(line.item.id, "dana", seen=line.seal)
    await made.work()

    assert sent == [EVE, f"back from {EVE}"]


async def test_what_a_taking_back_answers_is_no_result_of_its_tool() -> None:
    """Both go by one name; only one of them is held against the tool's shape."""

    async def unsend(arguments: dict[str, Any], result: dict[str, str]) -> list[str]:
        return [arguments["to"], result["receipt"]]

    @tool(effect="send", undo=unsend)
    async def mail(to: str) -> dict[str, str]:
        """Sends."""
        return {"receipt": to}

    async def once(run: Run) -> Any:
        return await run.tool("mail", to=str(run.input))

    made = bench(once, mail, tools={"mail": ToolRule(schema_learn=5)})
    done = [await made.done(f"{number}@example.com") for number in range(8)]
    for task in done:
        made.app.operations.undo(made.effect(task.id).id, "dana")
    await made.work()

    assert made.app.database.read_now(lambda tx: tx.rows("SELECT key FROM alerts")) == []
    rows = made.app.database.read_now(
        lambda tx: tx.rows("SELECT state FROM effects WHERE undo_of IS NOT NULL")
    )
    assert rows == [("done",)] * 8


async def test_a_call_whose_arguments_held_a_secret_is_not_changed_by_hand() -> None:
    """What people see of it is not what would be sent: their change would send the mark in the secret's place."""
    sent: list[str] = []

    async def tells(run: Run) -> str:
        return str(await run.tool("mail", to=EVE, text="the key is ghp_abcdefghijklmnopqrstuvwxyz0123456789"))

    made = bench(tells, mailing(sent), tools={"mail": ToolRule(approval="always")})
    task = made.submit()
    await made.work()
    item = made.waiting()
    shown = made.effect(task).arguments
    with pytest.raises(InputError, match="hold a secret"):
        made.app.reviews.edit(
            item.look.item.id, "dana", {**orjson.loads(shown), "to": ADA}, seen=item.look.seal
        )

    assert "[redacted:" in shown
    assert made.effect(task).state is EffectState.HELD
    made.app.reviews.approve(item.look.item.id, "dana", seen=item.look.seal)
    await made.work()
    assert sent == [EVE]  # As it stands it can be approved: the agent makes it again, with the secret.
