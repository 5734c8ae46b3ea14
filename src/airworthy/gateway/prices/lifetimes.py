"""When a provider switches a model off, as far as it has said so."""

from collections.abc import Mapping
from datetime import date
from typing import Final

ENDS: Final[Mapping[str, date]] = {}


def end_of_life(provider: str, name: str) -> date | None:
    return ENDS.get(name) if provider else None
