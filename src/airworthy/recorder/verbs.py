"""Verbs as tools are named by them, in the two forms that a sentence needs. A table; knows no tool."""

from typing import Final

# Both forms of what does not follow the rules, or is better said otherwise: to get does not mean to have found.
_OWN: Final = {
    "begin": ("began", "beginning"), "buy": ("bought", "buying"), "do": ("did", "doing"),
    "email": ("e-mailed", "e-mailing"),
    "fetch": ("looked up", "looking up"), "find": ("looked for", "looking for"), "get": ("looked up", "looking up"),
    "give": ("gave", "giving"), "hold": ("held", "holding"), "lookup": ("looked up", "looking up"),
    "make": ("made", "making"), "pay": ("paid", "paying"), "put": ("put", "putting"), "read": ("read", "reading"),
    "retrieve": ("looked up", "looking up"), "run": ("ran", "running"), "sell": ("sold", "selling"),
    "send": ("sent", "sending"), "set": ("set", "setting"), "take": ("took", "taking"),
    "think": ("thought", "thinking"), "withdraw": ("withdrew", "withdrawing"), "write": ("wrote", "writing"),
}  # fmt: skip
_REGULAR: Final = frozenset(
    [
        "accept",
        "activate",
        "add",
        "analyse",
        "analyze",
        "apply",
        "approve",
        "archive",
        "ask",
        "assign",
        "authenticate",
        "authorise",
        "authorize",
        "block",
        "book",
        "browse",
        "calculate",
        "call",
        "cancel",
        "charge",
        "check",
        "classify",
        "click",
        "close",
        "compare",
        "complete",
        "compute",
        "confirm",
        "convert",
        "count",
        "create",
        "deactivate",
        "delete",
        "deploy",
        "detect",
        "disable",
        "download",
        "enable",
        "escalate",
        "evaluate",
        "exchange",
        "execute",
        "extract",
        "flag",
        "forward",
        "generate",
        "grant",
        "identify",
        "import",
        "insert",
        "inspect",
        "invite",
        "issue",
        "list",
        "load",
        "lock",
        "merge",
        "modify",
        "move",
        "navigate",
        "notify",
        "open",
        "parse",
        "pause",
        "post",
        "process",
        "publish",
        "query",
        "rebook",
        "refund",
        "register",
        "reject",
        "remove",
        "rename",
        "render",
        "reopen",
        "reschedule",
        "reserve",
        "reset",
        "resolve",
        "restore",
        "resume",
        "return",
        "review",
        "revoke",
        "save",
        "schedule",
        "search",
        "select",
        "ship",
        "start",
        "stop",
        "store",
        "submit",
        "subscribe",
        "summarise",
        "summarize",
        "suspend",
        "sync",
        "transfer",
        "translate",
        "unblock",
        "unlock",
        "unsubscribe",
        "update",
        "upload",
        "validate",
        "verify",
        "void",
    ]
)
_DOUBLED: Final = frozenset({"cancel", "ship", "stop", "submit", "transfer"})
# At the beginning of a name these are as often things: `review_queue`, `return_label`, `import_status`.
_THINGS_TOO: Final = frozenset(
    [
        "block",
        "call",
        "charge",
        "check",
        "count",
        "exchange",
        "flag",
        "import",
        "issue",
        "list",
        "lock",
        "post",
        "process",
        "query",
        "return",
        "review",
        "schedule",
        "search",
        "select",
        "start",
        "stop",
        "store",
        "transfer",
        "update",
    ]
)
NEW: Final = frozenset(
    {"add", "book", "create", "generate", "issue", "make", "open", "schedule", "send", "write"}
)
SEEKING: Final = frozenset({"fetch", "find", "get", "list", "lookup", "query", "retrieve", "search"})
PAYING: Final = frozenset({"charge", "pay", "refund", "transfer", "withdraw"})
# What follows a verb where it is meant as one, and a thing where it is not.
_STATES: Final = frozenset(
    {"code", "count", "history", "id", "label", "list", "log", "number", "queue", "status"}
)


def forms(verb: str) -> tuple[str, str]:
    """The past ("refunded") and what is being done ("refunding") of a verb of the table."""
    own = _OWN.get(verb)
    if own is not None:
        return own
    if verb.endswith("e"):
        return verb + "d", verb[:-1] + "ing"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ied", verb + "ing"
    stem = verb + verb[-1] if verb in _DOUBLED else verb
    return stem + "ed", stem + "ing"


def verb_of(words: list[str]) -> tuple[str, list[str]]:
    """The verb of a tool's name and the other words; "" where no word is safely one."""
    if words[:2] == ["look", "up"]:
        return "lookup", words[2:]
    first, last = words[0], words[-1]
    a_thing = first in _THINGS_TOO and len(words) == 2 and (last in _STATES or last.isdigit())
    if _is_verb(first) and not a_thing:
        return first, words[1:]
    if len(words) > 1 and _is_verb(last) and last not in _THINGS_TOO - {"search", "update"}:
        return last, words[:-1]
    return "", words


def _is_verb(word: str) -> bool:
    return word in _OWN or word in _REGULAR
