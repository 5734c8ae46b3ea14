"""`[redact]` of recorder.toml: which personal data is written over, and how. Secrets always are."""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from airworthy.core.pattern_bound import Unbounded, bounded
from airworthy.core.personal import KINDS
from airworthy.policy.flaws import Flaw, flaw_of_value
from airworthy.policy.kinds import Section

Written = Literal["off", "redact", "pseudonym"]
RULES_MAX: Final = 100
HOURS_MAX: Final = 24.0 * 3_660


def _searchable(pattern: str) -> str:
    try:
        bounded(pattern)
    except Unbounded as error:
        mend = "Write it shorter, with bounded repetitions."
        raise flaw_of_value(f"cannot be searched for safely: {error}.", mend) from error
    return pattern


def _kind(what: str) -> Any:
    return Field(
        default="off", description=f"{what}: `redact` writes [redacted:…], `pseudonym` a stable stand-in."
    )


class OwnRule(Section):
    """A rule of your own."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")] = Field(
        description="What is written for a match: [redacted:NAME], or [NAME:3f9a0c12]."
    )
    pattern: Annotated[str, AfterValidator(_searchable)] = Field(
        description="A regular expression whose repetitions are all bounded ({1,64} for +), none inside another."
    )
    written: Literal["redact", "pseudonym"] = Field(
        default="redact", description="How a match is written over."
    )


class RedactRule(Section):
    """What personal data is hidden in what other programs tell, and in tasks of ours once they are over."""

    email: Written = _kind("E-mail addresses")
    phone: Written = _kind("Phone numbers with their country, or as North America writes them")
    card: Written = _kind("Payment cards with a right last digit")
    iban: Written = _kind("Bank accounts with a right checksum")
    national_id: Written = _kind("National ids that have checksums (be, br, es, fi, fr, gb, it)")
    ip: Written = _kind("IP addresses")
    rules: Annotated[tuple[OwnRule, ...], Field(strict=False, max_length=RULES_MAX)] = Field(
        default=(), description="Rules of your own."
    )
    closed_after_hours: Annotated[float, Field(ge=0, le=HOURS_MAX)] | None = Field(
        default=None,
        description="So long after a task of ours is over, its record is cleaned too; left out: never. A cleaned task "
        "cannot be replayed to the letter.",
    )
    presidio: Annotated[tuple[str, ...], Field(strict=False, max_length=RULES_MAX)] = Field(
        default=(), description="Entities of Presidio, such as PERSON; needs the extra `presidio`."
    )
    presidio_language: str = Field(default="en", description="Of Presidio's recognisers.")
    presidio_model: str = Field(
        default="", description="An installed spaCy model; names and places need one."
    )

    def contradictions(self) -> list[Flaw]:
        names = [rule.name for rule in self.rules]
        flaws = [
            Flaw(("rules",), f"has two rules called {name!r}.", "Give each a name of its own.")
            for name in sorted({name for name in names if names.count(name) > 1})
        ]
        return flaws + [
            Flaw(("rules",), f"calls a rule {name!r}, which is a built-in kind.", "Choose another name.")
            for name in sorted(set(names) & {*KINDS, *(entity.lower() for entity in self.presidio)})
        ]
