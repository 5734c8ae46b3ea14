"""How many workers, and which PostgreSQL, do 1, 100 and 10,000 agents need? Prints one JSON line last.

Run `python -m benchmarks.simulate_fleet`, or `make bench NAME=simulate_fleet`. It reads measured points (`--points`),
is calibrated on some of them and has to foresee the others: an error above 25 % makes it fail. Then it plans fleets for
arrivals by chance and, with `--data FOLDER`, as they were recorded; the recordings are not part of this project.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import _fleet_page, _fleet_points
from benchmarks._figures import cell
from benchmarks._fleet_arrivals import Bursts, Recording, bursts, recordings
from benchmarks._fleet_check import ERROR_MAX, Checked, checked, costs_of
from benchmarks._fleet_costs import Costs, TooFew
from benchmarks._fleet_plan import Demand, Pattern, Plan, carried, per_task_and_step, planned
from benchmarks._fleet_points import LATEST, Measured, Unreadable

DATA = Path("../shared/data")
AGENTS = (1, 100, 10_000)
WINDOWS_S = (1.0, 10.0, 60.0, 300.0)
READING = (
    "A worker is one process with machines as measured; its models run elsewhere.",
    "Points of one kind are one: the fastest round, on which the rest of the machine weighed least.",
    "A step waits for a model call as recorded: 0.6 s and a token in 1/60 s; without recordings 4 s.",
    "Of the plan's workers one is there to die: the others alone hold every bound.",
    "One crowd: all agents have their busy seconds together, the worst case; apart: each at its own times.",
)


def main() -> None:
    said = _said()
    notes = list(READING)
    try:
        measured = _fleet_points.read(said.points)
        costs = costs_of(measured)
    except (Unreadable, TooFew) as why:
        print(json.dumps({"worst_error_pct": None, "plans": None, "notes": [*notes, f"no points: {why}"]}))
        sys.exit(1)
    found = checked(measured, costs, said.seed)
    known = _recordings(said.data, notes)
    demands = [Demand(agents, said.tasks_per_day, said.steps, 4.0, said.concurrency) for agents in AGENTS]
    plans = [planned(measured, costs, each, way, said.seed) for way in patterns(known) for each in demands]
    foreseen = [each for each in found if each.foreseen]
    worst = max((abs(each.error) for each in foreseen), default=None)
    figures: dict[str, Any] = {
        "worst_error_pct": None if worst is None else round(100 * worst, 1),
        "error_pct": {each.point.title(): round(100 * each.error, 1) for each in found},
        "foreseen": [each.point.title() for each in foreseen],
        "costs": _in_us(costs),
        "one_carries": {
            name: round(value, 2) for name, value in carried(costs, demands[0], said.seed).items()
        },
        "stored_bytes_per_task_and_step": per_task_and_step(measured, lambda each: each.stored_bytes),
        "wal_bytes_per_task_and_step": per_task_and_step(measured, lambda each: each.wal_bytes),
        "growth": _growth(measured),
        "bursts": {each.name: _bursts(each) for each in known},
        "plans": [_shown(each) for each in plans],
        "machine": asdict(measured.machine),
        "seed": said.seed,
        "notes": [*notes, *measured.notes],
    }
    _tables(found, plans)
    if said.page is not None:
        _write_page(said.page, measured, costs, found, known, plans, figures["one_carries"])
    print(json.dumps(figures))
    sys.exit(0 if all(each.holds for each in foreseen) else 1)


def _said() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=Path, default=LATEST, help="what benchmarks/scale wrote")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the recorded arrivals")
    parser.add_argument("--tasks-per-day", type=float, default=1000.0, help="of each agent")
    parser.add_argument("--steps", type=int, default=8, help="of each task")
    parser.add_argument("--concurrency", type=int, default=500, help="tasks that a worker holds at once")
    parser.add_argument("--page", type=Path, help="a page whose marked tables are written anew")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _recordings(folder: Path, notes: list[str]) -> list[Recording]:
    try:
        return recordings(folder)
    except OSError as why:
        notes.append(f"no recorded arrivals: {why}")
        return []


def patterns(known: Sequence[Recording]) -> list[Pattern]:
    crowds = [Pattern(f"{each.name}, one crowd", each) for each in known]
    apart = [Pattern(f"{each.name}, apart", each, apart=True) for each in known if each.name == "azure code"]
    return [Pattern("by chance"), *crowds, *apart]


def _of_windows(recording: Recording) -> list[Bursts]:
    """A window shorter than the recording's clock can tell says nothing."""
    windows = [each for each in WINDOWS_S if each >= recording.grain_s]
    return [bursts(recording.times_s, recording.seconds, each) for each in windows]


def _bursts(recording: Recording) -> dict[str, dict[str, float]]:
    return {
        f"{each.window_s:g} s": {"peak": round(each.peak, 2), "dispersion": round(each.dispersion, 2)}
        for each in _of_windows(recording)
    }


def _growth(measured: Measured) -> dict[str, float | None]:
    """How many times as long each look takes with the most tasks as with the fewest."""
    ordered = sorted(measured.growth, key=lambda each: each.tasks)
    names = ("list_ms", "claim_ms", "sweep_ms")
    ends = {name: (getattr(ordered[0], name), getattr(ordered[-1], name)) for name in names if ordered}
    return {name: None if not all(pair) else round(pair[1] / pair[0], 2) for name, pair in ends.items()}


def _write_page(
    page: Path, measured: Measured, costs: Costs, found: Sequence[Checked], known: Sequence[Recording],
    plans: Sequence[Plan], one_carries: Mapping[str, float],
) -> None:  # fmt: skip
    tables = {
        "answers": _fleet_page.answers(plans),
        "resources": _fleet_page.resources(one_carries),
        "prices": _fleet_page.prices(costs, measured.machine),
        "predictions": _fleet_page.predictions(found),
    }
    if known:
        tables["crowds"] = _fleet_page.crowds({each.name: _of_windows(each) for each in known})
    _fleet_page.rewritten(page, tables)


def _in_us(costs: Costs) -> dict[str, Any]:
    def us(values: Mapping[str, float]) -> dict[str, float]:
        return {f"{name.removesuffix('_s')}_us": round(1e6 * value, 1) for name, value in values.items()}

    return {
        "loop": us(asdict(costs.loop)),
        "writer": {name: us(cost) for name, cost in asdict(costs.writer).items()},
        "rest": {name: us(cost) for name, cost in asdict(costs.rest).items()},
        "database_share": round(costs.database_share, 3),
        "commit_us": round(1e6 * costs.commit_s, 1),
        "beside": costs.beside,
    }


def _shown(plan: Plan) -> dict[str, Any]:
    shown = {name: value for name, value in asdict(plan).items() if name != "demand"}
    shown = {name: round(value, 3) if isinstance(value, float) else value for name, value in shown.items()}
    return {
        "agents": plan.demand.agents,
        "rate": round(plan.demand.rate, 3),
        "peak": round(plan.peak, 2),
    } | shown


def _tables(found: Sequence[Checked], plans: Sequence[Plan]) -> None:
    print(f"\n{'point':<50} {'measured':>9} {'model':>8} {'error':>7}  tasks/s")
    for each in found:
        word = "foreseen" if each.foreseen else "calibrated"
        late = "" if each.holds or not each.foreseen else f", above {ERROR_MAX:.0%}"
        print(
            f"{each.point.title():<50} {each.measured:>9.1f} {each.model:>8.1f} {100 * each.error:>+6.0f} %"
            f"  {word}{late}"
        )
    print(
        f"\n{'arrivals':<24} {'agents':>7} {'tasks/s':>8} {'peak':>5} {'active':>7} {'workers':>7}"
        f" {'by':>7} {'python':>6} {'dbs':>3}"
        f" {'db cores':>8} {'lock':>6} {'step p99':>8} {'p99 wait':>8} {'one dies':>8} {'GB/day':>7}"
    )
    for plan in plans:
        print(
            f"{plan.pattern:<24} {plan.demand.agents:>7} {plan.demand.rate:>8.2f} {plan.peak:>5.1f}"
            f" {plan.active_most:>7} {plan.workers:>7} {plan.bound_by:>7} {plan.python_used:>6.0%} {plan.databases:>3}"
            f" {plan.database_cores:>8.2f} {plan.lock_used:>6.0%} {plan.step_p99_ms:>8.1f}"
            f" {plan.wait_p99_s:>8.2f} {plan.wait_p99_with_death_s:>8.2f}"
            f" {cell(plan.gb_per_day, 2):>7}"
        )
    print()


if __name__ == "__main__":
    main()
