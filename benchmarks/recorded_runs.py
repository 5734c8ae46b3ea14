"""Turns recorded runs of agents, as research publishes them, into lines that `airworthy import` takes in.

Run `python -m benchmarks.recorded_runs workbench FILE.jsonl.gz > runs.jsonl`. Runs that are lists of messages need no
turning: `airworthy import --format messages FILE`.
"""

import argparse
import gzip
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

Row = dict[str, Any]
_ABOUT: Final = (
    "source",
    "licence",
    "labels",
    "gold_answer",
    "correct",
    "unwanted_side_effect",
    "template",
    "domain",
)


def workbench(row: Row) -> Row:
    """Office tasks: a question, calls with what they gave, an answer."""
    spans = [
        {
            "kind": "tool",
            "name": step["tool"],
            "tool": step["tool"],
            "input": step["input"],
            "output": step["obs"],
        }
        for step in row["steps"] or ()
    ]
    return _line(row, "workbench", row["query"], row["output"], spans) | {"name": row["query"][:200]}


def failures(row: Row) -> Row:
    """Runs of several agents that failed: a task, then what each said and did."""
    spans = [{"kind": "step", "name": _who(step), "output": step} for step in row["steps"]]
    error = {} if row["success"] else {"error": "task_failed"}
    return _line(row, row["system"], row["task"], None, spans) | {"trace": row["id"]} | error


def _who(step: Row) -> str:
    return str(step.get("agent") or step.get("name") or step.get("role") or "step")[:200]


def _line(row: Row, agent: str, asked: Any, answered: Any, spans: list[Row]) -> Row:
    about = {key: row[key] for key in _ABOUT if row.get(key) is not None}
    made: Row = {"agent": agent, "input": asked, "output": answered, "spans": spans, "attributes": about}
    if row.get("error"):
        made["error"] = {"type": "run_error", "message": str(row["error"])[:2_000]}
    if row.get("model"):
        made["release"] = str(row["model"])
    return made


FORMS: Final[Mapping[str, Callable[[Row], Row]]] = {"workbench": workbench, "failures": failures}


def converted(form: str, path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.dumps(FORMS[form](json.loads(line)), ensure_ascii=False)


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("form", choices=sorted(FORMS))
    reader.add_argument("file", type=Path)
    given = reader.parse_args()
    for line in converted(given.form, given.file):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
