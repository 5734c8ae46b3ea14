"""The fleet's figures as tables of a page in docs/, between two marks, so that no figure is copied by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks._figures import cell
from benchmarks._fleet_arrivals import Bursts
from benchmarks._fleet_check import Checked
from benchmarks._fleet_costs import Cost, Costs, Kinds
from benchmarks._fleet_plan import Plan
from benchmarks._fleet_points import Machine

BEGIN, END = "<!-- figures: simulate_fleet: {} -->", "<!-- end of figures -->"


def rewritten(page: Path, tables: Mapping[str, str]) -> None:
    """Raises: ValueError when the page has no place for one of them."""
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        mark = BEGIN.format(name)
        if mark not in text:
            raise ValueError(f"{page} has no line {mark}")
        head, _, rest = text.partition(mark)
        _, end, tail = rest.partition(END)
        text = f"{head}{mark}\n\n{table}\n\n{end}{tail}"
    page.write_text(text, encoding="utf-8")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def answers(plans: Sequence[Plan]) -> str:
    heads = (
        "agents", "arrivals", "tasks/s, mean and peak", "tasks at once", "workers", "databases",
        "cores of each", "turn used", "step p99 ms", "connections", "GB/day",
    )  # fmt: skip
    return _table(
        heads,
        [
            (
                f"{plan.demand.agents:,}", plan.pattern, f"{plan.demand.rate:.2f}, {plan.peak_rate:.1f}",
                cell(plan.active_most), cell(plan.workers), str(plan.databases),
                cell(plan.database_cores, 1), f"{plan.lock_used:.0%}", cell(plan.step_p99_ms),
                cell(plan.connections), cell(plan.gb_per_day, 2),
            )
            for plan in sorted(plans, key=lambda plan: plan.demand.agents)
            # What one agent needs does not depend on when its tasks come.
            if plan.demand.agents > 1 or plan is plans[0]
        ],
    )  # fmt: skip


def predictions(found: Sequence[Checked]) -> str:
    return _table(
        ("point", "measured tasks/s", "model", "error", "writes in a batch", "model", ""),
        [
            (
                each.point.title(), cell(each.measured, 1), cell(each.model, 1),
                f"{100 * each.error:+.0f} %", cell(each.point.writes / each.point.batches, 1),
                cell(each.seen.writes_per_batch, 1), "foreseen" if each.foreseen else "calibrated on it",
            )
            for each in found
        ],
    )  # fmt: skip


def prices(costs: Costs, machine: Machine) -> str:
    """What batches of each kind, and each that is in them, cost in ms; then what a worker's loop costs beside them."""
    parts = {
        "claims of tasks": "claim",
        "steps": "step",
        "ends": "end",
        "descriptions of what ended": "describe",
    }

    def cells(kinds: Kinds, kind: str) -> tuple[str, str]:
        cost: Cost = getattr(kinds, kind)
        return _ms(cost.batch_s), _ms(cost.each_s)

    rows = [
        (name, *cells(costs.writer, kind), *cells(costs.rest, kind), _ms(costs.commit_s))
        for name, kind in parts.items()
    ]
    batches = _table(
        (
            "ms of",
            "Python, a batch",
            "each in it",
            f"{machine.database} and the way, a batch",
            "each in it",
            "disk",
        ),
        rows,
    )
    loop = costs.loop
    beside = _table(
        (
            "ms of a worker's Python beside them",
            "each task",
            "each step",
            "a batch in its turn",
            "another batch",
        ),
        [("", *(_ms(each) for each in (loop.task_s, loop.step_s, loop.turn_s, loop.beside_s)))],
    )
    other = _table(
        ("ms of", "each"),
        [
            ("PostgreSQL's CPU for what is read before a batch in its turn", _ms(costs.look_s)),
            ("a core, for a piece of work that had to wait for it", _ms(costs.switch_s)),
        ],
    )
    return f"{batches}\n\n{beside}\n\n{other}"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f}"


def crowds(known: Mapping[str, Sequence[Bursts]]) -> str:
    windows = sorted({each.window_s for rows in known.values() for each in rows})
    cells = {name: {each.window_s: each.peak for each in rows} for name, rows in known.items()}
    return _table(
        ("recording", *(f"{window:g} s" for window in windows)),
        [(name, *(cell(row.get(window), 1) for window in windows)) for name, row in cells.items()],
    )


def resources(one_carries: Mapping[str, float]) -> str:
    said = {
        "worker_by_places": "one worker, by its places",
        "worker_by_python": "one worker, by its Python",
        "database_core": "one core of the database",
        "database_by_lock": "one database, by the turn of its writers",
    }
    return _table(
        ("tasks of 8 steps", "per second", "per day"),
        [
            (said[name], cell(one_carries[name], 1), cell(round(one_carries[name] * 86_400, -3)))
            for name in said
        ],
    )
