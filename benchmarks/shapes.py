"""Shape inference on recorded tool results: false alarms on one schema, and changes that it misses; prints one JSON
line last.

Run `python -m benchmarks.shapes`. The recordings lie beside the project (`--data`, gzipped files of JSON lines); where
they are absent the figures are null. The shape of each tool is learnt from the first half of its results. The second
half is of the same schema, so whatever is told about it is a false alarm; then one field of it is changed at a time.
"""

import argparse
import copy
import gzip
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from airworthy.tools.shape import Difference, Matcher, Shape, added, differences, of_value, settled
from airworthy.tools.shape.tally import Tally
from airworthy.tools.shape.words import is_error

DATA = Path("/work/shared/data")
SETS = ("tau_runs", "agentdyn_runs")
RESULTS_MIN = 40
FIELDS_MAX = 12  # Changed one by one for each tool and kind of change.
GROWN_BY = 50

Field = tuple[str, ...]
Change = Callable[[dict[str, Any], str], None]


@dataclass
class Found:
    tools: int = 0
    structured: int = 0
    results: int = 0
    differing: int = 0
    slow: int = 0
    alarms: list[str] = field(default_factory=list)
    breaking: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    told_after: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--learn", type=int, help="results to learn from, instead of the first half")
    options = parser.parse_args()
    tools = recorded(options.data)
    found = Found()
    chance = random.Random(7)
    for name, results in tools.items():
        cut = options.learn or len(results) // 2
        if len(results) >= max(RESULTS_MIN, cut + RESULTS_MIN // 2):
            _one_tool(name, results[:cut], results[cut:], chance, found)
    figures = _figures(found) if found.tools else {"notes": [f"No data in {options.data}."], "tools": None}
    for key, value in figures.items():
        print(f"{key}: {json.dumps(value, ensure_ascii=False)}")
    print(json.dumps(figures))


def recorded(data: Path) -> dict[str, list[Any]]:
    """Results by data set, scenario and tool, in the order of the recordings; without errors and injected text."""
    found: dict[str, list[Any]] = defaultdict(list)
    for name in SETS:
        for row in _rows(data, name):
            place = f"{name} {row.get('domain') or row.get('suite')} {row.get('variant') or ''}".strip()
            for message in row["messages"]:
                if message["role"] != "tool" or message.get("error") or message.get("injected"):
                    continue
                content, tool = message.get("content"), message.get("name")
                if not isinstance(content, str) or not tool:
                    continue
                value = _read(content) if name == "tau_runs" else content
                if not is_error(value):
                    found[f"{place}: {tool}"].append(value)
    return found


def _read(text: str) -> Any:
    """As the tool had it before it was told to a model; text that is no object and no list stays text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, dict | list) else text


def _rows(data: Path, name: str) -> Iterator[dict[str, Any]]:
    path = data / f"{name}.jsonl.gz"
    if path.exists():
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def _one_tool(
    name: str, before: Sequence[Any], after: Sequence[Any], chance: random.Random, found: Found
) -> None:
    shape = Shape()
    for value in before:
        added(shape, value, _size(value))
    shape = settled(shape)
    matcher = Matcher(shape)
    found.tools += 1
    found.results += len(after)
    found.differing += sum(bool(differences(shape, of_value(value, _size(value)))) for value in after)
    found.slow += sum(not matcher.fits(value, _size(value)) for value in after)
    told, _ = _told(shape, after)
    if told:
        found.breaking += any(each.breaking for each in told)
        found.alarms.append(f"{name}: {', '.join(f'{each.path} {each.what}' for each in told)}")
    known = {each.key for each in told}
    if all(isinstance(value, dict | list) for value in after):
        found.structured += 1
        _changed_by_hand(shape, after, known, chance, found)


def _told(shape: Shape, results: Sequence[Any]) -> tuple[list[Difference], dict[tuple[str, str], int]]:
    """What an operator would be told, and after how many differing results each."""
    tally, after = Tally(), dict[tuple[str, str], int]()
    told: dict[tuple[str, str], Difference] = {}
    for value in results:
        tally.results += 1
        met = differences(shape, of_value(value, _size(value)))
        if tally.met(met, "", 0):
            for change in tally.drained():
                key = change.difference.key
                if key not in told:
                    told[key], after[key] = change.difference, change.of
    return list(told.values()), after


def _changed_by_hand(
    shape: Shape, results: Sequence[Any], known: set[tuple[str, str]], chance: random.Random, found: Found
) -> None:
    """One field at a time, in every result that has it, as a new version of the other side would."""
    always, sometimes = _fields(shape)
    for presence, fields in (("always", always), ("sometimes", sometimes)):
        for path in chance.sample(fields, min(len(fields), FIELDS_MAX)):
            for kind, change in CHANGES.items():
                changed = [copy.deepcopy(value) for value in results]
                if sum(_apply(value, path, change) for value in changed):
                    _count(shape, changed, known, f"{kind} of a field {presence} there", found)
    grown = [_grown(value) for value in results]
    _count(shape, grown, known, "grow", found)


def _count(
    shape: Shape, changed: Sequence[Any], known: set[tuple[str, str]], kind: str, found: Found
) -> None:
    told, after = _told(shape, changed)
    new = [each for each in told if each.key not in known]
    found.changes[kind] += 1
    if not new:
        found.missed[kind] += 1
    else:
        found.told_after[kind].append(min(after[each.key] for each in new))


def _fields(shape: Shape) -> tuple[list[Field], list[Field]]:
    """Paths of named fields: those in every object around them, and the others. `[]` and `*` stand for any."""
    always: list[Field] = []
    sometimes: list[Field] = []
    left: list[tuple[Field, Any]] = [((), shape.root)]
    while left:
        path, node = left.pop()
        for name, child in node.fields.items():
            (sometimes if child.absent else always).append((*path, name))
            left.append(((*path, name), child))
        for mark, inside in (("[]", node.items), ("*", node.others)):
            if inside is not None:
                left.append(((*path, mark), inside))
    return sorted(always), sorted(sometimes)


def _apply(value: Any, path: Field, change: Change) -> int:
    """How many objects were changed."""
    head, rest = path[0], path[1:]
    if head == "[]":
        return sum(_apply(item, rest, change) for item in value) if isinstance(value, list) else 0
    if not isinstance(value, dict):
        return 0
    if head == "*":
        return sum(_apply(item, rest, change) for item in value.values() if isinstance(item, dict | list))
    if head not in value:
        return 0
    if rest:
        return _apply(value[head], rest, change)
    change(value, head)
    return 1


def _drop(holder: dict[str, Any], name: str) -> None:
    del holder[name]


def _rename(holder: dict[str, Any], name: str) -> None:
    holder[f"{name}_v2"] = holder.pop(name)


def _null(holder: dict[str, Any], name: str) -> None:
    holder[name] = None


def _retype(holder: dict[str, Any], name: str) -> None:
    value = holder[name]
    holder[name] = len(value) if isinstance(value, str) else str(value)


CHANGES: dict[str, Change] = {"drop": _drop, "rename": _rename, "null": _null, "retype": _retype}


def _grown(value: Any) -> Any:
    if isinstance(value, list):
        return value * GROWN_BY if value else ["x" * 10_000]
    return {**value, next(iter(value), "text"): "x" * GROWN_BY * max(200, _size(value))}


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _figures(found: Found) -> dict[str, Any]:
    return {
        "tools": found.tools,
        "tools_structured": found.structured,
        "results_held_against": found.results,
        "results_differing": found.differing,
        "results_looked_at_twice": found.slow,
        "tools_with_false_alarm": len(found.alarms),
        "tools_with_false_alarm_breaking": found.breaking,
        "false_alarms": found.alarms,
        "changes": {
            kind: {
                "made": made,
                "missed": found.missed[kind],
                "results_until_told": median(found.told_after[kind]) if found.told_after[kind] else None,
            }
            for kind, made in sorted(found.changes.items())
        },
    }


if __name__ == "__main__":
    main()
