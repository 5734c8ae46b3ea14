"""What stands with the input of a fork: what it changes for its models, and the words that its origin was told."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from airworthy.recorder import Recorded

if TYPE_CHECKING:
    from airworthy.gateway import ModelRequest

NOTE: Final = "fork"
_INSTRUCTING: Final = frozenset({"system", "developer"})


@dataclass(frozen=True, slots=True)
class Overrides:
    """For every model call of a fork that its record has no answer for. `model`: is asked in place of whichever the
    agent names; empty: as it names it. `prompt`: one system message in place of all that the agent writes; None: its.
    """

    model: str = ""
    prompt: str | None = None

    def of(self, request: "ModelRequest") -> "ModelRequest":
        if self.prompt is not None:
            rest = [each for each in request.messages if each.get("role") not in _INSTRUCTING]
            request = replace(request, messages=[{"role": "system", "content": self.prompt}, *rest])
        return replace(request, model=self.model) if self.model else request


def note(overrides: Overrides, words: Sequence[str]) -> dict[str, Any]:
    return {NOTE: {"model": overrides.model, "prompt": overrides.prompt, "words": list(words)}}


def overrides(recorded: Sequence[Recorded]) -> Overrides | None:
    """None: nothing is changed."""
    found = _noted(recorded)
    made = Overrides(str(found.get("model") or ""), found.get("prompt"))
    return None if made == Overrides() else made


def words(recorded: Sequence[Recorded]) -> tuple[str, ...]:
    """As JSON, one each."""
    return tuple(_noted(recorded).get("words", ()))


def _noted(recorded: Sequence[Recorded]) -> dict[str, Any]:
    notes = recorded[0].facts.notes if recorded else ()
    return next((dict(each[NOTE]) for each in notes if NOTE in each), {})
