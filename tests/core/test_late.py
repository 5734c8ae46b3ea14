"""Names that are imported when they are first used: what a package promises is there."""

import importlib
import pkgutil

import pytest

import airworthy
from airworthy.core.late import late

PACKAGES = [each.name for each in pkgutil.walk_packages(airworthy.__path__, "airworthy.") if each.ispkg]
LATE = [name for name in PACKAGES if hasattr(importlib.import_module(name), "__getattr__")]


@pytest.mark.parametrize("name", LATE)
def test_every_name_that_is_promised_is_there(name: str) -> None:
    package = importlib.import_module(name)

    assert [promised for promised in package.__all__ if getattr(package, promised, None) is None] == []


@pytest.mark.parametrize("name", LATE)
def test_no_name_is_that_of_a_module_beside_it(name: str) -> None:
    """Or it would be the module, once somebody has imported that."""
    package = importlib.import_module(name)
    modules = {each.name for each in pkgutil.iter_modules(package.__path__)}
    eager = {promised for promised in package.__all__ if promised in modules}

    assert [each for each in eager if type(getattr(package, each)).__name__ == "module"] == []


def test_a_name_is_looked_for_once() -> None:
    found = late("tests.core", {"test_late": "PACKAGES LATE"})

    assert found("PACKAGES") is PACKAGES
    assert importlib.import_module("tests.core").__dict__["PACKAGES"] is PACKAGES


def test_a_name_that_is_none_is_told_as_python_does() -> None:
    found = late("tests.core", {"test_late": "PACKAGES"})

    with pytest.raises(AttributeError, match=r"module 'tests.core' has no attribute 'nothing'"):
        found("nothing")


def test_the_packages_of_most_modules_are_late() -> None:
    assert len(LATE) >= 15
