"""A bench whose people.toml tells a receiver on loopback of events: its chores, called by hand."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from airworthy.app.events import event_chores
from airworthy.policy.load import load_toml
from airworthy.recorder import events
from airworthy.recorder.alerts import listing
from airworthy.recorder.events import Row, Standing
from airworthy.review import People
from airworthy.runtime.chores import Chore
from airworthy.tools import Tool
from tests.review.kit import SECRET, Receiver, Seen
from tests.runtime.kit import Bench, bench
from tests.virtual import wait_external

CHANNEL = """
[channels.hook]
kind = "webhook"
url_env = "HOOK_URL"
secret_env = "HOOK_SECRET"
internal = true
give_up_s = 3600
"""
ALL_CLOSED = '[events.closed]\nchannel = "hook"\non = ["task.closed"]\n'


def people_of(folder: Path, declared: str) -> People:
    path = folder / "people.toml"
    path.write_text(CHANNEL + declared)
    return load_toml(path, People)


@dataclass
class Hooked:
    """`bench` is at work where events are told; `chores` are those of a worker."""

    bench: Bench
    folder: Path
    chores: list[Chore]

    async def round(self) -> None:
        for chore in self.chores:
            await wait_external(self._run(chore))

    async def _run(self, chore: Chore) -> None:
        await chore.run(self.bench.app.clock.now_us())

    def standing(self, name: str = "closed") -> Standing:
        (found,) = [each for each in self.bench.app.database.read_now(events.standings) if each.name == name]
        return found

    def rows(self, name: str = "") -> list[Row]:
        """The oldest first."""
        return self.bench.app.database.read_now(lambda tx: events.listing(tx, name=name, limit=10_000))[::-1]

    def alerts(self) -> list[str]:
        found = self.bench.app.database.read_now(listing)
        return sorted(alert.key for alert in found if alert.ended_us is None)

    def another(self) -> "Hooked":
        """A worker that begins now. The bench's own has no folder, and so no chores of these."""
        chores = event_chores(replace(self.bench.app, folder=self.folder))
        return Hooked(self.bench, self.folder, chores)


async def hooked(
    folder: Path,
    receiver: Receiver,
    patch: pytest.MonkeyPatch,
    handler: Callable[[Any], Any],
    *tools: Tool,
    declared: str = ALL_CLOSED,
    **more: Any,
) -> Hooked:
    patch.setenv("HOOK_URL", receiver.url)
    patch.setenv("HOOK_SECRET", SECRET)
    made = bench(handler, *tools, people=people_of(folder, declared), **more)
    found = Hooked(made, folder, [])
    found.chores = found.another().chores
    return found


def verified(seen: Seen) -> Any:
    """As a receiver does it, but for the time: it is virtual. Raises: WebhookVerificationError."""
    webhook = Webhook(SECRET)
    from datetime import UTC, datetime

    at = datetime.fromtimestamp(int(seen.headers["webhook-timestamp"]), UTC)
    signed = webhook.sign(seen.headers["webhook-id"], at, seen.body.decode())
    assert signed in seen.headers["webhook-signature"].split()
    return seen.json
