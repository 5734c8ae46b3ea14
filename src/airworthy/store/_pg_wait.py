"""How long an answer of PostgreSQL is waited for: a network that swallows everything and says nothing ends it too."""

import time
from collections.abc import Generator
from functools import cache
from typing import Any, Final

# The server gives a statement up after 60 s; who hears nothing for longer is connected to nobody.
SILENCE_S_MAX: Final = 75.0


@cache
def connection_class() -> Any:
    """The driver's own, with a bound. Late, because the driver may not be installed."""
    import psycopg

    class Bounded(psycopg.Connection[Any]):
        def wait(self, gen: Any, *how: Any, **named: Any) -> Any:
            return super().wait(_bounded(gen), *how, **named)

    def _bounded(gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """The driver looks up ten times a second, with nothing in its hands; anything it hears begins the wait anew."""
        heard_s = time.monotonic()
        try:
            wish = next(gen)
            while True:
                ready = yield wish
                if ready:
                    heard_s = time.monotonic()
                elif time.monotonic() - heard_s > SILENCE_S_MAX:
                    raise psycopg.OperationalError(f"the server was silent for {SILENCE_S_MAX:g} s")
                wish = gen.send(ready)
        except StopIteration as end:
            return end.value

    return Bounded
