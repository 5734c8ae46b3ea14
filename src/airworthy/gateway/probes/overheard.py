"""An upstream that remembers what its provider says about itself in the headers of the last reply."""

from collections.abc import Mapping
from typing import Final

from airworthy.gateway.upstream import Reply, Sent, Upstream

VERSIONS_MAX: Final = 10
VALUE_CHARS_MAX: Final = 100
_NAMES: Final = frozenset({"openai-version", "openai-model", "anthropic-version"})
# Of the many headers with this beginning most are other ones at each call.
_AZURE: Final = "x-ms-"
_AZURE_WORDS: Final = ("version", "deployment", "region", "model")


class Overheard:
    """Implements `Upstream`. For one call at a time, or nobody knows whose reply was the last."""

    def __init__(self, upstream: Upstream) -> None:
        self.versions: Mapping[str, str] = {}
        self._upstream = upstream

    async def send(self, sent: Sent) -> Reply:
        self.versions = {}
        reply = await self._upstream.send(sent)
        self.versions = versions_of(reply.headers)
        return reply

    async def aclose(self) -> None:
        await self._upstream.aclose()


def versions_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Only what stays the same from call to call while the provider stays the same."""
    found = {
        name: value[:VALUE_CHARS_MAX]
        for name, value in sorted(headers.items())
        if name in _NAMES or (name.startswith(_AZURE) and any(word in name for word in _AZURE_WORDS))
    }
    return dict(list(found.items())[:VERSIONS_MAX])
