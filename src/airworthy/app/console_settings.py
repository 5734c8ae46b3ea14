"""What `console.toml` says: where the console is reached, and how people sign in."""

from pathlib import Path
from typing import Final

from airworthy.policy.kinds import Section
from airworthy.policy.load import load_toml

CONSOLE_FILE: Final = "console.toml"


class ConsoleSettings(Section):
    """All of console.toml; without the file all is as by default."""


def load_console_settings(folder: Path) -> ConsoleSettings:
    """Raises: PolicyError, with all problems of the file at once, each with its line."""
    path = folder / CONSOLE_FILE
    return load_toml(path, ConsoleSettings) if path.exists() else ConsoleSettings()
