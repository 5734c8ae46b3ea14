"""Ids of tool calls, fit for a protocol that takes only some characters or lengths; the same id in, the same id out."""

import base64
import binascii
import hashlib
import re

_FITS_MESSAGES = re.compile(r"[a-zA-Z0-9_-]+")
_MARK = "x64_"
CHAT_ID_CHARS_MAX = 40
RESPONSES_ID_CHARS_MAX = 64


def to_messages(call_id: str) -> str:
    """Reversible: what does not fit is written in base64 behind a mark, and so is what already carries the mark."""
    if _FITS_MESSAGES.fullmatch(call_id) and not call_id.startswith(_MARK):
        return call_id
    return _MARK + base64.urlsafe_b64encode(call_id.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def from_messages(call_id: str) -> str:
    if not call_id.startswith(_MARK):
        return call_id
    packed = call_id[len(_MARK) :]
    try:
        plain = base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return call_id
    # Only what `to_messages` itself would write is read back; any other id stays what it is.
    return plain if to_messages(plain) == call_id else call_id


def shortened(call_id: str, chars_max: int) -> str:
    """Not reversible, and need not be: it joins a call to its result within one request."""
    if len(call_id) <= chars_max:
        return call_id
    return "call_" + hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]
