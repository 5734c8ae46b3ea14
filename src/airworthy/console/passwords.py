"""What may be a password, and how it is hashed. Knows no account."""

import threading
import unicodedata
from collections.abc import Collection
from functools import cached_property
from typing import ClassVar, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from airworthy.core.errors import AirworthyError, InputError

CHARS_MIN: Final = 12
CHARS_MAX: Final = 1_000
# OWASP's sheet on storing passwords asks for Argon2id with 46 MiB and 1 pass, or 19 MiB and 2; this is both at once.
MEMORY_KIB: Final = 47_104
PASSES: Final = 2
AT_ONCE: Final = 2  # Each takes 46 MiB and a core for some 50 ms.
WAIT_S: Final = 5.0


class Busy(AirworthyError):
    """More people sign in at this moment than passwords can be checked."""

    code: ClassVar[str] = "sign_in_busy"
    retry_after_s: ClassVar[float] = 5.0


def checked(password: str, names: Collection[str]) -> str:
    """As it is hashed. `names`: of the person, in all their forms; none of them may be the password.

    Raises: InputError.
    """
    whole = _normal(password)
    if not CHARS_MIN <= len(whole) <= CHARS_MAX:
        raise InputError(
            f"The password has {len(whole)} characters.",
            mend=f"Take {CHARS_MIN} or more, up to {CHARS_MAX}; several words are easy to keep in mind.",
        )
    plain = whole.casefold().strip()
    if any(name and not plain.replace(name.casefold(), "") for name in names):
        raise InputError("The password is the name.", mend="Take one that nobody reads off the page.")
    if len(set(plain)) < 4:
        raise InputError("The password repeats the same characters.", mend="Take several words.")
    return whole


class Hasher:
    """Argon2id, a few at a time. Settings can change: `stale` tells a hash made under others."""

    def __init__(self, memory_kib: int = MEMORY_KIB, passes: int = PASSES) -> None:
        self._argon = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        self._turn = threading.BoundedSemaphore(AT_ONCE)

    def hash(self, password: str) -> str:
        """Raises: Busy."""
        self._enter()
        try:
            return self._argon.hash(_normal(password))
        finally:
            self._turn.release()

    def fits(self, hash_: str, password: str) -> bool:
        """An empty hash fits nothing and takes as long as any other, so that nobody learns who has none.

        Raises: Busy.
        """
        nobodys = self._nobodys  # Before the turn is taken: making it takes one.
        if len(password) > CHARS_MAX:
            password = ""
        self._enter()
        try:
            self._argon.verify(hash_ or nobodys, _normal(password))
            return bool(hash_)
        except (VerificationError, InvalidHashError):
            return False
        finally:
            self._turn.release()

    def stale(self, hash_: str) -> bool:
        return self._argon.check_needs_rehash(hash_)

    @cached_property
    def _nobodys(self) -> str:
        return self.hash("a password that nobody has")

    def _enter(self) -> None:
        if not self._turn.acquire(timeout=WAIT_S):
            raise Busy("Too many people sign in at this moment.", mend="Try again in a few seconds.")


def _normal(password: str) -> str:
    """So that the same keys on another machine are the same password."""
    return unicodedata.normalize("NFC", password.encode("utf-8", "backslashreplace").decode())
