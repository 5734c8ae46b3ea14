"""Finds secrets in text and JSON and writes `[redacted:<kind>]` over them; knows shapes, not sources.

Only shapes that almost never occur by chance are taken. A payload without any costs two passes of folding and
a few substring tests, because every stored step goes through here.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import AnyStr, NamedTuple

from airworthy.core.errors import ConfigError
from airworthy.core.json_place import is_escaped, is_in_string
from airworthy.core.long_words import LONG, near_long

MARK = "[redacted:"  # what stands in the place of a secret, or of what is personal, begins like this
KNOWN_CHARS_MIN = 8  # shorter values of the environment ("true", "8080") occur in any text
LEARNT_MAX = 100  # tokens come and go; each costs every payload a search


class Found(NamedTuple):
    """A secret's place: `text[start:end]` is the secret itself, without the name or quotes around it."""

    kind: str
    start: int
    end: int


def _fold_table() -> bytes:
    """Capitals become small, and some letters become one, so that one substring test stands for several.

    `swd` is met by password, passwd and pwd, `ken` by key and token, `ghd_` and `ghs_` by the five prefixes
    of GitHub. Every byte stays one byte, so positions agree.
    """
    table = bytearray(range(256))
    table[128:] = b"~" * 128
    table[ord('"')] = ord(" ")  # It ends a word of JSON as a space does one of prose.
    for capital in range(ord("A"), ord("Z") + 1):
        table[capital] = capital + 32
    for letters, into in (("p", "s"), ("oru", "d"), ("y", "n")):
        for letter in letters:
            table[ord(letter)] = table[ord(letter.upper())] = ord(into)
    return bytes(table)


_FOLD = _fold_table()
_RUN = bytes(ord("a" if (c < 128 and chr(c).isalnum()) or c in b"_-" else " ") for c in range(256))


def _folded(text: str) -> str:
    return text.encode().translate(_FOLD).decode()


class _Shape(NamedTuple):
    kind: str
    anchor: str  # folded
    pattern: re.Pattern[bytes]  # matched where the anchor stands; group `v` is the secret
    has_run: bool  # the secret holds a long run itself, so its anchor stands near one


def _shape(kind: str, anchor: str, pattern: str, edge: str = "A-Za-z0-9", *, has_run: bool = True) -> _Shape:
    if "(?P<v>" not in pattern:
        # A key starts a word. In JSON the letter before it may belong to an escape such as \n.
        pattern = rf"(?:(?<![{edge}])|(?<=\\[nrtbf])|(?<=\\u[0-9A-Fa-f]{{4}}))(?P<v>{pattern})"
    return _Shape(kind, _folded(anchor), re.compile(pattern.encode()), has_run)


# Each pattern is one bounded class after its anchor, so a failed match costs no more than its minimum length.
# The JWT has three parts; nothing of its class may stand before it, so it cannot start twice in one run.
_SHAPES = (
    _shape("anthropic_key", "sk-ant-", r"sk-ant-[A-Za-z0-9_-]{16,}"),
    _shape("openai_key", "sk-", r"sk-(?!ant-)(?=[A-Za-z_-]{0,64}[0-9])[A-Za-z0-9_-]{17,}"),
    _shape("airworthy_key", "aw_", r"aw_[A-Za-z0-9]{32}"),
    _shape("google_key", "AIza", r"AIza[A-Za-z0-9_-]{35,}"),
    _shape("aws_key", "AKIA", r"AKIA[A-Z0-9]{16}(?![A-Za-z0-9])"),
    _shape("aws_key", "ASIA", r"ASIA[A-Z0-9]{16}(?![A-Za-z0-9])"),
    _shape("github_token", "ghp_", r"gh[ps]_[A-Za-z0-9]{30,}"),
    _shape("github_token", "gho_", r"gh[our]_[A-Za-z0-9]{30,}"),
    _shape("github_token", "github_pat_", r"github_pat_[A-Za-z0-9_]{30,}"),
    _shape("gitlab_token", "glpat-", r"glpat-[A-Za-z0-9_-]{16,}"),
    _shape("slack_token", "xox", r"xox[abceoprs]-[A-Za-z0-9.-]{16,}", has_run=False),
    _shape("slack_token", "xapp-", r"xapp-[A-Za-z0-9-]{16,}"),
    _shape("slack_webhook", "hooks.slack.com/", r"hooks\.slack\.com/[A-Za-z0-9/_-]{20,}", has_run=False),
    _shape("stripe_key", "_live_", r"(?<=[rs]k)_live_(?P<v>[A-Za-z0-9]{10,})"),
    _shape("stripe_key", "_test_", r"(?<=[rs]k)_test_(?P<v>[A-Za-z0-9]{10,})"),
    _shape("stripe_key", "whsec_", r"whsec_[A-Za-z0-9+/=]{16,}", has_run=False),
    _shape("jwt", "eyJ", r"eyJ[\w-]{8,}+\.eyJ[\w-]{8,}+\.[\w-]{16,}", edge="A-Za-z0-9_-"),
    _shape("authorization", "bearer ", r"(?i:bearer) {1,4}(?P<v>[\w-]{16,}[\w.~+/=-]*)"),
)

# These may be short, so they are looked for without the long run.
# What was written over before is no name and password.
_URL = re.compile(rb"://(?!\[redacted:)[^\s/:@\"'\\?]{0,256}:(?P<v>[^\s/\"'\\?]{1,256})@")
_HEADER = re.compile(
    rb"(?i:authorization)(?:\\*+[\"'])?\s{0,4}[:=,]\s{0,4}(?:\\*+[\"'])?"
    rb"(?i:bearer|basic|token|apikey|digest)\s{1,4}(?P<v>[\w.~+/=-]{8,})"
)
_PEM = re.compile(
    rb"-----BEGIN [A-Z ]{0,24}PRIVATE KEY-----"
    rb"(?:\s|\\++[nr]|(?:Proc-Type|DEK-Info): [A-Za-z0-9,-]{0,80})*+"
    rb"(?:[A-Za-z0-9+/=\s]|\\++[nr])*+"
    rb"(?:-----END [A-Z ]{0,24}PRIVATE KEY-----)?"
)

_SEPARATOR = rb"(?P<close>\\*+[\"'])?\s{0,8}(?P<sign>[:=])\s{0,8}(?P<open>\\*+[\"'])?"


def _word(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?i:" + pattern + rb")" + _SEPARATOR)


# Words after which a value is a secret: kind, folded anchor, the word and its separator from the anchor on.
_WORDS = (
    ("password", "swd", _word(rb"sword|swd|pwd")),
    ("api_key", "ken", _word(rb"key")),
    ("token", _folded("token"), _word(rb"token")),
    ("secret", _folded("secret"), _word(rb"secret")),
    ("authorization", _folded("authorization"), _word(rb"authorization")),
)
_KEYS = (b"api", b"access", b"secret", b"private", b"signing", b"encryption", b"master", b"account")
_CURSORS = (b"page", b"next", b"continuation", b"sync", b"cursor", b"start", b"pad", b"eos", b"bos")
# Not `,:]}` or a space at the start: after a JSON string that merely ends in "password: " comes structure.
# Not possessive: before Python 3.11.5 such a group takes what its lookahead refused. Nothing follows that could
# fail, so it never backs up.
_BARE = re.compile(
    rb"(?![\s,:\]}\[{(<])"
    rb"(?:[^\s\"'\\,;&<>()\[\]{}]+|\\u[0-9A-Fa-f]{4}|[,;&](?![\s\"'\\]|[\w.-]{1,40}[=:]|\Z))*"
)
_SINGLE = re.compile(rb"[^'\"\\\r\n]*+")
_QUOTE = re.compile(rb"\\*+\"")
_NUMBER = re.compile(rb"[-+0-9.eE]+")
# `redacted` keeps what was written over before as it is.
_PLACEHOLDER = re.compile(
    rb"<[^<>]*>\Z|\$\{|\$[A-Z_]+\Z|\{\{|%\(|\*{3}|(?P<c>\S)(?P=c)*\Z"
    rb"|.{0,40}(?i:your[_ -]|example|placeholder|redacted|change[_ -]?me|xxxx|\.\.\.)",
    re.DOTALL,
)
_DEPTHS = {0: 0, 1: 1, 3: 2, 7: 3}  # backslashes before a quote -> how deep JSON is nested in JSON


class Redactor:
    """Writes over secrets. `extra`: exact values to remove wherever they stand, whatever their shape.

    Applying it twice changes nothing more. Works in linear time.
    """

    def __init__(self, extra: Iterable[str] = ()) -> None:
        self._given = tuple(value for value in extra if value)
        self._learnt: dict[str, None] = {}
        for value in self._given:
            if len(value) < KNOWN_CHARS_MIN:
                raise ConfigError(
                    f"A secret of {len(value)} characters is too short to be told from ordinary text.",
                    mend=f"Pass only values of at least {KNOWN_CHARS_MIN} characters.",
                )
        self._look_for(self._given)

    def learn(self, value: str) -> None:
        """This value too from now on, as long as it is among the newest LEARNT_MAX learnt; any thread may call it.

        One that is too short to be told from ordinary text is let go.
        """
        if len(value) < KNOWN_CHARS_MIN or value in self._known:
            return
        self._learnt[value] = None
        for oldest in tuple(self._learnt)[:-LEARNT_MAX]:
            self._learnt.pop(oldest, None)
        looked_for = None
        while looked_for != (
            learnt := tuple(self._learnt)
        ):  # Another thread may learn meanwhile; no lock in this room.
            self._look_for((*self._given, *learnt))
            looked_for = learnt

    def _look_for(self, values: tuple[str, ...]) -> None:
        self._known = tuple(sorted(set(values), key=lambda value: (-len(value), value)))
        needles = set(_json_forms(self._known))
        self._needles = tuple(sorted(needles, key=lambda needle: (-len(needle), needle)))

    def redact_bytes(self, data: bytes) -> tuple[bytes, int]:
        """JSON in, JSON out, and how many secrets were written over. Valid JSON stays valid.

        A number of JSON is never written over, even when it equals a value of `extra`.
        """
        found = _find(data)
        for needle in self._needles:
            if data.find(needle) >= 0:
                found.extend(_known_in_json(data, needle))
        if not found:
            return data, 0
        spans = _merged(found)
        return _written(data, spans), len(spans)

    def is_clean(self, documents: Iterable[bytes]) -> bool:
        """Whether `redact_bytes` would change none of these JSON texts; cheaper than to ask it of each.

        True is always so; False is so but where two of them, one after the other, look like a secret.
        """
        return not self.redact_bytes(b"\n".join(documents))[1]

    def redact_text(self, text: str) -> str:
        """For text that is not JSON: log lines, error messages, span attributes."""
        spans = self.find(text)
        if not spans:
            return text
        parts = []
        at = 0
        for kind, start, end in spans:
            parts += [text[at:start], f"[redacted:{kind}]"]
            at = end
        return "".join([*parts, text[at:]])

    def find(self, text: str) -> list[Found]:
        """In order and without overlap; positions count characters."""
        # One byte a character, so that positions agree.
        plain = text if text.isascii() else _NOT_ASCII.sub("~", text)
        found = _find(plain.encode())
        for value in self._known:
            found.extend(Found("known", at, at + len(value)) for at in _places(text, value))
        return _merged(found)


_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


def find(text: str) -> list[Found]:
    """Secrets by shape alone, in order and without overlap; positions count characters."""
    return _PLAIN.find(text)


def _find(data: bytes) -> list[Found]:
    # The tests are written out, not looped over: this is the path of every clean payload.
    folded = data.translate(_FOLD).decode()
    found: list[Found] = []
    if "ken" in folded or "swd" in folded or "secdet" in folded or "adthddizatidn" in folded:
        found.extend(_assigned(data, folded))
        if b"-----BEGIN " in data:
            found.extend(Found("private_key", *match.span()) for match in _PEM.finditer(data))
        if "adthddizatidn" in folded:
            found.extend(Found("authorization", *match.span("v")) for match in _HEADER.finditer(data))
    if 64 in data and "://" in folded:  # 64 is @
        found.extend(_in_urls(data))
    runs = data.translate(_RUN).decode()
    if LONG in runs:
        near = near_long(folded, runs)
        for shape in _SHAPES:
            if shape.anchor in (near if shape.has_run else folded):
                found.extend(_shaped(data, folded, shape))
    return found


def _shaped(data: bytes, folded: str, shape: _Shape) -> Iterator[Found]:
    at = folded.find(shape.anchor)
    while at >= 0:
        match = shape.pattern.match(data, at)
        if match is not None:
            yield Found(shape.kind, *match.span("v"))
        at = folded.find(shape.anchor, match.end() if match is not None else at + 1)


def _in_urls(data: bytes) -> Iterator[Found]:
    for match in _URL.finditer(data):
        if not _PLACEHOLDER.match(match["v"]):
            yield Found("url_password", *match.span("v"))


def _assigned(data: bytes, folded: str) -> Iterator[Found]:
    """`password=…`, `"api_key": "…"` and their like, in text, JSON and JSON inside JSON."""
    for kind, anchor, word in _WORDS:
        at = folded.find(anchor)
        while at >= 0:
            after = at + 1
            named = word.match(data, at)
            if named is not None and _is_name(kind, data[max(0, at - 14) : at]):
                start = named.end()
                end, quoted = _value_end(data, named)
                if _is_secret(data[start:end], kind, named, quoted=quoted):
                    yield Found(kind, start, end)
                    after = end
            at = folded.find(anchor, after)


def _is_name(kind: str, before: bytes) -> bool:
    """Whether what stands before the word makes it a secret's name: `api_key` is one, `sort_key` is none."""
    match kind:
        case "api_key":
            return before.lower().rstrip(b"_- ").endswith(_KEYS)
        case "token":
            return not before.lower().rstrip(b"_-").endswith(_CURSORS)
        case _:
            return True


def _value_end(data: bytes, named: re.Match[bytes]) -> tuple[int, bool]:
    """Where the value ends, and whether quotes bound it."""
    start = named.end()
    opened, closed = named["open"], named["close"]
    if opened is None:
        return _end(_BARE.match(data, start), start), False
    if opened.endswith(b"'"):
        return _end(_SINGLE.match(data, start), start), True
    depth = _DEPTHS.get(len(opened) - 1)
    if closed == opened and depth is not None and named["sign"] == b":":
        return _string_end(data, start, depth), True
    # A quote without a partner before the sign may end a JSON string: take only what is no structure.
    return _end(_BARE.match(data, start), start), True


def _end(match: re.Match[bytes] | None, start: int) -> int:
    return start if match is None else match.end()


def _string_end(data: bytes, start: int, depth: int) -> int:
    """Before the quote that closes a JSON string nested `depth` deep, or one around it if that comes first.

    Each level of JSON doubles a backslash and puts one before a quote; so an even run ends the outermost
    string, and half of an odd run is what the next level sees.
    """
    for quote in _QUOTE.finditer(data, start):
        run = len(quote[0]) - 1
        for _ in range(depth):
            if run % 2 == 0:
                return quote.start()
            run //= 2
        if run % 2 == 0:
            return quote.end() - (1 << depth)
    return len(data)


def _is_secret(value: bytes, kind: str, named: re.Match[bytes], *, quoted: bool) -> bool:
    """Long enough, no placeholder, and no plain word where nothing but its position speaks for it."""
    if len(value) < KNOWN_CHARS_MIN or _PLACEHOLDER.match(value):
        return False
    has_digit = any(48 <= c <= 57 for c in value[:256])
    if kind == "token":
        return len(value) >= 16 and has_digit and not re.search(rb"\s", value)
    if kind == "authorization":
        return quoted and b" " in value
    if named["close"] is not None and named["open"] is None:
        return has_digit and not _NUMBER.fullmatch(value)  # a bare number of JSON keeps its place
    return quoted or has_digit or (named[0].endswith(b"=") and b" " not in named[0])


def _json_forms(values: Iterable[str]) -> Iterator[bytes]:
    """As JSON writes the value, with and without \\u escapes, and the same inside a JSON string."""
    for value in values:
        for ascii_only in (True, False):
            once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
            yield once.encode("utf-8", "surrogatepass")
            yield json.dumps(once, ensure_ascii=ascii_only)[1:-1].encode("utf-8", "surrogatepass")


_STRUCTURE = re.compile(rb"[-+0-9.eE\s,:\[\]{}truefalsn]+")
_SPLIT_ESCAPE = re.compile(rb"\\u[0-9A-Fa-f]{0,3}\Z")


def _known_in_json(data: bytes, needle: bytes) -> Iterator[Found]:
    may_be_structure = _STRUCTURE.fullmatch(needle) is not None
    for at in _places(data, needle):
        # A match that begins inside an escape is another text, and cutting there would break the JSON.
        escape = _SPLIT_ESCAPE.search(data, max(0, at - 5), at)
        if is_escaped(data, at) or (escape is not None and not is_escaped(data, escape.start())):
            continue
        if not may_be_structure or is_in_string(data, at):
            yield Found("known", at, at + len(needle))


def _places(text: AnyStr, part: AnyStr) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


def _merged(found: list[Found]) -> list[Found]:
    """In order; what overlaps becomes one, under the kind of the wider."""
    spans: list[Found] = []
    for item in sorted(found, key=lambda item: (item.start, -item.end)):
        if spans and item.start < spans[-1].end:
            spans[-1] = spans[-1]._replace(end=max(spans[-1].end, item.end))
        else:
            spans.append(item)
    return spans


def _written(data: bytes, spans: list[Found]) -> bytes:
    parts: list[bytes] = []
    at = 0
    for kind, start, end in spans:
        parts += [data[at:start], b"[redacted:%s]" % kind.encode()]
        at = end
    return b"".join([*parts, data[at:]])


_PLAIN = Redactor()
