"""One port for everything: which of the applications behind it a request is for. By its path alone."""

from dataclasses import dataclass
from typing import Final

from airworthy.core.asgi import Application, Receive, Scope, Send

TRACES: Final = ("/v1/traces", "/v1/logs")
_MODELS: Final = ("/v1/", "/run/")
# Where the gateway's own pages are (metrics, health, document), whose names the others have too.
_GATEWAY: Final = "/gateway"


@dataclass(frozen=True, slots=True)
class Front:
    """`models`: the gateway. `traces`: what takes spans. `rest`: API and pages, and whatever else is asked for."""

    rest: Application | None = None
    models: Application | None = None
    traces: Application | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if self.models is not None and path.startswith(f"{_GATEWAY}/"):
            raw: bytes = scope["raw_path"]
            within = {
                **scope,
                "path": path.removeprefix(_GATEWAY),
                "raw_path": raw.removeprefix(_GATEWAY.encode()),
            }
            await self.models(within, receive, send)
        else:
            await self._behind(path)(scope, receive, send)

    def _behind(self, path: str) -> Application:
        if self.traces is not None and path in TRACES:
            return self.traces
        if self.models is not None and (self.rest is None or path.startswith(_MODELS)):
            return self.models
        found = self.rest or self.traces
        assert found is not None, "a front with nothing behind it"
        return found
