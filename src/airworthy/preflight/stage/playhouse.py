"""The real stage: each trial in a thread and a loop of its own, on a store of its own, with a real end to it."""

import asyncio
import contextlib
import ctypes
import inspect
import random
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from airworthy.core.canonical import digest, encode
from airworthy.core.clock import Clock
from airworthy.core.errors import told
from airworthy.evals import Case
from airworthy.preflight.settings import StageSettings
from airworthy.preflight.stage.answers import Answers
from airworthy.preflight.stage.loop import TrialLoop
from airworthy.preflight.stage.models import Models, RealModels
from airworthy.preflight.stage.outside import LiveTools
from airworthy.preflight.stage.part import Part
from airworthy.preflight.stage.performance import Performance, Troupe
from airworthy.preflight.stage.purse import CapReached, Purse
from airworthy.preflight.stage.recording import Recording, ToolResult
from airworthy.preflight.stage.script import Played, Script
from airworthy.preflight.stage.stand_ins import StandIns, checked, named
from airworthy.preflight.stage.told import HANGS, LOST, unplayed
from airworthy.preflight.stage.world import World
from airworthy.recorder import Payloads
from airworthy.runtime import Agent
from airworthy.store import MemoryDatabase, Migration, migrate
from airworthy.tools import Toolbox

OVERTIME_S: Final = 15.0  # Beyond what the policy lets a task run: it would have ended it by then.
REAL_S_MAX: Final = 900.0
SIMULATED_S_MAX: Final = 30.0  # Where no model takes real time, nothing honest takes long.
TOGETHER_S_MAX: Final = 3600.0
AT_ONE_GO: Final = 16
US_PER_DAY: Final = 86_400_000_000
POLITE_S: Final = 2.0  # After which a trial that was told to stop is broken into.
FORCED_S: Final = 2.0  # After which one that was broken into is left to itself.


@dataclass(frozen=True, slots=True)
class Setting:
    """All that a stage is built of; what only `app` knows comes in here. `clock`: each trial begins at noon (UTC) of
    its day. `credentials`: of dependencies that live reads talk to. `purse`, `answers`: for models that are real.
    `folder`: the working folder, for a sandbox that asks for it.
    """

    agent: Agent
    migrations: Sequence[Migration]
    models: Models
    clock: Clock
    settings: StageSettings = field(default_factory=StageSettings)
    purse: Purse | None = None
    answers: Answers | None = None
    credentials: Mapping[str, Any] | None = None
    payloads: Payloads = field(default_factory=Payloads)
    at_once: int = 64  # Tasks that one worker runs at a time, where nothing else bounds them.
    folder: Path = Path()


class GivenUp(BaseException):
    """Raised in the thread of a trial that would not end."""


class Playhouse:
    """Implements `Stage`. Used from one event loop, in `async with opened(setting)`."""

    def __init__(self, setting: Setting, home: asyncio.AbstractEventLoop) -> None:
        """Raises: ConfigError for a stand-in that is none."""
        agent, settings = setting.agent, setting.settings
        tools = {tool.name: tool for tool in agent.tools}
        self.setting = setting
        self._home = home
        if isinstance(setting.models, RealModels):
            setting.models.home = home
        self._live = LiveTools(
            Toolbox(agent.policy, agent.tools, setting.clock, credentials=setting.credentials)
        )
        stand_ins = StandIns(tools, settings.tools, checked(tools, settings.tools), self._live, home)
        self.stand_ins = stand_ins
        self._troupe = Troupe(
            agent, stand_ins, setting.models, setting.purse if setting.models.kept else None,
            setting.answers if setting.models.kept else None, setting.payloads, home, setting.at_once,
        )  # fmt: skip
        self._image = _image(tuple(setting.migrations))
        # Noon: a request that names the day is the same request later on that day.
        self._start_us = setting.clock.now_us() // US_PER_DAY * US_PER_DAY + US_PER_DAY // 2
        self._learnt: dict[tuple[str, str], list[ToolResult]] = {}
        self.abandoned = 0  # Trials that could not be ended; their threads go on by themselves.

    @property
    def real_s_max(self) -> float:
        """For one trial; what is played together has longer, as there is more of it."""
        said = self.setting.settings.trial_s_max
        limit_s = self.setting.agent.policy.limits.seconds
        longest_s = REAL_S_MAX if self.setting.models.kept else SIMULATED_S_MAX
        return said if said is not None else min(limit_s + OVERTIME_S, longest_s)

    def learn(self, case: Case, recording: Recording) -> None:
        """What tools said in it answers later trials of the same user and session."""
        self._learnt.setdefault((case.user, case.session), []).extend(recording.results)

    async def play(self, script: Script) -> Played:
        return (await self._perform([script], [0.0]))[0]

    async def together(self, scripts: list[Script], arrivals_s: list[float]) -> list[Played]:
        assert len(scripts) == len(arrivals_s)
        return await self._perform(scripts, arrivals_s) if scripts else []

    async def aclose(self) -> None:
        await self._live.aclose()

    async def _perform(self, scripts: Sequence[Script], arrivals_s: Sequence[float]) -> list[Played]:
        world = World()
        parts = [self._part(script, world) for script in scripts]
        performance = Performance(
            self._troupe, parts, arrivals_s, MemoryDatabase(self._image), self._start_us, _seed(scripts)
        )
        loop = asyncio.get_running_loop()
        done: asyncio.Future[list[Played]] = loop.create_future()
        thread = _Thread(performance, loop, done)
        thread.start()
        real_s = min(self.real_s_max * max(1.0, len(scripts) / AT_ONE_GO), TOGETHER_S_MAX)
        try:
            finished = await _within(real_s, done)
            if not finished:
                thread.stop(f"It was given up after {real_s:g} s of real time.")
                finished = await _within(POLITE_S, done)
            if not finished:
                thread.interrupt()
                finished = await _within(FORCED_S, done)
        except asyncio.CancelledError:
            thread.stop("The preflight was stopped.")
            raise
        finally:
            for part in parts:
                part.over = True
        lost = next((part.lost for part in parts if isinstance(part.lost, CapReached)), None)
        if lost is not None:
            raise CapReached(lost.message, mend=lost.mend)
        if not finished:
            self.abandoned += 1
            text = f"It hangs: after {real_s:g} s it heeded neither its limits nor its end."
            return [unplayed(part, HANGS, text) for part in parts]
        return done.result()

    def _part(self, script: Script, world: World) -> Part:
        known = [] if script.prefix is None else list(script.prefix.results)
        learnt = self._learnt.get((script.case.user, script.case.session), ())
        own = {(each.tool, encode(each.arguments)) for each in known}
        known += [each for each in learnt if (each.tool, encode(each.arguments)) not in own]
        chance = random.Random(_seed([script]))  # noqa: S311  # a repeatable trial, nothing secret
        return Part(script, world, tuple(known), chance=chance)


@contextlib.asynccontextmanager
async def opened(setting: Setting) -> AsyncIterator[Playhouse]:
    """With the sandbox of preflight.toml around it. Raises: ConfigError."""
    async with contextlib.AsyncExitStack() as stack:
        if setting.settings.sandbox is not None:
            sandbox = named(setting.settings.sandbox, "sandbox")
            wants_folder = "folder" in inspect.signature(sandbox).parameters
            made = sandbox(folder=setting.folder) if wants_folder else sandbox()
            if hasattr(made, "__aenter__"):
                await stack.enter_async_context(made)
            else:
                stack.enter_context(made)
        house = Playhouse(setting, asyncio.get_running_loop())
        stack.push_async_callback(house.aclose)
        yield house


async def _within(seconds: float, done: "asyncio.Future[list[Played]]") -> bool:
    """Whether it was done in this time. Leaves it be when it was not."""
    return bool((await asyncio.wait({done}, timeout=seconds))[0])


class _Thread:
    """Runs one performance to its end on a loop of its own; nobody waits for what it leaves behind."""

    def __init__(
        self, performance: Performance, home: asyncio.AbstractEventLoop, done: "asyncio.Future[list[Played]]"
    ) -> None:
        self._performance = performance
        self._home = home
        self._done = done
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="airworthy: a trial", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, why: str) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # It ended in this very moment.
                loop.call_soon_threadsafe(self._performance.stop, why)

    def interrupt(self) -> None:
        """For an agent that computes without an end in its loop's thread, and would take everybody's time."""
        if self._thread.ident is not None and self._thread.is_alive():
            self._performance.forced = True
            number = ctypes.c_ulong(self._thread.ident)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(number, ctypes.py_object(GivenUp))

    def _run(self) -> None:
        loop = self._loop = TrialLoop()
        asyncio.set_event_loop(loop)
        try:
            found = loop.run_until_complete(self._performance.play(loop))
        except BaseException as error:  # noqa: BLE001  # a fault of ours, in a thread's last line of defence
            crash = f"{type(error).__name__}: {told(error)}"
            ours = (LOST, "The stage failed.", crash)
            # Broken into because of its agent: then that is no fault of ours.
            how = (HANGS, "It hangs: it was broken into.", "") if self._performance.forced else ours
            found = [unplayed(part, *how) for part in self._performance.parts]
        with contextlib.suppress(RuntimeError):  # Nobody is left to tell.
            self._home.call_soon_threadsafe(self._deliver, found)
        _swept(loop)

    def _deliver(self, found: list[Played]) -> None:
        if not self._done.done():
            self._done.set_result(found)


def _swept(loop: TrialLoop) -> None:
    """Ends what an agent left running, as far as it lets itself be ended."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    with contextlib.suppress(BaseException):
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=1.0))
        loop.run_until_complete(asyncio.wait_for(loop.shutdown_asyncgens(), 1.0))
    with contextlib.suppress(BaseException):
        loop.close()
    asyncio.set_event_loop(None)


def _seed(scripts: Sequence[Script]) -> int:
    parts = [f"{each.seed}/{each.label}/{each.case.id}/{each.repeat}".encode() for each in scripts]
    return int.from_bytes(digest(*parts)[:8], "big")


@cache  # A quarter of a second, and tests open many stages.
def _image(migrations: tuple[Migration, ...]) -> bytes:
    database = MemoryDatabase()
    migrate(database, migrations)
    try:
        return database.image()
    finally:
        database.close()
