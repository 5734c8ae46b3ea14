"""A database at one moment: what is off, how many tasks and effects there are, who works on them."""

from airworthy.app.build import App
from airworthy.app.lookup import OPEN_EFFECTS, effect_counts, gateways, mcp_proxies, workers
from airworthy.cli import queue_view, show
from airworthy.review.item import Kind
from airworthy.runtime import State
from airworthy.runtime.documents import Document
from airworthy.runtime.machine import OPEN
from airworthy.runtime.switches import ALL


class Overview:
    """Read when it is made."""

    def __init__(self, app: App) -> None:
        counts, effects = app.operations.counts(), effect_counts(app)
        self.off = app.operations.switches()
        self.tasks = {state: counts.get(state, 0) for state in State}
        self.effects = {state.value: effects.get(state, 0) for state in OPEN_EFFECTS}
        self.workers = workers(app)
        self.gateways = gateways(app)
        self.queues = app.operations.queues()
        self.now_us = app.clock.now_us()
        self.mcp_proxies = mcp_proxies(app)
        self.reviews = app.reviews.counts()
        self.where = app.database.where

    def document(self) -> Document:
        return {
            "paused": [
                {"scope": row.scope, "by": row.by_whom, "why": row.reason, "at": show.iso(row.at_us)}
                for row in self.off
            ],
            "tasks": {state.value: count for state, count in self.tasks.items()},
            "queues": [queue_view.document(queue) for queue in self.queues],
            "effects": self.effects,
            "workers": [
                {"id": row.id, "pid": row.pid, "started": show.iso(row.started_us)} for row in self.workers
            ],
            "gateways": [
                {"id": row.id, "pid": row.pid, "started": show.iso(row.started_us)} for row in self.gateways
            ],
            "mcp_proxies": [
                {"id": row.id, "pid": row.pid, "started": show.iso(row.started_us)}
                for row in self.mcp_proxies
            ],
        }

    def show(self) -> None:
        for row in self.off:
            why = f": {row.reason}" if row.reason else ""
            since = show.when(row.at_us)
            show.say(f"{called(row.scope)} paused by {row.by_whom} since {since}{why}", style="bold magenta")
        needed = sum(count for kind, count in self.reviews.items() if kind is not Kind.DELAYED)
        pids = ", ".join(f"pid {row.pid}" for row in self.workers)
        show.facts(
            [
                ("Database", self.where),
                ("Workers", pids or "none; start one with: airworthy run"),
                *(
                    [("Gateways", ", ".join(f"pid {row.pid}" for row in self.gateways))]
                    if self.gateways
                    else ()
                ),
                *((f"Queue of {each.agent}", queue_view.line(each, self.now_us)) for each in self.queues),
                *(
                    [("MCP proxies", ", ".join(f"pid {row.pid}" for row in self.mcp_proxies))]
                    if self.mcp_proxies
                    else ()
                ),
                ("Open tasks", _listed({s.value: count for s, count in self.tasks.items() if s in OPEN})),
                (
                    "Closed tasks",
                    _listed({s.value: count for s, count in self.tasks.items() if s not in OPEN}),
                ),
                ("Outbox", _listed(self.effects)),
                (
                    "For people",
                    needed and f"{needed} (airworthy review list)",
                ),
            ]
        )


def called(scope: str) -> str:
    return "All agents are" if scope == ALL else f"Agent {scope.removeprefix('agent:')} is"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count) or "none"
