"""Carries messages to webhooks, Slack, Microsoft Teams and PagerDuty, through the egress guard."""

import asyncio
import functools
import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from airworthy.resilience import parse_retry_after
from airworthy.resilience.egress import Egress, EgressRefused, ResolveAsync, async_transport
from airworthy.review import forms
from airworthy.review.channel_rule import ChannelRule
from airworthy.review.couriers import ChannelUnset, Later, ReadSecrets, Refused, Result, Secrets, Sent
from airworthy.review.forms import Post
from airworthy.review.message import Message

if TYPE_CHECKING:
    import ssl

    import httpx

ANSWER_BYTES_MAX: Final = 2_000  # Enough to see why; the rest is not read.
# The message itself is at fault, or the receiver says that it will never be there again.
_NEVER: Final = frozenset({400, 405, 406, 410, 411, 413, 414, 415, 422})
_GONE: Final = 410
_NAMES: Final = {
    "slack": "Slack",
    "teams": "Microsoft Teams",
    "pagerduty": "PagerDuty",
    "webhook": "The webhook",
}


_HOST: Final = re.compile(rb"[A-Za-z0-9._:-]{1,253}")  # Shown in errors, so nothing else may stand there.


class HttpCourier:
    """No client of httpx: that would follow redirects if told to, use proxies of the environment, and write addresses
    into its log. One request at a time."""

    def __init__(
        self,
        rule: ChannelRule,
        read: ReadSecrets,
        *,
        resolve: ResolveAsync | None = None,
        ssl_context: "ssl.SSLContext | None" = None,
    ) -> None:
        self._rule = rule
        self._read = read
        self._resolve = resolve
        self._ssl_context = ssl_context
        self._transport: httpx.AsyncHTTPTransport | None = None

    async def carry(self, message: Message, now_us: int) -> Result:
        return await self._carried(partial(self._post, message), now_us)

    async def carry_event(self, id_: str, body: str, now_us: int) -> Result:
        """`body`: JSON. Only of a webhook."""
        return await self._carried(partial(forms.signed, id_, body), now_us)

    async def _carried(self, made: Callable[[Secrets, int], Post], now_us: int) -> Result:
        try:
            secrets = self._read()
            post = made(secrets, now_us)
            url = _checked(post.url, internal=self._rule.internal)
        except ChannelUnset as error:
            return Later(str(error))
        try:
            async with asyncio.timeout(self._rule.timeout_s):
                return await self._sent(url, post, secrets, now_us)
        except TimeoutError:
            await self.close()
            return Later(f"{self._where(url)} did not answer within {self._rule.timeout_s:g} s.")
        except EgressRefused as error:
            return Later(
                f"{secrets.scrubbed(error.message)} If it is meant to be inside your network, set internal = true."
            )
        except Exception as error:  # noqa: BLE001  # of a socket, of TLS or of HTTP: each means it did not arrive
            # The connection may be half used; the next attempt opens its own.
            await self.close()
            return Later(f"{self._where(url)}: {type(error).__name__}: {secrets.scrubbed(str(error))}")

    async def close(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    def _post(self, message: Message, secrets: Secrets, now_us: int) -> Post:
        match self._rule.kind:
            case "slack":
                post = forms.slack(message, secrets)
            case "teams":
                post = forms.teams(message, secrets)
            case "pagerduty":
                post = forms.pagerduty(message, secrets)
            case _:
                post = forms.webhook(message, secrets, now_us)
        return post

    async def _sent(self, url: "httpx.URL", post: Post, secrets: Secrets, now_us: int) -> Result:
        import httpx

        request = httpx.Request("POST", url, headers=dict(post.headers), content=post.body)
        request.headers["connection"] = "close"  # Messages are rare, and an idle connection may be dead.
        request.extensions = {"timeout": httpx.Timeout(self._rule.timeout_s).as_dict()}
        response = await self._opened().handle_async_request(request)
        try:
            answer = b""
            if not response.is_success:
                async for part in response.aiter_raw():
                    answer += part
                    if len(answer) >= ANSWER_BYTES_MAX:
                        break
        finally:
            await response.aclose()
        return self._judged(url, secrets, response, answer[:ANSWER_BYTES_MAX], now_us)

    def _judged(
        self, url: "httpx.URL", secrets: Secrets, response: "httpx.Response", answer: bytes, now_us: int
    ) -> Result:
        if response.is_success:
            return Sent()
        says = secrets.scrubbed(answer.decode("utf-8", "replace"))
        error = f"{self._where(url)} answered {response.status_code}{f': {says}' if says else '.'}"
        if response.is_redirect:
            return Later(f"{self._where(url)} answered {response.status_code}: redirects are not followed.")
        if response.status_code in _NEVER:
            return Refused(error, gone=response.status_code == _GONE)
        return Later(error, parse_retry_after(response.headers, now_us))

    def _opened(self) -> "httpx.AsyncHTTPTransport":
        if self._transport is None:
            self._transport = async_transport(
                Egress(internal=self._rule.internal),
                ssl_context=self._ssl_context or _roots(),
                resolve=self._resolve,
            )
        return self._transport

    def _where(self, url: "httpx.URL") -> str:
        """Kind and host: the rest of an address is a secret."""
        return f"{_NAMES[self._rule.kind]} at {url.raw_host.decode()}"


@functools.cache
def _roots() -> "ssl.SSLContext":
    """The roots of trust: reading them takes tens of milliseconds, so it is done once for all couriers."""
    import httpx

    return httpx.create_ssl_context()


def _checked(url: str, *, internal: bool) -> "httpx.URL":
    import httpx

    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in {"https", "http"} or not _HOST.fullmatch(parsed.raw_host):
        raise ChannelUnset("The address is none.", mend="Write https://, host and path.")
    if parsed.scheme == "http" and not internal:
        raise ChannelUnset(
            "The address begins with http://, which shows its secrets to the whole way there.",
            mend="Write https://, or set internal = true for an address inside your own network.",
        )
    return parsed
