"""What the index of traces must say of tasks, reckoned anew from the tasks and their steps alone."""

from collections import Counter
from collections.abc import Iterable

from airworthy.recorder import Recorded
from airworthy.recorder.rollups import WIDTHS_S, bin_of, bucket_of
from airworthy.recorder.traces import facets
from airworthy.runtime.claimed import check_of, is_rehearsal
from airworthy.runtime.tasks import TaskRow
from airworthy.store import Tx

Known = Iterable[tuple[TaskRow, list[Recorded]]]


def untrue(tx: Tx, known: Known) -> list[str]:
    """Where rows, facets or sums differ from the journal; `known`: all tasks there are."""
    found: list[str] = []
    counts, bins = Counter[tuple[object, ...]](), Counter[tuple[object, ...]]()
    for task, steps in known:
        found += _row(tx, task, steps)
        if is_rehearsal(task, steps):
            continue
        series = (task.agent, task.policy_hash.removeprefix("sha256:")[:12], task.feature)
        for width_s in WIDTHS_S:
            counts[(width_s, bucket_of(task.created_us, width_s), *series, "opened")] += 1
            if task.outcome is None or task.closed_us is None:
                continue
            bucket = bucket_of(task.closed_us, width_s)
            for name, count in _sums(task, steps):
                counts[(width_s, bucket, *series, name)] += count
            for measure, value in (
                ("duration", task.active_us),
                ("steps", _steps(steps)),
                ("cost", task.cost_nano),
            ):
                if value is not None:
                    bins[(width_s, bucket, *series, measure, bin_of(value))] += 1
    found += _differ("sums", +counts, _stored_counts(tx))
    found += _differ("histograms", +bins, _stored_bins(tx))
    return found


def _row(tx: Tx, task: TaskRow, steps: list[Recorded]) -> list[str]:
    row = tx.row("SELECT at_us, outcome, ended_us, cost_nano, trace_id FROM traces WHERE id = ?", (task.id,))
    closed = task.outcome is not None
    expected = (
        task.created_us, task.outcome.value if task.outcome is not None else None,
        task.closed_us if closed else None, task.cost_nano if closed else None, task.trace_id,
    )  # fmt: skip
    if row is None or (row[:3], row[4]) != (expected[:3], expected[4]) or (closed and row[3] != expected[3]):
        return [f"{task.id} is {expected} and stands in the index as {row}"]
    listed = {
        (field, value)
        for field, value in tx.rows(
            "SELECT field, value FROM facets WHERE ref = ? AND at_us = ?", (task.id, row[0])
        )
    }
    outcomes = {(field, value) for field, value in listed if field in ("outcome", "reason", "check")}
    wanted = {
        ("outcome", task.outcome.value), ("reason", task.reason_code), ("check", check_of(task.why)),
    } - {("check", "")} if task.outcome is not None else set()  # fmt: skip
    needed = {("agent", task.agent), ("origin", "task")}
    if closed:
        needed |= {("tool", step.name) for step in steps if step.kind in ("tool", "step")}
        needed |= {("error", step.error_type) for step in steps if step.error_type}
    lacks = {(field, value[: facets.VALUE_CHARS_MAX]) for field, value in needed} - listed
    return (
        [f"{task.id} can be asked for by {outcomes} and lacks {lacks}"] if lacks or outcomes != wanted else []
    )


def _steps(steps: list[Recorded]) -> int:
    return sum(step.kind in ("model", "tool", "step") for step in steps)


def _sums(task: TaskRow, steps: list[Recorded]) -> list[tuple[str, int]]:
    assert task.outcome is not None
    models = [step for step in steps if step.kind == "model"]
    unpriced = sum(step.state == "done" and step.facts.cost_nano is None for step in models)
    return [
        (task.outcome.value, 1), ("ended", 1), ("steps", _steps(steps)), ("model_calls", len(models)),
        ("tool_calls", sum(step.kind == "tool" for step in steps)),
        ("errors", sum(step.error_type is not None for step in steps[1:])),
        ("retries", sum(max(0, step.facts.attempts - 1) for step in steps[1:])),
        ("tokens_in", sum(step.facts.tokens_in or 0 for step in steps)),
        ("tokens_out", sum(step.facts.tokens_out or 0 for step in steps)),
        ("cost_nano", task.cost_nano or 0), ("priced", len(models) - unpriced), ("unpriced", unpriced),
        ("duration_us", task.active_us),
    ]  # fmt: skip


def _stored_counts(tx: Tx) -> Counter[tuple[object, ...]]:
    names = (
        "opened", "answered", "declined", "escalated", "dead_lettered", "cancelled", "failed", "ended", "steps",
        "model_calls", "tool_calls", "errors", "retries", "tokens_in", "tokens_out", "cost_nano", "priced", "unpriced",
        "duration_us",
    )  # fmt: skip
    stored = Counter[tuple[object, ...]]()
    for width_s, bucket, agent, release, feature, *values in tx.rows(
        f"SELECT width_s, bucket_us, agent, release, feature, {', '.join(names)} FROM rollups"
        " JOIN series ON series.id = series_id"
    ):
        for name, value in zip(names, values, strict=True):
            stored[(width_s, bucket, agent, release, feature, name)] = value
    return stored


def _stored_bins(tx: Tx) -> Counter[tuple[object, ...]]:
    rows = tx.rows(
        "SELECT width_s, bucket_us, agent, release, feature, measure, bin, count FROM rollup_bins"
        " JOIN series ON series.id = series_id"
    )
    return Counter({row[:7]: row[7] for row in rows})


def _differ(what: str, wanted: Counter[tuple[object, ...]], stored: Counter[tuple[object, ...]]) -> list[str]:
    keys = sorted(set(wanted) | set(stored), key=str)
    return [
        f"{what} of {key}: {stored[key]} stored, {wanted[key]} true"
        for key in keys
        if stored[key] != wanted[key]
    ]
