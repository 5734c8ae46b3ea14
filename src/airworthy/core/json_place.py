"""Where in a text of JSON a byte stands, told from the bytes before it."""

import re

_QUOTE = re.compile(rb"\\*+\"")


def is_escaped(data: bytes, at: int) -> bool:
    before = at
    while before > 0 and data[before - 1] == 92:  # 92 is a backslash
        before -= 1
    return (at - before) % 2 == 1


def is_in_string(data: bytes, at: int) -> bool:
    return sum(1 for quote in _QUOTE.finditer(data, 0, at) if len(quote[0]) % 2) % 2 == 1
