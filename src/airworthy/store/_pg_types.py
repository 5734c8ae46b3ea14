"""How values travel to PostgreSQL and back, so that every query answers what it answers on SQLite."""

from binascii import unhexlify
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import isnan
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

NUL_SHOWN = "\u2400"  # PostgreSQL's text cannot hold NUL, so it becomes the character that pictures it.
UNKNOWN: Final = 0  # An OID, as all below: of what its place asks for.
SMALL, BIG, NUMERIC, REAL, BYTES = 21, 20, 1700, 701, 17
TEXTS, BIGS = 1009, 1016  # Lists of them.
BIG_MAX: Final = 2**63
TEXT, BINARY = 0, 1


class Bound(NamedTuple):
    """Parameters as libpq takes them."""

    values: list[bytes | None]
    types: tuple[int, ...]
    formats: list[int]


def bound(params: Sequence[Any]) -> Bound:
    """Raises: TypeError and OverflowError for what no table can hold."""
    values: list[bytes | None] = []
    types: list[int] = []
    formats: list[int] = []
    for each in params:
        kind = type(each)
        if kind is str:
            values.append((each.replace("\0", NUL_SHOWN) if "\0" in each else each).encode())
            types.append(UNKNOWN)
            formats.append(TEXT)
        elif kind is int:
            if not -BIG_MAX <= each < BIG_MAX:  # As SQLite's driver says it.
                raise OverflowError(f"{each} is no whole number of 64 bits")
            values.append(b"%d" % each)
            types.append(BIG)
            formats.append(TEXT)
        elif each is None:
            values.append(None)
            types.append(UNKNOWN)
            formats.append(TEXT)
        elif kind is bytes:
            values.append(each)
            types.append(BYTES)
            formats.append(BINARY)
        else:
            value, oid, form = _other(each)
            values.append(value)
            types.append(oid)
            formats.append(form)
    return Bound(values, tuple(types), formats)


def _other(value: Any) -> tuple[bytes | None, int, int]:
    if isinstance(value, bool):
        # No table has a boolean column: they are whole numbers.
        return (b"1" if value else b"0"), SMALL, TEXT
    if isinstance(value, str):
        return str.__str__(value).replace("\0", NUL_SHOWN).encode(), UNKNOWN, TEXT
    if isinstance(value, int):
        return b"%d" % int(value), BIG, TEXT
    if isinstance(value, float):
        # No number is NULL on SQLite; here it would be greater than every number.
        return None if isnan(value) else repr(float(value)).encode(), REAL, TEXT
    if isinstance(value, bytearray | memoryview):
        return bytes(value), BYTES, BINARY
    if isinstance(value, list | tuple):
        whole = all(type(each) is int for each in value) and bool(value)
        inner = ",".join(str(each) if whole else _quoted(each) for each in value)
        return f"{{{inner}}}".encode(), BIGS if whole else TEXTS, TEXT
    raise TypeError(f"a {type(value).__name__} cannot be a parameter of a statement: {value!r}")


def _quoted(text: str) -> str:
    return '"' + text.replace("\0", NUL_SHOWN).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _bytes(raw: bytes) -> bytes:
    return unhexlify(raw[2:])  # \x...


def _number(raw: bytes) -> int | float:
    """Sums of whole numbers are whole; averages are not."""
    return int(raw) if raw.lstrip(b"-").isdigit() else float(raw)


def _truth(raw: bytes) -> int:
    return int(raw == b"t")


_LOADERS: Final[dict[int, Callable[[bytes], Any]]] = {
    BIG: int, SMALL: int, 23: int, 26: int, REAL: float, 700: float, NUMERIC: _number, BYTES: _bytes, 16: _truth,
}  # fmt: skip
Loaders = tuple[tuple[int, Callable[[bytes], Any]], ...]


def loaders_of(result: "PGresult") -> Loaders:
    """By column: what makes a value of its text."""
    return _loaders(tuple([result.ftype(column) for column in range(result.nfields)]))


@lru_cache(maxsize=1024)
def _loaders(types: tuple[int, ...]) -> Loaders:
    return tuple((column, _LOADERS.get(oid, bytes.decode)) for column, oid in enumerate(types))
