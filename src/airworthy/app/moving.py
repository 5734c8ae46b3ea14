"""Moves all that is stored from one database into another: which two, who may be at work, and what came of it."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airworthy.app.build import MIGRATIONS, NoDatabase, at_work, brought_up, open_database
from airworthy.app.config import Config, database_variable, load_config
from airworthy.app.witness import Witness, head_file
from airworthy.core.clock import SystemClock
from airworthy.core.errors import ConfigError
from airworthy.recorder import audit
from airworthy.recorder.audit import Entry
from airworthy.recorder.traces.moved import Renumbered, ahead, enter_words
from airworthy.store import Database, MemoryDatabase, Row, StoreError, StoreInUse, Tx, migrate
from airworthy.store.address import is_address
from airworthy.store.catalog import Snapshot, tables
from airworthy.store.migrate import missing
from airworthy.store.moving import LEDGER, Compared, Move, Progress, Rules

# Who is alive and who writes belongs to one database alone; the index of words is made anew.
_OWN: Final = frozenset({"owners", "claims", "commits", "migrations", "sweeps", "texts", LEDGER})
_ENGINES: Final = "procrastinate_"  # Their wake-ups are made anew from the tasks.
AGAIN_MAX: Final = 2


class NotTheSame(StoreError):
    """What is in the target is not what is in the source."""

    code = "move_not_the_same"


@dataclass(frozen=True, slots=True)
class Moved:
    """`resumed`: an earlier try was gone on with. `tables`: as they were compared at the end."""

    origin: str
    goal: str
    resumed: bool
    tables: tuple[Compared, ...]

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.tables)


def place_of(folder: Path, text: str) -> Config:
    """`sqlite`, the file of the folder; `sqlite:PATH`; `postgresql`, what the environment names; or an address."""
    if is_address(text):
        return Config(folder, text)
    kind, _, path = text.partition(":")
    if kind == "sqlite":
        return Config(folder, path.removeprefix("//") or _file_of(folder))
    if text == "postgresql":
        address = database_variable() or load_config(folder).database
        if is_address(address):
            return Config(folder, address)
        raise ConfigError(
            "Neither AIRWORTHY_DATABASE nor airworthy.toml names a PostgreSQL.",
            mend="Give its address: postgresql://user:password@host/name.",
        )
    raise ConfigError(
        f"{kind if '://' in text else text!r} is no database that can be moved.",
        mend="Write sqlite, sqlite:PATH, postgresql, or postgresql://user:password@host/name.",
    )


def _file_of(folder: Path) -> str:
    """What airworthy.toml names, or else what it is called by itself."""
    with contextlib.suppress(ConfigError):
        named = load_config(folder, database=None, environment=False).database
        if not is_address(named):
            return named
    return Config(folder).database


@contextlib.contextmanager
def both(origin: Config, goal: Config, *, despite_workers: bool) -> Iterator[tuple[Snapshot, Database]]:
    """The source as it is now, and the target with all its tables. Raises: NoDatabase, StoreInUse, StoreError."""
    if origin.where == goal.where:
        raise ConfigError(f"Both are {origin.where}.", mend="Name two databases: --from and --to.")
    source = opened_source(origin)
    try:
        busy = source.read_now(at_work(_Clock(source)))
        if busy and not despite_workers:
            raise StoreInUse(
                f"Others are at work on {origin.where}: {', '.join(busy[:5])}.",
                mend="Stop them first. Or add --despite-workers, and what they write from now on stays behind.",
            )
        target = open_database(goal)
        try:
            if LEDGER not in target.read_now(lambda tx: tables(tx, target.dialect)):
                clock = target.clock(SystemClock())
                brought_up(target, clock)
                busy = target.read_now(at_work(clock))
                if busy:
                    raise StoreInUse(
                        f"Others are at work on {goal.where}: {', '.join(busy[:5])}.", mend="Stop them first."
                    )
            yield source, target
        finally:
            target.close()
    finally:
        source.close()


def opened_source(origin: Config) -> Snapshot:
    """Raises: NoDatabase; StoreError where it is of another version."""
    if origin.file_missing:
        raise NoDatabase(f"There is no database {origin.where}.", mend="Name it: --from sqlite:PATH.")
    source = Snapshot(origin.database_url or str(origin.database_path))
    try:
        lacking = missing(source, MIGRATIONS)
        if len(lacking) == len(MIGRATIONS):
            raise NoDatabase(
                f"There are no tables of airworthy in {origin.where}.",
                mend="Name another: --from sqlite:PATH.",
            )
        if lacking:
            raise StoreError(
                f"{origin.where} is of an older version; it lacks {lacking[0]}.",
                mend=f"Bring it to this one first: airworthy migrate --database {origin.where}",
            )
    except BaseException:
        source.close()
        raise
    return source


class _Clock:
    """Of a server, its own; of a file, this machine's."""

    def __init__(self, source: Snapshot) -> None:
        self._source = source

    def now_us(self) -> int:
        if self._source.dialect == "sqlite":
            return SystemClock().now_us()
        asked = "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint"
        return int(self._source.read_now(lambda tx: tx.rows(asked))[0][0])


def moved(
    origin: Config, goal: Config, told: Callable[[Progress], None], *, despite_workers: bool = False
) -> Moved:
    """Goes on with an earlier try. Raises: StoreError and its children, as `both`; NotTheSame."""
    with both(origin, goal, despite_workers=despite_workers) as (source, target):
        pristine = MemoryDatabase()
        migrate(pristine, MIGRATIONS)
        rules = Rules(
            lambda name: name in _OWN or name.startswith(_ENGINES),
            Renumbered(source, target.dialect).shaped,
            ahead,
            pristine,
        )
        move = Move(source, _named(origin), target, rules, told)
        resumed = not move.begin()
        found = _the_same(move)
        move.remake("texts", "docs", _words)
        now_us = target.clock(SystemClock()).now_us()
        move.end(audit.noted(lambda _: None, Entry("database.move", goal.where), now_us))
        Witness(head_file(goal)).remember(target.read_now(audit.head), None)
        return Moved(origin.where, goal.where, resumed, tuple(found))


def _named(origin: Config) -> str:
    return origin.where if origin.database_url is not None else str(origin.database_path.resolve())


def _words(tx: Tx, docs: list[Row]) -> None:
    """Of rows of `docs`, whose columns are the same on every engine."""
    enter_words(tx, [(id_, ref, chunk) for id_, ref, _, chunk in docs])


def _the_same(move: Move) -> list[Compared]:
    """What changed in the source between two tries is copied anew."""
    for _ in range(AGAIN_MAX):
        move.copy()
        found = move.compare()
        differ = [each.table for each in found if not each.same]
        if not differ:
            return found
        for table in differ:
            move.again(table)
    raise NotTheSame(
        f"After copying, {', '.join(differ[:5])} is not the same on both sides.",
        mend="Look whether somebody else writes to the target; the source is as it was. Then call it again.",
    )
