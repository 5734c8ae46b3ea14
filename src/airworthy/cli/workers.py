"""`workers`: who is at work on the database, on which machine, and on what."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show

if TYPE_CHECKING:
    from airworthy.runtime.crew import Hand
    from airworthy.runtime.documents import Document

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="workers")
def workers(
    *,
    tasks: Annotated[bool, typer.Option("--tasks", help="Name the tasks that each has under way.")] = False,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Show who works on what, on which machine.

    Every process that shares the database and is alive: what it does, for which agents, since when, for how long the
    others take it for alive if it says nothing more, how many tasks it has under way, which chores are its, and the
    version of its code.

    \b
    Examples:
      airworthy workers
      airworthy workers --tasks
      airworthy workers --json
    """
    from airworthy.app.project import stored
    from airworthy.runtime.crew import crew
    from airworthy.store.lease import this_host

    with stored(folder, database) as found:
        now_us = found.clock.now_us()
        hands = found.database.read_now(lambda tx: crew(tx, this_host(), now_us))
    if as_json:
        for hand in hands:
            show.emit(_document(hand, now_us), line=True)
        return
    if not hands:
        show.note("Nobody is at work. Start a worker with: airworthy run")
        return
    show.table(
        ("id", "roles", "agents", "machine", "pid", "since", "lease", "tasks", "chores", "version"),
        [_row(hand, now_us) for hand in hands],
    )
    if tasks:
        for hand in hands:
            for task, agent in hand.tasks:
                show.say(f"{task}  {agent}  {hand.owner.id}")


def _row(hand: "Hand", now_us: int) -> tuple[object, ...]:
    owner = hand.owner
    lease = f"{(owner.expires_us - now_us) / 1e6:.0f} s"
    machine = owner.machine or ("here" if owner.here else "")
    return (
        owner.id, owner.roles, owner.agents, machine, owner.pid, show.when(owner.started_us), lease, len(hand.tasks),
        ", ".join(hand.chores), owner.version,
    )  # fmt: skip


def _document(hand: "Hand", now_us: int) -> "Document":
    owner = hand.owner
    return {
        "id": owner.id,
        "roles": _list(owner.roles),
        "agents": _list(owner.agents),
        "machine": owner.machine or None,
        "here": owner.here,
        "pid": owner.pid,
        "started": show.iso(owner.started_us),
        "lease_s": round((owner.expires_us - now_us) / 1e6, 1),
        "tasks": [{"id": task, "agent": agent} for task, agent in hand.tasks],
        "acts": list(hand.acts),
        "chores": list(hand.chores),
        "version": owner.version or None,
    }


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
