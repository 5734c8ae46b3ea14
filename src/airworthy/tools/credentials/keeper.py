"""A token in one process: kept while it lasts, renewed once for any number of tasks and threads that ask."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Protocol

from airworthy.core.clock import US_PER_S, Clock
from airworthy.tools.credentials.answer import Later, Refused
from airworthy.tools.credentials.errors import CredentialBroken, CredentialDown
from airworthy.tools.credentials.token import Renewed, Token

WAIT_S_MAX = 20.0  # Of one caller; the renewal goes on for the next.
FLIGHT_S_MAX = 30.0  # Then a renewal is given up, and another may begin.
ABANDONED_MAX = 4  # Renewals given up that are still running; with more, none begins.
SETTLE_S_MAX = 10.0  # An answer's time and a little.
QUIET_S = 1.0  # Between attempts while an old token still does.
REFUSED_S_MIN = (
    10.0  # A token refused when it is younger than this is not refused for its age: no other one helps.
)


class Source(Protocol):
    """Where the words come from that follow the scheme in a header.

    `instead`: others than those which were refused with a 401; None when there are none. All raise CredentialDown or
    CredentialBroken.
    """

    def get(self) -> str: ...

    async def get_async(self) -> str: ...

    def instead(self, refused: str) -> str | None: ...

    async def instead_async(self, refused: str) -> str | None: ...


class Flights:
    """Renewals under way in a process, so that none is lost with its answer when the process ends in order."""

    def __init__(self) -> None:
        self._under_way: set[Future[Renewed]] = set()

    def begun(self, flight: "Future[Renewed]") -> None:
        self._under_way.add(flight)
        flight.add_done_callback(self._under_way.discard)

    def settle(self, seconds: float = SETTLE_S_MAX) -> bool:
        """Waits until they have ended and what they brought is stored. False when one has not."""
        return not wait(tuple(self._under_way), seconds).not_done


class Keeper:
    """Implements `Source`. `renew` is called in a thread of its own, never twice at once, and must not raise.

    It is handed the text of the token that was refused ("": none was) and the token known so far. `learn` hears of
    every token before anybody uses it.
    """

    def __init__(
        self,
        dependency: str,
        renew: Callable[[str, Token | None], Renewed],
        clock: Clock,
        early_s: float,
        learn: Callable[[str], None] = lambda _: None,
        flights: Flights | None = None,
    ) -> None:
        self._dependency = dependency
        self._renew = renew
        self._clock = clock
        self._early_s = early_s
        self._learn = learn
        self._flights = flights
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._failed: Later | Refused | None = None
        self._retry_us = 0
        self._flight: Future[Renewed] | None = None
        self._flown_us = 0
        self._abandoned: list[Future[Renewed]] = []

    def __repr__(self) -> str:
        return f"Keeper({self._dependency!r})"

    def get(self) -> str:
        token = self._usable()
        return token.text if token is not None else self._awaited(self._fly("")).text

    async def get_async(self) -> str:
        token = self._usable()
        return token.text if token is not None else (await self._awaited_async(self._fly(""))).text

    def instead(self, refused: str) -> str | None:
        token = self._token
        if token is not None and self._too_young(token, refused):
            return None
        if token is None or token.text == refused:
            token = self._awaited(self._fly(refused))
        return token.text if token.text != refused else None

    async def instead_async(self, refused: str) -> str | None:
        token = self._token
        if token is not None and self._too_young(token, refused):
            return None
        if token is None or token.text == refused:
            token = await self._awaited_async(self._fly(refused))
        return token.text if token.text != refused else None

    @property
    def known(self) -> Token | None:
        return self._token

    def _usable(self) -> Token | None:
        """The way of nearly every call: a look at the clock. Early enough before its end, renewal begins beside it."""
        token, now_us = self._token, self._clock.now_us()
        if token is None or not token.lasts(now_us):
            return None
        if not token.fresh(now_us, self._early_s) and now_us >= self._retry_us:
            self._fly("")
        return token

    def _too_young(self, token: Token, refused: str) -> bool:
        age_us = self._clock.now_us() - token.made_us  # Below 0 where the clock of whoever made it is ahead.
        return token.text == refused and 0 <= age_us < REFUSED_S_MIN * US_PER_S

    def _fly(self, refused: str) -> "Future[Renewed]":
        with self._lock:
            now_us = self._clock.now_us()
            if self._flight is not None and not self._flight.done():
                if now_us - self._flown_us < FLIGHT_S_MAX * US_PER_S:
                    return self._flight
                self._abandoned = [each for each in self._abandoned if not each.done()]
                if len(self._abandoned) >= ABANDONED_MAX:
                    return _ended(Renewed(failed=Later(f"{ABANDONED_MAX} renewals hang.")))
                self._abandoned.append(self._flight)
            elif self._failed is not None and now_us < self._retry_us:
                return _ended(Renewed(None if refused else self._token, self._failed, self._retry_us))
            flight: Future[Renewed] = Future()
            self._flight, self._flown_us = flight, now_us
            if self._flights is not None:
                self._flights.begun(flight)
        name = f"airworthy: credential of {self._dependency}"
        threading.Thread(target=self._work, args=(flight, refused), name=name, daemon=True).start()
        return flight

    def _work(self, flight: "Future[Renewed]", refused: str) -> None:
        try:
            renewed = self._renew(refused, self._token)
        except BaseException as error:  # noqa: BLE001  # a thread's last line of defence: callers wait for its result
            renewed = Renewed(failed=Later(f"Renewing it failed with {type(error).__name__}."))
        if renewed.token is not None:
            self._learn(renewed.token.text)
        with self._lock:
            if flight is self._flight:
                if renewed.token is not None:
                    self._token = renewed.token
                elif refused and isinstance(renewed.failed, Refused):
                    self._token = (
                        None  # No other one to come, and this one was sent back: nothing is left to try.
                    )
                self._failed = renewed.failed
                self._retry_us = max(renewed.retry_us, self._clock.now_us() + round(QUIET_S * US_PER_S))
        flight.set_result(renewed)

    def _awaited(self, flight: "Future[Renewed]") -> Token:
        try:
            return self._token_of(flight.result(WAIT_S_MAX))
        except FutureTimeout:
            raise self._late() from None

    async def _awaited_async(self, flight: "Future[Renewed]") -> Token:
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                # Shielded: that one caller leaves must not end it for the others.
                return self._token_of(await asyncio.shield(asyncio.wrap_future(flight)))
        except TimeoutError:
            raise self._late() from None

    def _late(self) -> CredentialDown:
        return CredentialDown(f"{self._dependency}: no credential was had within {WAIT_S_MAX:g} s.")

    def _token_of(self, renewed: Renewed) -> Token:
        token, now_us = renewed.token, self._clock.now_us()
        if token is not None and token.lasts(now_us):
            return token
        match renewed.failed:
            case Refused(why, mend):
                raise CredentialBroken(f"{self._dependency} cannot be used: {why}", mend=mend)
            case Later(why):
                wait_s = max(0.0, (renewed.retry_us - now_us) / US_PER_S)
                raise CredentialDown(f"{self._dependency}: {why}", retry_after_s=wait_s or None)
            case _:
                raise CredentialDown(f"{self._dependency}: no credential could be had.")


def _ended(renewed: Renewed) -> "Future[Renewed]":
    flight: Future[Renewed] = Future()
    flight.set_result(renewed)
    return flight
