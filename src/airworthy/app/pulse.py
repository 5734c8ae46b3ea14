"""What a process that serves nothing else answers to probes: whether it lives, and whether it can work."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from airworthy.core.asgi import Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Pulse:
    """The same paths and status codes as those of the gateway and the API. `missing`: what keeps it from working."""

    missing: Callable[[], Sequence[str]]

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        status, answer = self._answer(scope["path"]) if scope["method"] in ("GET", "HEAD") else (405, {})
        body = json.dumps(answer).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _answer(self, path: str) -> tuple[int, dict[str, object]]:
        match path:
            case "/livez":
                return 200, {"status": "alive"}
            case "/readyz":
                missing = list(self.missing())
                return (
                    (503, {"status": "not ready", "missing": missing})
                    if missing
                    else (200, {"status": "ready"})
                )
            case _:
                return 404, {"status": "nothing here", "paths": ["/livez", "/readyz"]}
