"""Other programs are told what happened: signed, at least once, in order, never in a task's way, and nothing erased."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airworthy.app import events as telling
from airworthy.app import privacy
from airworthy.app.events import sent_again
from airworthy.recorder import events
from airworthy.review import Kind
from airworthy.runtime import Run
from airworthy.runtime.chores import Chore
from airworthy.tools import EffectState, tool
from tests.review.event_kit import ALL_CLOSED, Hooked, hooked, people_of, verified
from tests.review.kit import SECRET, answer, receiving
from tests.runtime.kit import bench
from tests.virtual import wait_external

SECRET_KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH"


async def _agent(run: Run) -> str:
    text = str(run.input)
    if text.startswith("escalate"):
        run.escalate("It is beyond me.")
    return f"You said {text}."


def _ids(seen: Any) -> list[str]:
    return [each.headers["webhook-id"] for each in seen]


def _tasks(seen: Any) -> list[str]:
    return [each.json["data"]["task"]["id"] for each in seen]


@pytest.mark.slow
async def test_a_closed_task_is_told_with_its_facts_and_without_what_was_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow: the first to carry loads the HTTP client."""
    (tmp_path / "console.toml").write_text('public_url = "https://console.example"\n')
    async with receiving() as receiver:
        made = await hooked(tmp_path, receiver, monkeypatch, _agent)
        task = await made.bench.done("marmalade", session="s-1", user="u-1", feature="status")
        await made.round()

    (seen,) = receiver.seen
    document = verified(seen)
    assert document["type"] == "task.closed"
    data = document["data"]
    assert data["task"] == {
        "id": task.id, "agent": "support", "trace_id": task.trace_id, "session": "s-1", "user": "u-1",
        "feature": "status", "policy_hash": task.policy_hash, "created": data["task"]["created"],
        "url": f"https://console.example/api/v1/tasks/{task.id}",
        "page": f"https://console.example/traces/{task.id}",
    }  # fmt: skip
    assert (data["outcome"], data["reason"]["code"], data["subscription"]) == ("answered", "done", "closed")
    assert data["cost_usd"] == 0.0
    assert {"steps", "tokens", "duration_s", "active_s", "closed"} <= set(data)
    assert b"marmalade" not in seen.body
    assert seen.headers["webhook-id"].startswith("evt_")
    assert (made.standing().sent, made.rows()) == (1, [])


async def test_full_content_is_without_secrets_and_personal_data_that_rules_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "recorder.toml").write_text('[redact]\nemail = "redact"\n')
    async with receiving() as receiver:
        made = await hooked(
            tmp_path, receiver, monkeypatch, _agent, declared=f'{ALL_CLOSED}content = "full"\n'
        )
        await made.bench.done(f"ada@example.com has {SECRET_KEY} and marmalade")
        await made.round()

    (seen,) = receiver.seen
    assert "marmalade" in seen.json["data"]["input"]
    assert "marmalade" in seen.json["data"]["answer"]
    assert seen.json["data"]["left_out"] == []
    assert b"ada@example.com" not in seen.body
    assert SECRET_KEY.encode() not in seen.body


async def test_what_is_too_long_for_a_message_is_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "CONTENT_BYTES_MAX", 98)
    async with receiving() as receiver:
        made = await hooked(
            tmp_path, receiver, monkeypatch, _agent, declared=f'{ALL_CLOSED}content = "full"\n'
        )
        await made.bench.done("The teapot is broken. " * 4)
        await made.round()

    data = receiver.seen[0].json["data"]
    assert (data["input"], data["answer"], data["left_out"]) == (
        "The teapot is broken. " * 4,
        None,
        ["answer"],
    )


async def test_only_what_was_asked_for_is_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = f"""{ALL_CLOSED}outcomes = ["escalated", "dead_lettered"]
[events.others]
channel = "hook"
on = ["task.closed"]
agents = ["another"]
"""
    async with receiving() as receiver:
        made = await hooked(tmp_path, receiver, monkeypatch, _agent, declared=declared)
        await made.bench.done("hello")
        assert made.rows() == []
        task = await made.bench.done("escalate")
        assert [row.subscription for row in made.rows()] == ["closed"]
        await made.round()

    assert _tasks(receiver.seen) == [task.id]
    assert receiver.seen[0].json["data"]["outcome"] == "escalated"
    assert "beyond me" in receiver.seen[0].json["data"]["reason"]["text"]


async def test_without_a_subscription_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving() as receiver:
        made = await hooked(tmp_path, receiver, monkeypatch, _agent, declared="")
        await made.bench.done()
        await made.round()

    assert made.chores == []
    assert made.rows() == []
    assert receiver.seen == []


async def test_a_rehearsal_and_a_fork_are_told_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving() as receiver:
        made = await hooked(tmp_path, receiver, monkeypatch, _agent)
        await made.bench.done()
        (row,) = made.rows()

        def noted(tx: Any) -> None:
            tx.execute("UPDATE traces SET mode = 'fork'")
            events.note(tx, events.Event("task.closed", row.task_id, row.agent, "9", row.at_us, "answered"))

        made.bench.app.database.write_now(noted)

    assert len(made.rows()) == 1


async def test_a_task_that_ends_twice_is_told_twice_in_order_and_as_each_end_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving() as receiver:
        made = await hooked(tmp_path, receiver, monkeypatch, _agent)
        task = await made.bench.done("escalate")
        look = made.bench.waiting(Kind.ESCALATION).look
        made.bench.app.reviews.reopen(look.item.id, "dana", "Once more.", seen=look.seal)
        await made.bench.work()
        await made.round()
        await made.round()

    assert _tasks(receiver.seen) == [task.id, task.id]
    assert len(set(_ids(receiver.seen))) == 2
    assert [seen.json["data"]["outcome"] for seen in receiver.seen] == ["escalated", "escalated"]


async def test_a_receiver_that_fails_gets_the_same_id_again_and_holds_up_no_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving(answer(500, "no")) as receiver:
        made = await hooked(tmp_path, receiver, monkeypatch, _agent)
        task = await made.bench.done()
        assert task.outcome is not None
        await made.round()
        assert (made.standing().failures, made.standing().waiting) == (1, 1)
        await made.round()  # Not before the wait is over.
        assert len(receiver.seen) == 1
        await asyncio.sleep(6)
        await made.round()

    first, second = receiver.seen
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    assert verified(first) == verified(second)
    assert (made.standing().failures, made.standing().sent) == (0, 1)


async def test_a_receiver_that_asks_for_time_is_given_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving(answer(429, "slow", retry_after="120")) as receiver:
        made = await hooked(tmp_path, receiver, monkeypatch, _agent)
        await made.bench.done()
        await made.round()
        await asyncio.sleep(110)
        await made.round()
        assert len(receiver.seen) == 1
        await asyncio.sleep(11)
        await made.round()

    assert len(receiver.seen) == 2


@pytest.mark.slow
async def test_one_that_always_fails_is_given_up_visibly_and_the_others_arrive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow: twenty tasks, and each attempt a connection."""
    async with receiving() as receiver:
        made = await hooked(tmp_path, receiver, monkeypatch, _agent)
        poison = await made.bench.done("poison")
        fine = [(await made.bench.done(str(number))).id for number in range(20)]
        receiver.judge = lambda seen: answer(500) if poison.id.encode() in seen.body else None
        for _ in range(3):
            await made.round()
            await asyncio.sleep(6)
        assert set(fine) <= set(_tasks(receiver.seen))
        assert made.alerts() == []
        await asyncio.sleep(3_600)
        await made.round()

    (row,) = made.rows()
    assert (row.task_id, row.state) == (poison.id, "failed")
    assert made.alerts() == ["events:closed:failed"]
    assert (made.standing().sent, made.standing().failed) == (20, 1)
    assert sent_again(made.bench.app.database, made.bench.app.clock.now_us(), row.id[:10], "") == 1
    assert made.alerts() == []


async def test_a_receiver_that_fails_for_long_is_an_alert_until_it_works_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving(*[answer(503)] * 3) as receiver:
        made = await hooked(tmp_path, receiver, monkeypatch, _agent)
        await made.bench.done()
        for _ in range(3):
            await made.round()
            await asyncio.sleep(30)
        assert made.alerts() == ["events:closed:failing"]
        await made.round()

    assert made.alerts() == []
    assert made.standing().sent == 1


@pytest.mark.parametrize("act", ["hang", "close", "trickle"])
async def test_a_receiver_that_hangs_breaks_off_or_drips_costs_its_time_and_no_more(
    act: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving(act) as receiver:
        made = await hooked(tmp_path, receiver, monkeypatch, _agent)
        await made.bench.done()
        # The office bounds itself by the clock of the loop, so no turn of it waits for the outside here.
        await asyncio.wait_for(made.chores[0].run(made.bench.app.clock.now_us()), 60)
        assert made.standing().failures == 1
        await asyncio.sleep(10)
        await made.round()

    assert len(set(_ids(receiver.seen))) == 1
    assert made.standing().sent == 1


async def test_a_refusal_is_an_event_that_failed_and_the_next_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airworthy.review.event_office.AT_ONCE", 1)
    async with receiving(answer(422, "which task?")) as receiver:
        made = await hooked(tmp_path, receiver, monkeypatch, _agent)
        first, second = [await made.bench.done(str(number)) for number in range(2)]
        await made.round()

    assert _tasks(receiver.seen) == [first.id, second.id]
    (row,) = made.rows()
    assert (row.task_id, row.state) == (first.id, "failed")
    assert "422" in row.error


async def test_a_receiver_that_is_gone_is_left_alone_until_a_person_says_so_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving(answer(410)) as receiver:
        made = await hooked(tmp_path, receiver, monkeypatch, _agent)
        first = await made.bench.done()
        await made.round()
        second = await made.bench.done("again")
        await asyncio.sleep(7200)
        await made.round()
        assert len(receiver.seen) == 1
        assert made.standing().stopped_us is not None
        assert made.alerts() == ["events:closed:stopped"]

        assert sent_again(made.bench.app.database, made.bench.app.clock.now_us(), "", "closed") == 2
        await made.round()

    assert sorted(_tasks(receiver.seen[1:])) == sorted([first.id, second.id])
    assert made.alerts() == []


async def test_a_crash_between_the_close_and_the_delivery_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The closing transaction is all there is; a worker that begins later finds what it wrote."""
    async with receiving() as receiver:
        made = await hooked(tmp_path, receiver, monkeypatch, _agent)
        task = await made.bench.done()
        assert receiver.seen == []
        successor = made.another()
        await successor.round()

    assert _tasks(receiver.seen) == [task.id]


async def test_a_crash_between_the_answer_and_the_mark_sends_the_same_event_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: Any, **__: Any) -> None:
        raise KeyError("killed here")

    async with receiving() as receiver:
        made = await hooked(tmp_path, receiver, monkeypatch, _agent)
        await made.bench.done()
        with monkeypatch.context() as patched:
            patched.setattr(events, "sent", crash)
            with pytest.raises(KeyError):
                await made.round()
        await made.another().round()

    assert len(receiver.seen) == 2
    assert len(set(_ids(receiver.seen))) == 1
    assert made.standing().sent == 1


async def test_two_workers_at_once_lose_nothing_and_count_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker does a chore; where a frozen one comes back beside its heir, ids let the receiver drop repeats."""
    async with receiving() as receiver:
        made = await hooked(tmp_path, receiver, monkeypatch, _agent)
        tasks = [(await made.bench.done(str(number))).id for number in range(5)]
        other = made.another()
        await wait_external(_both(made, other))

    assert set(_tasks(receiver.seen)) == set(tasks)
    assert len(set(_ids(receiver.seen))) == 5
    assert made.standing().sent == 5
    assert made.rows() == []


async def _both(one: Hooked, other: Hooked) -> None:
    now_us = one.bench.app.clock.now_us()
    await asyncio.gather(one.chores[0].run(now_us), other.chores[0].run(now_us))


async def test_of_a_user_who_was_erased_meanwhile_the_outcome_alone_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving() as receiver:
        made = await hooked(
            tmp_path, receiver, monkeypatch, _agent, declared=f'{ALL_CLOSED}content = "full"\n'
        )
        await made.bench.done("marmalade", user="ada-lovelace", session="of-ada")
        privacy.erased(made.bench.app, "ada-lovelace", "dana")
        await made.round()

    (seen,) = receiver.seen
    data = verified(seen)["data"]
    assert (data["outcome"], data["reason"]["code"]) == ("answered", "done")
    assert (data["task"]["user"], data["task"]["session"]) == (None, None)
    assert (data["input"], data["answer"], data["reason"]["text"]) == (None, None, None)
    assert b"lovelace" not in seen.body
    assert b"of-ada" not in seen.body
    assert b"marmalade" not in seen.body


async def test_of_a_task_that_is_gone_nothing_is_told_and_the_others_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving() as receiver:
        made = await hooked(tmp_path, receiver, monkeypatch, _agent)
        first, second = [await made.bench.done(str(number)) for number in range(2)]
        made.bench.app.database.write_now(
            lambda tx: tx.execute("DELETE FROM tasks WHERE id = ?", (first.id,))
        )
        await made.round()

    assert _tasks(receiver.seen) == [second.id]
    assert (made.standing().sent, made.standing().dropped) == (1, 1)


async def test_what_is_damaged_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as receiver:
        made = await hooked(tmp_path, receiver, monkeypatch, _agent)
        first, second = [await made.bench.done(str(number)) for number in range(2)]
        made.bench.app.database.write_now(
            lambda tx: tx.execute("UPDATE payloads SET body = ? WHERE task_id = ?", (b"\x00{", first.id))
        )
        await made.round()

    assert _tasks(receiver.seen) == [second.id]
    assert [(row.task_id, row.state) for row in made.rows()] == [(first.id, "failed")]


@pytest.mark.slow
async def test_the_backlog_is_bounded_the_oldest_go_and_people_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow: several workers, one after the other."""
    monkeypatch.setattr(events, "WAITING_MAX", 3)
    async with receiving() as receiver:
        made = await hooked(tmp_path, receiver, monkeypatch, _agent)
        tasks = [(await made.bench.done(str(number))).id for number in range(3)]
        await made.bench.done("one too many")
        assert len(made.rows()) == 4
        await made.round()

    assert set(_tasks(receiver.seen)).isdisjoint(tasks[:1])
    assert (made.standing().sent, made.standing().dropped) == (3, 1)
    assert made.alerts() == ["events:closed:dropped"]


async def test_what_is_asked_for_no_more_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving(answer(410)) as receiver:
        made = await hooked(tmp_path, receiver, monkeypatch, _agent)
        await made.bench.done()
        await made.round()
        assert made.alerts() == ["events:closed:stopped"]
        made.bench.app.reviews.people = people_of(tmp_path, "")
        made.another()
        await made.bench.done("nobody asks")

    assert made.rows() == []
    assert made.bench.app.database.read_now(events.standings) == []
    assert made.alerts() == []


async def test_a_call_that_waits_is_told_and_the_decision_and_what_became_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @tool(effect="send")
    async def mail(to: str) -> str:
        """Mails."""
        return "sent"

    async def agent(run: Run) -> str:
        return str(await run.tool("mail", to="ada"))

    declared = """
[events.all]
channel = "hook"
on = ["task.closed", "review.waiting", "review.decided", "effect.done", "effect.cancelled"]
"""
    async with receiving() as receiver:
        made = await hooked(
            tmp_path, receiver, monkeypatch, agent, mail, declared=declared,
            tools={"mail": {"approval": "always"}},
        )  # fmt: skip
        task = made.bench.submit()
        await made.bench.work()
        look = made.bench.waiting(Kind.APPROVAL).look
        made.bench.app.reviews.approve(look.item.id, "dana", seen=look.seal)
        await made.bench.work()
        for _ in range(5):
            await made.round()

    assert [seen.json["type"] for seen in receiver.seen] == [
        "review.waiting", "review.decided", "effect.done", "task.closed",
    ]  # fmt: skip
    waiting, decided, done, _ = [verified(seen)["data"] for seen in receiver.seen]
    assert (waiting["item"]["kind"], waiting["task"]["id"]) == ("approval", task)
    assert (decided["decision"], decided["by"], decided["item"]["status"]) == ("approve", "dana", "decided")
    assert (done["effect"]["tool"], done["effect"]["state"]) == ("mail", "done")
    assert made.bench.effect(task).state is EffectState.DONE
    assert "arguments" not in json.dumps(done)
    assert made.standing("all").sent == 4


@pytest.mark.slow
async def test_a_worker_writes_down_its_first_task_already_and_tells_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker itself, with all its chores: what is asked for is set up before it claims anything. Slow: two
    workers' starts."""
    async with receiving() as receiver:
        monkeypatch.setenv("HOOK_URL", receiver.url)
        monkeypatch.setenv("HOOK_SECRET", SECRET)
        made = bench(_agent, people=people_of(tmp_path, ALL_CLOSED))
        made.app = replace(made.app, folder=tmp_path)
        task = made.submit()
        worker = made.worker()
        await worker.run(until_idle=True)
        chores = [chore for chore in worker.chores if chore.name == "events:closed"]
        for chore in chores:
            await wait_external(_once(chore))

    assert _tasks(receiver.seen) == [task]


async def _once(chore: Chore) -> None:
    await chore.run(0)
