"""On one port, each request reaches the application that it is for."""

import pytest

from airworthy.app.front import Front
from airworthy.core.asgi import Application, Message, Receive, Scope, Send


class Asked:
    """Who was asked for what."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def app(self, name: str) -> Application:
        async def answer(scope: Scope, _receive: Receive, _send: Send) -> None:
            assert scope["path"].encode() == scope["raw_path"]
            self.found.append((name, scope["path"]))

        return answer


async def _receive() -> Message:
    raise AssertionError("nothing is read here")


async def _send(_message: Message) -> None:
    raise AssertionError("nothing is answered here")


async def asked(path: str, *names: str) -> tuple[str, str]:
    known = Asked()
    front = Front(**{name: known.app(name) for name in names})
    await front({"type": "http", "path": path, "raw_path": path.encode()}, _receive, _send)
    (found,) = known.found
    return found


ALL = ("rest", "models", "traces")


@pytest.mark.parametrize(
    ("path", "names", "reached"),
    [
        ("/", ALL, ("rest", "/")),
        ("/api/v1/tasks", ALL, ("rest", "/api/v1/tasks")),
        ("/v1/traces", ALL, ("traces", "/v1/traces")),
        ("/v1/logs", ALL, ("traces", "/v1/logs")),
        ("/v1/tracesx", ALL, ("models", "/v1/tracesx")),
        ("/v1/chat/completions", ALL, ("models", "/v1/chat/completions")),
        ("/run/tsk_1/v1/messages", ALL, ("models", "/run/tsk_1/v1/messages")),
        ("/metrics", ALL, ("rest", "/metrics")),
        ("/gateway/metrics", ALL, ("models", "/metrics")),
        ("/metrics", ("models",), ("models", "/metrics")),
        ("/v1/traces", ("rest", "models"), ("models", "/v1/traces")),
        ("/v1/chat/completions", ("rest", "traces"), ("rest", "/v1/chat/completions")),
        ("/gateway/metrics", ("rest",), ("rest", "/gateway/metrics")),
    ],
)
async def test_a_path_leads_to(path: str, names: tuple[str, ...], reached: tuple[str, str]) -> None:
    assert await asked(path, *names) == reached


async def test_what_is_no_request_is_left_alone() -> None:
    await Front()({"type": "lifespan"}, _receive, _send)
