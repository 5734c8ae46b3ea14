"""People, teams and channels of a working folder: reads people.toml, which stands beside airworthy.toml."""

import os
from pathlib import Path

from airworthy.policy.load import load_toml
from airworthy.review import People

PEOPLE_FILE = "people.toml"


def load_people(folder: Path) -> People:
    """Without the file nobody is declared, and whoever can reach the database may decide.

    Raises: PolicyError, with all problems of the file at once, each with its line.
    """
    path = folder / PEOPLE_FILE
    return load_toml(path, People) if path.exists() else People()


class PeopleFile:
    """people.toml of a process that lives long: read anew when it has changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: tuple[int, int, int] | None = None
        self._people = People()

    def __call__(self) -> People:
        """Raises: PolicyError."""
        seen = self._state()
        if seen != self._seen:
            self._people = load_people(self._folder)
            self._seen = seen
        return self._people

    def _state(self) -> tuple[int, int, int] | None:
        try:
            status = os.stat(self._folder / PEOPLE_FILE)  # noqa: PTH116  # as cheap as it gets, at each request
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
