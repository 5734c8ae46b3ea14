"""Runs `async def test_*` in virtual time; plain tests are untouched."""

import functools
import gc
import inspect
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests import database, quick_disk, reaching
from tests.virtual import run_virtual

# How long an example takes is no claim of any test: on a busy machine it is another's work.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

GARBAGE_AT = 5_000  # New objects before the youngest are looked through: seven times as many as usual.


def _in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_virtual(test(*args, **kwargs))

    return run


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    test = pyfuncitem.obj
    drawn = getattr(test, "hypothesis", None)  # Under @given the async function sits inside.
    if drawn is not None and inspect.iscoroutinefunction(drawn.inner_test):
        drawn.inner_test = _in_virtual_time(drawn.inner_test)
        return None
    if not inspect.iscoroutinefunction(test):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    _in_virtual_time(test)(**{name: pyfuncitem.funcargs[name] for name in names})
    return True


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--databases-only", action="store_true", help="Leave out files of tests that reach no database."
    )
    parser.addoption(
        "--slow-variants",
        type=int,
        default=0,
        help="Of a slow test with many parameters, only so many, spread evenly.",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if not config.getoption("--databases-only") or collection_path.suffix != ".py":
        return None
    return None if reaching.reaches(collection_path) else True


def pytest_collection_finish() -> None:
    """What is loaded by now stays: looking through a million objects again and again took a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_AT)


def pytest_configure(config: pytest.Config) -> None:
    quick_disk.use()
    database.begin_session()


def pytest_unconfigure(config: pytest.Config) -> None:
    database.end_session()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    variants = config.getoption("--slow-variants")
    if variants:
        items[:] = _thinned(items, variants)
    if not database.ON_POSTGRES:
        return
    for item in items:
        about = item.get_closest_marker("sqlite")
        if about is not None:
            (why,) = about.args
            item.add_marker(pytest.mark.skip(reason=f"is about the SQLite file: {why}"))


def _thinned(items: list[pytest.Item], variants: int) -> list[pytest.Item]:
    of_test: dict[str, list[pytest.Item]] = {}
    for item in items:
        # One that is not slow stands for itself.
        slow = item.get_closest_marker("slow") is not None
        of_test.setdefault(item.nodeid.partition("[")[0] if slow else item.nodeid, []).append(item)
    kept: list[pytest.Item] = []
    for alike in of_test.values():
        few = min(variants, len(alike))
        kept += [alike[place * len(alike) // few] for place in range(few)]
    return kept


@pytest.fixture(autouse=database.ON_POSTGRES)
def _databases_are_left_as_they_were() -> Iterator[None]:
    yield
    database.end_test()
