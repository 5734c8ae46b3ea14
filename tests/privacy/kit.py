"""A database with all kinds of things that may be stored on a user: tasks, spans, reviews, feedback, effects."""

from pathlib import Path
from typing import Any

import orjson

from airworthy.app.build import App
from airworthy.core.clock import US_PER_S
from airworthy.recorder.traces import gather, write
from airworthy.recorder.traces.span import Score, Span, SpanKind
from airworthy.review.feedback import Feedback
from airworthy.runtime import Run, State
from airworthy.runtime.afterwards import Afterwards, Told
from airworthy.runtime.describing import describe
from airworthy.store import Database, SQLiteDatabase
from airworthy.tools import tool
from tests.runtime.kit import Bench, bench

DAY_US = 86_400 * US_PER_S


@tool(effect="send", resource="mailbox:{to}")
async def mail(to: str, text: str) -> str:
    """Sends a mail."""
    return f"sent to {to}: {text}"


@tool(effect="read")
async def look_up(name: str) -> dict[str, str]:
    """Finds somebody."""
    return {"name": name, "street": f"{name} lane 7"}


async def handler(run: Run) -> str:
    value = run.input
    found = await run.tool(look_up, name=value["who"])
    await run.tool(mail, to=value["to"], text=value["words"])
    return f"{value['words']} {found['street']}"


def shop(path: Path, **policy: Any) -> Bench:
    """Call it inside a test."""
    return bench(handler, mail, look_up, database=SQLiteDatabase(path), **policy)


def foreign(database: Database, now_us: int, user: str, words: str, trace: str, **fields: Any) -> None:
    """A trace of another program, written as the intake does."""
    span = Span(
        trace, f"{now_us % 2**40:016x}", "", SpanKind.AGENT, "handle", now_us, now_us + 1_000, agent="elsewhere",
        user=user, session=f"of-{user}", payload=orjson.dumps({"input": words}), text=words, **fields,
    )  # fmt: skip
    score = Score(trace, "", "helpful", 0.5, "fair", f"because {words}", now_us)
    batch = gather.gather([span], [score], now_us + 2_000)
    database.write_now(lambda tx: write.write(tx, [batch]))


async def filled(made: Bench, user: str, words: str, at: int = 0) -> str:
    """A task of the user with everything there is about one, over and indexed."""
    task = await made.done(
        {"who": f"who{words}", "to": f"{words}@mail.example", "words": f"please send {words} to my house today"},
        user=user, session=f"session-{words}", key=f"key-{words}", source=f"source-{words}",
    )  # fmt: skip
    assert task.state is State.ANSWERED, task.reason
    app = made.app
    said = Afterwards(app.database, app.clock, app.ids, app.payloads)
    said.say(Feedback("", task.id, "", 0, "command", "down", f"better {words}", f"text {words}", user))
    said.tell(Told("resolved", task=task.id, by=user))
    while await describe(app.database):
        continue
    return task.id


def bytes_of(path: Path) -> bytes:
    """All that the database has on the disk."""
    return b"".join(
        part.read_bytes() for part in (path, Path(f"{path}-wal"), Path(f"{path}-shm")) if part.exists()
    )


def app_of(made: Bench) -> App:
    return made.app
