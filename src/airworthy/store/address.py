"""The address of a PostgreSQL as people write it: checked before it is used, and shown without its password."""

import re
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode

from airworthy.core.errors import ConfigError

SCHEMES: Final = ("postgresql://", "postgres://")
_HIDDEN: Final = (
    "password"  # In a parameter's name: password, sslpassword, oauth_client_secret go by `secret`.
)
_QUOTING: Final = (
    "Write each character of user and password that is neither letter nor digit as % and two digits (@ is %40, / is"
    " %2F), or leave the password out and put it into PGPASSWORD or ~/.pgpass."
)


class _Parts(NamedTuple):
    scheme: str
    user: str
    password: str
    hosts: str
    path: str
    query: str


def is_address(text: str) -> bool:
    return text.startswith(SCHEMES)


def check_address(url: str) -> None:
    """What would otherwise be told late, or with a piece of the password in it. Raises: ConfigError."""
    parts = _parts(url)
    wrong = ""
    if re.search(r"\s", url):
        wrong = "has a blank in it"
    elif "%00" in url:  # libpq would say the password with it.
        wrong = "has a %00 in it"
    elif re.search(r"%(?![0-9A-Fa-f]{2})", url):
        wrong = "has a % that no two hexadecimal digits follow"
    elif "@" in parts.hosts or "@" in parts.path:
        wrong = "has a second @, or a / before its @"
    elif not all(re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(:\d{0,5})?", host) for host in parts.hosts.split(",")):
        wrong = "has a port that is no number"
    if wrong:
        raise ConfigError(f"The address of the database {wrong}.", mend=_QUOTING)


def password_of(url: str) -> str:
    """Decoded; empty where there is none."""
    parts = _parts(url)
    given = [value for key, value in parse_qsl(parts.query) if key == "password"]
    return given[-1] if given else unquote(parts.password)


def without_password(url: str) -> str:
    """The address as it may be shown; of one that cannot be read, rather too little than too much."""
    scheme, user, _, hosts, path, query = _parts(url)
    if "@" in path or "@" in hosts:
        return f"{scheme}://..."
    kept = [
        (key, value)
        for key, value in parse_qsl(query)
        if not any(word in key for word in (_HIDDEN, "secret"))
    ]
    shown = f"{scheme}://{user}@{hosts}{path}" if user else f"{scheme}://{hosts}{path}"
    return f"{shown}?{urlencode(kept, safe='/')}" if kept else shown


def masked(text: str, *secrets: str) -> str:
    """`text` of the driver or the server, without what must not be read."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text


def _parts(url: str) -> _Parts:
    """As libpq cuts it: the first @ ends the user, where no / comes before."""
    scheme, _, rest = url.partition("://")
    about, at, after = rest.partition("@")
    if not at or "/" in about:
        about, after = "", rest
    user, _, password = about.partition(":")
    main, _, query = after.partition("?")
    hosts, slash, name = main.partition("/")
    return _Parts(scheme, user, password, hosts, slash + name, query)
