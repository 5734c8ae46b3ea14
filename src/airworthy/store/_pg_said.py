"""How statements are put for the driver of PostgreSQL, and how they leave: together."""

import contextlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any


@contextlib.contextmanager
def in_one_piece(pipeline: Any) -> Iterator[None]:
    """All that is queued leaves together, at the end.

    The driver would send each statement as it comes, and look for answers in between. A process that is frozen between
    two of them would hold the turn, and the server would not count that as idle, because it waits for the rest; also,
    each costs system calls. What fills more than a buffer still leaves in several pieces: see `_pg._free_the_turn`.
    """
    pipeline._communicate_gen = lambda: iter(())
    try:
        yield
    finally:
        del pipeline._communicate_gen
    while pipeline.command_queue:
        pipeline.command_queue.popleft()()


def said(sql: str, params: Sequence[Any]) -> str:
    # Without parameters the driver sends the text as it stands.
    return _translated_sql(sql) if params else sql


@lru_cache(maxsize=4096)
def _translated_sql(sql: str) -> str:
    """`?` outside of string literals becomes `%s`; the per cent signs of a pattern stay what they are."""
    parts = sql.split("'")
    return "'".join(
        part.replace("%", "%%").replace("?", "%s") if number % 2 == 0 else part.replace("%", "%%")
        for number, part in enumerate(parts)
    )
