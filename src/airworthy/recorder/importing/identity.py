"""Ids of what is imported: those of others are kept where they fit, and else made from what is said, always alike."""

import re
from hashlib import blake2b
from typing import Final

_TRACE: Final = re.compile("[0-9a-f]{32}")
_SPAN: Final = re.compile("[0-9a-f]{16}")
_ZERO: Final = frozenset("0")


def trace_id(said: str, content: bytes) -> str:
    """`content`: the line, for one that says no id; so the same line is the same trace however often it comes."""
    if not said:
        return _made(b"content", content, 16)
    bare = said.lower().replace("-", "")
    if _TRACE.fullmatch(bare) and set(bare) != _ZERO:
        return bare  # As W3C has it, or a UUID.
    return _made(b"trace", said.encode("utf-8", "surrogatepass"), 16)


def span_id(trace: str, said: str) -> str:
    """`said`: unique in its trace."""
    low = said.lower()
    if _SPAN.fullmatch(low) and set(low) != _ZERO:
        return low
    return _made(b"span", f"{trace}/{said}".encode("utf-8", "surrogatepass"), 8)


def root_id(trace: str) -> str:
    return _made(b"root", trace.encode(), 8)


def _made(kind: bytes, content: bytes, size: int) -> str:
    return blake2b(content, digest_size=size, person=kind).hexdigest()
