"""A document as Markdown that any reader shows alike; no text in it can become markup."""

import re
from typing import assert_never

from airworthy.policy.document import (
    Block,
    Bullets,
    Code,
    Document,
    Facts,
    Heading,
    Line,
    Paragraph,
    Part,
    Strong,
    plain,
)

# Every character that starts inline markup, and the ":" within an address, so that no reader makes a link.
_INLINE = re.compile(r"([\\`*_{}\[\]<>&~|$]|:(?=[^\s\d]))")
_AT_START = re.compile(r"^([#+\-=>]|\d+(?=[.)](?:\s|$)))")
_WWW = re.compile(r"(?i)\b(www)\.")


def render_markdown(document: Document) -> str:
    return "\n\n".join(_block(block) for block in document.blocks) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading(level, line):
            return f"{'#' * level} {_line(line)}"
        case Paragraph(line):
            return _line(line)
        case Bullets(lines):
            return "\n".join(f"- {_line(line)}" for line in lines)
        case Facts(rows):
            return "\n".join(f"- **{_escape(label)}:** {_line(line)}" for label, line in rows)
        case _:
            assert_never(block)


def _line(line: Line) -> str:
    text = "".join(_part(part) for part in line).strip()
    # What opens a line could start a list, a heading or a quote.
    return _AT_START.sub(lambda match: _guard(match[1]), text)


def _guard(start: str) -> str:
    # A number is guarded at the dot after it, which the pattern leaves in place.
    return f"{start}\\" if start.isdigit() else f"\\{start}"


def _part(part: Part) -> str:
    match part:
        case Strong(text):
            return f"**{_escape(text).strip()}**"
        case Code(text):
            return f"`{_code(text)}`"
        case str(text):
            return _escape(text)
        case _:
            assert_never(part)


def _escape(text: str) -> str:
    return _WWW.sub(r"\1\\.", _INLINE.sub(r"\\\1", plain(text)))


def _code(text: str) -> str:
    # Within a code span nothing can be escaped, so the one character that ends it is replaced.
    return plain(text).replace("`", "'").strip() or " "
