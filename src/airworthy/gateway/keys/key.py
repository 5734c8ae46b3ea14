"""A key as a value: what it opens, for whom, how long; and how its secret is drawn and hashed. No storage."""

import hashlib
import re
from dataclasses import dataclass

from airworthy.core.clock import US_PER_S
from airworthy.core.errors import InputError
from airworthy.core.ids import Ids
from airworthy.gateway.budget.scopes import NO_KEY_BUDGETS, KeyBudgets

PREFIX = "aw_"
SECRET_CHARS = 32
ID_CHARS = len(PREFIX) + 8  # The rest, 24 characters, stays secret: 142 bits.
LABEL_CHARS_MAX = 200
DAY_US = 86_400 * US_PER_S
EXPIRES_S_MAX = 100 * 366 * 86_400
# Letters and digits alone, so that a double click selects a key whole and the dot before a run stands out.
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LABEL = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_PERIOD = re.compile(r"([1-9][0-9]{0,5})([mhdwy])")
_USD_MAX = 10_000_000
_COUNT_MAX = 10**15
_PERIOD_S = {"m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a person asks for. Empty `user`, `feature`: each call may name its own.

    Raises: InputError for a value that no call could carry.
    """

    agent: str
    user: str = ""
    feature: str = ""
    label: str = ""
    priority: int = 0
    budgets: KeyBudgets = NO_KEY_BUDGETS
    expires_us: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("agent", self.agent), ("user", self.user), ("feature", self.feature)):
            if (value or name == "agent") and not is_label(value):
                raise InputError(
                    f"The {name} of a key cannot be {value!r}.",
                    mend="Use 1 to 128 letters, digits and the signs . _ : -",
                )
        if len(self.label) > LABEL_CHARS_MAX or not self.label.isprintable():
            raise InputError(
                f"The label has {len(self.label)} characters or a hidden one.",
                mend=f"Keep it to {LABEL_CHARS_MAX} visible characters.",
            )
        if not -1_000 <= self.priority <= 1_000:
            raise InputError(f"The priority is {self.priority}.", mend="Set it between -1000 and 1000.")
        for name in ("day_usd", "month_usd", "total_usd"):
            self._bounded(name, _USD_MAX)
        for name in ("day_tokens", "day_calls"):
            self._bounded(name, _COUNT_MAX)

    def _bounded(self, name: str, most: int) -> None:
        value: float | None = getattr(self.budgets, name)
        if value is not None and not 0 < value <= most:  # NaN is refused as well.
            raise InputError(
                f"The budget {name} is {value}.",
                mend=f"Set it above 0 and up to {most}, or leave it out; to stop a key, revoke it.",
            )


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is stored. `id` is the beginning of the secret and may be shown; `digest` is all that is kept of it.

    `used_day`: the UTC day of its last call, as YYYY-MM-DD; empty: never used.
    """

    id: str
    digest: bytes
    agent: str
    created_us: int
    user: str = ""
    feature: str = ""
    label: str = ""
    priority: int = 0
    budgets: KeyBudgets = NO_KEY_BUDGETS
    expires_us: int | None = None
    revoked_us: int | None = None
    used_day: str = ""

    def good(self, now_us: int) -> bool:
        return self.revoked_us is None and (self.expires_us is None or now_us < self.expires_us)


def mint(new: NewKey, ids: Ids, now_us: int) -> tuple[str, Key]:
    """The secret, which is never seen again, and the key that answers to it.

    Raises: InputError for a key that would be born expired.
    """
    if new.expires_us is not None and new.expires_us <= now_us:
        raise InputError("The key would have expired already.", mend="Give it a time in the future.")
    secret = drawn(PREFIX, ids)
    return secret, Key(
        secret[:ID_CHARS], digest_of(secret), new.agent, now_us, new.user, new.feature, new.label, new.priority,
        new.budgets, new.expires_us,
    )  # fmt: skip


def drawn(prefix: str, ids: Ids) -> str:
    """A new secret: the prefix and 32 letters and digits, 190 bits of chance."""
    chance = int(ids.trace() + ids.trace(), 16)
    secret = prefix
    for _ in range(SECRET_CHARS):
        chance, digit = divmod(chance, len(_ALPHABET))
        secret += _ALPHABET[digit]
    return secret


def digest_of(secret: str) -> bytes:
    """Fast and without salt on purpose: 190 bits of chance leave nothing to guess, and every call computes it."""
    return hashlib.sha256(secret.encode()).digest()


def is_label(text: str) -> bool:
    """Whether a name from outside (user, feature, session, run) may go into records, scopes and headers."""
    return _LABEL.fullmatch(text) is not None


def expiry_us(period: str, now_us: int) -> int:
    """The moment `30d` from now; also `m`inutes, `h`ours, `w`eeks, `y`ears of 365 days. Raises: InputError."""
    match = _PERIOD.fullmatch(period.strip())
    seconds = int(match[1]) * _PERIOD_S[match[2]] if match else 0
    if not 0 < seconds <= EXPIRES_S_MAX:
        raise InputError(
            f"{period!r} is no period a key can last for.", mend="Write it as 12h, 30d, 8w or 1y, up to 100y."
        )
    return now_us + seconds * US_PER_S
