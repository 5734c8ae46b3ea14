"""Asks a token endpoint once, bounded in time and size; the way there is made by whoever wires it."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from airworthy.core.clock import Clock
from airworthy.core.errors import AirworthyError
from airworthy.core.redact import KNOWN_CHARS_MIN, Redactor
from airworthy.resilience.retry_after import date_us, parse_retry_after
from airworthy.tools.credentials.answer import BODY_BYTES_MAX, Given, Later, Refused, read_answer
from airworthy.tools.credentials.grant import TokenRequest

if TYPE_CHECKING:
    import httpx

ANSWER_S_MAX = 8.0  # Shorter than a claim in the store lasts, so that nobody takes it for dead meanwhile.


class Endpoint:
    """`client` is called for each request, on the event loop that the request is made on.

    `skew_s` is how far the endpoint's clock was ahead of ours when it last answered; None: it has not said.
    """

    def __init__(
        self, client: "Callable[[], httpx.AsyncClient]", clock: Clock, answer_s_max: float = ANSWER_S_MAX
    ) -> None:
        self._client = client
        self._clock = clock
        self._answer_s_max = answer_s_max
        self.skew_s: float | None = None

    def ask(self, request: TokenRequest, secrets: tuple[str, ...]) -> Given | Later | Refused:
        """Never raises. For a thread without an event loop. `secrets` are taken out of what is told of the answer."""
        return asyncio.run(self._asked(request, secrets))

    async def _asked(self, request: TokenRequest, secrets: tuple[str, ...]) -> Given | Later | Refused:
        import httpx

        try:
            async with asyncio.timeout(self._answer_s_max), self._client() as client:
                return await self._exchanged(client, request, secrets)
        except TimeoutError:
            return Later(f"The token endpoint has not answered within {self._answer_s_max:g} s.")
        except (
            AirworthyError
        ) as error:  # The guard of outbound calls; names may resolve otherwise the next time.
            return Later(f"The token endpoint is not asked: {error}")
        except (httpx.HTTPError, OSError) as error:
            return Later(f"The token endpoint cannot be reached: {type(error).__name__}.")
        except Exception as error:  # noqa: BLE001  # what a broken answer makes of a parser is not for the caller
            return Later(f"The token endpoint's answer cannot be read: {type(error).__name__}.")

    async def _exchanged(
        self, client: "httpx.AsyncClient", request: TokenRequest, secrets: tuple[str, ...]
    ) -> Given | Later | Refused:
        sent_us = self._clock.now_us()
        async with client.stream(
            "POST", request.url, content=request.body, headers=dict(request.headers), follow_redirects=False
        ) as response:
            if response.headers.get("content-encoding", "identity") != "identity":
                return Later("The token endpoint's answer is compressed, which was not asked for.")
            body = b""
            async for part in response.aiter_raw():
                body += part
                if len(body) > BODY_BYTES_MAX:
                    return Later(f"The token endpoint's answer is longer than {BODY_BYTES_MAX} bytes.")
        self.skew_s = _skew_s(response.headers.get("date", ""), sent_us, self._clock.now_us())
        wait_s = parse_retry_after(response.headers, self._clock.now_us())
        clean = Redactor(value for value in secrets if len(value) >= KNOWN_CHARS_MIN)
        return read_answer(response.status_code, body, wait_s, clean.redact_text)


def _skew_s(date: str, sent_us: int, got_us: int) -> float | None:
    """The header is cut to the second, so less than one and the answer's own time says nothing."""
    at_us = date_us(date)
    if at_us is None:
        return None
    if at_us > got_us:
        return (at_us - got_us) / 1e6
    if at_us + 1_000_000 < sent_us:
        return (at_us + 1_000_000 - sent_us) / 1e6
    return 0.0
