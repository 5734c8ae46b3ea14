"""Reads `preflight.toml`, which says how a working folder's agents are tried."""

from pathlib import Path
from typing import Final

from airworthy.policy.load import load_toml
from airworthy.preflight.settings import PreflightSettings

PREFLIGHT_FILE: Final = "preflight.toml"
BUILT_IN: Final = "built-in"  # The simulator without a file of rules.


def load_preflight_settings(folder: Path) -> PreflightSettings:
    """Raises: PolicyError, with all problems of the file at once, each with its line."""
    path = folder / PREFLIGHT_FILE
    return load_toml(path, PreflightSettings) if path.exists() else PreflightSettings()
