"""One server for the whole folder, because stopping one takes a while; each test mounts its own simulator."""

import http.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from airworthy.gateway.simulator import Simulator, serving


class Mount:
    """An ASGI application that is whatever the test put here."""

    app: Simulator

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass(frozen=True)
class Client:
    address: str

    def send(self, method: str, path: str, body: bytes | None = None, key: str = "any") -> Response:
        connection = http.client.HTTPConnection(self.address, timeout=5)
        try:
            headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Response(answer.status, names, answer.read())
        finally:
            connection.close()

    def chat(self, body: Any, key: str = "any") -> Response:
        return self.send("POST", "/v1/chat/completions", orjson.dumps(body), key)


@pytest.fixture(scope="session")
def _server() -> Iterator[tuple[Mount, str]]:
    mount = Mount()
    with serving(mount) as base_url:
        yield mount, base_url


@pytest.fixture
def served(_server: tuple[Mount, str]) -> Callable[[Simulator], Client]:
    mount, base_url = _server

    def serve(simulator: Simulator) -> Client:
        mount.app = simulator
        return Client(base_url.removeprefix("http://"))

    return serve
