"""The demo's worker as a process of its own, as a user's would be: loads the project, works until it is stopped."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from airworthy.app.build import load_agents, opened, worker
from airworthy.core.errors import AirworthyError
from airworthy.demo.folder import Folder
from airworthy.demo.parent import at_end_of_input
from airworthy.runtime import Worker


def main(argv: Sequence[str] | None = None) -> int:
    (folder,) = sys.argv[1:] if argv is None else argv
    config = Folder(Path(folder)).config
    try:
        agents = load_agents(config)
        with opened(config, agents) as app:
            asyncio.run(_work(worker(app, agents, concurrency=config.concurrency)))
    except AirworthyError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


async def _work(hand: Worker) -> None:
    at_end_of_input(hand.abort)
    await hand.run()


if __name__ == "__main__":
    sys.exit(main())
