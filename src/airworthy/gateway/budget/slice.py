"""A ledger's part of one scope, in memory: what is free of it, and what became of the rest since the last write."""

from airworthy.gateway.budget.leasing import Delta
from airworthy.gateway.budget.rollup import Dimensions
from airworthy.gateway.budget.values import NOTHING, Amount, Scope, Standing
from airworthy.gateway.budget.waiting import Queue

POLL_S, POLL_S_MAX = 0.05, 1.0
UNBOUNDED = 1 << 80  # Free of what nothing bounds: never used up, never lent, never given back.


class Life:
    """One registration of a ledger; `over` when it was given up for dead, and all it was lent counts as lost."""

    __slots__ = ("over",)

    def __init__(self) -> None:
        self.over = False


class Slice:
    """`life`: the one it was lent in, which even a closed slice may outlive. `closed`: it takes no new holds.

    `contended`: another process wants of the scope, so nothing is kept idle. `rate`: uses in half a second.
    """

    __slots__ = (
        "closed",
        "contended",
        "contended_until_s",
        "dirty",
        "free_calls",
        "free_nano",
        "free_tokens",
        "given_calls",
        "given_nano",
        "given_tokens",
        "has_calls",
        "has_nano",
        "has_tokens",
        "idle_ticks",
        "kept_calls",
        "kept_nano",
        "kept_tokens",
        "life",
        "poll_s",
        "poll_wait_s",
        "queue",
        "rate",
        "refused_row",
        "refused_until_s",
        "scope",
        "seen",
        "settled_calls",
        "settled_nano",
        "settled_tokens",
        "typical",
        "uses",
        "uses_before",
    )  # fmt: skip

    def __init__(self, scope: Scope, life: Life) -> None:
        self.scope = scope
        self.life = life
        self.has_nano = scope.cap_nano is not None
        self.has_tokens = scope.cap_tokens is not None
        self.has_calls = scope.cap_calls is not None
        self.free_nano = 0 if self.has_nano else UNBOUNDED
        self.free_tokens = 0 if self.has_tokens else UNBOUNDED
        self.free_calls = 0 if self.has_calls else UNBOUNDED
        self.settled_nano = self.settled_tokens = self.settled_calls = 0
        self.kept_nano = self.kept_tokens = self.kept_calls = 0
        self.given_nano = self.given_tokens = self.given_calls = 0
        self.dirty = self.closed = self.contended = False
        self.queue = Queue()
        self.seen: int | None = None
        self.contended_until_s = 0.0
        self.poll_s = 0.0
        self.poll_wait_s = POLL_S
        self.uses = self.uses_before = self.rate = self.idle_ticks = 0
        self.typical = NOTHING
        self.refused_row = Standing()
        self.refused_until_s = 0.0

    def holds(self, amount: Amount) -> bool:
        return (
            self.free_nano >= amount.nano
            and self.free_tokens >= amount.tokens
            and self.free_calls >= amount.calls
        )

    def lent(self, amount: Amount) -> None:
        self.free_nano += amount.nano
        self.free_tokens += amount.tokens
        self.free_calls += amount.calls
        self.poll_s, self.poll_wait_s = 0.0, POLL_S

    def wish(self, amount: Amount, units: int) -> Amount:
        """What is missing for so many calls like this one."""
        return Amount(
            max(amount.nano * units - self.free_nano, 0),
            max(amount.tokens * units - self.free_tokens, 0),
            max(amount.calls * units - self.free_calls, 0),
        )

    def put_off(self, now_s: float) -> None:
        """The store had not enough: ask again, less and less often."""
        self.poll_s = now_s + self.poll_wait_s
        self.poll_wait_s = min(2 * self.poll_wait_s, POLL_S_MAX)

    def give_back(self) -> bool:
        """Takes all that is free out of use, to be written; True if that is anything."""
        if self.life.over:
            return False
        nano = max(self.free_nano, 0) if self.has_nano else 0
        tokens = max(self.free_tokens, 0) if self.has_tokens else 0
        calls = max(self.free_calls, 0) if self.has_calls else 0
        self.free_nano -= nano
        self.free_tokens -= tokens
        self.free_calls -= calls
        self.given_nano += nano
        self.given_tokens += tokens
        self.given_calls += calls
        return bool(nano or tokens or calls)

    def drawn(self) -> Delta:
        """What happened since the last time, to be written; from here on it is forgotten."""
        # A bill above its reservation is spent all the same: the slice grows by it, past any cap.
        over_nano = max(-self.free_nano, 0)
        over_tokens = max(-self.free_tokens, 0)
        over_calls = max(-self.free_calls, 0)
        self.free_nano += over_nano
        self.free_tokens += over_tokens
        self.free_calls += over_calls
        nano, kept_nano, made = self.settled_nano, self.kept_nano, self.settled_calls + self.kept_calls
        tokens, kept_tokens = self.settled_tokens, self.kept_tokens
        back_nano, back_tokens, back_calls = (
            over_nano - self.given_nano, over_tokens - self.given_tokens, over_calls - self.given_calls,
        )  # fmt: skip
        self.settled_nano = self.settled_tokens = self.settled_calls = 0
        self.kept_nano = self.kept_tokens = self.kept_calls = 0
        self.given_nano = self.given_tokens = self.given_calls = 0
        self.dirty = False
        n, t, c = self.has_nano, self.has_tokens, self.has_calls
        bare = Standing(
            reserved_nano=0 if n else kept_nano, settled_nano=0 if n else nano, lost_nano=0 if n else kept_nano,
            reserved_tokens=0 if t else kept_tokens, settled_tokens=0 if t else tokens,
            lost_tokens=0 if t else kept_tokens, calls=0 if c else made,
        )  # fmt: skip
        backed = Standing(
            reserved_nano=back_nano - nano if n else 0, settled_nano=nano if n else 0, lost_nano=kept_nano if n else 0,
            reserved_tokens=back_tokens - tokens if t else 0, settled_tokens=tokens if t else 0,
            lost_tokens=kept_tokens if t else 0,
            reserved_calls=back_calls - made if c else 0, calls=made if c else 0,
        )  # fmt: skip
        row = (
            back_nano - nano - kept_nano if n else 0,
            back_tokens - tokens - kept_tokens if t else 0,
            back_calls - made if c else 0,
        )
        lent = (n or t or c) and not self.life.over
        return Delta(
            self.scope.name,
            backed if lent else None,
            None if n and t and c else bare,
            row if lent else None,
            self.closed,
        )


class Hold:
    """A reservation in all scopes of one call; ends exactly once: settled, released or kept."""

    __slots__ = ("amount", "open", "slices", "who")

    def __init__(self, slices: list[Slice], amount: Amount, who: Dimensions | None) -> None:
        self.slices = slices
        self.amount = amount
        self.who = who
        self.open = True
