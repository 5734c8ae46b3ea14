"""A report as JSON, and back; the form in which it is stored, compared and handed to other programs.

Keys are the fields of `Report`, `Section`, `CellResult`, `Finding` and `Item` as they are written there, plus `schema`:
the number of this form, raised when a key changes its meaning or goes. New keys may come without a new number.
"""

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from airworthy.core.errors import InputError, storable_text
from airworthy.preflight.report import Report

SCHEMA: Final = 1
DEPTH_MAX: Final = 60
TEXT_BYTES_MAX: Final = 64 * 1024 * 1024


class NotAReport(InputError):
    """The text is not a preflight's report, or of a form that this version does not know."""

    code = "not_a_report"


def to_document(report: Report) -> dict[str, Any]:
    """Plain data: no float that JSON lacks, no text that UTF-8 lacks."""
    made = _plain(report, DEPTH_MAX)
    assert isinstance(made, dict)
    return {"schema": SCHEMA, **made}


def plain_data(value: Any) -> Any:
    """Of any value, what JSON can hold of it."""
    return _plain(value, DEPTH_MAX)


def json_text(report: Report) -> str:
    """ASCII only, so that no terminal, log or mail on its way can be commanded by what it holds."""
    return json.dumps(to_document(report), ensure_ascii=True, allow_nan=False, indent=1) + "\n"


def report_from_json(text: str | bytes) -> Report:
    """Raises: NotAReport."""
    if len(text) > TEXT_BYTES_MAX:
        raise NotAReport(
            f"The report has {len(text)} bytes; at most {TEXT_BYTES_MAX} are read.",
            mend="Give the file that `airworthy preflight --json` wrote.",
        )
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotAReport(
            f"This is no JSON: {error}.", mend="Give the file that `airworthy preflight --json` wrote."
        ) from error
    return from_document(found)


def from_document(document: Any) -> Report:
    """Raises: NotAReport."""
    if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
        said = document.get("schema") if isinstance(document, Mapping) else None
        raise NotAReport(
            f"This is no report of form {SCHEMA}: its schema is {said!r}.",
            mend="Run the preflight again with this version.",
        )
    try:
        return _adapter().validate_python({key: value for key, value in document.items() if key != "schema"})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise NotAReport(
            f"The report is not as it was written: {where}: {first['msg']}.", mend="Run the preflight again."
        ) from error


@cache
def _adapter() -> TypeAdapter[Report]:
    return TypeAdapter(Report)


def _plain(value: Any, depth: int) -> Any:
    if depth == 0:
        return "(deeper than is shown)"
    match value:
        case None | bool() | int():
            return value
        case str():  # A StrEnum too.
            return storable_text(str(value))
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {storable_text(str(key)): _plain(each, depth - 1) for key, each in value.items()}
        case bytes() | bytearray():
            return storable_text(value.decode("utf-8", "replace"))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(getattr(value, field.name), depth - 1) for field in dataclasses.fields(value)
        }
    if isinstance(value, Iterable):
        return [_plain(each, depth - 1) for each in value]
    return storable_text(str(value))
