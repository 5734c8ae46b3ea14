"""Which chores the workers of this project do, beside its tasks."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from airworthy.app.events import event_chores
from airworthy.app.export import export_chores
from airworthy.app.health import health_chores
from airworthy.app.notify import notify_chores
from airworthy.app.privacy import privacy_chores
from airworthy.app.witness import Witness
from airworthy.recorder.traces import days
from airworthy.runtime.chores import Chore
from airworthy.runtime.describing import describe

if TYPE_CHECKING:
    from airworthy.app.build import App
    from airworthy.runtime import Agent

# How late a new item, a reminder or a deadline may be noticed; people look in minutes, not in seconds.
REVIEW_EVERY_S = 2.0
HAND_OVER_EVERY_S = 2.0
# A task can be found by its words, and its sentence read in a list, so long after its end.
DESCRIBE_EVERY_S = 1.0
RESTS = 2.0  # Of describing, in times of what a few tasks took.
WITNESS_EVERY_S = 10.0
DAYS_EVERY_S = 3_600.0


def chores_of(app: "App", agents: "Sequence[Agent]") -> list[Chore]:
    """Raises: PolicyError while people.toml or recorder.toml cannot be read, for these decide, notify and delete."""
    if app.reviews.unread is not None:
        raise app.reviews.unread
    return [
        Chore("review", REVIEW_EVERY_S, app.reviews.with_agents(agents).keep),
        Chore("manual", HAND_OVER_EVERY_S, _handing_over(app, agents)),
        Chore("describe", DESCRIBE_EVERY_S, _describing(app)),
        *(
            [Chore("audit", WITNESS_EVERY_S, Witness(app.head_file).keep(app.database))]
            if app.head_file is not None
            else []
        ),
        *([] if app.database.dialect == "sqlite" else [Chore("days", DAYS_EVERY_S, _days(app))]),
        *health_chores(app, agents),
        *notify_chores(app, agents),
        *event_chores(app),
        *export_chores(app),
        *privacy_chores(app),
    ]


def _days(app: "App") -> Callable[[int], Awaitable[None]]:
    """Parts of the tables of spans, made before their day begins."""

    async def run(now_us: int) -> None:
        await asyncio.to_thread(days.ahead, app.database, now_us)

    return run


def _handing_over(app: "App", agents: "Sequence[Agent]") -> Callable[[int], Awaitable[None]]:
    """What comes due for an agent that is off in favour of people goes to them."""
    manual = [agent.name for agent in agents if agent.policy.manual]

    async def run(_now_us: int) -> None:
        while await app.operations.hand_over_in_loop(manual):
            continue

    return run


def _describing(app: "App") -> Callable[[int], Awaitable[None]]:
    async def run(_now_us: int) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        while await describe(app.database):
            # Tasks go first: however many end, it has a third of the time at most, and catches up when fewer do.
            await asyncio.sleep(RESTS * (loop.time() - began_s))
            began_s = loop.time()

    return run
