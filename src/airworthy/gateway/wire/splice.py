"""Changes values of a JSON object's own keys inside its bytes; every other byte stays as it came."""

import re
from collections.abc import Mapping

import orjson

from airworthy.gateway.wire.facts import RequestFacts

# Whatever a JSON text holds besides numbers and literals: a text, or a bracket. Possessive, so no backtracking.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]]', re.DOTALL)
_COLON = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*")
_SCALAR = re.compile(rb"[^,}\]\s]+")
# A key may be spelt with escapes; no client does that to plain letters, but one might to get past us.
_ESCAPED_LETTER = re.compile(rb"\\u00(?:5[fF]|6[1-9a-fA-F]|7[0-9aA])")
_SPACE = b" \t\r\n"
_OPENING = b"{["

Span = tuple[int, int]


def set_keys(raw: bytes, values: Mapping[str, bytes], *, present: frozenset[str]) -> bytes:
    """`raw`, which is a valid JSON object, with these keys set to these JSON texts.

    `present`: which of them it has already; the others are added at its end. A key that stands there twice is changed
    in both places, because receivers do not agree on which of them counts.
    """
    edits: list[tuple[int, int, bytes]] = []
    for key, value in values.items():
        if key in present:
            edits.extend((start, end, value) for start, end in spans(raw, key))
    added = [b'"%b":%b' % (key.encode(), value) for key, value in values.items() if key not in present]
    if added:
        brace = raw.rindex(b"}")
        comma = b"" if raw[:brace].rstrip(_SPACE).endswith(b"{") else b","
        edits.append((brace, brace, comma + b",".join(added)))
    edits.sort()
    parts: list[bytes] = []
    done = 0
    for start, end, value in edits:
        parts += (raw[done:start], value)
        done = end
    parts.append(raw[done:])
    return b"".join(parts)


def with_values(
    raw: bytes, facts: RequestFacts, model: str | None, bound: str = "", output_tokens_max: int | None = None
) -> bytes:
    """The request with another model and another bound on its output, where these differ from its own.

    `bound`: the protocol's key for it; a protocol that has none gives neither.
    """
    values: dict[str, bytes] = {}
    if model is not None and model != facts.model:
        values["model"] = orjson.dumps(model)
    if output_tokens_max is not None and output_tokens_max != facts.output_tokens_max:
        values[bound] = b"%d" % output_tokens_max
    if not values:
        return raw
    return set_keys(raw, values, present=frozenset(key for key in values if key in facts.body))


def spans(raw: bytes, key: str) -> list[Span]:
    """Where the values of the object's own `key` stand; nested keys and texts of the same name are passed over."""
    needle = b'"%b"' % key.encode()
    at = raw.find(needle)
    if at >= 0 and raw.find(needle, at + 1) < 0 and not (b"\\u00" in raw and _ESCAPED_LETTER.search(raw)):
        colon = _COLON.match(raw, at + len(needle))
        if colon is not None:
            return [(colon.end(), _value_end(raw, colon.end()))]
    return _scanned(raw, key)


def _scanned(raw: bytes, key: str) -> list[Span]:
    found: list[Span] = []
    position = raw.index(b"{") + 1
    while (match := _TOKEN.search(raw, position)) is not None:
        if raw[match.start()] != 0x22:
            break  # The closing brace: values, which may open others, are stepped over.
        colon = _COLON.match(raw, match.end())
        assert colon is not None, "a key without a colon in valid JSON"
        end = _value_end(raw, colon.end())
        if _is(match.group(), key):
            found.append((colon.end(), end))
        position = end
    return found


def _value_end(raw: bytes, start: int) -> int:
    """Where the value that begins at `start` ends."""
    first = raw[start]
    if first not in b'"{[':
        scalar = _SCALAR.match(raw, start)
        assert scalar is not None, "no value after a colon in valid JSON"
        return scalar.end()
    depth = 0
    for match in _TOKEN.finditer(raw, start):
        byte = raw[match.start()]
        if byte == 0x22:
            if not depth:
                return match.end()
        elif byte in _OPENING:
            depth += 1
        else:
            depth -= 1
            if not depth:
                return match.end()
    raise AssertionError("a value without an end in valid JSON")


def _is(quoted: bytes, key: str) -> bool:
    if b"\\" not in quoted:
        return quoted[1:-1] == key.encode()
    return bool(orjson.loads(quoted) == key)
