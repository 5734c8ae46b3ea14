"""What a blind test is made of, as values: the test, its guests, what they tried and what they said of it."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Final

from airworthy.core.errors import AirworthyError, InputError

SOURCE: Final = "blind test"
PREFIX: Final = "awb_"
PLACE: Final = "{text}"
PEOPLE_MAX: Final = 100
DAYS_MAX: Final = 90
TRIES_MAX: Final = 200
TEXT_CHARS_MAX: Final = 8_000
NOTE_CHARS_MAX: Final = 2_000


class BlindRefused(AirworthyError):
    """A link that is unknown, over or stopped: which of these, is nobody's business."""

    code: ClassVar[str] = "blind_link_refused"

    def __init__(self) -> None:
        super().__init__(
            "This link is not known here, or its time is over.",
            mend="Ask whoever sent it to you for another.",
        )


class BlindTestRefused(InputError):
    """What a guest sent cannot be taken: too much of it, too often, or out of turn."""

    code = "blind_test_refused"


class Word(StrEnum):
    """What people may tick besides the stars."""

    WRONG = "wrong"
    MADE_UP = "made up"
    UNCLEAR = "unclear"
    RUDE = "rude"
    TOO_LONG = "too long"
    MISUNDERSTOOD = "misunderstood me"


@dataclass(frozen=True, slots=True)
class BlindTest:
    """`title`: what guests see; nothing tells them which agent, model or version it is. `shape`: the input as JSON with
    "{text}" where theirs goes. `tries_max` for each person. `cap_nano`: no further try is begun when the test's tasks
    have cost, and those under way may cost, as much.
    """

    id: str
    agent: str
    title: str
    shape: str
    created_us: int
    expires_us: int
    people: int
    tries_max: int
    cap_nano: int
    by: str = ""
    stopped_us: int | None = None

    def open_at(self, now_us: int) -> bool:
        return self.stopped_us is None and now_us < self.expires_us

    def input_of(self, text: str) -> Any:
        return shaped(json.loads(self.shape), text)


@dataclass(frozen=True, slots=True)
class Guest:
    """`number`: counts from 1; a guest has no other name. `user`: under which their tasks run."""

    test: BlindTest
    number: int
    tries: int

    @property
    def user(self) -> str:
        return guest_user(self.test.id, self.number)

    @property
    def left(self) -> int:
        return max(0, self.test.tries_max - self.tries)


@dataclass(frozen=True, slots=True)
class Rating:
    """`stars` 1 to 5."""

    stars: int
    words: tuple[Word, ...] = ()
    note: str = ""

    @property
    def good(self) -> bool | None:
        """As a label: 4 and 5 stars are good, 1 and 2 are bad, as is what is wrong or made up; 3 says neither."""
        if {Word.WRONG, Word.MADE_UP} & set(self.words) or self.stars <= 2:
            return False
        return True if self.stars >= 4 else None


@dataclass(frozen=True, slots=True)
class Try:
    """What a guest asked and what came of it. `outcome` "": not over yet. `waits`: for a person, who in a rehearsal may
    never come. `text`: of the answer, or why there is none. `number`: the guest's. `own_words`: the text is what the
    agent said; else it may name models, tools and checks, and is not for guests.
    """

    task: str
    number: int
    at_us: int
    asked: str = ""
    input: Any = None
    outcome: str = ""
    waits: bool = False
    text: str = ""
    cost_nano: int | None = None
    rating: Rating | None = None
    own_words: bool = False

    @property
    def over(self) -> bool:
        return bool(self.outcome) or self.waits


def guest_user(test_id: str, number: int) -> str:
    return f"{test_id}.{number}"


def shaped(shape: Any, text: str) -> Any:
    """The shape with the text in every place for it."""
    if isinstance(shape, str):
        return shape.replace(PLACE, text)
    if isinstance(shape, list):
        return [shaped(one, text) for one in shape]
    if isinstance(shape, dict):
        return {key: shaped(value, text) for key, value in shape.items()}
    return shape


def checked_shape(shape: str) -> str:
    """Raises: InputError."""
    try:
        parsed = json.loads(shape)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"The shape is no JSON: {error}.", mend=f'Write it like {{"text": "{PLACE}"}}.'
        ) from error
    if shaped(parsed, "") == parsed:
        raise InputError(
            f"The shape has no place for what people write: {shape:.200}", mend=f"Put {PLACE} there."
        )
    return json.dumps(parsed, ensure_ascii=False)


def text_of(answer: Any) -> str:
    """An answer as people read it: its only text if there is just one, else as JSON."""
    if isinstance(answer, str):
        return answer
    if isinstance(answer, dict):
        texts = [value for value in answer.values() if isinstance(value, str) and value]
        if len(answer) == 1 and texts:
            return texts[0]
    return json.dumps(answer, ensure_ascii=False, indent=2) if answer is not None else ""
