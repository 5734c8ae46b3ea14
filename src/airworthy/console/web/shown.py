"""Values as people read them on a page: money, times, counts, and text from outside. Pure; what it returns is safe."""

import unicodedata
from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup, escape

from airworthy.core.clock import US_PER_S, iso
from airworthy.core.money import usd_text
from airworthy.policy.chars import hides

LINE_CHARS_MAX: Final = 300
TEXT_CHARS_MAX: Final = 20_000
_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400
# Letters and marks by their category, and yet nothing to see: text and orders can be hidden in them.
_BLANKS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_JOINERS: Final = "\u200c\u200d"
_SELECTORS: Final = ((0x180B, 0x180F), (0xFE00, 0xFE0E), (0xE0100, 0xE01EF))
_MARKS_MAX: Final = 4  # on one letter; a tower of them covers the lines above


def line(text: object, chars_max: int = LINE_CHARS_MAX) -> Markup:
    """Text from outside on one line, cut; what cannot be seen is spelled out and marked as such.

    Its own direction of writing ends with it, so nothing beside it is reordered.
    """
    return Markup("<bdi>{}</bdi>").format(_spelled(_cut(str(text), chars_max), breaks=False))


def lines(text: object, chars_max: int = TEXT_CHARS_MAX) -> Markup:
    """The same with its line breaks and tabs kept, for an element of class `text`."""
    whole = str(text)
    cut = _cut(whole.replace("\r\n", "\n"), chars_max)
    shown = Markup('<bdi class="text">{}</bdi>').format(_spelled(cut, breaks=True))
    if len(cut) == chars_max and len(whole) > chars_max:
        shown += Markup('<span class="cut">Cut here; it has {} characters.</span>').format(count(len(whole)))
    return shown


def plain(text: object, chars_max: int = LINE_CHARS_MAX) -> str:
    """The same without markup, for an attribute or a title."""
    return "".join(_code(char) if seen is False else char for char, seen in _seen(_cut(str(text), chars_max)))


def money(nano: int | None) -> str:
    """From nano-USD; an unknown cost says so."""
    if nano is not None and 0 < abs(nano) < 50_000:
        return "< 0.0001 USD"
    return usd_text(nano)


def count(number: float | None) -> str:
    """Digits in threes; nothing counted is a dash."""
    if number is None:
        return "–"
    return f"{number:,.0f}" if float(number).is_integer() or abs(number) >= 100 else f"{number:,.1f}"


def share(part: float | None) -> str:
    """From 0 to 1, as per cent; a small one is never shown as none, and nearly all never as all."""
    if part is None:
        return "–"
    if 0 < part < 0.001:
        return "< 0.1 %"
    if 0.999 < part < 1:
        return "> 99.9 %"
    return f"{part * 100:.1f} %" if 0 < part < 0.1 else f"{part * 100:.0f} %"


def duration(us: float | None) -> str:
    """From microseconds, to the two digits that matter."""
    if us is None:
        return "–"
    seconds = us / US_PER_S
    if seconds < 0.001:
        return "< 1 ms" if us > 0 else "0 s"
    if seconds < 1:
        return f"{seconds * 1_000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, size, low_unit, low in (
        ("d", _DAY, "h", _HOUR),
        ("h", _HOUR, "min", _MINUTE),
        ("min", _MINUTE, "s", 1),
    ):
        if whole >= size:
            rest = whole % size // low
            return f"{whole // size} {unit} {rest} {low_unit}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"


def when(us: int | None) -> Markup:
    """UTC; a script of ours adds the reader's own time."""
    if us is None:
        return Markup("–")
    return _time(us, datetime.fromtimestamp(us / US_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"), "both")


def ago(us: int | None, now_us: int) -> Markup:
    """How long ago, or how long until; the exact time is its title."""
    if us is None:
        return Markup("–")
    apart = _rough(abs(now_us - us))
    if not apart:  # To the second it would change while it is read.
        words = "just now" if us <= now_us else "in a moment"
    else:
        words = f"{apart} ago" if us <= now_us else f"in {apart}"
    return _time(us, words, "ago")


def _rough(us: int) -> str:
    """One unit, as people say it; "" for less than a minute."""
    seconds = us // US_PER_S
    for unit, size in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return ""


def _time(us: int, words: str, kind: str) -> Markup:
    utc = datetime.fromtimestamp(us / US_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return Markup('<time datetime="{}" title="{}" data-time="{}">{}</time>').format(iso(us), utc, kind, words)


def _cut(text: str, chars_max: int) -> str:
    return text if len(text) <= chars_max else text[: chars_max - 1] + "…"


def _seen(text: str) -> list[tuple[str, bool]]:
    """Each character, and whether a reader can see that it is there."""
    found: list[tuple[str, bool]] = []
    marks = 0
    before = ""
    for char in text:
        marks = marks + 1 if unicodedata.combining(char) else 0
        hidden = hides(char) or char in _BLANKS or marks > _MARKS_MAX or _is_selector(char)
        if char in _JOINERS:
            hidden = not before or not _joins(before)
        found.append((char, not hidden))
        before = char
    return found


def _joins(before: str) -> bool:
    """Joiners belong into emoji and into scripts whose letters change shape; between Latin letters they only hide."""
    return (
        unicodedata.category(before) in {"So", "Sk", "Mn", "Mc"}
        or (before.isalpha() and ord(before) >= 0x600)
        or before == "\ufe0f"
    )


def _is_selector(char: str) -> bool:
    return any(low <= ord(char) <= high for low, high in _SELECTORS)


def _code(char: str) -> str:
    return f"U+{ord(char):04X}"


def _spelled(text: str, *, breaks: bool) -> Markup:
    if text.isascii() and (text.replace("\n", "").replace("\t", "") if breaks else text).isprintable():
        return escape(text)  # As nearly all text is; a long payload is then shown a hundred times faster.
    shown: list[Markup] = []
    run: list[str] = []
    for char, seen in _seen(text):
        if seen or (breaks and char in "\n\t"):
            run.append(char)
            continue
        shown.append(escape("".join(run)))
        run.clear()
        shown.append(Markup('<span class="unseen">{}</span>').format(_code(char)))
    shown.append(escape("".join(run)))
    return Markup("").join(shown)
