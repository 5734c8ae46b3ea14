"""Text that may quote the outside, made fit for a channel: no control characters, no links, nobody mentioned."""

import re
from typing import Final

from airworthy.policy.chars import printable

TITLE_CHARS_MAX: Final = 150
TEXT_CHARS_MAX: Final = 2_000
LINES_MAX: Final = 40
LINK_CHARS_MAX: Final = 500

# Mail and chat programs make a link of whatever looks like one. Hence a colon or dot that would make one is bracketed.
_SCHEME = re.compile(
    r"(?<=[A-Za-z0-9+.-]):(?=//|\\\\)|(?<=mailto):|(?<=javascript):|(?<=data):|(?<=tel):|(?<=sms):", re.I
)
_DOT = re.compile(r"(?<=[^\W_])\.(?=[^\W\d_]{2})|(?<=www)\.", re.I)
_SHARE = re.compile(r"\\(?=\\[^\W_])")  # a path to a share of another machine
_MENTION = re.compile(r"(?<![^\W_])@(?=[\w<!])|(?<=<)[!@#](?=\S)")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]+")


def line(text: str, chars_max: int = TITLE_CHARS_MAX) -> str:
    """One line, cut at `chars_max`; what cannot be seen is spelled out."""
    # Cut first: spelling out makes a character ten, and a text may be of any length.
    return cut(printable(" ".join(text[: 4 * chars_max].split())), chars_max)


def lines(text: str, chars_max: int = TEXT_CHARS_MAX) -> list[str]:
    """Its lines, each as `line` makes them; in all at most `chars_max` characters and LINES_MAX lines."""
    found: list[str] = []
    left = chars_max
    raw = text[: 4 * chars_max].replace("\r\n", "\n").split("\n")
    for part in raw:
        if left <= 0 or len(found) == LINES_MAX:
            found.append("…")
            break
        found.append(cut(printable(part.replace("\t", "    ").rstrip()), left))
        left -= len(found[-1]) + 1
    return found


def defused(text: str) -> str:
    """The same to read, and nothing a program would make a link or a mention of: `https[:]//evil[.]example`, `@ here`.

    Addresses lose their links too, `jane@example[.]com`, and file names look alike, `agent[.]py`.
    """
    text = _SHARE.sub(r"\\ ", _DOT.sub("[.]", _SCHEME.sub("[:]", text)))
    return _MENTION.sub(lambda found: found[0] + " ", text)


def is_address(link: str) -> bool:
    """Whether a link of ours can be opened by a click; all others are commands."""
    return len(link) <= LINK_CHARS_MAX and _ADDRESS.fullmatch(link) is not None


def cut(text: str, chars_max: int) -> str:
    return text if len(text) <= chars_max else text[: max(chars_max - 1, 0)] + "…"
