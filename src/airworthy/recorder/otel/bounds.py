"""How much of what others send is taken: bounds of a request, of a span, of its parts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bytes and characters; what is beyond the bounds of a span is cut with a note of how much, never refused."""

    request_bytes_max: int = 64 << 20  # unpacked: a batch of an SDK holds 512 spans
    value_chars_max: int = 256 << 10  # of one text among the attributes
    span_bytes_max: int = 1 << 20  # of all that is kept of one span
    text_chars_max: int = 8 << 10  # of what can be searched for
    ahead_us_max: int = 86_400_000_000  # a clock may go wrong by a day; what is later than that is no time


LABEL_CHARS_MAX = 200
NAME_CHARS_MAX = 500
ERROR_CHARS_MAX = 2_000
DEPTH_MAX = 48  # of values inside values
ENTRIES_MAX = 1_000  # of attributes, events and links that are kept where a span is beyond its bound
