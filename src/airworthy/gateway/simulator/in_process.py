"""The simulator as a model client without a socket: for tests in virtual time. Passes the real client's suite."""

import asyncio
from collections.abc import Mapping

from airworthy.gateway.client import RetryAfter, classified
from airworthy.gateway.errors import ModelTimeout
from airworthy.gateway.simulator.dialects import chat
from airworthy.gateway.simulator.server import Simulator

WHERE = "the simulator"


class SimulatedModel:
    """Implements `ModelClient`. `api_key` is what a caller over HTTP would send."""

    def __init__(
        self, simulator: Simulator, *, api_key: str = "", retry_after: RetryAfter | None = None
    ) -> None:
        self.simulator = simulator
        self._api_key = api_key
        self._retry_after = retry_after if retry_after is not None else _seconds

    async def complete(self, body: bytes, timeout_s: float) -> bytes:
        headers = {"authorization": f"Bearer {self._api_key}"}
        answer = self.simulator.answered("POST", chat.PATH, headers, body)
        delay_s = answer.delay_s + sum(piece.delay_s for piece in answer.pieces)
        if answer.ending == "open":
            delay_s = timeout_s
        await asyncio.sleep(min(delay_s, timeout_s))
        if delay_s >= timeout_s:
            raise ModelTimeout(f"No reply from {WHERE} within {timeout_s:g} s.", billed=True)
        if answer.ending != "whole":
            raise ModelTimeout(f"The connection to {WHERE} broke before the reply was whole.", billed=True)
        if answer.status != 200:
            heard = {name.lower(): value for name, value in answer.headers.items()}
            raise classified(WHERE, answer.status, answer.body, self._retry_after(heard))
        return b"".join(piece.data for piece in answer.pieces)

    async def aclose(self) -> None:
        return


def _seconds(headers: Mapping[str, str]) -> float | None:
    value = headers.get("retry-after", "")
    return float(value) if value.isdigit() else None
