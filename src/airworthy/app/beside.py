"""Runs what has to go on in the background for as long as something in the foreground lasts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine


@contextlib.asynccontextmanager
async def beside(*parts: Callable[[], Coroutine[None, None, None]]) -> AsyncIterator[None]:
    """Runs them while inside; should one fail, what is inside is cancelled and its error raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in parts]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
    except BaseExceptionGroup as several:
        first = several.exceptions[0]
        raise first from (first.__cause__ or several)  # Its own cause says what kind of failure it was.
