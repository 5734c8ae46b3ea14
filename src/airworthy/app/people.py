"""People, teams and channels of a working folder: reads people.toml, which stands beside airworthy.toml."""

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
