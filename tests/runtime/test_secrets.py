"""A secret that passes through everything is in no byte that is stored."""

import asyncio
import base64
from typing import Any

import pytest

from airworthy.core.outcome import Outcome
from airworthy.gateway import ModelRefusedRequest
from airworthy.policy import ToolRule
from airworthy.recorder import Payloads
from airworthy.runtime import Run
from airworthy.tools import Permanent, Tool, Transient, tool
from tests.database import Memory
from tests.dump import everything
from tests.gateway.kit import FIRST, completion, model, script
from tests.runtime.kit import Bench, bench

KNOWN = "hunter2-hunter2-hunter2"  # Known by value: it is in the environment.
SHAPED = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"  # Known by shape.
BOTH = f"use {KNOWN} and {SHAPED} now"


def stored(b: Bench) -> bytes:
    """Every cell of every table, payloads unpacked."""

    cells = []
    for table, rows in everything(b.app.database).items():
        for row in rows:
            for cell in row:
                raw = cell if isinstance(cell, bytes) else str(cell).encode()
                cells.append(Payloads.unpack(raw) if table == "payloads" and cell is row[-1] else raw)
    return b"\n".join(cells)


def assert_clean(b: Bench) -> None:
    data = stored(b)
    for secret in (KNOWN, SHAPED):
        assert secret.encode() not in data
        assert base64.b64encode(secret.encode()) not in data


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", KNOWN)


@tool
async def look(query: str) -> str:
    """Looks."""
    return f"found: {query}"


@tool(effect="send", resource="box:{to}")
async def mail(to: str, text: str) -> str:
    """Sends."""
    return f"sent {text}"


@tool
async def refuses(query: str) -> str:
    """Refuses."""
    raise Permanent(f"no: {query}")


@tool
async def is_down(query: str) -> str:
    """Is down."""
    raise Transient(f"down: {query}", happened="no")


async def looks(run: Run) -> Any:
    return await run.tool(look, query=BOTH)


async def mails(run: Run) -> Any:
    return await run.tool(mail, to=BOTH, text=BOTH)


async def is_refused(run: Run) -> Any:
    return await run.tool(refuses, query=BOTH)


async def meets_an_outage(run: Run) -> Any:
    return await run.tool(is_down, query=BOTH)


async def calls_what_is_not_there(run: Run) -> Any:
    return await run.call(f"no_{SHAPED}", {"a": BOTH})


async def breaks_the_schema(run: Run) -> Any:
    return await run.call("look", {"wrong": BOTH})


async def asks(run: Run) -> Any:
    return (await run.model([{"role": "user", "content": BOTH}])).text


async def steps(run: Run) -> Any:
    return await run.step("compute", lambda text: {"deep": [text]}, BOTH)


async def fails_in_a_step(run: Run) -> Any:
    def fail(text: str) -> None:
        raise ValueError(text)

    return await run.step("compute", fail, BOTH)


async def crashes(run: Run) -> Any:
    raise RuntimeError(BOTH)


async def declines(run: Run) -> Any:
    run.decline(BOTH, evidence=BOTH, deep={"a": [BOTH]})


async def escalates(run: Run) -> Any:
    run.escalate(BOTH, evidence=BOTH)


async def answers(run: Run) -> Any:
    return {"answer": BOTH}


HANDLERS = [
    looks, mails, is_refused, calls_what_is_not_there, meets_an_outage, breaks_the_schema, asks, steps,
    fails_in_a_step, crashes, declines,
    escalates, answers,
]  # fmt: skip
RULES = [
    {},
    {"mail": ToolRule(approval="always", recipient_arg="to", recipients=("*",))},
    {"mail": ToolRule(recipient_arg="to", per_recipient_per_day=1)},
    {"mail": ToolRule(recipient_arg="to", recipients=("nobody",))},
    {"mail": ToolRule(dry_run=True)},
    {"mail": ToolRule(delay_s=5)},
]


def made(handler: Any, *tools: Tool, answer: Any = None, **policy: Any) -> Bench:
    return bench(
        handler,
        *(tools or (look, mail, refuses, is_down)),
        clients={FIRST: script(answer if answer is not None else completion(f"said {BOTH}"))},
        models=(model(api_key_env="TEST_KEY", attempts=1),),
        **policy,
    )


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda handler: handler.__name__)
async def test_what_an_agent_does_with_a_secret_stores_none_of_it(handler: Any) -> None:
    b = made(handler)
    task = await b.done(f"the input with {BOTH}", user="ann")

    assert task.outcome is not None
    assert_clean(b)
    assert b"[redacted:" in stored(b)


@pytest.mark.parametrize("rules", RULES)
async def test_an_effect_with_a_secret_stores_none_of_it_whatever_its_rule(
    rules: dict[str, ToolRule],
) -> None:
    b = made(mails, mail, tools=rules)
    b.submit("hello")
    await b.work()

    assert_clean(b)


async def test_a_providers_error_that_repeats_the_key_stores_none_of_it() -> None:
    b = made(asks, answer=ModelRefusedRequest(f"bad key {BOTH}", mend=BOTH))
    await b.done()

    assert_clean(b)


async def test_a_person_who_writes_a_secret_into_a_note_stores_none_of_it() -> None:
    async def waits(run: Run) -> Any:
        return await run.tool(mail, to="ann", text="hello")

    b = made(waits, mail, tools={"mail": ToolRule(approval="always")})
    task_id = b.submit()
    await b.work()
    row = b.effect(task_id)
    b.app.operations.decide(row.id, row.state.__class__("rejected"), "dana", f"see {BOTH}")
    b.app.operations.pause("all", "dana", BOTH)
    b.app.operations.resume("all")
    b.app.operations.pause("agent:support", "dana", BOTH)
    b.app.operations.resume("agent:support")
    await b.work()
    other = b.submit("another")
    b.app.operations.cancel(other, "dana", BOTH)

    assert b.task(task_id).outcome is Outcome.ESCALATED
    assert_clean(b)


async def test_while_a_task_waits_the_reason_holds_no_secret() -> None:
    b = made(meets_an_outage, is_down)
    b.submit()
    worker = b.worker()
    working = asyncio.create_task(worker.run())
    await asyncio.sleep(3)
    waiting = stored(b)
    worker.stop()
    await working

    assert b"to recover" in waiting
    assert KNOWN.encode() not in waiting
    assert SHAPED.encode() not in waiting


async def test_the_dump_would_see_a_secret_if_there_were_one() -> None:
    b = made(looks)
    b.app.database.write_now(
        lambda tx: tx.execute("INSERT INTO switches VALUES (?, ?, ?, ?, 0)", ("x", "y", SHAPED, 1))
    )

    assert isinstance(b.app.database, Memory)
    assert SHAPED.encode() in stored(b)
