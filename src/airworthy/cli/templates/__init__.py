"""The templates of `airworthy init`, as plain files; copies them, and never over anything."""

from collections.abc import Iterator
from importlib import resources
from importlib.abc import Traversable
from pathlib import Path

from airworthy.core.errors import InputError


class WouldOverwrite(InputError):
    """A file of that name is there already; nothing was written."""

    code = "would_overwrite"


def written(template: str, to: Path) -> list[Path]:
    """Raises: WouldOverwrite, InputError."""
    source = resources.files(__name__) / template
    names = sorted(_names(source))
    taken = [name for name in names if (to / name).exists()]
    if taken:
        raise WouldOverwrite(
            f"{to} already has {', '.join(taken)}; nothing was written.", mend="Name another folder."
        )
    try:
        to.mkdir(parents=True, exist_ok=True)
        for name in names:
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            with (to / name).open("xb") as file:
                file.write(source.joinpath(name).read_bytes())
    except OSError as error:
        raise InputError(
            f"{error.filename or to} cannot be written: {error.strerror or error}.",
            mend="Check the path and its permissions, or name another folder.",
        ) from error
    return [to / name for name in names]


def _names(source: Traversable, before: str = "") -> Iterator[str]:
    """Paths below `source`, of what is no leftover of Python's own."""
    for entry in source.iterdir():
        if entry.is_file():
            yield f"{before}{entry.name}"
        elif entry.name != "__pycache__":
            yield from _names(entry, f"{before}{entry.name}/")
