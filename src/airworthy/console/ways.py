"""Addresses of pages, so that a number can lead to what is behind it."""

from urllib.parse import quote, urlencode

from airworthy.core.clock import US_PER_S
from airworthy.recorder.traces.query import Moment, Term, asked, text_of


def traces(*terms: Term) -> str:
    """The list of the traces that all of this is true of."""
    return "/traces?" + urlencode({"q": text_of(asked(terms))}) if terms else "/traces"


def trace(id_: str) -> str:
    return "/traces/" + quote(id_, safe="")


def item(id_: str) -> str:
    """Of the review queue."""
    return "/review/" + quote(id_, safe="")


def alert(key: str) -> str:
    return "/alerts#" + quote(key, safe="")


def since(seconds: int, now_us: int) -> Moment:
    """The last so many seconds, which stay the last ones whenever the address is opened."""
    return Moment("since", now_us - seconds * US_PER_S, seconds * US_PER_S)
