"""How often somebody has tried to sign in, and how long they have to wait; in the store, so that all doors share it."""

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from airworthy.core.clock import US_PER_S
from airworthy.core.errors import AirworthyError
from airworthy.store import Tx

WAIT_S_MAX: Final = 900
FORGOTTEN_US: Final = 86_400 * US_PER_S
FREE: Final = {"name": 5, "address": 20, "known": 10}
# After so many doublings the wait is at its bound anyway.
_DOUBLINGS_MAX: Final = 10

Kind = Literal["name", "address", "known"]


class TooManyAttempts(AirworthyError):
    """Nothing was checked, so neither a right nor a wrong password is told by it."""

    code: ClassVar[str] = "too_many_attempts"

    def __init__(self, wait_s: float) -> None:
        super().__init__("There were too many attempts to sign in.", mend="Wait a while, then try again.")
        self.retry_after_s = wait_s


@dataclass(frozen=True, slots=True)
class Counted:
    """One thing that attempts are counted by. `value`: a name as typed, an address, or a browser that is known."""

    kind: Kind
    value: str

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(f"{self.kind}\0{self.value}".encode("utf-8", "backslashreplace")).digest()


def by_name(name: str) -> Counted:
    return Counted("name", name.strip().casefold())


def by_address(address: str) -> Counted:
    """An IPv6 customer has a whole /64 to come from."""
    try:
        at = ipaddress.ip_address(address)
    except ValueError:
        return Counted("address", address)
    if at.version == 4:
        return Counted("address", address)
    if at.ipv4_mapped is not None:
        return Counted("address", str(at.ipv4_mapped))
    return Counted("address", str(ipaddress.ip_network((at, 64), strict=False)))


def wait_s(kind: Kind, failures: int) -> int:
    """After so many failures in a row, how long until the next attempt."""
    over = failures - FREE[kind]
    return 0 if over < 0 else min(WAIT_S_MAX, 2 ** min(over + 1, _DOUBLINGS_MAX))


def begin(tx: Tx, counted: Sequence[Counted], now_us: int) -> float:
    """Counts an attempt as failed until it is known better, so that a hundred at once are no way around the bound.

    0: go on. Else how many seconds to wait; nothing was counted then.
    """
    tx.execute("DELETE FROM attempts WHERE last_us < ?", (now_us - FORGOTTEN_US,))
    failures = list[int]()
    waits = [0.0]
    for each in counted:
        row = tx.row("SELECT failures, until_us FROM attempts WHERE digest = ?", (each.digest,))
        failures.append(row[0] if row is not None else 0)
        waits.append((row[1] - now_us) / US_PER_S if row is not None else 0)
    if max(waits) > 0:
        return max(waits)
    for each, before in zip(counted, failures, strict=True):
        until_us = now_us + wait_s(each.kind, before + 1) * US_PER_S
        tx.execute(
            "INSERT INTO attempts (digest, failures, last_us, until_us) VALUES (?, ?, ?, ?) ON CONFLICT (digest)"
            " DO UPDATE SET failures = excluded.failures, last_us = excluded.last_us, until_us = excluded.until_us",
            (each.digest, before + 1, now_us, until_us),
        )
    return 0


def succeeded(tx: Tx, counted: Sequence[Counted]) -> None:
    """Takes back what `begin` counted. An address keeps earlier failures: an account of one's own clears nothing."""
    for each in counted:
        if each.kind == "address":
            tx.execute(
                "UPDATE attempts SET failures = failures - 1, until_us = 0 WHERE digest = ?", (each.digest,)
            )
        else:
            tx.execute("DELETE FROM attempts WHERE digest = ?", (each.digest,))
