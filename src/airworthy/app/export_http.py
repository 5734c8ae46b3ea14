"""Carries one request of OTLP to a collector, and says what became of it as a value. Follows no redirect."""

import asyncio
import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import orjson

from airworthy.app.export_settings import ExportRule
from airworthy.core.errors import ConfigError
from airworthy.recorder.otel.answers import told_rejected
from airworthy.resilience.egress import Egress, EgressRefused, async_transport
from airworthy.resilience.retry_after import parse_retry_after

if TYPE_CHECKING:
    import httpx

ANSWER_BYTES_MAX: Final = 64 << 10
SAID_CHARS_MAX: Final = 300
# By OTLP these are answered by sending again; so is what a person can mend, which would lose spans otherwise.
_AGAIN: Final = frozenset({401, 403, 404, 407, 408, 425, 429, 500, 502, 503, 504})
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OURS: Final = frozenset({"content-type", "content-encoding", "content-length", "host", "connection"})


@dataclass(frozen=True, slots=True)
class Taken:
    """`rejected`: how many spans the collector did not take, and why."""

    rejected: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """Nothing was taken; `wait_s`: as the collector asked."""

    error: str
    wait_s: float | None = None


@dataclass(frozen=True, slots=True)
class Never:
    """This very request will never be taken. `too_large`: a smaller one may be."""

    error: str
    too_large: bool = False


Result = Taken | Later | Never


def headers_from(text: str) -> dict[str, str]:
    """As OTEL_EXPORTER_OTLP_HEADERS has them: `name=value,name=value`, values percent-encoded. Raises: ConfigError,
    without the value."""
    found: dict[str, str] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, sign, value = entry.partition("=")
        name, value = name.strip().lower(), unquote(value.strip())
        if not sign or not _NAME.fullmatch(name) or not value.isprintable() or not value.isascii():
            raise ConfigError(
                "The headers for the collector cannot be read.", mend="Write name=value, and commas between."
            )
        if name not in _OURS:
            found[name] = value
    return found


class Carrier:
    """One connection, kept over the requests of a round."""

    def __init__(self, rule: ExportRule) -> None:
        self._rule = rule
        self._transport: httpx.AsyncHTTPTransport | None = None

    async def carry(self, content_type: str, body: bytes, headers: Mapping[str, str], now_us: int) -> Result:
        try:
            async with asyncio.timeout(self._rule.timeout_s):
                return await self._sent(content_type, body, headers, now_us)
        except TimeoutError:
            await self.close()
            return Later(f"The collector did not answer within {self._rule.timeout_s:g} s.")
        except EgressRefused as error:
            return Later(f"{error.message} If it is meant to be inside your network, set internal = true.")
        except Exception as error:  # noqa: BLE001  # of a socket, of TLS or of HTTP: each means it did not arrive
            await self.close()
            return Later(f"The collector cannot be reached: {type(error).__name__}: {error}"[:SAID_CHARS_MAX])

    async def close(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    async def _sent(self, content_type: str, body: bytes, headers: Mapping[str, str], now_us: int) -> Result:
        import httpx

        more = {"content-type": content_type, "user-agent": "airworthy"}
        if self._rule.compression == "gzip":
            body, more["content-encoding"] = gzip.compress(body, 5), "gzip"
        request = httpx.Request("POST", self._rule.url, headers={**headers, **more}, content=body)
        request.extensions = {"timeout": httpx.Timeout(self._rule.timeout_s).as_dict()}
        if self._transport is None:
            self._transport = async_transport(Egress(internal=self._rule.internal))
        response = await self._transport.handle_async_request(request)
        answer = b""
        try:
            async for part in response.aiter_bytes():
                answer += part
                if len(answer) >= ANSWER_BYTES_MAX:
                    break
        finally:
            await response.aclose()
        return _judged(response, answer[:ANSWER_BYTES_MAX], now_us)


def _judged(response: "httpx.Response", answer: bytes, now_us: int) -> Result:
    content_type = response.headers.get("content-type", "")
    if response.is_success:
        rejected, why = told_rejected(content_type, answer)
        return Taken(rejected, why[:SAID_CHARS_MAX])
    error = f"The collector answered {response.status_code}"
    if response.is_redirect:
        return Later(f"{error}: redirects are not followed.")
    said = _words(content_type, answer)
    error += f": {said}" if said else "."
    if response.status_code in _AGAIN:
        return Later(error, parse_retry_after(response.headers, now_us))
    return Never(error, too_large=response.status_code == 413)


def _words(content_type: str, answer: bytes) -> str:
    """What a person can read of it, in one line."""
    text = answer.decode("utf-8", "replace")
    if "json" in content_type:
        try:
            read = orjson.loads(answer)
            text = str(read.get("message", "")) if isinstance(read, dict) else ""
        except orjson.JSONDecodeError:
            pass
    return "".join(char if char.isprintable() else " " for char in text[:SAID_CHARS_MAX]).strip()
