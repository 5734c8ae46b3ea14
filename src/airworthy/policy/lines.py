"""Where each key of a TOML text stands: Python's parser keeps no positions, so this file does."""

from dataclasses import dataclass
from typing import Final

from airworthy.policy.flaws import KeyPath

DEPTH_MAX: Final = 40  # Deeper values keep the position of the value around them.
_BARE_END: Final = ",]}#\n"
_SPACE: Final = " \t"
_GAP: Final = " \t\n"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Line and column of a key or an array entry, both counted from 1."""

    line: int
    column: int


def positions(text: str) -> dict[KeyPath, Position]:
    """The first position of every key, table and array entry of a text that is valid TOML.

    Of an invalid text it gives what it met; it never raises and always ends, since each turn of each loop
    moves on.
    """
    reader = _Reader(text.replace("\r\n", "\n"))
    reader.read()
    return {path: reader.position(at) for path, at in reader.found.items()}


def nearest(found: dict[KeyPath, Position], path: KeyPath) -> Position:
    """The position of a key, or of the closest table around it when the key itself is not written."""
    for length in range(len(path), 0, -1):
        position = found.get(path[:length])
        if position is not None:
            return position
    return Position(1, 1)


class _Reader:
    """One pass over the text, `at` is the index of the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[KeyPath, int] = {}
        self._last_entry: dict[KeyPath, int] = {}
        self._line_starts = [0, *(index + 1 for index, char in enumerate(text) if char == "\n")]

    def position(self, at: int) -> Position:
        low, high = 0, len(self._line_starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._line_starts[middle] <= at else (low, middle)
        return Position(low + 1, at - self._line_starts[low] + 1)

    def read(self) -> None:
        table: KeyPath = ()
        while self._skip_gaps():
            start = self.at
            if self.text.startswith("[[", self.at):
                self.at += 2
                table = self._enter(self._key(), start, new_entry=True)
            elif self.text[self.at] == "[":
                self.at += 1
                table = self._enter(self._key(), start, new_entry=False)
            else:
                self._pair(table, 0)
            self._skip_line()
            self.at = max(self.at, start + 1)

    def _enter(self, key: tuple[str, ...], start: int, *, new_entry: bool) -> KeyPath:
        """The full path of a table header; a step through an array of tables means its last entry."""
        path: KeyPath = ()
        for depth, part in enumerate(key):
            path = (*path, part)
            is_last = depth == len(key) - 1
            if is_last and new_entry:
                self._last_entry[path] = self._last_entry.get(path, -1) + 1
            self.found.setdefault(path, start)
            if path in self._last_entry:
                path = (*path, self._last_entry[path])
                self.found.setdefault(path, start)
        return path

    def _pair(self, table: KeyPath, depth: int) -> None:
        start = self.at
        path = table
        for part in self._key():
            path = (*path, part)
            self.found.setdefault(path, start)
        self._skip(_SPACE)
        if self._peek() == "=":
            self.at += 1
        self._skip(_SPACE)
        self._value(path, depth)

    def _key(self) -> tuple[str, ...]:
        parts = []
        while True:
            self._skip(_SPACE)
            if self._peek() in {'"', "'"}:
                parts.append(self._string())
            else:
                start = self.at
                while self._peek() not in {"", ".", "=", "]", "\n", "#", "{", "}", ",", " ", "\t"}:
                    self.at += 1
                parts.append(self.text[start : self.at])
            self._skip(_SPACE)
            if self._peek() != ".":
                return tuple(parts)
            self.at += 1

    def _value(self, path: KeyPath, depth: int) -> None:
        char = self._peek()
        if char in {'"', "'"}:
            self._string()
        elif char in {"[", "{"} and depth >= DEPTH_MAX:
            self.at = len(self.text)
        elif char == "[":
            self._entries(path, depth + 1, is_array=True)
        elif char == "{":
            self._entries(path, depth + 1, is_array=False)
        else:
            while self._peek() not in {"", *_BARE_END}:
                self.at += 1

    def _entries(self, path: KeyPath, depth: int, *, is_array: bool) -> None:
        """An array, or an inline table, whose keys are pairs and may span lines in newer TOML."""
        self.at += 1
        index = 0
        while self._skip_gaps() and self._peek() not in {"]", "}"}:
            start = self.at
            if self._peek() == ",":
                self.at += 1
                index += 1
            elif is_array:
                self.found.setdefault((*path, index), start)
                self._value((*path, index), depth)
            else:
                self._pair(path, depth)
            self.at = max(self.at, start + 1)
        self.at += 1

    def _string(self) -> str:
        """Its text; escapes are resolved only as far as keys need them."""
        quote = self.text[self.at]
        if self.text.startswith(quote * 3, self.at):
            return self._long_string(quote * 3)
        start = self.at + 1
        end = start
        while end < len(self.text) and self.text[end] not in {quote, "\n"}:
            end += 2 if quote == '"' and self.text[end] == "\\" else 1
        self.at = end + 1
        raw = self.text[start:end]
        return _unescape(raw) if quote == '"' else raw

    def _long_string(self, quotes: str) -> str:
        start = self.at + 3
        end = start
        while end < len(self.text) and not self.text.startswith(quotes, end):
            end += 2 if quotes[0] == '"' and self.text[end] == "\\" else 1
        self.at = end + 3
        # Up to two quotes may stand right before the closing three.
        while self._peek() == quotes[0] and self.at - end < 5:
            self.at += 1
        return self.text[start:end]

    def _peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def _skip(self, chars: str) -> None:
        while self.at < len(self.text) and self.text[self.at] in chars:
            self.at += 1

    def _skip_gaps(self) -> bool:
        """Past spaces, line ends and comments; False at the end of the text."""
        self._skip(_GAP)
        while self._peek() == "#":
            self._skip_line()
            self._skip(_GAP)
        return self.at < len(self.text)

    def _skip_line(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end


def _unescape(raw: str) -> str:
    if "\\" not in raw:
        return raw
    out = []
    at = 0
    widths = {"x": 2, "u": 4, "U": 8}
    named = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}
    while at < len(raw):
        if raw[at] != "\\":
            out.append(raw[at])
            at += 1
            continue
        mark = raw[at + 1 : at + 2]
        width = widths.get(mark, 0)
        if width:
            try:
                out.append(chr(int(raw[at + 2 : at + 2 + width], 16)))
            except (ValueError, OverflowError):
                return raw
        else:
            out.append(named.get(mark, mark))
        at += 2 + width
    return "".join(out)
