"""The order in which the doctor looks, and its bounds: whatever hangs or crashes is a finding like any other."""

import asyncio
import contextlib
import traceback
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from airworthy.app.build import App, NoDatabase, assembled, load_agents, opened
from airworthy.app.config import Config, load_config
from airworthy.app.doctor import outside, settings, stored
from airworthy.app.doctor.finding import LEVELS, Check, Finding, broken, ok, skipped
from airworthy.core.errors import AirworthyError, told
from airworthy.resilience import TimedOut, bounded_in_thread
from airworthy.runtime import Agent
from airworthy.store import MemoryDatabase

SECONDS_MAX = 30.0
FIRST_SHARE = 0.4  # Of the time, for what everything else needs: the settings and the agents' code.
CLOSE_S_MAX = 2.0
TOGETHER_MAX = 16
FINDINGS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Report:
    """The gravest first. `healthy`: nothing is broken; cautions are no illness."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        return all(finding.level != "broken" for finding in self.findings)


async def examined(folder: Path, database: str | None = None, *, seconds: float = SECONDS_MAX) -> Report:
    """Takes at most `seconds`, and a little. Never raises for what it finds."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + seconds
    found: list[Finding] = []
    first_s = seconds * FIRST_SHARE
    settings_, agents = await asyncio.gather(
        _looked(Check("settings", lambda: settings.files(folder)), first_s),
        _loaded(folder, database, first_s),
    )
    found += settings_
    config, code, loading = agents
    found += loading
    async with _application(config, code, found, first_s) as (app, kept):
        policies = settings.served(folder, code)
        checks = [
            *settings.of_agents(app, config, code, policies),
            *outside.checks(app, code, policies, kept=kept),
        ]
        if kept:
            checks += stored.checks(app, code)
        found += await _all(checks, until_s)
    found.sort(key=lambda finding: LEVELS.index(finding.level))
    return Report(tuple(found[:FINDINGS_MAX]))


async def _all(checks: Sequence[Check], until_s: float) -> list[Finding]:
    places = asyncio.Semaphore(TOGETHER_MAX)
    loop = asyncio.get_running_loop()

    async def one(check: Check) -> list[Finding]:
        async with places:
            left_s = until_s - loop.time()
            if left_s <= 0:
                return [skipped(check.subject, "There was no time left to look at it; raise --timeout.")]
            return await _looked(check, left_s)

    found = await asyncio.gather(*(one(check) for check in checks))
    return [finding for several in found for finding in several]


async def _looked(check: Check, seconds: float) -> list[Finding]:
    """What it found until it ended, and how it ended if that was not in order."""
    found: list[Finding] = []

    def look() -> None:
        for finding in check.look():
            found.append(finding)  # noqa: PERF402  # one by one: what comes after may hang or crash

    try:
        await bounded_in_thread(look, seconds, name=f"doctor: {check.subject}")
    except TimedOut:
        text = f"Looking at it did not end within {seconds:.0f} s."
        mend = "See what keeps it: an address that swallows packets, a locked file?"
        return [*found, broken(check.subject, text, mend)]
    except AirworthyError as error:
        return [*found, broken(check.subject, error.message, error.mend)]
    except Exception as error:  # noqa: BLE001  # one look that fails must not hide what the others see
        mend = "This was not expected; the rest was looked at all the same."
        return [*found, broken(check.subject, _crash(error), mend)]
    return found


async def _loaded(
    folder: Path, database: str | None, seconds: float
) -> tuple[Config | None, list[Agent], list[Finding]]:
    """The configuration, and the agents as far as they can be had."""

    try:
        config = load_config(folder, database=database)
    except AirworthyError:  # Told by whoever looks at the files.
        return None, [], [skipped("agents", "Not loaded, because airworthy.toml cannot be used.")]
    if not config.agents:
        return config, [], [skipped("agents", f"{folder / 'airworthy.toml'} names no agent.")]
    agents: list[Agent] = []

    def load() -> list[Finding]:
        try:
            agents.extend(load_agents(config))
        except AirworthyError as error:
            return [broken("agents", error.message, error.mend)]
        except Exception as error:  # noqa: BLE001  # the user's code may raise anything at all while it is imported
            mend = "Mend the code; `airworthy --debug run` shows where it failed."
            return [broken("agents", f"Their code cannot be loaded: {_crash(error)}", mend)]
        return [ok(f"agent {agent.name}", f"Loaded, stage {agent.policy.stage}.") for agent in agents]

    return config, agents, await _looked(Check("agents", load), seconds)


@contextlib.asynccontextmanager
async def _application(
    config: Config | None, agents: Sequence[Agent], found: list[Finding], seconds: float
) -> AsyncIterator[tuple[App, bool]]:
    """With the database, and True; with one in memory where there is none, so that looking makes nothing."""
    if config is not None:
        manager = opened(config, agents, must_exist=True)
        try:
            app = await bounded_in_thread(manager.__enter__, seconds, name="doctor: database")
        except NoDatabase:
            found.append(
                skipped("database", f"There is none yet at {config.where}; the first task makes it.")
            )
        except TimedOut:
            text = f"{config.where} could not be opened within {seconds:.0f} s."
            found.append(broken("database", text, "See who has it locked, or keeps it from being reached."))
        except AirworthyError as error:
            text = error.message if config.where in error.message else f"{config.where}: {error.message}"
            found.append(broken("database", text, error.mend))
        except Exception as error:  # noqa: BLE001  # whatever is wrong with it, the rest can be looked at
            mend = "See who has it open, and whether it is whole."
            found.append(broken("database", f"{config.where}: {_crash(error)}", mend))
        else:
            try:
                yield app, True
            finally:
                with contextlib.suppress(TimedOut):  # What hangs in there ends with the process.
                    await bounded_in_thread(
                        lambda: manager.__exit__(None, None, None), CLOSE_S_MAX, name="doctor"
                    )
            return
    memory = MemoryDatabase()
    try:
        yield assembled(memory, agents), False
    finally:
        memory.close()


def _crash(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}: {told(error)[:500]}"
