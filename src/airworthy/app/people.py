"""people.toml of a working folder."""

import tomllib
from pathlib import Path

from airworthy.review.people import People


def load_people(folder: Path) -> People:
    path = folder / "people.toml"
    return People.model_validate(tomllib.loads(path.read_text())) if path.exists() else People()
