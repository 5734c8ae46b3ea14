"""The demo's console as a process of its own: API and pages on the demo's tasks. Ends when its standard input does.

Says one line of JSON once it listens: where, and the link by which the first person signs in.
"""

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

import orjson

from airworthy.app.build import App, load_agents, opened
from airworthy.app.console import served_of
from airworthy.core.errors import AirworthyError
from airworthy.demo.folder import Folder
from airworthy.demo.parent import at_end_of_input
from airworthy.gateway.server import HttpServer, address, address_of, bound
from airworthy.runtime import Agent
from airworthy.runtime.describing import describe

DRAIN_S = 1.0


def main(argv: Sequence[str] | None = None) -> int:
    (folder,) = sys.argv[1:] if argv is None else argv
    config = Folder(Path(folder)).config
    try:
        agents = load_agents(config)
        with opened(config, agents) as app:
            asyncio.run(_serve(app, agents, Path(folder)))
    except AirworthyError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


async def _serve(app: App, agents: Sequence[Agent], folder: Path) -> None:
    while await describe(app.database):
        continue  # What the worker had not come to when it was stopped.
    async with contextlib.AsyncExitStack() as stack:
        listener = stack.enter_context(bound(address("127.0.0.1:0")))
        served = await stack.enter_async_context(served_of(app, agents, folder, pages=True))
        server = HttpServer(served.application, DRAIN_S)

        def over() -> None:
            served.stop()
            server.stop()

        at_end_of_input(over)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await server.listening.wait()
        url = address_of(listener).url
        line = {"url": url, "first_sign_in": f"{url}{served.first.path if served.first is not None else ''}"}
        sys.stdout.write(f"{orjson.dumps(line).decode()}\n")
        sys.stdout.flush()
        await serving


if __name__ == "__main__":
    sys.exit(main())
