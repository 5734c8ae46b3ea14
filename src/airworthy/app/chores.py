"""Which chores the workers of this project do, beside its tasks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airworthy.app.notify import notify_chores
from airworthy.runtime.chores import Chore

if TYPE_CHECKING:
    from airworthy.app.build import App
    from airworthy.runtime import Agent


def chores_of(app: "App", agents: "Sequence[Agent]") -> list[Chore]:
    return [*notify_chores(app, agents)]
