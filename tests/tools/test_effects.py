"""An effect: its intent on disk, the act, its result. Never twice, never unseen, and in doubt rather than guessed."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from airworthy.core.halt import Halt, Lost, Stop, Suspend, TryLater
from airworthy.core.outcome import ErrorFact, Outcome, Reason, ReasonCode
from airworthy.policy import Limits, ToolRule
from airworthy.policy.kinds import Rate
from airworthy.recorder import Diverged, StepState
from airworthy.store import StaleFence
from airworthy.tools import (
    EffectState,
    Permanent,
    Tool,
    ToolFailed,
    ToolResultInvalid,
    ToolUnavailable,
    Transient,
    tool,
)
from tests.tools.kit import Kit, kit

MAYBE, NOT = Transient("lost"), Transient("refused", happened="no")
CALM = ToolRule(critical=False)


class Sent:
    """The other side: counts what reached it, honours keys, and fails as written, before or after the work."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.keys: list[str] = []

    def take(self, key: str) -> Any:
        self.keys.append(key)
        answer = self.answers.pop(0) if self.answers else "ok"
        if isinstance(answer, BaseException):
            raise answer
        return answer


def unkeyed(sent: Sent) -> Tool:
    @tool(effect="send")
    async def mail(to: str = "a") -> str:
        """Sends."""
        return sent.take("")  # type: ignore[no-any-return]

    return mail


def keyed(sent: Sent) -> Tool:
    @tool(effect="send", keyed=True)
    async def mail(to: str = "a", *, idempotency_key: str) -> str:
        """Sends."""
        return sent.take(idempotency_key)  # type: ignore[no-any-return]

    return mail


async def test_the_intent_is_on_disk_before_the_act_and_the_result_after_it() -> None:
    seen: list[Any] = []

    @tool(effect="write", keyed=True)
    async def save(idempotency_key: str) -> str:
        """Saves."""
        seen.append((k.steps()[0].state, k.effect().state, idempotency_key == k.effect().id))
        return "saved"

    k = kit(save)
    answer = await k.call(k.run(), save)
    again = await k.call(k.run(), save)

    assert answer == again == "saved"
    assert seen == [(StepState.STARTED, EffectState.STARTED, True)]
    assert (k.steps()[0].state, k.effect().state) == (StepState.DONE, EffectState.DONE)


TRIES = [
    (unkeyed, [NOT, "ok"], "ok", 2, "without a key, but it certainly did not happen"),
    (unkeyed, [MAYBE, "ok"], Stop, 1, "without a key it may have happened: never blindly again"),
    (unkeyed, [ConnectionRefusedError(), "ok"], "ok", 2, "nobody was there to hear it"),
    (unkeyed, [ConnectionResetError(), "ok"], Stop, 1, "it may have been heard"),
    (unkeyed, [TimeoutError()], Stop, 1, "no answer is no no"),
    (unkeyed, [ValueError("bug")], Stop, 1, "a bug may lie behind the act"),
    (unkeyed, [SystemExit(1)], Stop, 1, "whatever it raises"),
    (unkeyed, [KeyboardInterrupt()], Stop, 1, "whatever it raises"),
    (unkeyed, [asyncio.CancelledError()], Stop, 1, "whatever it raises"),
    (unkeyed, [Permanent("no such person")], ToolFailed, 1, "a plain no did not happen"),
    (unkeyed, [NOT, NOT, NOT], ToolUnavailable, 3, "refused to the end did not happen"),
    (unkeyed, [NOT, MAYBE], Stop, 2, "the last try decides"),
    (keyed, [MAYBE, MAYBE, "ok"], "ok", 3, "with a key the same call is the same effect"),
    (keyed, [TimeoutError(), "ok"], "ok", 2, "with a key"),
    (keyed, [MAYBE, MAYBE, MAYBE], Stop, 3, "with a key, but nobody ever said"),
    (keyed, [MAYBE, Permanent("no")], Stop, 2, "a no to the second try does not undo the first"),
    (keyed, [NOT, Permanent("no")], ToolFailed, 2, "no try can have happened"),
    (keyed, [7, "ok"], "ok", 2, "nonsense, then well"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "answers", "comes", "calls", "why"), TRIES)
async def test_an_effect_is_tried_again_only_where_that_cannot_do_it_twice(
    make: Callable[[Sent], Tool], answers: list[Any], comes: Any, calls: int, why: str
) -> None:
    sent = Sent(*answers)
    mail = make(sent)
    k = kit(mail, rules={"mail": CALM})

    if isinstance(comes, str):
        assert await k.call(k.run(), mail) == comes
    else:
        with pytest.raises(comes):
            await k.call(k.run(), mail)

    assert len(sent.keys) == calls, why
    assert len(set(sent.keys)) == 1
    state = {Stop: EffectState.IN_DOUBT, ToolFailed: EffectState.FAILED, ToolUnavailable: EffectState.FAILED}
    assert k.effect().state is (EffectState.DONE if isinstance(comes, str) else state[comes])


async def test_a_critical_effect_that_did_not_happen_is_tried_later_as_the_same_effect() -> None:
    sent = Sent(NOT, NOT, NOT, "ok")
    mail = keyed(sent)
    k = kit(mail)
    with pytest.raises(TryLater) as later:
        await k.call(k.run(), mail)
    k.database.write_now(
        lambda tx: tx.execute("UPDATE steps SET key = NULL WHERE seq = ?", (later.value.seq,))
    )

    answer = await k.call(k.run(), mail)

    assert answer == "ok"
    assert len(set(sent.keys)) == 1
    assert k.effect().state is EffectState.DONE


async def crashed(k: Kit, mail: Tool, started: asyncio.Event) -> None:
    """The worker dies between the act and its record: the call goes on nowhere, and a new claim fences it."""
    task = asyncio.create_task(k.call(k.run(), mail, to="a"))
    await started.wait()
    task.cancel()
    await asyncio.wait([task])


def lost(make_keyed: bool, started: asyncio.Event, acts: list[str]) -> Tool:
    async def mail_with_key(to: str, *, idempotency_key: str) -> str:
        """Sends."""
        return await send(idempotency_key)

    async def mail_without(to: str) -> str:
        """Sends."""
        return await send("")

    async def send(key: str) -> str:
        acts.append(key)
        if len(acts) == 1:
            started.set()
            await asyncio.sleep(1e5)
        return "ok"

    if make_keyed:
        return tool(effect="send", keyed=True, name="mail")(mail_with_key)
    return tool(effect="send", name="mail")(mail_without)


async def test_crash_between_act_and_record_sends_a_keyed_effect_again_with_the_same_key() -> None:
    started, acts = asyncio.Event(), list[str]()
    mail = lost(True, started, acts)
    k = kit(mail, rules={"mail": ToolRule(timeout_s=100)})
    await crashed(k, mail, started)

    answer = await k.call(k.run(), mail, to="a")

    assert answer == "ok"
    assert acts == [k.effect().id] * 2
    assert k.effect().state is EffectState.DONE


IN_DOUBT = Reason(code=ReasonCode.IN_DOUBT, text="another call is in doubt")
STOPPED = [
    (Stop(Outcome.ESCALATED, IN_DOUBT), "ok", "left out it would be in doubt too, and a person asked for nothing"),
    (Stop(Outcome.DECLINED, IN_DOUBT), "ok", "what was begun is done before the task is closed"),
    (Suspend("an answer"), "ok", "an answer may take longer than the key is honoured"),
    (TryLater(ErrorFact(type="Down", message="down"), 9), "ok", "another dependency is down"),
    (Suspend("somebody", paused=True), Suspend, "people switched it off; it goes on when they switch it on"),
    (Stop(Outcome.CANCELLED, IN_DOUBT), Stop, "people said that it must not happen, and it may not have yet"),
    (Lost(ValueError("taken over")), Lost, "another worker is at it"),
]  # fmt: skip


@pytest.mark.parametrize(("halt", "comes", "why"), STOPPED)
async def test_what_was_begun_under_a_key_goes_on_beside_what_ends_its_run_unless_people_stop_it(
    halt: Halt, comes: Any, why: str
) -> None:
    started, acts = asyncio.Event(), list[str]()
    mail = lost(True, started, acts)
    k = kit(mail, rules={"mail": ToolRule(timeout_s=100)})
    await crashed(k, mail, started)
    run = k.run()
    run.gate.stopping(halt)  # type: ignore[attr-defined]  # the port leaves out what only the run itself does
    if comes == "ok":
        assert await k.call(run, mail, to="a") == comes, why
    else:
        with pytest.raises(comes):
            await k.call(run, mail, to="a")

    assert k.effect().state is (EffectState.DONE if comes == "ok" else EffectState.STARTED)
    assert len(acts) == (2 if comes == "ok" else 1), why
    with pytest.raises(type(halt)):  # A new call meets the halt, whatever it is.
        await k.call(run, mail, to="b")


async def in_doubt(answers: list[Any] | None = None) -> tuple[Kit, Tool, list[str]]:
    started, acts = asyncio.Event(), list[str]()
    mail = lost(False, started, acts)
    k = kit(mail, rules={"mail": ToolRule(timeout_s=100)})
    await crashed(k, mail, started)
    with pytest.raises(Stop) as stopped:
        await k.call(k.run(), mail, to="a")
    assert stopped.value.outcome is Outcome.ESCALATED
    assert stopped.value.reason.code is ReasonCode.IN_DOUBT
    assert stopped.value.reason.evidence["effect"] == k.effect().id
    return k, mail, acts


async def test_crash_between_act_and_record_leaves_an_unkeyed_effect_in_doubt_and_never_repeats_it() -> None:
    k, mail, acts = await in_doubt()
    for _ in range(3):
        with pytest.raises(Stop):
            await k.call(k.run(), mail, to="a")

    assert len(acts) == 1
    assert k.effect().state is EffectState.IN_DOUBT
    assert k.steps()[0].state is StepState.IN_DOUBT


SETTLED = [
    (EffectState.DONE, None, None, "it happened; nothing came back"),
    (EffectState.DONE, '{"id": 7}', {"id": 7}, "it happened; the person read the result off the other side"),
    (EffectState.DONE, '"they got it"', "they got it", "it happened, in words"),
    (EffectState.FAILED, None, ToolFailed, "it did not happen"),
    (EffectState.APPROVED, None, "ok", "do it again"),
]


@pytest.mark.parametrize(("to", "result", "comes", "why"), SETTLED)
async def test_a_person_settles_a_doubt_once_and_every_replay_says_the_same(
    to: EffectState, result: str | None, comes: Any, why: str
) -> None:
    k, mail, acts = await in_doubt()
    k.decide(k.effect().id, to, "a word for the record", result=result)

    for _ in range(2):
        if isinstance(comes, type):
            with pytest.raises(comes):
                await k.call(k.run(), mail, to="a")
        else:
            assert await k.call(k.run(), mail, to="a") == comes, why

    assert len(acts) == (2 if to is EffectState.APPROVED else 1)
    assert k.effect().state is (EffectState.DONE if to is EffectState.APPROVED else to)


async def test_a_worker_that_was_given_up_for_dead_can_record_nothing_and_begin_nothing() -> None:
    sent = Sent()
    mail = keyed(sent)
    k = kit(mail)
    frozen = k.run()
    k.run()

    with pytest.raises(StaleFence):
        await k.call(frozen, mail)

    assert sent.keys == []
    assert k.effects() == []


async def test_an_act_that_returned_what_cannot_be_kept_is_done_and_is_not_done_again() -> None:
    sent = Sent("x" * 500)
    mail = unkeyed(sent)
    k = kit(mail, rules={"mail": ToolRule(result_bytes_max=100)})

    for _ in range(2):
        with pytest.raises(ToolResultInvalid):
            await k.call(k.run(), mail)

    assert len(sent.keys) == 1
    assert k.effect().state is EffectState.DONE


async def test_a_sync_effect_past_its_timeout_is_in_doubt_because_its_thread_may_still_act() -> None:
    release = threading.Event()

    @tool(effect="send")
    def mail() -> str:
        """Hangs."""
        release.wait()
        return "ok"

    k = kit(mail, rules={"mail": ToolRule(timeout_s=1)})
    with pytest.raises(Stop) as stopped:
        await k.call(k.run(), mail)
    release.set()

    assert stopped.value.reason.code is ReasonCode.IN_DOUBT
    assert k.effect().state is EffectState.IN_DOUBT


async def test_a_call_that_came_too_late_to_be_made_is_no_doubt() -> None:
    sent = Sent()
    mail = unkeyed(sent)
    k = kit(
        mail,
        rules={"mail": ToolRule(rate=Rate(calls=1, per_s=3600.0), critical=False)},
        limits=Limits(identical_calls=9),
    )
    run = k.run()
    await k.call(run, mail)

    with pytest.raises(ToolUnavailable, match="TooFast"):
        await k.call(run, mail)

    assert [row.state for row in k.effects()] == [EffectState.DONE, EffectState.FAILED]


async def test_a_run_on_another_path_acts_no_more() -> None:
    sent = Sent()
    mail = keyed(sent)
    k = kit(mail)
    await k.call(k.run(), mail, to="a")

    run = k.run()
    with pytest.raises(Diverged, match="mail"):
        await k.call(run, mail, to="b")

    assert len(sent.keys) == 1


async def test_parallel_effects_replay_in_any_order_and_a_new_one_waits_until_all_are_met() -> None:
    sent = Sent()
    mail = keyed(sent)
    k = kit(mail)
    run = k.run()
    await asyncio.gather(*(k.call(run, mail, to=to) for to in "abc"))

    run = k.run()
    answers = await asyncio.gather(*(k.call(run, mail, to=to) for to in "dcab"))

    assert answers == ["ok"] * 4
    assert len(sent.keys) == len(set(sent.keys)) == 4


@pytest.mark.parametrize("rehearsed", [True, False])
async def test_a_dry_run_records_everything_and_acts_on_nothing(rehearsed: bool) -> None:
    sent = Sent()

    def as_if(to: str) -> str:
        return f"would send to {to}"

    @tool(effect="send", rehearse=as_if if rehearsed else None)
    async def mail(to: str) -> str:
        """Sends."""
        return sent.take("")  # type: ignore[no-any-return]

    k = kit(mail, rules={"mail": ToolRule(dry_run=True, approval="always", delay_s=60, per_day=1)})
    first = await k.call(k.run(), mail, to="a")
    again = await k.call(k.run(), mail, to="a")

    assert first == again == ("would send to a" if rehearsed else {"dry_run": True, "tool": "mail"})
    assert sent.keys == []
    assert k.effect().state is EffectState.REHEARSED


async def test_a_dry_run_counts_against_no_cap() -> None:
    mail = unkeyed(Sent())
    k = kit(mail, rules={"mail": ToolRule(dry_run=True, per_day=1)})
    for number in range(5):
        await k.call(k.run(f"tsk_{number}"), mail)

    assert all(k.effect(f"tsk_{number}").state is EffectState.REHEARSED for number in range(5))


async def test_a_keyed_effect_whose_result_is_unknown_is_made_again_later_with_its_key() -> None:
    """Giving it to a person would ask what the other side can be asked: whether it knows the key."""
    acts: list[str] = []

    @tool(effect="send", keyed=True)
    async def mail(to: str, *, idempotency_key: str) -> str:
        """Sends."""
        acts.append(idempotency_key)
        if len(acts) <= 3:
            raise Transient("no answer")
        return "ok"

    k = kit(mail)
    with pytest.raises(TryLater):
        await k.call(k.run(), mail, to="a")
    assert k.steps()[0].state is StepState.STARTED

    assert await k.call(k.run(), mail, to="a") == "ok"
    assert len(set(acts)) == 1
    assert k.effect().state is EffectState.DONE
