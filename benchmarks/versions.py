"""Two versions of an agent on the same recorded tasks: what is called changed, and what worse; prints one JSON line.

Run `python -m benchmarks.versions`. Recorded runs of tau-bench come from beside the project (`--data`); without them
every figure is null. No model is called. A null pair (two trials of one version) stands beside the real ones.
"""

import argparse
import gzip
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from airworthy.evals.stats import Comparison, Observed, compare
from benchmarks.simulated import chi_square_of

DATA = Path("/work/shared/data")
SOURCE = "Madhav-Kanda/tau-bench"
# (name, before, after): model and tool set, all on the retail tasks that both have.
PAIRS = (
    ("gpt-4o -> gpt-4.1", ("gpt-4o", "tool-calling"), ("gpt-4.1", "tool-calling")),
    ("gpt-4.1 -> its tools lib1", ("gpt-4.1", "tool-calling"), ("gpt-4.1", "tool-calling+lib1")),
    ("gpt-4.1 -> its tools lib2", ("gpt-4.1", "tool-calling"), ("gpt-4.1", "tool-calling+lib2")),
    ("gpt-4o -> its tools lib1", ("gpt-4o", "tool-calling"), ("gpt-4o", "tool-calling+lib1")),
    ("gpt-4o -> Qwen2.5-7B", ("gpt-4o", "tool-calling"), ("Qwen2.5-7B-Instruct", "tool-calling(text)")),
)  # fmt: skip
SUBSETS = 60
Runs = dict[str, list[Observed]]


def rows(data: Path, name: str) -> Iterator[dict[str, Any]]:
    path = data / f"{name}.jsonl.gz"
    if not path.exists():
        return
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def seen(run: Mapping[str, Any]) -> Observed:
    tools: dict[str, int] = {}
    steps = length = 0
    for message in run["messages"]:
        if message["role"] == "assistant":
            steps += 1
            length += len(message.get("content") or "")
        for call in message.get("tool_calls") or ():
            tools[call["name"]] = tools.get(call["name"], 0) + 1
    reward = run["reward"]
    return Observed(
        None if reward is None else reward >= 1, {"steps": float(steps), "length": float(length)}, tools
    )


def told(found: Comparison) -> dict[str, Any]:
    return {
        "tasks": found.cases,
        "before": round(found.success.before, 3),
        "after": round(found.success.after, 3),
        "interval": [round(found.success.low, 3), round(found.success.high, 3)],
        "judged": found.judged.value,
        "p_worse": round(found.p_worse, 4),
        "changed": {one.signal: round(one.p_holm, 4) for one in found.signals if one.changed},
        "smallest_drop": round(found.smallest_drop, 3),
        "missing_runs": found.missing_runs,
        "missing_of_each": found.missing_before,
        "sentence": found.sentence,
    }


def tasks_until_changed(before: Runs, after: Runs) -> int | None:
    """The fewest tasks, drawn at random, with which the change is found in 8 of 10 draws; at 1 % over all signals."""
    common = sorted(before.keys() & after.keys())
    for size in (10, 15, 20, 30, 40, 60):
        if size > len(common):
            return None
        rng = random.Random(size)
        hits = 0
        for draw in range(SUBSETS):
            drawn = rng.sample(common, size)
            found = compare(
                {name: before[name] for name in drawn}, {name: after[name] for name in drawn}, draw,
                alpha=0.01, permutations=499,
            )  # fmt: skip
            hits += found.changed
        if hits >= 0.8 * SUBSETS:
            return size
    return None


def null_alarms(trials: Sequence[Runs]) -> dict[str, float]:
    """One version against itself: trial against trial on random halves of the tasks, at 5 %."""
    changed = worse = chi_square = pairs = 0
    for one in range(len(trials)):
        for other in range(one + 1, len(trials)):
            names = sorted(trials[one].keys() & trials[other].keys())
            rng = random.Random(one * 10 + other)
            for draw in range(10):
                drawn = rng.sample(names, len(names) * 4 // 5)
                sides = [{name: trials[which][name] for name in drawn} for which in (one, other)]
                found = compare(sides[0], sides[1], draw, permutations=199)
                changed += found.changed
                worse += found.judged.value == "worse"
                flat = [[run.tools for runs in side.values() for run in runs] for side in sides]
                chi_square += chi_square_of(*flat) <= 0.05
                pairs += 1
    return {"changed": changed / pairs, "worse": worse / pairs, "chi_square_on_tools": chi_square / pairs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    versions: dict[tuple[str, str], Runs] = {}
    trials: dict[int, Runs] = {}
    for run in rows(options.data, "tau_runs"):
        if run["source"] == SOURCE and run["domain"] == "retail":
            versions.setdefault((run["model"], run["variant"]), {})[str(run["task_id"])] = [seen(run)]
        elif run["source"] == "sierra-research/tau-bench":
            trials.setdefault(run["trial"], {})[str(run["task_id"])] = [seen(run)]
    results: dict[str, Any] = {name: None for name, _, _ in PAIRS}
    if not versions:
        results["notes"] = f"No recorded runs in {options.data}."
        print(json.dumps(results))
        return
    for name, before, after in PAIRS:
        results[name] = told(compare(versions[before], versions[after], seed=1))
        results[name]["tasks_until_changed"] = tasks_until_changed(versions[before], versions[after])
        print(f"{name}: {results[name]['sentence']}", flush=True)
    ordered = [trials[trial] for trial in sorted(trials)]
    halves = [
        {name: [*ordered[a][name], *ordered[b][name]] for name in ordered[a].keys() & ordered[b].keys()}
        for a, b in ((0, 1), (2, 3))
    ]
    results["null: gpt-4o airline, trials 0+1 -> 2+3"] = told(compare(halves[0], halves[1], seed=1))
    results["null_alarms_at_5pct"] = null_alarms(ordered)
    for result in results.values():
        if isinstance(result, dict):
            result.pop("sentence", None)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
