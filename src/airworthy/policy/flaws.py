"""What can be wrong in a policy, as values; knows neither files nor lines."""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic_core import PydanticCustomError

KeyPath = tuple[str | int, ...]
FLAW = "flaw"


@dataclass(frozen=True, slots=True)
class Flaw:
    """A contradiction within one section: `key` is relative to the section that found it."""

    key: KeyPath
    says: str
    mend: str


def flaw_error(flaws: Iterable[Flaw]) -> PydanticCustomError | None:
    """Carries all flaws of a section at once through pydantic, which stops at a validator's first error."""
    found = tuple(flaws)
    if not found:
        return None
    return _carrier(found)


def flaw_of_value(says: str, mend: str) -> PydanticCustomError:
    """For a single value that is wrong in itself; the path is the value's own."""
    return _carrier((Flaw((), says, mend),))


def _carrier(flaws: tuple[Flaw, ...]) -> PydanticCustomError:
    text = " ".join(f"{'.'.join(map(str, flaw.key))} {flaw.says} {flaw.mend}".strip() for flaw in flaws)
    return PydanticCustomError(FLAW, "{text}", {"text": text, "flaws": flaws})
