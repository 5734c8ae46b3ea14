"""Which chores the workers of this project do, beside its tasks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airworthy.app.notify import notify_chores
from airworthy.runtime.chores import Chore

if TYPE_CHECKING:
    from airworthy.app.build import App
    from airworthy.runtime import Agent

# How late a new item, a reminder or a deadline may be noticed; people look in minutes, not in seconds.
REVIEW_EVERY_S = 2.0


def chores_of(app: "App", agents: "Sequence[Agent]") -> list[Chore]:
    return [
        Chore("review", REVIEW_EVERY_S, app.reviews.with_agents(agents).keep),
        *notify_chores(app, agents),
    ]
