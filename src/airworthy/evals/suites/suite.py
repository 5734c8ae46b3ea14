"""What loading comes to: cases with their warnings, or everything that is wrong at once, each with its place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from airworthy.core.chars import printable
from airworthy.core.errors import ConfigError
from airworthy.evals.case import Case

FLAWS_SHOWN_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class Place:
    """`name`: of a file, a function or a table. `line` 0: the whole."""

    name: str
    line: int = 0

    def __str__(self) -> str:
        return printable(f"{self.name}:{self.line}" if self.line else self.name)


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that makes a suite unusable. `key`: dotted, within the case; `case`: its id, as far as known."""

    place: Place
    says: str
    mend: str = ""
    case: str = ""
    key: str = ""

    def __str__(self) -> str:
        about = ", ".join(part for part in (f"case {self.case}" if self.case else "", self.key) if part)
        return " ".join(
            part for part in (f"{self.place}:", f"{about}:" if about else "", self.says, self.mend) if part
        )


@dataclass(frozen=True, slots=True)
class Notice:
    """What a suite can be used with, and somebody should know."""

    where: str
    text: str
    mend: str = ""

    def __str__(self) -> str:
        return " ".join(
            part for part in (f"{self.where}:" if self.where else "", self.text, self.mend) if part
        )


@dataclass(frozen=True, slots=True)
class Suite:
    """`places`: where each case stands, by id; its order is that of the files."""

    cases: tuple[Case, ...] = ()
    warnings: tuple[Notice, ...] = ()
    places: Mapping[str, Place] = field(default_factory=dict)


class SuiteError(ConfigError):
    """Cases that cannot be used; `flaws` holds everything that is wrong, in the order of files and lines."""

    code: ClassVar[str] = "suite"

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        self.flaws = tuple(sorted(flaws, key=lambda flaw: (flaw.place.name, flaw.place.line)))
        shown = [str(flaw) for flaw in self.flaws[:FLAWS_SHOWN_MAX]]
        hidden = len(self.flaws) - len(shown)
        if len(shown) == 1:
            super().__init__(shown[0])
            return
        more = [f"... and {hidden} more."] if hidden else []
        super().__init__("\n".join([f"The cases have {len(self.flaws)} problems:", *shown, *more]))
