"""Works that know nothing of each other, in turns: each runs until it needs an answer, then all that is asked is sent.

A journey to a server costs more than what it asks for there, and a work that waits for one cannot ask the next. Written
as plain functions, because a transaction's code is the same on an engine that is no journey away.
"""

import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import copy_context
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from airworthy.store._pg_queue import Statement

if TYPE_CHECKING:
    from greenlet import greenlet

# A server ends a transaction that is idle for too long, and works that have much to do between two questions add up:
# after so long, what is asked by then is sent, and nobody waits for the others.
GAP_S_MAX: Final = 0.5
_ALIVE: Final = ("SELECT 1", ())
_ENDED: Final = object()
# What a statement may call and still give the same answer twice.
_PLAIN: Final = frozenset({"CAST", "COALESCE", "COUNT", "LENGTH", "MAX", "MIN", "SUBSTR", "SUM"})
_CALLED: Final = re.compile(r"(\w+)\(")
Ask = Callable[[Sequence[Statement]], Sequence[Any]]


class Fibers:
    """Of one connection, on the thread that uses it."""

    def __init__(self, ask: Ask) -> None:
        """`ask` gives the answers to statements, in their order."""
        self._ask = ask
        self._hub: greenlet | None = None

    @property
    def inside(self) -> bool:
        """Whether whoever asks is one of the works."""
        return self._hub is not None

    def answer(self, sql: str, params: Sequence[Any]) -> Any:
        """To one of the works; the others go on meanwhile."""
        assert self._hub is not None, "only a work of `run` asks"
        return self._hub.switch((sql, params))

    def run(self, works: Sequence[Callable[[], None]]) -> None:
        """Raises: what the first of them raised, or a statement of any; the others are not finished then."""
        from greenlet import getcurrent, greenlet

        self._hub = getcurrent()
        fibers = [greenlet(_until_end(work)) for work in works]
        try:
            for fiber in fibers:
                fiber.gr_context = copy_context()  # As if it were called here.
            self._until_all_end(fibers)
        finally:
            self._hub = None
            for fiber in fibers:
                if fiber:  # It has begun and not ended.
                    # So that nothing of it runs later, on whatever transaction is open then. The first error tells the
                    # story, and the others have to be ended, too.
                    with suppress(BaseException):
                        fiber.throw()

    def _until_all_end(self, fibers: "Sequence[greenlet]") -> None:
        ready: deque[tuple[greenlet, tuple[Any, ...]]] = deque((fiber, ()) for fiber in fibers)
        while ready:
            asked: list[tuple[greenlet, Statement]] = []
            begun_s = time.monotonic()
            while ready:
                fiber, answer = ready.popleft()
                wish = fiber.switch(*answer)
                if wish is not _ENDED:
                    asked.append((fiber, wish))
                if time.monotonic() - begun_s >= GAP_S_MAX:
                    break
            if asked:
                answers = self._ask([wish for _, wish in asked])
                ready.extend((fiber, (each,)) for (fiber, _), each in zip(asked, answers, strict=True))
            elif ready:
                self._ask([_ALIVE])


def _until_end(work: Callable[[], None]) -> Callable[[], object]:
    def whole() -> object:
        work()
        return _ENDED

    return whole


def distinct(statements: Sequence[Statement]) -> tuple[list[Statement], list[int]]:
    """Those that have to be sent, and where among them the answer of each stands.

    What many ask alike is asked once, unless something in between may change the answer.
    """
    sent: list[Statement] = []
    places: list[int] = []
    known: dict[tuple[str, tuple[Any, ...]], int] = {}
    for sql, params in statements:
        place = len(sent)
        if not _answers_alike(sql):
            known.clear()
        elif not any(isinstance(each, list) for each in params):
            place = known.setdefault((sql, tuple(params)), place)
        if place == len(sent):
            sent.append((sql, params))
        places.append(place)
    return sent, places


@lru_cache(maxsize=4096)
def _answers_alike(sql: str) -> bool:
    """Whether it changes nothing and rests on nothing but what is stored. Any function may, unless it is known."""
    return sql.startswith("SELECT ") and _PLAIN.issuperset(each.upper() for each in _CALLED.findall(sql))
