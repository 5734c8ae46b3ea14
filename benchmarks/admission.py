"""What a claim costs with a million tasks queued, how users share, what admission costs; prints one JSON line last.

Run `python -m benchmarks.admission`, or `make bench NAME=admission`. The queue is made by copying one submitted task,
on a real file with synchronous=FULL. Throughput with and without admission is taken in turns.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from airworthy.core.outcome import Outcome, Reason, ReasonCode
from airworthy.policy import AdmissionRule, ChecksRule, Policy, Rate
from airworthy.runtime import Agent, Ended, Run, Submission
from airworthy.runtime.claiming import Hands, take_due
from airworthy.runtime.engine import EmbeddedEngine
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.store import Tx
from airworthy.store import lease as leases
from airworthy.store.lease import Owner
from benchmarks._environment import ENVIRONMENTS, machine
from benchmarks._figures import percentile
from benchmarks._ours import House

CLAIMS = 2000
STEPS_PER_TASK = 5
AT_ONCE = 100
COPY = "WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < ?)"
DONE = Reason(code=ReasonCode.DONE, text="The agent has answered.")
FREE = Rate(calls=1_000_000, per_s=1.0)
ALL_BOUNDS = AdmissionRule(
    concurrency=10_000, user_concurrency=10_000, feature_concurrency=10_000,
    rate=FREE, user_rate=FREE, feature_rate=FREE, queue_max=1_000_000,
)  # fmt: skip


def agent_of(rule: AdmissionRule | None) -> Agent:
    policy = Policy(
        agent="durable",
        purpose="Take five steps that do nothing.",
        admission=rule,
        checks=ChecksRule(input=(), output=()),
    )
    agent = Agent(policy)

    @agent.task
    async def handle(run: Run) -> int:
        for number in range(STEPS_PER_TASK):
            await run.step("noop", _noop, number)
        return STEPS_PER_TASK

    return agent


async def _noop(number: int) -> int:
    return number


def filled(folder: Path, rule: AdmissionRule | None, tasks: int, user: str) -> House:
    """`user`: an SQL expression of n."""
    house = House(folder / "airworthy.db", agent_of(rule))
    first = house.app.operations.submit(house.agent.policy, Submission("hello", user="u0")).task
    copies = tasks - 2  # With the first and the last user's: as many as were asked for.

    def op(tx: Tx) -> None:
        for table, changed in (
            ("tasks", {"id": "id || '-' || n", "created_us": "created_us + n", "user_id": user}),
            ("steps", {"task_id": "task_id || '-' || n"}),
            ("payloads", {"task_id": "task_id || '-' || n"}),
        ):
            names = [row[1] for row in tx.rows(f"PRAGMA table_info({table})")]
            chosen = ", ".join(changed.get(name, name) for name in names)
            tx.execute(f"{COPY} INSERT INTO {table} SELECT {chosen} FROM {table}, many", (copies,))
        if rule is None:
            tx.execute(
                "INSERT INTO wakes SELECT id, agent, priority, created_us FROM tasks WHERE id <> ?",
                (first.id,),
            )
        else:
            _line_up(tx)

    house.database.write_now(op)
    return house


def _line_up(tx: Tx) -> None:
    tx.execute("DELETE FROM lanes")
    tx.execute("DELETE FROM waiting")
    tx.execute(
        "INSERT INTO waiting (task_id, agent, user_id, rank, feature, since_us)"
        " SELECT id, agent, user_id, -priority, feature, created_us FROM tasks"
    )
    tx.execute(
        "INSERT INTO lanes SELECT agent, user_id, rank, feature, COUNT(*), MIN(since_us), MIN(since_us), 0, 0"
        " FROM waiting GROUP BY agent, user_id, rank, feature"
    )
    tx.execute("UPDATE queues SET waiting = (SELECT COUNT(*) FROM waiting), turn = ?", (2**60,))


def claim_ms(house: House, rule: AdmissionRule | None, claims: int) -> tuple[list[float], list[str]]:
    """Milliseconds inside the transaction, for one task each; and whose task it was, in their order."""
    admission = {} if rule is None else {"durable": rule}
    lifecycle = Lifecycle(EmbeddedEngine(), house.app.payloads, admission)
    hands = Hands("wkr_bench", 1, {"durable": 3})
    now_us = house.app.clock.now_us() + 10_000_000
    house.database.write_now(lambda tx: leases.join(tx, Owner("wkr_bench", "", 1, ""), now_us))
    laps: list[float] = []
    users: list[str] = []

    def op(tx: Tx) -> None:
        began = time.perf_counter()
        (claimed,) = take_due(tx, lifecycle, ["durable"], hands, now_us).claimed
        laps.append((time.perf_counter() - began) * 1000)
        users.append(claimed.task.user_id)
        # Its place is free again, so that what is under way stays as few as it would be.
        lifecycle.close(tx, claimed, Outcome.ANSWERED, DONE, b"5", now_us, 0)

    for _ in range(claims):
        house.database.write_now(op)
    return laps, users


def measured_claims(
    folder: Path, rule: AdmissionRule | None, tasks: int, user: str, claims: int
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="admission-", dir=folder) as fresh:
        house = filled(Path(fresh), rule, tasks, user)
        try:
            house.app.operations.submit(house.agent.policy, Submission("late", user="late"))
            laps, users = claim_ms(house, rule, claims)
        finally:
            house.database.close()
    return {
        "p50_ms": round(percentile(laps, 50), 3),
        "p99_ms": round(percentile(laps, 99), 3),
        "max_ms": round(max(laps), 2),
        # How many began before the one task of the user who came last.
        "starts_before_the_last_user": users.index("late") if "late" in users else None,
    }  # fmt: skip


def shares(folder: Path, claims: int) -> dict[str, int]:
    """Of three users with backlogs of 100 000, 10 000 and 1 000 tasks."""
    user = "CASE WHEN n <= 100000 THEN 'many' WHEN n <= 110000 THEN 'some' ELSE 'few' END"
    with tempfile.TemporaryDirectory(prefix="admission-", dir=folder) as fresh:
        house = filled(Path(fresh), ALL_BOUNDS, 111_000, user)
        try:
            _, users = claim_ms(house, ALL_BOUNDS, claims)
        finally:
            house.database.close()
    return dict(Counter(users))


def steps_per_s(folder: Path, rule: AdmissionRule | None, tasks: int) -> float:
    """From the first claim to the last outcome, `AT_ONCE` at a time."""

    async def run(path: Path) -> float:
        house = House(path, agent_of(rule))
        await house.submit(tasks)
        worker = house.worker(AT_ONCE)
        ended: list[Ended] = []
        worker.on_end = ended.append
        began = time.perf_counter()
        await worker.run(until_idle=True)
        seconds = time.perf_counter() - began
        assert len(ended) == tasks
        house.database.close()
        return tasks * STEPS_PER_TASK / seconds

    with tempfile.TemporaryDirectory(prefix="admission-", dir=folder) as fresh:
        return asyncio.run(run(Path(fresh) / "airworthy.db"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=ENVIRONMENTS, help="on the disk to measure")
    said = parser.parse_args()
    said.folder.mkdir(parents=True, exist_ok=True)
    claims = min(CLAIMS, said.tasks // 2)
    cases: dict[str, tuple[AdmissionRule | None, str]] = {
        "no_admission": (None, "'u0'"),
        "one_user": (ALL_BOUNDS, "'u0'"),
        "many_users": (ALL_BOUNDS, f"'u' || (n % {max(1, said.tasks // 10)})"),
    }
    figures: dict[str, Any] = {"tasks": said.tasks, "claims": claims}
    for name, (rule, user) in cases.items():
        _tell(name)
        figures[name] = measured_claims(said.folder, rule, said.tasks, user, claims)
    figures["shares"] = shares(said.folder, 300)
    pace = _throughput(said.folder, said.rounds, max(200, min(2000, said.tasks // 50)))
    print(json.dumps(figures | pace | {"machine": machine(said.folder)}))


def _throughput(folder: Path, rounds: int, tasks: int) -> dict[str, Any]:
    """Without admission, with a bound on what is under way alone, and with every bound there is."""
    sides = {
        "without": None,
        "one_bound": AdmissionRule(concurrency=10_000, queue_max=1_000_000),
        "all": ALL_BOUNDS,
    }
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name, rule in sides.items():
            taken[name].append(steps_per_s(folder, rule, tasks))
        _tell(f"round {number + 1} of {rounds}")
    found: dict[str, Any] = {
        f"steps_per_s_{name}": round(statistics.median(each)) for name, each in taken.items()
    }
    for name in ("one_bound", "all"):
        ratios = [a / b for a, b in zip(taken[name], taken["without"], strict=True)]
        found[f"ratio_{name}"] = round(statistics.median(ratios), 3)
    return found


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
