"""Where an act of a person or a program comes from, for whatever records it; carried beside the call, not in it."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """`door`: cli, api or console; empty: the system by itself. `address`: of the network; empty: this machine's own
    shell. `through`: the id of the key or session. `who`: for acts that name nobody themselves.
    """

    door: str = ""
    address: str = ""
    through: str = ""
    who: str = ""


NOWHERE = Origin()
_NOW: ContextVar[Origin] = ContextVar("origin", default=NOWHERE)


def origin() -> Origin:
    """To be asked before a write begins: the store's own thread knows nothing of it."""
    return _NOW.get()


def comes_from(now: Origin) -> None:
    """From here on, in this task or thread and in what it starts."""
    _NOW.set(now)


@contextlib.contextmanager
def coming_from(now: Origin) -> Iterator[None]:
    before = _NOW.set(now)
    try:
        yield
    finally:
        _NOW.reset(before)
