"""Four workers, one PostgreSQL, and everything that breaks: whether all that is promised still holds at the end.

`python -m benchmarks.chaos [--tasks N] [--steps N] [--workers N] [--seconds S] [--seed N] [--kinds a,b] [--short]`
"""

import argparse
import contextlib
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from airworthy.app.build import App, assembled
from airworthy.runtime import Submission
from airworthy.store import PostgresDatabase, StoreError
from benchmarks import _chaos_fleet as fleet
from benchmarks import pg_server
from benchmarks._chaos_audit import install, named, notes
from benchmarks._chaos_fleet import Fleet, Happened, Maker, Place
from benchmarks._chaos_verdict import OUTAGES, Verdict, judged, lines, seen
from benchmarks._chaos_worker import ENDS, Spec, agent
from benchmarks._wire import Wire

DONE_S_MAX = 150.0  # After the last that happens, everything has an outcome by then.
SHIFT_S = 300.0
HITS: dict[str, tuple[Callable[[Place, float], None], tuple[float, float]]] = {
    "kill": (fleet.kill, (1.0, 4.0)),
    "freeze": (fleet.freeze, (30.0, 30.0)),
    "part": (fleet.part, (18.0, 25.0)),
    "unplug": (fleet.unplug, (18.0, 25.0)),
    "stall": (fleet.stall, (1.0, 6.0)),
    "cut": (fleet.cut, (0.0, 0.0)),
    "unanswered": (fleet.unanswered, (1.0, 3.0)),
}
KINDS = (*HITS, "terminate", "restart", "crash", "clock")


@dataclass(frozen=True, slots=True)
class Plan:
    """`step_s`: how long a call takes on average. `gap_s`: between one thing that happens and the next."""

    tasks: int = 2000
    steps: int = 8
    workers: int = 4
    seconds: float = 300.0
    step_s: float = 0.5
    seed: int = 1
    kinds: tuple[str, ...] = KINDS
    gap_s: tuple[float, float] = (3.0, 9.0)
    concurrency: int = 32
    own_clock: bool = False
    freeze_s: float = 30.0
    least: int = 0  # So many things happen, if the time is too short for them.


SHORT = Plan(tasks=120, seconds=25.0, step_s=0.25, gap_s=(1.0, 3.0))


@dataclass
class Chaos:
    """What happens, when, and to whom, all drawn from one seed."""

    plan: Plan
    places: list[Place]
    url: str
    server: pg_server.Server | None
    happened: list[Happened] = field(default_factory=list)
    tell: Callable[[str], None] = lambda _: None
    _threads: list[threading.Thread] = field(default_factory=list)

    def go_on(self) -> None:
        """Until the plan's time is over and whatever began has ended."""
        chance = random.Random(self.plan.seed)
        ends_s = time.monotonic() + self.plan.seconds
        bag: list[str] = []
        began = 0
        while time.monotonic() < ends_s or began < self.plan.least:
            time.sleep(chance.uniform(*self.plan.gap_s))
            if not bag:
                bag = [kind for kind in self.plan.kinds if kind != "clock"] or ["nothing"]
                chance.shuffle(bag)
            began += self._one(bag.pop(), chance)
        for thread in self._threads:
            thread.join()

    def _one(self, kind: str, chance: random.Random) -> bool:
        """False when it cannot be done here."""
        if kind in OUTAGES:
            if self.server is not None:
                self._outage(kind, chance.uniform(0.2, 4.0))
            return self.server is not None
        if kind == "nothing":
            return True
        places = [place for place in self.places if kind != "unplug" or place.spec.space]
        if not places:
            return False
        # Somebody has to be left who takes over.
        while sum(place.hit for place in self.places) >= max(1, len(self.places) // 2):
            time.sleep(0.05)
        while not (free := [place for place in places if not place.hit]):
            time.sleep(0.05)
        place = chance.choice(free)
        if kind == "terminate":
            self._terminate(place)
            return True
        hit, (least_s, most_s) = HITS[kind]
        pause_s = self.plan.freeze_s if kind == "freeze" else chance.uniform(least_s, most_s)
        place.hit = True
        thread = threading.Thread(target=self._hit, args=(kind, hit, place, pause_s), daemon=True)
        thread.start()
        self._threads.append(thread)
        return True

    def _hit(self, kind: str, hit: Callable[[Place, float], None], place: Place, pause_s: float) -> None:
        owner, from_s = place.owner, time.time()
        self.tell(f"{kind} {owner} for {pause_s:.1f} s")
        try:
            hit(place, pause_s)
        finally:
            self.happened.append(Happened(kind, owner, from_s, time.time()))
            place.hit = False

    def _outage(self, kind: str, pause_s: float) -> None:
        assert self.server is not None
        from_s = time.time()
        self.tell(f"PostgreSQL {kind} for {pause_s:.1f} s")
        self.server.stop(how="immediate" if kind == "crash" else "fast")
        time.sleep(pause_s)
        self.server.start()
        self.happened.append(Happened(kind, "", from_s, time.time()))

    def _terminate(self, place: Place) -> None:
        import psycopg

        self.tell(f"terminate the sessions of {place.owner}")
        from_s = time.time()
        with contextlib.suppress(psycopg.Error), psycopg.connect(self.url, autocommit=True) as raw:
            raw.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND client_port IN (SELECT unnest(%s::int[]))",
                (place.wire.outgoing(),),
            )
        self.happened.append(Happened("terminate", place.owner, from_s, time.time()))


def submitted(app: App, plan: Plan, ids: list[str]) -> None:
    """Evenly over most of the time; a task that was not acknowledged is handed in again, with the same key."""
    began_s = time.monotonic()
    for number in range(plan.tasks):
        due_s = began_s + 0.9 * plan.seconds * number / plan.tasks
        time.sleep(max(0.0, due_s - time.monotonic()))
        while True:
            try:
                made = app.operations.submit(agent.policy, Submission({"number": number}, key=str(number)))
            except StoreError:
                time.sleep(0.2)
            else:
                ids.append(made.task.id)
                break


def run(
    plan: Plan, url: str, folder: Path, server: pg_server.Server | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[Verdict, dict[str, Any]]:  # fmt: skip
    """On an empty database. `server`: when it may be restarted."""
    database = PostgresDatabase(named(url, "driver"), outage_s=60.0)
    app = assembled(database, [agent])
    install(url)
    ids: list[str] = []
    with contextlib.ExitStack() as stack:
        maker = stack.enter_context(contextlib.closing(Maker()))
        places = [
            stack.enter_context(_place(plan, url, folder, number, maker)) for number in range(plan.workers)
        ]
        stack.enter_context(Fleet(places))
        while _at_work(app) < plan.workers:
            time.sleep(0.2)
        chaos = Chaos(plan, places, url, server, tell=tell)
        feeding = threading.Thread(target=submitted, args=(app, plan, ids), daemon=True)
        feeding.start()
        began_s = time.monotonic()
        chaos.go_on()
        feeding.join()
        settled_s = time.monotonic() + DONE_S_MAX
        while _open(app) and time.monotonic() < settled_s:
            time.sleep(0.2)
        took_s = time.monotonic() - began_s
    log = notes(url)
    (folder / "log.json").write_text(
        json.dumps([[asdict(note) for note in log], [asdict(each) for each in chaos.happened]])
    )
    verdict = judged(app, ids, plan.steps, seen(folder), log, chaos.happened)
    database.close()
    ends = lines(folder, ENDS)
    details = {
        "seconds": round(took_s, 1),
        "happened": {
            kind: sum(each.kind == kind for each in chaos.happened) for kind in plan.kinds if kind != "clock"
        },
        "exits": [text for place in places for text in place.exits],
        "runs_refused": sum(end[2] == "StaleFence" for end in ends),
        "unplug_possible": any(place.spec.space for place in places),
    }
    return verdict, details


def _at_work(app: App) -> int:
    row = app.database.read_now(lambda tx: tx.row("SELECT COUNT(*) FROM owners"))
    return 0 if row is None else int(row[0])


def _open(app: App) -> bool:
    row = app.database.read_now(lambda tx: tx.row("SELECT COUNT(*) FROM tasks WHERE closed_us IS NULL"))
    return row is None or row[0] > 0


@contextlib.contextmanager
def _place(plan: Plan, url: str, folder: Path, number: int, maker: Maker) -> Iterator[Place]:
    """The third machine's clock is ahead and the fourth's is behind, when that is asked for."""
    shift_s = {2: SHIFT_S, 3: -SHIFT_S}.get(number, 0.0) if "clock" in plan.kinds else 0.0
    name = f"w{number}"
    apart = (
        fleet.network(name, number)
        if "unplug" in plan.kinds and number % 2
        else contextlib.nullcontext(("", ""))
    )
    spec = Spec(
        url="", folder=str(folder), name=name, owner="", seed=plan.seed, step_s=plan.step_s, steps=plan.steps,
        concurrency=plan.concurrency, shift_s=shift_s, own_clock=plan.own_clock,
    )  # fmt: skip
    with apart as (space, host), Wire(url, host=host or "127.0.0.1") as wire:
        yield Place(replace(spec, space=space), wire, maker)


def figures(verdict: Verdict, plan: Plan, details: dict[str, Any]) -> dict[str, Any]:
    facts = asdict(verdict)
    facts["faults"] = verdict.faults[:20]
    return {
        "seed": plan.seed,
        "tasks": plan.tasks,
        "workers": plan.workers,
        **facts,
        "holds": verdict.holds,
        **details,
    }


def _asked(words: Sequence[str]) -> tuple[Plan, str | None]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos")
    parser.add_argument("--short", action="store_true", help="120 tasks in half a minute")
    parser.add_argument("--tasks", type=int)
    parser.add_argument("--steps", type=int, help="of a task")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--seconds", type=float, help="for so long things happen")
    parser.add_argument("--step-s", dest="step_s", type=float, help="how long a call takes on average")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--kinds", type=lambda text: tuple(text.split(",")), help=",".join(KINDS))
    parser.add_argument(
        "--own-clock",
        dest="own_clock",
        action="store_true",
        help="the control: each machine believes its own clock",
    )
    parser.add_argument("--keep", help="a folder for what was witnessed, for who looks for a cause")
    asked = {
        name: value for name, value in vars(parser.parse_args(words)).items() if value not in (None, False)
    }
    keep = asked.pop("keep", None)
    plan = replace(SHORT if asked.pop("short", False) else Plan(), **asked)
    unknown = set(plan.kinds) - set(KINDS)
    if unknown:
        parser.error(f"no such kinds: {', '.join(sorted(unknown))}")
    return plan, keep


def main(words: Sequence[str]) -> int:
    plan, keep = _asked(words)
    print(
        f"seed {plan.seed}: {plan.tasks} tasks, {plan.workers} workers, {', '.join(plan.kinds)}", flush=True
    )
    began_s = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - began_s:7.1f} s  {text}", flush=True)

    with pg_server.running(pg_server.DURABLE) as server, tempfile.TemporaryDirectory() as folder:
        import psycopg

        with psycopg.connect(f"{server.url}postgres", autocommit=True) as raw:
            raw.execute("CREATE DATABASE chaos")
        kept = Path(keep or folder)
        kept.mkdir(parents=True, exist_ok=True)
        verdict, details = run(plan, f"{server.url}chaos", kept, server, tell)
    for fault in verdict.faults:
        print(fault)
    print(json.dumps(figures(verdict, plan, details)))
    return 0 if verdict.holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
