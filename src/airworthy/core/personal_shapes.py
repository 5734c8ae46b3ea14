"""Shapes of personal data and their checksums. Each takes a text and answers with places; knows no setting."""

import re
from collections.abc import Callable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

Place = tuple[int, int]
Find = Callable[[str], Iterator[Place]]

_EMAIL = re.compile(
    r"(?<![\w.%+-])[\w.%+'-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w-])"
)
# With + or 00 before the country's digits; without them only as North America writes it, with its separators.
_PHONE = re.compile(
    r"(?<![\w+.])(?:\+|00)[1-9]\d{0,2}(?:[ ./-]{0,2}\(0\)|[ ./-]{0,2}\(\d{1,5}\))?(?:[ ./-]{0,2}\d){6,12}(?![\w])"
    r"|(?<![\w+.-])(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[-.])[2-9]\d{2}[-.]\d{4}(?![\w-])"
)
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])")
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
_IPV4 = re.compile(r"(?<![\w.-])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{2,39}(?![\w:])")


def emails(text: str) -> Iterator[Place]:
    if "@" in text:
        yield from (match.span() for match in _EMAIL.finditer(text))


def phones(text: str) -> Iterator[Place]:
    for match in _PHONE.finditer(text):
        if 8 <= sum(char.isdigit() for char in match[0]) <= 15:
            yield match.span()


def cards(text: str) -> Iterator[Place]:
    for match in _CARD.finditer(text):
        digits = _digits(match[0])
        if _CARD_NETWORK.match(digits) and luhn(digits):
            yield match.span()


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
    for pattern, kind in ((_IPV4, IPv4Address), (_IPV6, IPv6Address)):
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
