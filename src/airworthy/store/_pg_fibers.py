"""Works that know nothing of each other, in turns: each runs until it needs an answer, then all that is asked is sent.

A journey to a server costs more than what it asks for there, and a work that waits for one cannot ask the next. Written
as plain functions, because a transaction's code is the same on an engine that is no journey away.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from airworthy.store._pg_queue import Statement

if TYPE_CHECKING:
    from greenlet import greenlet

_ENDED: Final = object()
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
            asked = [(fiber, fiber.switch()) for fiber in fibers]
            while asked := [(fiber, wish) for fiber, wish in asked if wish is not _ENDED]:
                answers = self._ask([wish for _, wish in asked])
                asked = [
                    (fiber, fiber.switch(answer)) for (fiber, _), answer in zip(asked, answers, strict=True)
                ]
        finally:
            self._hub = None
            for fiber in fibers:
                if fiber and not fiber.dead:
                    fiber.throw()  # So that nothing of it runs later, on whatever transaction is open then.


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
        if not sql.startswith("SELECT "):
            known.clear()
        elif not any(isinstance(each, list) for each in params):
            place = known.setdefault((sql, tuple(params)), place)
        if place == len(sent):
            sent.append((sql, params))
        places.append(place)
    return sent, places
