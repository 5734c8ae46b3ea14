"""Names of a package that are imported when they are first used: whoever needs one part waits for no other."""

import importlib
import sys
from collections.abc import Callable, Mapping


def late(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """The `__getattr__` of a package. `homes`: its modules, and the names it has from each, apart by blanks.

    No name may be that of a module beside it: whichever is imported first would be found under it from then on.
    """
    home = {name: f"{package}.{module}" for module, names in homes.items() for name in names.split()}

    def found(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(importlib.import_module(home[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return found
