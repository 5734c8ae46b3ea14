"""Why nothing was found, where that can be told: values that no trace has, and the nearest that some have."""

from difflib import get_close_matches
from typing import Final

from airworthy.recorder.traces.facets import FIELDS, VALUE_CHARS_MAX, values
from airworthy.recorder.traces.query import Query, labels_of
from airworthy.store import Tx

VALUES_MAX: Final = 200  # of a field, among which the nearest is looked for
HINTS_MAX: Final = 3
# Names that somebody else chose by chance resemble nothing on purpose.
_BY_CHANCE: Final = ("session", "user", "release")


def hints(tx: Tx, query: Query) -> list[str]:
    """A sentence for each value that was asked for and that no trace has at all.

    None for somebody who may not see every agent: what the others have is not theirs to guess.
    """
    found: list[str] = []
    if query.agents is not None:
        return found
    for term in labels_of(query):
        if term.negated or term.key not in FIELDS:
            continue
        for value in term.values:
            if value.prefix or len(found) == HINTS_MAX or _is_known(tx, term.key, value.text):
                continue
            known = [] if term.key in _BY_CHANCE else values(tx, term.key, VALUES_MAX)
            near = get_close_matches(value.text[:80], known, n=1)
            found.append(
                f"No trace has {term.key}:{value.text}." + (f" Did you mean {near[0]}?" if near else "")
            )
    return found


def _is_known(tx: Tx, field: str, value: str) -> bool:
    asked = (field, value[:VALUE_CHARS_MAX])
    return tx.row("SELECT 1 FROM facets WHERE field = ? AND value = ? LIMIT 1", asked) is not None
