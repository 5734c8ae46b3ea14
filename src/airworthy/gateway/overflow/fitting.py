"""Makes a call fit after no model took it: decides how much must go, and gives the errand the shorter conversation."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, Literal, TypeVar

from airworthy.gateway.errand import Errand, longest_output
from airworthy.gateway.errors import ContextOverflow, ModelError
from airworthy.gateway.overflow.shorten import Shortened, note_of, shortened
from airworthy.gateway.overflow.summary import SUMMARY_TOKENS, Summariser
from airworthy.gateway.place import Place
from airworthy.gateway.wire.facts import RequestFacts
from airworthy.policy import ModelRule

H = TypeVar("H")
Mode = Literal["refuse", "truncate", "summarise"]

TRIES_MAX: Final = 2  # The second for a provider that counts more than we thought.
SPARE_SHARE: Final = 0.99  # Bodies for several models differ a little.
SPARE_TOKENS: Final = SUMMARY_TOKENS + 64  # A summary, and the words around it.
REFUSED_SHARE: Final = 0.7  # What to try when a provider refused what should have fitted.


class Fitting(Generic[H]):
    """Of one call; `Errand.overflowed`. Makes at most one summary."""

    __slots__ = ("_errand", "_mode", "_summariser", "_summary", "_tokens_in_max", "_tries", "_whole")

    def __init__(
        self, errand: Errand, mode: Mode, summariser: Summariser[H], *, tokens_in_max: int | None = None
    ) -> None:
        """`tokens_in_max`: where the policy allows less than the model's window."""
        self._errand = errand
        self._mode = mode
        self._summariser = summariser
        self._summary: str | None = None
        self._tries = 0
        self._tokens_in_max = tokens_in_max
        self._whole: Callable[[ModelRule], tuple[bytes, RequestFacts]] | None = None

    async def __call__(self) -> bool:
        """Whether it is worth asking again. Raises: what the summary's purse and `errand.halted` raise."""
        if self._mode == "refuse" or self._tries >= TRIES_MAX:
            return False
        self._tries += 1
        errand = self._errand
        self._whole = self._whole or errand.raw_for  # Not before: until now somebody may have changed it.
        place = self._roomiest()
        raw, facts = self._whole(place.rule)
        asked, _ = errand.raw_for(place.rule)
        tokens, room = place.estimate.of(asked), self._room(place.rule, facts)
        if tokens <= room:
            room = round(tokens * REFUSED_SHARE)
        spare = SPARE_TOKENS if self._mode == "summarise" and self._summary != "" else 0
        found = shortened(
            errand.dialect.name, raw, facts.body, place.estimate.of, round(room * SPARE_SHARE) - spare
        )
        if found is None and spare:
            spare = 0
            found = shortened(
                errand.dialect.name, raw, facts.body, place.estimate.of, round(room * SPARE_SHARE)
            )
        if found is None:
            errand.notes.append({"note": "nothing more may be left out of this conversation", "room": room})
            return False
        if spare and self._summary is None:
            self._summary = await self._summarised(found)
        errand.notes.append({
            "note": "earlier messages were left out", "messages": len(found.left), "tokens": tokens,
            "tokens_left": found.tokens, "summary": bool(spare and self._summary),
        })  # fmt: skip
        self._give(found, self._summary if spare and self._summary else "")
        return True

    def possible(self) -> bool:
        """Whether it can be made to fit, so that a limit need not stop it."""
        place = self._roomiest()
        raw, facts = self._errand.raw_for(place.rule)
        room = round(self._room(place.rule, facts) * SPARE_SHARE)
        return shortened(self._errand.dialect.name, raw, facts.body, place.estimate.of, room) is not None

    def _room(self, rule: ModelRule, facts: RequestFacts) -> int:
        room = rule.window - longest_output(rule, facts)
        return room if self._tokens_in_max is None else min(room, self._tokens_in_max)

    def _roomiest(self) -> Place:
        """Of the places that said it does not fit."""
        errand = self._errand
        said = {note.get("model") for note in errand.notes if note.get("error") == ContextOverflow.__name__}
        places = [place for place in errand.places if place.rule.name in said] or list(errand.places)
        return max(places, key=lambda place: self._room(place.rule, errand.raw_for(place.rule)[1]))

    async def _summarised(self, found: Shortened) -> str:
        errand = self._errand
        left: Sequence[Any] = found.left
        try:
            return await self._summariser.summary(errand, errand.places[0], list(left))
        except ModelError as error:
            errand.notes.append({"note": "no summary could be made", "why": error.message})
            return ""

    def _give(self, found: Shortened, summary: str) -> None:
        note = note_of(len(found.left), summary)
        whole, dialect = self._whole, self._errand.dialect
        assert whole is not None

        def given(rule: ModelRule) -> tuple[bytes, RequestFacts]:
            raw, facts = whole(rule)
            raw = found.raw(raw, facts.body, note)
            return raw, dialect.read_request(raw)

        self._errand.raw_for = given
