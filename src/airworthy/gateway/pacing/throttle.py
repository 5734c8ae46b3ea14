"""A rate found by being refused: halved at each refusal, won back bit by bit. For what no header tells.

The rule is TCP's (additive increase, multiplicative decrease; Chiu and Jain, 1989), because independent senders that
share one limit come to equal shares by it.
"""

from dataclasses import dataclass

from airworthy.core.clock import US_PER_S

GAIN_PER_S = 0.01  # Of the rate at which it was refused: half a rate is won back in 50 s.
GAIN_DOUBLES_S = (
    60.0  # After each such time without a refusal, or a limit counted by the second is never found.
)
FORGET_S = 600.0  # After so long without a refusal nothing is known any more.
RATE_MIN = 0.1  # Calls a second: asks again after ten seconds at the latest.
BURST_S = 1.0


def recovered(start: float, refused_at: float, clean_s: float) -> float:
    """The rate `clean_s` after a refusal at `refused_at` calls a second left it at `start`."""
    rate, gain = start, refused_at * GAIN_PER_S
    while clean_s > 0:
        spell_s = min(clean_s, GAIN_DOUBLES_S)
        rate += gain * spell_s
        gain, clean_s = 2 * gain, clean_s - spell_s
    return rate


@dataclass(frozen=True, slots=True)
class Cut:
    """A refusal: the rate after it, the rate that was too much, and from when calls may go again.

    `guessed`: nobody was refused for being too fast; the rate is only there to start gently after a hold.
    """

    start: float
    refused_at: float
    from_us: int
    guessed: bool = False


def cut_after(current: float | None, accepted_per_min: int, from_us: int) -> Cut:
    """Half of the rate in force, or of what went through in the last minute while none was.

    A rate that has recovered far beyond what is asked for means nothing; four times the accepted counts at most.
    """
    accepted = accepted_per_min / 60
    refused_at = accepted if current is None else min(current, 4 * accepted) if accepted else current
    refused_at = max(refused_at, 2 * RATE_MIN)
    return Cut(refused_at / 2, refused_at, from_us)


class Throttle:
    """Lets calls through at the rate that a cut left, from its time on: one at once, then in step."""

    __slots__ = ("_at_us", "_ready", "cut")

    def __init__(self) -> None:
        self.cut: Cut | None = None
        self._ready = 0.0
        self._at_us = 0

    def begin(self, cut: Cut) -> None:
        self.cut = cut
        self._ready = 1.0
        self._at_us = cut.from_us

    def more_accepted(self, accepted_per_min: int) -> None:
        """Answers to calls from before the cut came in after it: more went through than it was made for."""
        accepted, cut = accepted_per_min / 60, self.cut
        if cut is not None and not cut.guessed and accepted > cut.refused_at:
            self.cut = Cut(accepted / 2, accepted, cut.from_us)

    def later(self, from_us: int) -> None:
        """The same rate, from a later time on."""
        if self.cut is not None and from_us > self._at_us:
            self._ready, self._at_us = 1.0, from_us

    def rate(self, now_us: int) -> float | None:
        """Calls a second; None when there is no bound (any more)."""
        cut = self.cut
        if cut is None:
            return None
        clean_s = (now_us - cut.from_us) / US_PER_S
        if clean_s > FORGET_S:
            self.cut = None
            return None
        return recovered(cut.start, cut.refused_at, clean_s)

    def wait_us(self, now_us: int, calls: float = 1.0) -> int:
        """For several calls an estimate on the short side, as the rate will grow."""
        rate = self.rate(now_us)
        if rate is None or self.cut is None:
            return 0
        if now_us > self._at_us:
            self._ready = min(
                max(1.0, rate * BURST_S), self._ready + rate * (now_us - self._at_us) / US_PER_S
            )
            self._at_us = now_us
        held_us = max(0, self._at_us - now_us)
        lacking = calls - self._ready
        if calls > 1:
            rate = max(rate, self.cut.refused_at)
        return held_us + (int(lacking / rate * US_PER_S) + 1 if lacking > 0 else 0)

    def spend(self) -> None:
        self._ready -= 1.0

    def give_back(self) -> None:
        self._ready += 1.0
