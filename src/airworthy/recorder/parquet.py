"""Parquet files of sealed days: their columns, writing, reading back. The only file that knows pyarrow.

Times are UTC microseconds as timestamps, money nano-USD as integers; payloads and records are JSON text.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from airworthy.core.errors import ConfigError

# file -> column -> type, of: text, int, time
COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    "traces": {
        "id": "text", "origin": "text", "trace_id": "text", "agent": "text", "release": "text", "session": "text",
        "user": "text", "feature": "text", "name": "text", "at": "time", "ended": "time", "outcome": "text",
        "error_type": "text", "steps": "int", "tokens": "int", "cost_nano": "int", "sentence": "text",
    },
    "steps": {
        "ref": "text", "seq": "int", "kind": "text", "name": "text", "state": "text", "effect": "text",
        "started": "time", "ended": "time", "attempts": "int", "error_type": "text", "model": "text",
        "tokens_in": "int", "tokens_out": "int", "cost_nano": "int", "resource": "text",
    },
    "spans": {
        "ref": "text", "span": "text", "parent": "text", "kind": "text", "name": "text", "started": "time",
        "ended": "time", "error_type": "text", "model": "text", "tokens_in": "int", "tokens_out": "int",
        "cost_nano": "int",
    },
    "payloads": {"ref": "text", "seq": "int", "span": "text", "body": "text"},
    "records": {"ref": "text", "table": "text", "body": "text"},
}  # fmt: skip
MEANING: Final[Mapping[str, str]] = {
    "traces": "One row a task of ours or trace of another program.",
    "steps": "The steps of our tasks, in the order they began.",
    "spans": "Spans that came by OTLP or import.",
    "payloads": "Arguments, results and errors of steps (`seq`), and what spans said (`span`), as JSON.",
    "records": "Effects, questions, review items, feedback, scores, calls: JSON, by the table they stood in.",
}
ROW_GROUP: Final = 50_000


def _arrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError(
            "Sealing days needs pyarrow, which is not installed.", mend="pip install 'airworthy[parquet]'"
        ) from error
    return pyarrow


def check_installed() -> None:
    """Raises: ConfigError."""
    _arrow()


def _schema(name: str) -> Any:
    arrow = _arrow()
    kinds = {"text": arrow.large_string(), "int": arrow.int64(), "time": arrow.timestamp("us", tz="UTC")}
    return arrow.schema([(column, kinds[kind]) for column, kind in COLUMNS[name].items()])


def write(path: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Sorted as given; times are integers of microseconds."""
    arrow = _arrow()
    columns = {column: [row.get(column) for row in rows] for column in COLUMNS[name]}
    table = arrow.table(columns, schema=_schema(name))
    arrow.parquet.write_table(table, path, compression="zstd", row_group_size=ROW_GROUP)


def read(path: Path, name: str) -> list[dict[str, Any]]:
    """As `write` was given them. Raises: ValueError for a file that is none, or has other columns."""
    arrow = _arrow()
    try:
        table = arrow.parquet.read_table(path)
    except (arrow.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if table.schema.names != list(COLUMNS[name]):
        raise ValueError(f"{path} has other columns than {name} has")
    for column, kind in COLUMNS[name].items():
        if kind == "time":
            at = table.schema.get_field_index(column)
            table = table.set_column(at, column, table.column(column).cast(arrow.int64()))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
