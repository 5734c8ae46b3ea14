"""What the policy says about one concrete call, before anything is tried. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from airworthy.core.canonical import digest
from airworthy.policy import ToolRule
from airworthy.policy.bounds import needs_approval, recipient_of, refusal

__all__ = ["counted", "needs_approval", "no_longer", "recipient_of", "refusal", "storable"]

ARGUMENTS_BYTES_MAX = 4 * 1024 * 1024
_NAMED = re.compile(r"[^<>@]*<([^<>\s]+@[^<>\s]+)>")
_GAPS = str.maketrans("", "", " -.()")


def no_longer(name: str, rule: ToolRule, arguments: Mapping[str, Any]) -> str | None:
    """`refusal`, for a call that was accepted before: the policy may have become stricter while it waited."""
    if rule.dry_run:
        return f"{name} is only rehearsed now, says the policy."
    return refusal(name, rule, arguments)


def storable(plain: str | None, clean: str | None) -> str | None:
    """A name made of a call's arguments: its digest where those hold a secret, which `clean` was made without."""
    return plain if plain is None or plain == clean else f"secret:{digest(plain.encode()).hex()}"


def counted(recipient: str | None) -> str | None:
    """One spelling for caps and for who was reached before: `Ada <ada@example.com>` is ada@example.com.

    Only what certainly leads to the same place is made the same, or a look-alike of a known recipient would be known.
    """
    if recipient is None:
        return None
    bare = recipient.removeprefix("mailto:")
    named = _NAMED.fullmatch(bare)
    if named is not None:
        return named[1]
    squeezed = bare.translate(_GAPS)
    is_number = squeezed.removeprefix("+").isdecimal() and len(squeezed) > 4
    return squeezed if is_number else bare
