"""Shapes of personal data and their checksums. Each takes a text and answers with places; knows no setting."""

import re
from collections.abc import Callable, Iterator, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

Place = tuple[int, int]


class Traits:
    """What a text has that a shape cannot do without, each found out once: nearly every text has none of it.

    Two passes of folding cost a fraction of one search.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._folded: bytes | None = None
        self._run: bool | None = None

    @property
    def at(self) -> bool:
        return "@" in self._text

    @property
    def run(self) -> bool:
        """Six digits in a row, but for what stands between groups of them."""
        if self._run is None:
            self._run = b"000000" in self._fold().translate(None, _BETWEEN)
        return self._run

    @property
    def fiscal(self) -> bool:
        return b"AAAAAA00A00A000A" in self._fold()

    @property
    def address(self) -> bool:
        return self._text.count(".") >= 3 or self._text.count(":") >= 2

    def _fold(self) -> bytes:
        if self._folded is None:
            self._folded = self._text.encode("ascii", "replace").translate(_FOLD)
        return self._folded


_BETWEEN: Final = b" ./()+-"
_FOLD: Final = bytes(48 if 48 <= c <= 57 else 65 if 65 <= c <= 90 else c for c in range(256))
Hint = Callable[[Traits], bool]


def with_run(traits: Traits) -> bool:
    return traits.run


def with_at(traits: Traits) -> bool:
    return traits.at


def with_fiscal(traits: Traits) -> bool:
    return traits.fiscal


def with_address(traits: Traits) -> bool:
    return traits.address


def always(_: Traits) -> bool:
    return True


Find = Callable[[str], Iterator[Place]]

_DOMAIN = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_LOCAL: Final = frozenset("._%+'-")
LOCAL_CHARS_MAX: Final = 64
CARD_DIGITS_MAX: Final = 19
# With + or 00 before the country's digits; without them only as North America writes it, with its separators.
_PHONE = re.compile(
    r"(?<![\w+.])(?:\+|00)[1-9]\d{0,2}(?:[ ./-]{0,2}\(0\)|[ ./-]{0,2}\(\d{1,5}\))?(?:[ ./-]{0,2}\d){6,12}(?![\w])"
    r"|(?<![\w+.-])(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[-.])[2-9]\d{2}[-.]\d{4}(?![\w-])"
)
# Numbers that stand beside a card's belong to the same run, so its groups are tried.
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,60}(?![\w-])")
_GROUP = re.compile(r"\d+")
_CARD_NETWORK = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})\Z|5[1-5]\d{14}\Z|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}\Z|3[47]\d{13}\Z"
    r"|3(?:0[0-5]|[68]\d)\d{11}\Z|35(?:2[89]|[3-8]\d)\d{12}\Z|(?:6011|65\d\d|64[4-9]\d|62\d\d)\d{12,15}\Z"
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])")
_IBAN_LENGTHS: Final = {
    code: int(length)
    for code, length in re.findall(
        r"([A-Z]{2})(\d\d)",
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 "
        "ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
        "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 "
        "QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TN24 TR26 UA29 VA22 VG24 XK20 ",
    )
}
# The look behind comes second, so that the search goes from digit to digit.
_IPV4 = re.compile(r"\d(?<![\w.-]\d)\d{0,2}(?:\.\d{1,3}){3}(?![\w-]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:])[0-9A-Fa-f:]{2,39}(?![\w:])")


def emails(text: str) -> Iterator[Place]:
    """From each @ outwards: a search from the left would try every word of the text."""
    at = text.find("@")
    while at >= 0:
        domain = _DOMAIN.match(text, at + 1)
        start = at
        if domain is not None:
            least = max(0, at - LOCAL_CHARS_MAX)
            while start > least and (text[start - 1].isalnum() or text[start - 1] in _LOCAL):
                start -= 1
            while start < at and text[start] in "'.":  # A quote around it, or the end of a sentence before.
                start += 1
            if start < at:
                yield start, domain.end()
        at = text.find("@", at + 1)


def phones(text: str) -> Iterator[Place]:
    for match in _PHONE.finditer(text):
        if 8 <= sum(char.isdigit() for char in match[0]) <= 15:
            yield match.span()


def cards(text: str) -> Iterator[Place]:
    for match in _CARD.finditer(text):
        groups = [group.span() for group in _GROUP.finditer(text, match.start(), match.end())]
        first = 0
        while first < len(groups):
            last = _card_from(text, groups[first:])
            if last:
                yield groups[first][0], groups[first + last - 1][1]
            first += last or 1


def _card_from(text: str, groups: Sequence[Place]) -> int:
    """How many of these groups make a card, from the first on, the most that do; 0: none."""
    digits, best = "", 0
    for count, (start, end) in enumerate(groups, 1):
        digits += text[start:end]
        if len(digits) > CARD_DIGITS_MAX:
            break
        if _CARD_NETWORK.match(digits) and luhn(digits):
            best = count
    return best


def ibans(text: str) -> Iterator[Place]:
    for match in _IBAN.finditer(text):
        found = match[0]
        length = _IBAN_LENGTHS.get(found[:2], 0)
        # What follows after a space may be the next word in capitals.
        end = _after(found, length)
        if end and mod97(found[:end].replace(" ", "")) and not found[end:][:1].isalnum():
            yield match.start(), match.start() + end


def addresses(text: str) -> Iterator[Place]:
    """Of the internet. A version such as 1.2.3.4 looks the same, so this one is for those who want it."""
    for pattern, kind, sign, count in ((_IPV4, IPv4Address, ".", 3), (_IPV6, IPv6Address, ":", 2)):
        if text.count(sign) < count:
            continue
        for match in pattern.finditer(text):
            try:
                found = kind(match[0])
            except AddressValueError:
                continue
            if not (found.is_unspecified or found.is_loopback):
                yield match.span()


def luhn(digits: str) -> bool:
    """The last digit is right by the Luhn algorithm (ISO/IEC 7812-1), and the digits are not all the same."""
    doubled = [2 * int(d) if at % 2 else int(d) for at, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0 and len(set(digits)) > 1


def mod97(iban: str) -> bool:
    """ISO 13616: letters count as 10 to 35, the first four stand last, and the rest by 97 is 1."""
    turned = iban[4:] + iban[:4]
    return int("".join(str(int(char, 36)) for char in turned)) % 97 == 1


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isdigit())


def _after(text: str, length: int) -> int:
    """Where `length` characters that are no spaces have passed; 0 when there are fewer."""
    seen = 0
    for at, char in enumerate(text):
        seen += char != " "
        if seen == length:
            return at + 1
    return 0


def _with(pattern: str, good: Callable[[str], bool]) -> Find:
    compiled = re.compile(pattern, re.ASCII)

    def find(text: str) -> Iterator[Place]:
        return (match.span() for match in compiled.finditer(text) if good(match[0]))

    return find


def _dni(text: str) -> bool:
    number = text.upper().replace("X", "0").replace("Y", "1").replace("Z", "2")
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number[:8]) % 23] == text[-1].upper()


_CF_ODD: Final = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10,
    22, 25, 24, 23,
), strict=True))  # fmt: skip


def _codice_fiscale(text: str) -> bool:
    code = text.upper()
    odd = sum(_CF_ODD[char] for char in code[0:15:2])
    even = sum(int(char) if char.isdigit() else ord(char) - 65 for char in code[1:15:2])
    return chr((odd + even) % 26 + 65) == code[15]


def _nir(text: str) -> bool:
    number = text.replace(" ", "")
    return 97 - int(number[:13]) % 97 == int(number[13:])


def _belgian(text: str) -> bool:
    digits = _digits(text)
    body, check = int(digits[:9]), int(digits[9:])
    return check in {97 - body % 97, 97 - (2_000_000_000 + body) % 97}


def _cpf(text: str) -> bool:
    digits = [int(char) for char in _digits(text)]

    def check(count: int) -> int:
        rest = sum(d * (count + 1 - at) for at, d in enumerate(digits[:count])) * 10 % 11
        return 0 if rest == 10 else rest

    return len(set(digits)) > 1 and (check(9), check(10)) == (digits[9], digits[10])


def _hetu(text: str) -> bool:
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(text[:6] + text[7:10]) % 31] == text[10].upper()


def _nhs(text: str) -> bool:
    digits = [int(char) for char in _digits(text)]
    check = 11 - sum(d * (10 - at) for at, d in enumerate(digits[:9])) % 11
    return check != 10 and check % 11 == digits[9]


# Only forms whose check digits, letters or separators make a chance hit rare. A US social security number, a Dutch
# BSN or a bare CPF has too little of that: whoever needs one writes a rule of their own.
NATIONAL_IDS: Final[dict[str, Find]] = {
    "be": _with(r"(?<![\w.])\d{2}\.(?:0\d|1[0-2])\.[0-3]\d-\d{3}\.\d{2}(?![\w])", _belgian),
    "br": _with(r"(?<![\w.])\d{3}\.\d{3}\.\d{3}-\d{2}(?![\w])", _cpf),
    "es": _with(r"(?<![\w-])(?:\d{8}|[XYZ]\d{7})-?[A-HJ-NP-TV-Z](?![\w])", lambda t: _dni(t.replace("-", ""))),
    "fi": _with(r"(?<![\w-])[0-3]\d[01]\d{3}[-+A]\d{3}[0-9A-FHJ-NPR-Y](?![\w])", _hetu),
    "fr": _with(
        r"(?<![\w])[12] ?\d{2} ?(?:0[1-9]|1[0-2]) ?\d{2} ?\d{3} ?\d{3} ?\d{2}(?![\w])",
        _nir,
    ),
    "gb": _with(r"(?<![\w-])\d{3}[ -]\d{3}[ -]\d{4}(?![\w-])", _nhs),
    "it": _with(
        r"(?<![\w])[A-Z]{6}\d{2}[ABCDEHLMPRST]\d{2}[A-Z]\d{3}[A-Z](?![\w])",
        _codice_fiscale,
    ),
}  # fmt: skip
