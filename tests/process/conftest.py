"""Commands of a test have a database of its own."""

from pathlib import Path

import pytest

from tests.database import for_commands


@pytest.fixture(autouse=True)
def _commands_have_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for_commands(tmp_path, monkeypatch)
