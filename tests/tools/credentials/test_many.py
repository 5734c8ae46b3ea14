"""One renewal for any number of tasks, threads and workers; seeded, on a real database file with real threads."""

import asyncio
import random
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.app.build import MIGRATIONS
from airworthy.core.clock import ManualClock, SystemClock
from airworthy.store import SQLiteDatabase, migrate
from airworthy.tools.credentials import CredentialDown, Given, Later, Refused
from airworthy.tools.credentials.auth import CredentialAuth
from airworthy.tools.credentials.grant import TokenRequest
from airworthy.tools.credentials.renewal import BACKOFF_S_MAX
from tests.tools.credentials.kit import (
    Asked,
    Guarded,
    Kit,
    Server,
    Tokens,
    asking,
    client_credentials,
    kit,
    refresh_token,
)


class Counting:
    """An endpoint that gives each refresh token once, fails as `chance` says, and counts who asks at the same time."""

    def __init__(self, chance: random.Random, failing: float) -> None:
        self.chance = chance
        self.failing = failing
        self.given = 0
        self.failed = 0
        self.reused = 0
        self.together_max = 0
        self._together = 0
        self._turn = threading.Lock()
        self._valid = "canary-refresh-0-77aa"
        self._pause = threading.Event()

    def __call__(self, request: TokenRequest, _: tuple[str, ...]) -> Given | Later | Refused:
        with self._turn:
            self._together += 1
            self.together_max = max(self.together_max, self._together)
        self._pause.wait(0.002)  # Others have the time to make the same mistake.
        with self._turn:
            self._together -= 1
            form = Asked("", {}, request.body).form
            if self.chance.random() < self.failing:
                self.failed += 1
                return Later("The token endpoint answered 503.")
            if form.get("refresh_token", self._valid) != self._valid:
                self.reused += 1
                return Refused("used twice", "Give a new one.")
            self.given += 1
            self._valid = f"canary-refresh-{self.given}-77aa" if "refresh_token" in form else self._valid
            return Given(f"access-{self.given}", 3600, self._valid if "refresh_token" in form else "")


def _together(count: int, call: Callable[[int], None]) -> None:
    ready = threading.Barrier(count)

    def run(number: int) -> None:
        ready.wait(20)
        call(number)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.slow
@pytest.mark.parametrize("callers", [50, 500])
def test_any_number_of_threads_and_tasks_make_one_renewal_and_one_more_after_all_are_refused(
    callers: int,
) -> None:
    """Half of them threads, half tasks of one loop. Slow: five hundred threads."""
    ask = Counting(random.Random(1), failing=0.0)
    made = kit(client_credentials(), ask)
    got: list[str | None] = []

    def all_of_them(sync: Callable[[], str | None], task: Callable[[], "asyncio.Future[str | None]"]) -> None:
        def call(number: int) -> None:
            if number:
                got.append(sync())
                return

            async def tasks() -> None:
                got.extend(await asyncio.gather(*(task() for _ in range(callers // 2))))

            asyncio.run(tasks())

        _together(callers // 2 + 1, call)

    all_of_them(made.keeper.get, made.keeper.get_async)  # type: ignore[arg-type]  # a coroutine is awaited alike
    first = list(got)
    got.clear()
    made.clock.advance(60)
    all_of_them(
        lambda: made.keeper.instead("access-1"),
        lambda: made.keeper.instead_async("access-1"),  # type: ignore[arg-type, return-value]
    )

    assert first == ["access-1"] * callers
    assert got == ["access-2"] * callers
    assert ask.given == 2


@pytest.mark.slow
def test_fifty_real_calls_at_once_make_one_renewal_before_them_and_one_when_all_are_refused() -> None:
    """Slow: a hundred and fifty requests over real sockets."""
    tokens = Tokens()
    with Server(tokens) as endpoint, Server(Guarded(lambda: tokens.given[-1])) as api:
        clock = ManualClock()
        made = kit(client_credentials(endpoint.url), asking(clock).ask, clock=clock)
        auth = CredentialAuth(made.keeper, api.url)

        async def fifty() -> list[int]:
            async with httpx.AsyncClient(base_url=api.url, auth=auth, trust_env=False, timeout=30) as client:
                answers = await asyncio.gather(*(client.post("/", content=b"x") for _ in range(50)))
            return [answer.status_code for answer in answers]

        first = asyncio.run(fifty())
        renewals = len(endpoint.asked)
        clock.advance(60)
        tokens.given.append("all are revoked")
        second = asyncio.run(fifty())

    assert first == second == [200] * 50
    assert (renewals, len(endpoint.asked)) == (1, 2)


def _workers(folder: Path, count: int, ask: Counting, clock: ManualClock) -> list[Kit]:
    databases = [SQLiteDatabase(folder / "airworthy.db") for _ in range(count)]
    migrate(databases[0], MIGRATIONS)
    return [kit(refresh_token(), ask, database, clock) for database in databases]


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32), workers=st.integers(2, 4), failing=st.sampled_from([0.0, 0.3, 0.7]))
def test_workers_and_their_threads_share_each_renewal_whatever_fails(
    tmp_path_factory: pytest.TempPathFactory, seed: int, workers: int, failing: float
) -> None:
    """Slow: each example has up to sixteen threads on a database file. Three lives of a token, each renewed once."""
    ask = Counting(random.Random(seed), failing)
    clock = ManualClock()
    made = _workers(tmp_path_factory.mktemp("w"), workers, ask, clock)
    for life in range(1, 4):
        while True:
            got: list[str] = []

            def call(number: int, got: list[str] = got) -> None:
                try:
                    got.append(made[number % workers].keeper.get())
                except CredentialDown:
                    pass

            before = ask.given + ask.failed
            _together(4 * workers, call)
            assert ask.given + ask.failed <= before + 1  # All callers together make one attempt.
            if got:
                break
            clock.advance(BACKOFF_S_MAX)
        assert set(got) == {f"access-{life}"}
        clock.advance(3601)
    for one in made:
        one.database.close()

    assert (ask.given, ask.reused, ask.together_max) == (3, 0, 1)


@pytest.mark.slow
def test_the_worker_that_holds_the_claim_is_waited_for_by_the_others(tmp_path: Path) -> None:
    """Slow: the endpoint takes its time, in real seconds."""
    pause = threading.Event()
    tokens = Tokens()
    with Server(lambda asked: (pause.wait(0.3), tokens(asked))[1]) as endpoint:
        clock = SystemClock()
        databases = [SQLiteDatabase(tmp_path / "airworthy.db") for _ in range(4)]
        migrate(databases[0], MIGRATIONS)
        grant = client_credentials(endpoint.url)
        made = [kit(grant, asking(clock).ask, database, clock) for database in databases]
        got: list[str] = []
        _together(20, lambda number: got.append(made[number % 4].keeper.get()))
        for database in databases:
            database.close()

    assert got == ["canary-access-1-9c3d"] * 20
    assert len(endpoint.asked) == 1
