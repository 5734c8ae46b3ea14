"""Blind tests: invited people try an agent in rehearsal and rate its answers, which become cases and labels."""

from airworthy.preflight.blind.exporting import BlindExport, exported
from airworthy.preflight.blind.tests import BlindTests
from airworthy.preflight.blind.values import (
    BlindRefused,
    BlindTest,
    BlindTestRefused,
    Guest,
    Rating,
    Try,
    Word,
)

__all__ = [
    "BlindExport",
    "BlindRefused",
    "BlindTest",
    "BlindTestRefused",
    "BlindTests",
    "Guest",
    "Rating",
    "Try",
    "Word",
    "exported",
]
