"""The journal's promises: keys that ignore order, intents before acts, and no act on another path."""

import asyncio
from collections.abc import Callable

import pytest

from airworthy.app.build import MIGRATIONS
from airworthy.core.clock import ManualClock
from airworthy.core.redact import Redactor
from airworthy.core.task import TaskRef
from airworthy.recorder import Diverged, Journal, Payloads, Recorded, StepFacts, StepState, read_steps
from airworthy.recorder.steps import supersede
from airworthy.store import Database, StaleFence, lease, migrate
from tests.database import memory

TASK = TaskRef("tsk_1", "support", "0" * 32)
Opened = Callable[..., Journal]


@pytest.fixture
def database() -> Database:
    database = memory()
    migrate(database, MIGRATIONS)
    return database


@pytest.fixture
def opened(database: Database) -> Opened:
    """Claims the task anew and opens its journal, as a worker does at each run."""
    clock = ManualClock()

    def open_journal(*, redactor: Redactor | None = None) -> Journal:
        clock.advance(1)
        fence = database.write_now(lambda tx: lease.take(tx, TASK.id, "wkr_1", clock.now_us()))
        return Journal(database, clock, Payloads(redactor), TASK, fence, 1, recorded(database))

    return open_journal


def recorded(database: Database) -> list[Recorded]:
    return database.read_now(lambda tx: read_steps(tx, TASK.id))


async def test_a_recorded_call_is_found_again_whatever_the_order(opened: Opened) -> None:
    first = opened()
    for name in ("a", "b"):
        await first.record(first.slot("step", name, b"[1]"), StepState.DONE, result=f'"{name}"'.encode())

    second = opened()
    found = [second.slot("step", name, b"[1]").recorded for name in ("b", "a")]

    assert [step.result for step in found if step is not None] == ["b", "a"]


async def test_identical_calls_are_told_apart_by_their_occurrence(opened: Opened) -> None:
    journal = opened()
    slots = [journal.slot("step", "poll", b"[]") for _ in range(3)]

    assert [slot.occurrence for slot in slots] == [0, 1, 2]
    assert len({slot.key for slot in slots}) == 3


@pytest.mark.parametrize(
    ("kind", "name", "arguments", "why"),
    [
        ("tool", "read", b'{"id":2}', "other arguments"),
        ("tool", "write", b'{"id":1}', "another name"),
        ("step", "read", b'{"id":1}', "another kind"),
    ],
)
async def test_another_call_has_another_key(
    opened: Opened, kind: str, name: str, arguments: bytes, why: str
) -> None:
    journal = opened()

    assert journal.slot("tool", "read", b'{"id":1}').key != journal.slot(kind, name, arguments).key, why


async def test_an_intent_is_on_record_before_its_result(opened: Opened, database: Database) -> None:
    journal = opened()
    slot = journal.slot("tool", "send", b"{}", effect="send")

    await journal.open(slot, StepState.STARTED)

    assert [step.state for step in recorded(database)] == [StepState.STARTED]


async def test_a_journal_that_lost_its_claim_records_nothing(opened: Opened, database: Database) -> None:
    old = opened()
    opened()

    with pytest.raises(StaleFence):
        await old.record(old.slot("step", "late", b"[]"), StepState.DONE, result=b"1")

    assert recorded(database) == []


async def test_a_claim_forgotten_and_taken_anew_does_not_fit_the_old_holder(
    opened: Opened, database: Database
) -> None:
    """A closed task forgets its claim; when it is opened again, a worker frozen since then must not fit by chance."""
    old = opened()
    database.write_now(lambda tx: lease.forget(tx, TASK.id))
    opened()

    with pytest.raises(StaleFence):
        await old.record(old.slot("step", "late", b"[]"), StepState.DONE, result=b"1")


async def acted(opened: Opened, name: str = "send") -> None:
    journal = opened()
    slot = journal.slot("tool", name, b"{}", effect="send")
    await journal.open(slot, StepState.STARTED)
    await journal.close(slot, StepState.DONE, result=b"true")


async def test_a_new_act_is_refused_while_an_earlier_one_has_not_been_met(opened: Opened) -> None:
    await acted(opened)
    resumed = opened()
    resumed.slot("tool", "other", b"{}", effect="send")
    resumed.enter()

    with pytest.raises(Diverged, match=r"send \(step 1\)"):
        await resumed.may_act()


async def test_a_new_act_waits_for_a_parallel_branch_to_meet_the_earlier_one(opened: Opened) -> None:
    await acted(opened)
    resumed = opened()

    async def slow_branch() -> None:
        resumed.enter()
        await asyncio.sleep(30)
        assert resumed.slot("tool", "send", b"{}", effect="send").recorded is not None
        resumed.leave()

    async def quick_branch() -> None:
        resumed.enter()
        await resumed.may_act()
        resumed.leave()

    await asyncio.gather(quick_branch(), slow_branch())

    resumed.check_all_met()


async def test_two_waiting_branches_do_not_wait_for_each_other_for_ever(opened: Opened) -> None:
    await acted(opened)
    resumed = opened()

    async def branch() -> None:
        resumed.enter()
        try:
            await resumed.may_act()
        finally:
            resumed.leave()

    results = await asyncio.gather(branch(), branch(), return_exceptions=True)

    assert all(isinstance(result, Diverged) for result in results)


async def test_a_run_that_ends_without_an_earlier_act_has_diverged(opened: Opened) -> None:
    await acted(opened)

    with pytest.raises(Diverged):
        opened().check_all_met()


async def test_a_superseded_step_is_history_and_answers_no_replay(opened: Opened, database: Database) -> None:
    journal = opened()
    await journal.record(journal.slot("step", "flaky", b"[]"), StepState.FAILED)
    database.write_now(lambda tx: supersede(tx, TASK.id, 1))

    resumed = opened()
    slot = resumed.slot("step", "flaky", b"[]")
    await resumed.record(slot, StepState.DONE, result=b"1")

    assert slot.recorded is None
    assert [step.state for step in recorded(database)] == [StepState.FAILED, StepState.DONE]


async def test_a_secret_is_taken_out_and_the_step_says_so(opened: Opened, database: Database) -> None:
    journal = opened(redactor=Redactor(["swordfish-42"]))
    await journal.record(journal.slot("step", "login", b"[]"), StepState.DONE, result=b'"swordfish-42"')

    (step,) = recorded(database)
    assert "swordfish" not in str(step.result)
    assert not step.exact


async def test_arguments_that_differ_only_in_a_secret_have_one_key(opened: Opened) -> None:
    """What replays is what was stored; a key made of the secret would never be met again."""
    journal = opened(redactor=Redactor(["swordfish-42"]))
    slot = journal.slot("tool", "login", b'{"password":"swordfish-42"}')

    assert b"swordfish" not in slot.arguments


async def test_facts_of_a_step_come_back_as_they_were(opened: Opened, database: Database) -> None:
    journal = opened()
    facts = StepFacts(3, "m-2026-01-01", 10, 20, 4_000, "order:1", 7, ({"wait_s": 1.5},))
    await journal.record(journal.slot("model", "chat", b"{}"), StepState.DONE, result=b"{}", facts=facts)

    assert recorded(database)[0].facts == facts


@pytest.mark.parametrize("size", [0, 10, 399, 400, 401, 100_000])
def test_payloads_come_back_byte_for_byte(size: int) -> None:
    payloads = Payloads()
    data = (b"0123456789" * (size // 10 + 1))[:size]

    assert payloads.unpack(payloads.pack(data)) == data
