"""Credentials without an endpoint of ours: a key as it is, and what the user's own function gives."""

import asyncio
import inspect
import re
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from airworthy.core.clock import US_PER_S, Clock
from airworthy.tools.credentials.answer import TOKEN_CHARS_MAX, Later, Refused
from airworthy.tools.credentials.errors import CredentialBroken
from airworthy.tools.credentials.token import Renewed, Token, lifetime_s
from airworthy.tools.errors import Permanent, Transient

GIVES_S_MAX: Final = 15.0
_FITS = re.compile(r"[\x20-\x7e]+")

# The text, or the text and for how many seconds it is good; async or not.
Lent = str | tuple[str, float]
Giving = Callable[[], Lent | Awaitable[Lent]]


class PlainKey:
    """Implements `Source`. `read` is asked at each call, so what it reads may change at any time."""

    def __init__(self, read: Callable[[], str]) -> None:
        """`read` raises CredentialBroken when there is no key."""
        self._read = read

    def get(self) -> str:
        key = self._read()
        if not _FITS.fullmatch(key):  # The error of whoever sends it would repeat it.
            raise CredentialBroken(
                "The key holds a character that cannot stand in a header.",
                mend="Write it on one line, without anything that is not ASCII.",
            )
        return key

    async def get_async(self) -> str:
        return self.get()

    def instead(self, refused: str) -> str | None:
        key = self.get()
        return key if key != refused else None

    async def instead_async(self, refused: str) -> str | None:
        return self.instead(refused)


class FromCode:
    """The `renew` of a Keeper around a user's function. An async one runs on an event loop of its own.

    What it raises is told by its type and its place, never by its text, which may hold anything.
    """

    def __init__(self, dependency: str, giving: Giving, clock: Clock) -> None:
        self._dependency = dependency
        self._giving = giving
        self._clock = clock
        self._failures = 0

    def __call__(self, _refused: str, _known: Token | None) -> Renewed:
        now_us = self._clock.now_us()
        renewed = self._lent(now_us)
        if renewed.failed is None:
            self._failures = 0
            return renewed
        self._failures += 1
        wait_s = min(2.0 ** min(self._failures - 1, 10), 300.0)
        return Renewed(failed=renewed.failed, retry_us=now_us + round(wait_s * US_PER_S))

    def _lent(self, now_us: int) -> Renewed:
        try:
            lent: Any = self._giving()
            if inspect.isawaitable(lent):
                lent = asyncio.run(_within(lent))
        except Permanent as error:
            return Renewed(
                failed=Refused(f"its function says no{_place(error)}.", error.mend or "Mend what it needs.")
            )
        except Transient as error:
            return Renewed(failed=Later(f"its function gave none{_place(error)}.", error.retry_after_s))
        except Exception as error:  # noqa: BLE001  # the user's code may raise anything at all
            return Renewed(failed=Later(f"its function failed with {type(error).__name__}{_place(error)}."))
        text, said = lent if isinstance(lent, tuple) and len(lent) == 2 else (lent, None)
        if not isinstance(text, str) or not _FITS.fullmatch(text) or len(text) > TOKEN_CHARS_MAX:
            why = f"its function gave {_kind(text)}, which cannot stand in a header."
            return Renewed(failed=Refused(why, "Return the token as text, or the text and its seconds."))
        return Renewed(Token(text, now_us, now_us + round(lifetime_s(said) * US_PER_S)))


async def _within(lent: Awaitable[Lent]) -> Lent:
    async with asyncio.timeout(GIVES_S_MAX):
        return await lent


def _kind(value: object) -> str:
    return "text" if isinstance(value, str) else f"a value of the type {type(value).__name__}"


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
