"""From a policy file to a policy, or to everything that is wrong with it, line by line."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from airworthy.policy.errors import PolicyError, Problem
from airworthy.policy.kinds import Section
from airworthy.policy.lines import Position, nearest, positions
from airworthy.policy.model import Policy
from airworthy.policy.schema_file import BESIDE
from airworthy.policy.wording import Finding, findings, key_text, value_text

T = TypeVar("T", bound=Section)

FILE_BYTES_MAX: Final = 1_048_576
_AT = re.compile(r" \(at line (\d+), column (\d+)\)$")


def load_policy(path: Path) -> Policy:
    """The policy in a TOML file. Raises: PolicyError, with all problems of the file at once."""
    return _policy(_text(path), str(path), path.parent)


def load_toml(path: Path, model: type[T]) -> T:
    """Another of the project's TOML files, held against its own model. Raises: PolicyError, as `load_policy`."""
    name, text = str(path), _text(path)
    raw = _toml(text, name)
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise PolicyError(name, _problems(findings(error, model), text, raw)) from error
    except RecursionError as error:
        raise _unreadable(name, "is nested too deeply.", "Write it flat, as the reference shows.") from error


def _text(path: Path) -> str:
    name = str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise _unreadable(name, "does not exist.", "Check the path, or write the file there.") from error
    except IsADirectoryError as error:
        raise _unreadable(name, "is a directory.", "Name the policy file in it.") from error
    except (OSError, ValueError) as error:  # ValueError: a path with a null character.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _unreadable(
            name, f"cannot be read: {reason}.", "Check the path and its permissions."
        ) from error
    if len(raw) > FILE_BYTES_MAX:
        raise _unreadable(name, f"is larger than {FILE_BYTES_MAX} bytes.", "Name a policy file.")
    try:
        return raw.decode("utf-8-sig")  # Some editors put a byte order mark first.
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        says = f"The byte 0x{raw[error.start]:02x} is not UTF-8."
        raise PolicyError(name, [Problem(line, column, "", "", says, "Save the file as UTF-8.")]) from error


def parse_policy(text: str, *, name: str = "policy.toml") -> Policy:
    """The policy in a TOML text; `name` is what errors call it. It may name no file. Raises: PolicyError."""
    return _policy(text, name, None)


def _policy(text: str, name: str, folder: Path | None) -> Policy:
    """`folder`: where the files lie that the policy names."""
    raw = _toml(text, name)
    context = None if folder is None else {BESIDE: partial(_beside, folder)}
    try:
        return Policy.model_validate(raw, context=context)
    except ValidationError as error:
        found = findings(error)
    except RecursionError as error:
        raise _unreadable(name, "is nested too deeply.", "Write it flat, as the reference shows.") from error
    found += _contradictions_beside(raw, found, context)
    raise PolicyError(name, _problems(found, text, raw))


def _toml(text: str, name: str) -> dict[str, Any]:
    try:
        text.encode("utf-8")
        return tomllib.loads(text)
    except UnicodeEncodeError as error:
        raise _unreadable(name, "holds half a character (a lone surrogate).", "Save it as UTF-8.") from error
    except RecursionError as error:
        raise _unreadable(name, "is nested too deeply.", "Write it flat, as the reference shows.") from error
    except ValueError as error:  # TOMLDecodeError, and numbers too long for Python to read.
        message = str(error)
        match = _AT.search(message)
        line, column = (int(match[1]), int(match[2])) if match else (0, 0)
        if message.endswith("(at end of document)"):
            line, column = text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1
        says = _AT.sub("", message).removesuffix(" (at end of document)")
        twice = says.startswith(("Cannot overwrite", "Cannot declare", "Cannot mutate", "Duplicate"))
        mend = (
            "A key or table may stand once; delete or merge the second."
            if twice
            else 'Mend the TOML there: text needs quotes, lists need "[" and "]", one key a line.'
        )
        says = f"Not valid TOML: {value_text(says).strip(chr(34))}."
        raise PolicyError(name, [Problem(line, column, "", "", says, mend)]) from error


def _beside(folder: Path, name: str, count: int) -> bytes:
    """The first `count` bytes of a file. Raises: OSError, ValueError."""
    with (folder / name).open("rb") as file:
        return file.read(count)


def _contradictions_beside(
    raw: dict[str, Any], found: Sequence[Finding], context: Mapping[str, Any] | None
) -> list[Finding]:
    """Contradictions between the sound sections, which pydantic does not reach once one is broken."""
    broken = {finding.path[0] for finding in found if finding.path}
    if not broken:
        return []
    sound: dict[str, Any] = {}
    for key, field in Policy.model_fields.items():
        if key in raw and key not in broken:
            adapter: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
            sound[key] = adapter.validate_python(raw[key], context=context)
    partial = Policy.model_construct(**sound)
    known = frozenset(Policy.model_fields) - broken
    return [Finding(flaw.key, flaw.says, flaw.mend) for flaw in partial.flaws_across(known)]


def _problems(found: Sequence[Finding], text: str, raw: dict[str, Any]) -> list[Problem]:
    where = positions(text)
    placed: list[tuple[Position, Problem]] = []
    for finding in found:
        at = nearest(where, finding.path)
        value = "" if finding.secret else _value_at(raw, finding.path)
        problem = Problem(at.line, at.column, key_text(finding.path), value, finding.says, finding.mend)
        placed.append((at, problem))
    placed.sort(key=lambda pair: pair[0])
    return [problem for _, problem in placed]


def _value_at(raw: Any, path: Sequence[str | int]) -> str:
    """What stands at a key, if it is one plain value; a table is not repeated in an error."""
    for part in path:
        try:
            raw = raw[part]
        except (
            KeyError,
            IndexError,
            TypeError,
        ):  # A missing key has no value, and its table none of its own.
            return ""
    return "" if isinstance(raw, dict) else value_text(raw)


def _unreadable(name: str, says: str, mend: str) -> PolicyError:
    return PolicyError(name, [Problem(0, 0, "", "", says, mend)])
