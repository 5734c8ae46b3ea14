"""A done effect is taken back at most once, by an effect of its own; whatever happens on the way, a person is told."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from airworthy.policy import ToolRule
from airworthy.runtime import Run, State
from airworthy.store import lease as leases
from airworthy.tools import (
    EffectState,
    Permanent,
    Tool,
    ToolDefinitionError,
    Transient,
    TransitionRefused,
    tool,
)
from tests.runtime.kit import Bench, bench

Answer = Callable[[], Any]


def paying(log: list[Any], *, keyed: bool = True, answer: Answer = lambda: "back") -> Tool:
    """`log` gets what was paid and what was taken back, with the key of each."""

    async def keyed_undo(arguments: dict[str, Any], result: dict[str, str], *, idempotency_key: str) -> str:
        return await take_back(arguments, result, idempotency_key)

    async def unkeyed_undo(arguments: dict[str, Any], result: dict[str, str]) -> str:
        return await take_back(arguments, result, "")

    async def take_back(arguments: dict[str, Any], result: dict[str, str], key: str) -> str:
        log.append(("back", arguments["to"], result["receipt"], key))
        answered = answer()
        if asyncio.iscoroutine(answered):
            await answered
        return "back"

    @tool(effect="send", keyed=True, undo=keyed_undo if keyed else unkeyed_undo)
    async def pay(to: str, amount: float = 5, *, idempotency_key: str) -> dict[str, str]:
        """Pays."""
        log.append(("paid", to, idempotency_key))
        return {"receipt": f"R-{to}"}

    return pay


async def handle(run: Run) -> str:
    await run.tool("pay", to=run.input)
    return "done"


async def paid(b: Bench, to: str = "ada") -> str:
    """The id of a payment that was made."""
    return b.effect((await b.done(to)).id).id


def states(b: Bench, effect_id: str) -> list[EffectState]:
    return [row.state for row in b.app.operations.effects(b.app.operations.effect(effect_id).task_id)]


async def test_it_is_taken_back_once_with_its_arguments_its_result_and_a_key_of_its_own() -> None:
    log: list[Any] = []
    b = bench(handle, paying(log))
    effect = await paid(b)
    undo = b.app.operations.undo(effect, "dana", "wrong person")
    await b.work()

    assert log == [("paid", "ada", effect), ("back", "ada", "R-ada", undo.id)]
    assert states(b, effect) == [EffectState.UNDONE, EffectState.DONE]
    found = b.app.operations.effect(undo.id)
    assert (found.undo_of, found.decided_by, found.result) == (effect, "dana", '"back"')


async def test_what_was_sent_from_the_outbox_is_taken_back_too() -> None:
    log: list[Any] = []
    b = bench(handle, paying(log), tools={"pay": ToolRule(delay_s=5)})
    task = await b.done("ada")
    effect = b.effect(task.id).id
    await asyncio.sleep(6)
    await b.work()
    b.app.operations.undo(effect, "dana")
    await b.work()

    assert [entry[:2] for entry in log] == [("paid", "ada"), ("back", "ada")]
    assert states(b, effect) == [EffectState.UNDONE, EffectState.DONE]


async def test_asked_twice_it_is_refused_before_while_and_after_it_is_taken_back() -> None:
    log: list[Any] = []
    b = bench(handle, paying(log))
    effect = await paid(b)
    undo = b.app.operations.undo(effect, "dana")
    with pytest.raises(TransitionRefused, match=f"is being taken back already.*{undo.id} is scheduled"):
        b.app.operations.undo(effect, "eli")
    await b.work()
    with pytest.raises(TransitionRefused, match="has been taken back already"):
        b.app.operations.undo(effect, "eli")
    with pytest.raises(TransitionRefused, match="cannot be taken back itself"):
        b.app.operations.undo(undo.id, "eli")

    assert len(log) == 2


async def test_a_tool_without_an_undo_is_told_of_before_anything_is_tried() -> None:
    @tool(effect="send")
    async def pay(to: str) -> str:
        """Pays."""
        return "ok"

    b = bench(handle, pay)
    effect = await paid(b)

    with pytest.raises(TransitionRefused, match="its tool declares no undo"):
        b.app.operations.undo(effect, "dana")
    assert states(b, effect) == [EffectState.DONE]


NOT_DONE = [state for state in EffectState if state not in (EffectState.DONE, EffectState.UNDONE)]


@pytest.mark.parametrize("state", NOT_DONE)
async def test_only_what_was_done_is_taken_back(state: EffectState) -> None:
    b = bench(handle, paying([]))
    effect = await paid(b)
    b.app.database.write_now(lambda tx: tx.execute("UPDATE effects SET state = ?", (state,)))

    with pytest.raises(TransitionRefused, match="only what was done can be taken back"):
        b.app.operations.undo(effect, "dana")
    assert states(b, effect) == [state]


async def test_cancelled_before_it_begins_it_stands_and_may_be_asked_for_again() -> None:
    log: list[Any] = []
    b = bench(handle, paying(log))
    effect = await paid(b)
    first = b.app.operations.undo(effect, "dana")
    b.app.operations.decide(first.id, EffectState.CANCELLED, "dana")
    await b.work()
    assert states(b, effect) == [EffectState.DONE, EffectState.CANCELLED]

    second = b.app.operations.undo(effect, "dana")
    await b.work()

    assert [entry[-1] for entry in log if entry[0] == "back"] == [second.id]
    assert second.id != first.id
    assert b.app.operations.effect(effect).state is EffectState.UNDONE


FAILURES = [
    (Permanent("too late"), EffectState.FAILED, EffectState.DONE, "it did not happen, so the payment stands"),
    (Transient("lost"), EffectState.IN_DOUBT, EffectState.DONE, "nobody knows, so a person looks"),
    (ValueError("bug"), EffectState.IN_DOUBT, EffectState.DONE, "a bug may lie behind the act"),
]


@pytest.mark.parametrize(("error", "state", "of_payment", "why"), FAILURES)
async def test_an_undo_that_fails_says_whether_it_may_have_happened(
    error: Exception, state: EffectState, of_payment: EffectState, why: str
) -> None:
    def fail() -> Any:
        raise error

    b = bench(handle, paying([], keyed=False, answer=fail))
    effect = await paid(b)
    b.app.operations.undo(effect, "dana")
    await b.work()

    assert states(b, effect) == [of_payment, state], why


@pytest.mark.parametrize(
    ("to", "of_payment"), [(EffectState.DONE, EffectState.UNDONE), (EffectState.FAILED, EffectState.DONE)]
)
async def test_an_undo_in_doubt_is_settled_by_a_person(to: EffectState, of_payment: EffectState) -> None:
    def lose() -> Any:
        raise Transient("lost")

    b = bench(handle, paying([], keyed=False, answer=lose))
    effect = await paid(b)
    undo = b.app.operations.undo(effect, "dana")
    await b.work()
    b.app.operations.decide(undo.id, to, "eli")

    assert b.app.operations.effect(effect).state is of_payment


@pytest.mark.parametrize("keyed", [True, False])
async def test_crash_while_taking_back_is_repeated_under_its_key_or_left_in_doubt(keyed: bool) -> None:
    log: list[Any] = []
    b = bench(
        handle,
        paying(log, keyed=keyed, answer=lambda: asyncio.sleep(1e6 if len(log) == 2 else 0)),
        tools={"pay": ToolRule(timeout_s=100)},
    )
    effect = await paid(b)
    undo = b.app.operations.undo(effect, "dana")
    dying = b.worker()
    running = asyncio.create_task(dying.run())
    while len(log) < 2:
        await asyncio.sleep(0.1)
    for task in [
        running,
        *dying._sending._under_way.values(),
    ]:  # As a killed process leaves it: nothing is recorded any more.
        task.cancel()
    await asyncio.gather(running, return_exceptions=True)
    b.app.database.write_now(lambda tx: leases.leave(tx, "wkr_2"))
    await b.work()

    again = [entry[-1] for entry in log if entry[0] == "back"]
    if keyed:
        assert again == [undo.id] * 2
        assert states(b, effect) == [EffectState.UNDONE, EffectState.DONE]
    else:
        assert again == [""]
        assert states(b, effect) == [EffectState.DONE, EffectState.IN_DOUBT]


async def test_two_workers_take_it_back_once() -> None:
    log: list[Any] = []
    b = bench(handle, paying(log))
    effect = await paid(b)
    b.app.operations.undo(effect, "dana")
    await asyncio.gather(b.work(), b.work())

    assert len(log) == 2


async def test_what_was_taken_back_still_counts_against_the_cap_and_the_undo_does_not() -> None:
    log: list[Any] = []
    b = bench(handle, paying(log), tools={"pay": ToolRule(per_day=2, critical=False)})
    effect = await paid(b)
    b.app.operations.undo(effect, "dana")
    await b.work()
    second, third = await b.done("bob"), await b.done("cora")

    assert second.state is State.ANSWERED
    assert third.state is State.ESCALATED
    assert "used 2 times" in (third.why.text if third.why else "")


async def test_the_end_of_its_task_does_not_end_what_a_person_asked_for() -> None:
    log: list[Any] = []

    @tool(effect="write")
    async def note(text: str) -> str:
        """Notes."""
        return text

    async def wait(run: Run) -> str:
        await run.tool("pay", to=run.input)
        await run.tool("note", text="and waits")
        return "done"

    b = bench(wait, paying(log), note, tools={"note": ToolRule(approval="always")})
    task = await b.done("ada")
    effect = b.app.operations.effects(task.id)[0].id
    b.app.operations.undo(effect, "dana")
    b.app.operations.cancel(task.id, "dana")
    await b.work()

    assert b.task(task.id).state is State.CANCELLED
    assert sorted(states(b, effect)) == [EffectState.CANCELLED, EffectState.DONE, EffectState.UNDONE]


async def test_code_that_can_take_it_back_no_more_and_a_policy_that_only_rehearses_leave_it_to_a_person() -> (
    None
):
    log: list[Any] = []
    b = bench(handle, paying(log))
    effect = await paid(b)
    b.app.operations.undo(effect, "dana")

    @tool(effect="send")
    async def pay(to: str) -> str:
        """Pays."""
        return "ok"

    without = bench(handle, pay, database=b.app.database)
    await without.work()
    assert states(b, effect) == [EffectState.DONE, EffectState.HELD]
    (_, undo) = b.app.operations.effects(b.app.operations.effect(effect).task_id)
    assert "can take this back any more" in (undo.note or "")

    rehearsing = bench(handle, paying(log), database=b.app.database, tools={"pay": ToolRule(dry_run=True)})
    b.app.operations.decide(undo.id, EffectState.APPROVED, "eli")
    await rehearsing.work()
    assert states(b, effect) == [EffectState.DONE, EffectState.HELD]

    b.app.operations.decide(undo.id, EffectState.APPROVED, "eli")
    await b.work()
    assert states(b, effect) == [EffectState.UNDONE, EffectState.DONE]
    assert len(log) == 2


async def test_what_held_a_secret_cannot_be_taken_back_because_the_secret_is_not_kept() -> None:
    token = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
    b = bench(handle, paying([]))
    effect = await paid(b, token)

    with pytest.raises(TransitionRefused, match="held a secret"):
        b.app.operations.undo(effect, "dana")


async def test_a_taking_back_is_shown_with_what_it_takes_back() -> None:
    b = bench(handle, paying([]))
    effect = await paid(b)
    undo = b.app.operations.undo(effect, "dana")

    assert json.loads(undo.arguments) == {
        "arguments": {"amount": 5.0, "to": "ada"}, "result": {"receipt": "R-ada"},
    }  # fmt: skip


def reads(arguments: Any, result: Any) -> None: ...


def wrong(order: str) -> None: ...


@pytest.mark.parametrize(
    ("effect", "undo", "says"),
    [("read", reads, "only reads"), ("send", wrong, "takes order"), ("send", lambda: None, "takes nothing")],
)
def test_an_undo_that_could_not_work_is_an_error_at_once(effect: Any, undo: Any, says: str) -> None:
    with pytest.raises(ToolDefinitionError, match=says):

        @tool(effect=effect, undo=undo)
        def pay(order: str) -> str:
            """Pays."""
            return order
