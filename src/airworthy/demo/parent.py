"""How the demo's other processes learn that they are to end: their standard input does, also if the demo is killed."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable


def at_end_of_input(then: Callable[[], None]) -> None:
    """`then` is called in the running loop."""
    loop = asyncio.get_running_loop()

    def until_told() -> None:
        # Past `sys.stdin`, whose lock a thread that waits would still hold when the interpreter ends.
        while os.read(0, 4096):
            pass
        with contextlib.suppress(RuntimeError):  # The loop has ended by itself.
            loop.call_soon_threadsafe(then)

    threading.Thread(target=until_told, daemon=True).start()
