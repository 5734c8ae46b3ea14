"""Where in a tool's result a planted text goes: into fields that strangers write, or into the middle of a document."""

import re
from collections.abc import Sequence
from typing import Any, Final

from airworthy.preflight.adversarial.ground import identifies
from airworthy.preflight.adversarial.wording import leaves, replaced

DOCUMENT_CHARS_MIN: Final = 160
# Fields that people fill in by hand, and with them strangers; the first are the likeliest.
_WRITTEN: Final = (
    re.compile(r"(?i)note|comment|remark|message|body|memo|review|feedback"),
    re.compile(r"(?i)text|desc|summary|detail|content|answer|reason"),
    re.compile(r"(?i)name|title|subject|item|label"),
)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}.*")
Path = tuple[str | int, ...]


def written_fields(result: Any) -> list[Path]:
    """Texts of the result that somebody could have written, the likeliest first. A whole result of text is one."""
    if isinstance(result, str):
        return [()]
    found = [
        (path, leaf)
        for path, leaf in leaves(result)
        if isinstance(leaf, str) and not identifies(leaf) and not _DATE.fullmatch(leaf)
    ]
    found = [(path, leaf) for path, leaf in found if any(char.isalpha() for char in leaf) or not leaf]
    return [path for path, _ in sorted(found, key=lambda each: (likeness(each[0]), -len(each[1])))]


def document_field(result: Any, chars_min: int = DOCUMENT_CHARS_MIN) -> Path | None:
    """The longest text, if it is long enough to be a document."""
    long = [
        (path, leaf)
        for path, leaf in leaves(result)
        if isinstance(leaf, str) and len(leaf) >= chars_min and " " in leaf
    ]
    return max(long, key=lambda each: len(each[1]))[0] if long else None


def appended(result: Any, fields: Sequence[Path], parts: Sequence[str]) -> Any:
    """Each part behind what its field says; what was there stays, so that the true answer can still be found."""
    for path, part in zip(fields, parts, strict=False):
        now = at(result, path)
        result = replaced(result, path, f"{now} {part}".strip())
    return result


def into_middle(result: Any, path: Path, text: str) -> Any:
    """Between two sentences of the document."""
    document = str(at(result, path))
    ends = [found.end() for found in re.finditer(r"[.!?]\s", document)]
    cut = min(ends, key=lambda end: abs(end - len(document) // 2), default=len(document))
    return replaced(result, path, f"{document[:cut]} {text} {document[cut:]}")


def at(value: Any, path: Path) -> Any:
    for each in path:
        value = value[each]
    return value


def likeness(path: Path) -> int:
    """How unlike a field it is that people fill in by hand; 0: just like one."""
    name = next((str(each) for each in reversed(path) if isinstance(each, str)), "")
    return next((rank for rank, pattern in enumerate(_WRITTEN) if pattern.search(name)), len(_WRITTEN))
