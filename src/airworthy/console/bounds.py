"""What holds for every request and answer: how much a body may have, and headers that tie a browser's hands."""

from typing import Final

from starlette.exceptions import HTTPException

from airworthy.console.page import style_hash
from airworthy.core.asgi import Application, Message, Receive, Scope, Send
from airworthy.core.origin import NOWHERE, coming_from

# For what brings no policy of its own, as the console's pages do: no script anywhere, and the one style by its hash.
_POLICY: Final = (
    "default-src 'none'; style-src '{style}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SAFE: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", _POLICY.format(style=style_hash()).encode()),
    (b"cache-control", b"no-store"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Bounded:
    """An application whose requests are bounded, and whose answers carry safe headers."""

    def __init__(self, inner: Application, body_bytes_max: int) -> None:
        self._inner = inner
        self._body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > self._body_bytes_max:
                # One of the framework's own, which it passes on; of any other it would say that the JSON is bad.
                raise HTTPException(413, f"The request has more than {self._body_bytes_max} bytes.")
            return message

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(pair for pair in _SAFE if pair[0] not in known)]
            await send(message)

        with coming_from(NOWHERE):  # What one request says of itself says nothing of what comes after it.
            await self._inner(scope, counted, with_headers)
