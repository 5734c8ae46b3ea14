"""What a translation found on its way: what cannot be carried over, and what was left out or changed, with reasons."""

from airworthy.core.errors import AirworthyError


class Untranslatable(AirworthyError):
    """A request says something that the other protocol cannot say; `parts` names all of it. Nothing was sent."""

    code = "untranslatable"

    def __init__(self, source: str, to: str, parts: tuple[str, ...]) -> None:
        super().__init__(
            f"The request cannot be carried over from {source} to {to}: {', '.join(parts)}.",
            mend=f"Leave these out, or fall back to a provider that speaks {source}.",
        )
        self.parts = parts


class Findings:
    """Collects, in order and each once, so that a caller is told everything at the first try."""

    def __init__(self) -> None:
        self._blocked: dict[str, None] = {}
        self._notes: dict[str, None] = {}

    def block(self, what: str) -> None:
        self._blocked[what] = None

    def note(self, what: str, why: str) -> None:
        self._notes[f"{what}: {why}"] = None

    @property
    def blocked(self) -> tuple[str, ...]:
        return tuple(self._blocked)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self._notes)
