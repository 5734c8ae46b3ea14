"""The whole gateway over real sockets: server, core, keys and store in one process, a simulator as its provider."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from airworthy.app.build import App, assembled
from airworthy.app.gateway import Charge, gateway
from airworthy.app.gateway_config import GatewayConfig
from airworthy.app.gateway_keys import created
from airworthy.gateway.keys import NewKey
from airworthy.gateway.server import Address, HttpServer, address_of, bound
from airworthy.gateway.simulator import Simulator, serving
from airworthy.policy import parse_policy
from tests.database import held

LARGE, SMALL = "sim-large-2026-11-01", "sim-small-2026-11-01"
PRICES = "pinned = true\ninput_usd_per_mtok = 1.0\noutput_usd_per_mtok = 4.0\n"
POLICY = """
agent = "support"
purpose = "Answers."
[gateway]
guard_tools = false
{more}
[[models]]
name = "{large}"
aliases = ["large"]
provider = "openai"
api_key_env = ""
base_url = "{url}/v1"
{prices}
[[models]]
name = "{small}"
aliases = ["small"]
provider = "anthropic"
api_key_env = ""
base_url = "{url}/v1"
{prices}
"""


@dataclass
class Whole:
    """`url`: without /v1. `key`: for agent support."""

    url: str
    key: str
    app: App
    simulator: Simulator
    told: list[str]
    records: list[tuple[Any, ...]] = field(default_factory=list)
    """(ended_as, code, status) of each call, in their order; there once the gateway has stopped."""

    def new_key(self, **fields: Any) -> str:
        return created(self.app, NewKey("support", **fields))[0]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.app.database.read_now(lambda tx: tx.rows(sql))


@contextlib.contextmanager
def whole(simulator: Simulator | None = None, more: str = "", **settings: Any) -> Iterator[Whole]:
    """`more`: further lines of the policy's [gateway] section, and sections after it."""
    simulator = simulator if simulator is not None else Simulator()
    with serving(simulator) as provider, held() as database:
        text = POLICY.format(url=provider, large=LARGE, small=SMALL, prices=PRICES, more=more)
        app = assembled(database)
        key, _ = created(app, NewKey("support"))
        told: list[str] = []
        charges = [Charge(parse_policy(text), ())]
        config = GatewayConfig(Path(), **settings)
        with _served(app, charges, config, told) as at:
            made = Whole(at.url, key, app, simulator, told)
            yield made
        made.records += made.rows("SELECT ended_as, code, status FROM calls ORDER BY started_us")


@contextlib.contextmanager
def _served(app: App, charges: list[Charge], config: GatewayConfig, told: list[str]) -> Iterator[Address]:
    ready: Future[tuple[HttpServer, asyncio.AbstractEventLoop]] = Future()

    async def main() -> None:
        async with gateway(app, charges, config, told.append, local=True) as made:
            server = HttpServer(made, config.drain_s)
            serving_ = asyncio.create_task(server.serve(sockets=[listener]))
            await server.listening.wait()
            ready.set_result((server, asyncio.get_running_loop()))
            await serving_

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    with bound(Address("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        server, loop = ready.result(20)
        try:
            yield address_of(listener)
        finally:
            loop.call_soon_threadsafe(server.stop)
            thread.join(20)
            assert not thread.is_alive()


def events(body: bytes) -> list[Any]:
    """The data of a stream's events; marks that are no JSON stay text."""
    found: list[Any] = []
    for block in body.split(b"\n\n"):
        for line in block.split(b"\n"):
            if line.startswith(b"data: "):
                data = line[6:]
                found.append(orjson.loads(data) if data.startswith(b"{") else data.decode())
    return found


def chat(text: str = "hello", **fields: Any) -> dict[str, Any]:
    return {"model": LARGE, "messages": [{"role": "user", "content": text}], **fields}
