"""Processes that come, die and meet an endpoint and a store that fail: no refresh token is ever used twice, and all of
them have a token again once things are well. One seed, one world."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.core.clock import ManualClock
from airworthy.store.lease import LEASE_S
from airworthy.tools.credentials import CredentialBroken, CredentialDown, Given, Later, Refused
from airworthy.tools.credentials.grant import TokenRequest
from airworthy.tools.credentials.renewal import BACKOFF_S_MAX
from tests.tools.credentials.kit import FIRST_REFRESH, Asked, Kit, kit, refresh_token
from tests.tools.credentials.test_renewal import Failing, _failing

LIFETIME_S = 600.0


class Dies(BaseException):
    """The process is killed here."""


class World:
    """`reused`: refresh tokens that came a second time, after the server had changed them."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.clock = ManualClock()
        self.database: Failing = _failing()
        self.valid = FIRST_REFRESH
        self.given = 0
        self.reused = 0
        self.trouble = True
        self.processes = [self._process() for _ in range(3)]

    def _process(self) -> Kit:
        made = kit(refresh_token(), self.ask, self.database, self.clock)
        made.renewal._pause = self  # type: ignore[assignment]  # time passes by waiting
        return made

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        if self.chance.random() < 0.3:  # The store is back before a renewal gives up on it.
            self.database.full = False

    def ask(self, request: TokenRequest, _: tuple[str, ...]) -> Given | Later | Refused:
        self.clock.advance(self.chance.choice([0.01, 0.5, 7.9]))
        if self.trouble:
            match self.chance.randrange(6):
                case 0:
                    raise Dies  # Before anything was sent; its claim stays behind.
                case 1:
                    return Later("The token endpoint answered 503.", self.chance.choice([None, 30.0]))
                case 2:
                    self.database.full = True  # And it answers well: the store fails from here on.
        if Asked("", {}, request.body).form["refresh_token"] != self.valid:
            self.reused += 1
            return Refused("used twice", "Give a new one.")
        self.given += 1
        self.valid = f"refresh-{self.given}"
        return Given(f"access-{self.given}", LIFETIME_S, self.valid)

    def step(self) -> None:
        at = self.chance.randrange(len(self.processes))
        process = self.processes[at]
        try:
            text = process.keeper.get()
            if self.chance.random() < 0.2:
                process.keeper.instead(text)
        except CredentialDown:
            pass
        flight = process.keeper._flight
        if flight is not None:
            flight.result(10)
        if self.chance.random() < 0.1 and process.renewal._unsaved is None:
            self.processes[at] = self._process()  # It ends in order, and another one begins.
        self.clock.advance(self.chance.choice([0.1, 5.0, 60.0, LIFETIME_S]))
        if self.chance.random() < 0.5:
            self.database.full = False


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_whatever_happens_no_refresh_token_is_used_twice_and_all_are_well_in_the_end(seed: int) -> None:
    """Slow: each world is sixty steps, each with a thread."""
    world = World(seed)
    for _ in range(60):
        world.step()
    world.trouble = False
    world.database.full = False
    # Whoever had a token that it could not store stores it first: the others could not know of it.
    for process in sorted(world.processes, key=lambda process: process.renewal._unsaved is None):
        world.clock.advance(BACKOFF_S_MAX + LEASE_S + LIFETIME_S)
        assert process.keeper.get().startswith("access-"), f"seed {seed}"

    assert world.reused == 0, f"seed {seed}"
    # The world can tell: a second use is refused.
    world.valid = "another"
    world.clock.advance(LIFETIME_S + 1)
    with pytest.raises(CredentialBroken):
        world.processes[0].keeper.get()
