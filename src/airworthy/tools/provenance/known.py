"""Text that may allow: what the user, the policy's owner and sources they trust have said."""

from collections.abc import Iterable
from functools import cached_property
from typing import Final

from airworthy.tools.provenance import text as forms

KNOWN_CHARS_MAX: Final = 4_000_000  # What is said beyond this allows nothing.
TRIES_MAX: Final = 200  # So often a value is looked for where it turns out to be part of a longer word.


class Known:
    """Built once for what has been said; asked for each value."""

    def __init__(self, texts: Iterable[str]) -> None:
        kept, left = [], KNOWN_CHARS_MAX
        for text in texts:
            kept.append(forms.exact(text[:left]))
            left -= len(kept[-1]) + 1
            if left <= 0:
                break
        self._exact = "\n".join(kept)

    def holds(self, value: str | float) -> bool:
        """Whether the value was said, as a whole and in its own spelling."""
        if not isinstance(value, str):
            return float(value) in self._numbers
        value = forms.exact(value).strip()
        if not value or forms.hides(value):
            return False
        if self._says(value):
            return True
        several = forms.addresses_alone(value)
        return several is not None and several != [value] and all(self._says(each) for each in several)

    def asks_with(self, words: Iterable[str]) -> bool:
        """Whether one of the words, or a longer form of it, begins a word of the text."""
        for word in words:
            at = self._lowered.find(word.lower())
            while at >= 0:
                if at == 0 or not self._lowered[at - 1].isalnum():
                    return True
                at = self._lowered.find(word.lower(), at + 1)
        return False

    @cached_property
    def loose(self) -> str:
        return forms.loose(self._exact)

    def _says(self, value: str) -> bool:
        bare = forms.address(value)
        # A path may differ in one letter's case and lead elsewhere; a name or a mail address may not.
        place, wanted = (self._with_small_hosts, bare) if "/" in bare else (self._lowered, bare.lower())
        if _finds(place, wanted) or ("@" in wanted and _finds(self._spelt_out, wanted)):
            return True
        code = forms.code_of(value)
        return code is not None and self._says_code(code)

    def _says_code(self, code: str) -> bool:
        squeezed, places = self._squeezed
        at = squeezed.find(code)
        for _ in range(TRIES_MAX):
            if at < 0:
                return False
            start, end = places[at], places[at + len(code) - 1]
            before = self._lowered[start - 1] if start else " "
            after = self._lowered[end + 1] if end + 1 < len(self._lowered) else " "
            if not before.isalnum() and not after.isalnum():
                return True
            at = squeezed.find(code, at + 1)
        return False

    @cached_property
    def _lowered(self) -> str:
        return self._exact.lower()

    @cached_property
    def _with_small_hosts(self) -> str:
        return forms.with_small_hosts(self._exact)

    @cached_property
    def _spelt_out(self) -> str:
        return forms.spelt_out(self._lowered)

    @cached_property
    def _squeezed(self) -> tuple[str, list[int]]:
        return forms.squeezed(self._lowered)

    @cached_property
    def _numbers(self) -> set[float]:
        return forms.numbers(self._exact)


def _finds(text: str, value: str) -> bool:
    at = text.find(value)
    for _ in range(TRIES_MAX):
        if at < 0:
            return False
        if forms.stands_alone(text, at, at + len(value)):
            return True
        at = text.find(value, at + 1)
    return False
