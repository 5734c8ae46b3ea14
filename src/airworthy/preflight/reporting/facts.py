"""What a part tells of itself beside its cells, made ready to be shown: rates, comparison, and tables of all else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from airworthy.preflight.reporting.bounded import clipped, readable
from airworthy.preflight.reporting.svg import share_text

ROWS_MAX: Final = 60
COLUMNS_MAX: Final = 10
TEXT_CHARS_MAX: Final = 300
DRAWN: Final = ("pass_rate", "do_nothing", "comparison")
# What the page says elsewhere: in its counts, its lists, or its tables by axis.
TOLD: Final = (
    "cells",
    "passed",
    "failed",
    "cases",
    "runs",
    "model_calls",
    "model_calls_made",
    "how_it_fails",
    "families",
)


@dataclass(frozen=True, slots=True)
class Rate:
    passed: int
    runs: int
    cases: int
    share: float
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Table:
    """`more`: rows that are left out."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Shown:
    """`nothing`: the share of the agent that does nothing. `pairs`: names with a text; `lists`: with several.
    `sentences`: of comparisons.
    """

    rate: Rate | None = None
    nothing: float | None = None
    nothing_text: str = ""
    sentences: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    lists: tuple[tuple[str, tuple[str, ...]], ...] = ()
    tables: tuple[Table, ...] = ()


def shown_facts(facts: Mapping[str, Any]) -> Shown:
    """Never raises: a key that is not of the form expected is shown as what it is."""
    rate, nothing = _rate(facts.get("pass_rate")), facts.get("do_nothing")
    pairs: list[tuple[str, str]] = []
    tables: list[Table] = []
    sentences: list[str] = []
    if rate is None and "pass_rate" in facts:
        _place("pass rate", facts["pass_rate"], pairs, tables)
    comparison = facts.get("comparison")
    if isinstance(comparison, Mapping):
        sentences += [str(comparison["text"])] if comparison.get("text") else []
        for key, value in comparison.items():
            if key != "text":
                _place(f"compared: {_named(key)}", value, pairs, tables)
    elif comparison:
        sentences.append(str(comparison))
    lists: list[tuple[str, tuple[str, ...]]] = []
    for key, value in facts.items():
        texts = _texts(value)
        if texts:
            lists += [(_named(key), texts)] if key not in TOLD else []
        elif key not in DRAWN and not (key in TOLD and _is_told(value)):
            _place(_named(key), value, pairs, tables)
    nothing_text = _nothing_text(nothing)
    return Shown(
        rate,
        _nothing_share(nothing),
        nothing_text,
        tuple(sentences),
        tuple(pairs),
        tuple(lists),
        tuple(tables),
    )


def _rate(value: Any) -> Rate | None:
    match value:
        case {"passed": int(passed), "runs": int(runs)} if runs > 0:
            cases = value.get("cases")
            share = value.get("rate")  # Of its cases, which need not be passed / runs.
            return Rate(
                passed, runs, cases if isinstance(cases, int) else 0,
                float(share) if isinstance(share, int | float) else passed / runs, _bounds(value.get("interval")),
            )  # fmt: skip
    return None


def _bounds(value: Any) -> tuple[float, float] | None:
    match value:
        case [int() | float() as low, int() | float() as high]:
            return float(low), float(high)
    return None


def _nothing_share(value: Any) -> float | None:
    match value:
        case {"passed": int(passed), "cases": int(cases)} if cases > 0:
            return passed / cases
    return None


def _nothing_text(value: Any) -> str:
    if isinstance(value, Mapping) and value.get("text"):
        return str(value["text"])
    share = _nothing_share(value)
    return "" if share is None else f"An agent that does nothing passes {share_text(share)} of these cases."


def _place(name: str, value: Any, pairs: list[tuple[str, str]], tables: list[Table]) -> None:
    if value in (None, "", [], {}, ()):
        return
    if isinstance(value, Mapping):
        if all(isinstance(each, Mapping) for each in value.values()):
            rows = [{"": key, **each} for key, each in value.items()]
            tables.append(_table(name, rows))
        else:
            pairs += [(f"{name}: {_named(key)}", _text(each)) for key, each in list(value.items())[:ROWS_MAX]]
    elif _is_rows(value):
        tables.append(_table(name, value))
    else:
        pairs.append((name, _text(value)))


def _texts(value: Any) -> tuple[str, ...]:
    """Sentences, as texts or as mappings with nothing else; of any other value none."""
    if not isinstance(value, list | tuple):
        return ()
    texts = [
        each.get("text") if isinstance(each, Mapping) and len(each) == 1 else each
        for each in value[:ROWS_MAX]
    ]
    long = any(isinstance(text, str) and " " in text for text in texts)
    return (
        tuple(clipped(str(text)) for text in texts) if long and all(isinstance(t, str) for t in texts) else ()
    )


def _is_told(value: Any) -> bool:
    """A count, or the rows that the page's own table has."""
    return isinstance(value, int | float) or _is_rows(value)


def _is_rows(value: Any) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and all(isinstance(e, Mapping) for e in value)
    )


def _table(name: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = list(dict.fromkeys(str(key) for row in rows for key in row))[:COLUMNS_MAX]
    cells = tuple(tuple(_text(row.get(column)) for column in columns) for row in rows[:ROWS_MAX])
    return Table(name, tuple(_named(column) for column in columns), cells, max(len(rows) - ROWS_MAX, 0))


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case str():
            return clipped(value, TEXT_CHARS_MAX)
        case [*parts] if all(isinstance(part, str | int | float) for part in parts):
            return clipped(", ".join(_text(part) for part in parts), TEXT_CHARS_MAX)
    return clipped(" ".join(readable(value, TEXT_CHARS_MAX).split()), TEXT_CHARS_MAX)


def _named(key: object) -> str:
    return clipped(str(key).replace("_", " "), 60)
