"""Phrases that try to give the agent orders. They only hint: they never decide.

On texts from sources the patterns were not written against they miss most attacks, and ordinary mails match
some of them. So they label a task for people; what an agent may do is bounded by its tools, not by this list.
"""

import re
from collections.abc import Mapping
from typing import Final

_OLD: Final = r"(?:previous|prior|above|earlier|preceding|former|existing|foregoing)"
_RULES: Final = (
    r"(?:instructions?|prompts?|rules?|guidelines?|directions?|orders?|commands?|context|constraints?)"
)

# Verbose: spaces in a pattern are for the reader, `\s` stands for real ones.
_VERBOSE: Final[dict[str, str]] = {
    "drop_earlier_rules": rf"""
        \b (?: ignore | disregard | forget | override | bypass | skip ) \b .{{0,40}}
        \b {_OLD} \b .{{0,20}} \b {_RULES}""",
    "drop_your_rules": rf"""
        \b (?: ignore | disregard | forget | override | bypass ) \s (?: all\s | any\s )? (?: of\s )?
        (?: your | the\ssystem ) \b .{{0,20}} \b {_RULES}""",
    "forget_everything": r"""
        \b (?: forget | ignore | disregard ) \s
        (?: everything | all\s (?: of\s )? (?: that | this | the\sabove ) ) \b""",
    "new_rules": r"""
        \b (?: new | updated | real | actual ) \s (?: system\s )?
        (?: instructions? | prompts? | rules? | guidelines? ) \s? (?: : | are\b | follow\b )""",
    "instead_do": r"""
        \b instead (?: \sof\s (?: that | this | answering ) )? ,? \s
        (?: you\s (?: must | should | will ) | please\s (?: send | print | output | reveal ) ) \b""",
    "show_system_prompt": r"""
        \b (?: show | reveal | print | repeat | output | display | leak | tell\sme ) \b .{0,30}
        \b (?: system | initial | hidden | original | secret ) \s (?: prompt | message | instructions? )""",
    "words_above": r"""
        \b (?: repeat | print | output ) \b .{0,30} \b (?: text | words? | everything ) \s above \b""",
    "other_persona": r"""
        \b (?: you\sare | act\sas | pretend\sto\sbe | roleplay\sas | behave\slike ) \s
        (?: now\s )? (?: an?\s )?
        (?: unrestricted | uncensored | unfiltered | jailbroken | evil | amoral | DAN\b )""",
    "from_now_on": r"\b from\snow\son ,? \s (?: you | answer | respond | reply | act ) \b",
    "mode_switch": r"""
        \b (?: developer | debug | god | admin | jailbreak | maintenance | unrestricted ) \s mode \b""",
    "no_limits": r"""
        \b (?: without | no | free\sfrom ) \s (?: any\s )?
        (?: restrictions? | filters? | censorship | ethical\slimits? | safety\srules ) \b""",
    "important_to_ai": r"""
        \b (?: important | urgent | attention | note | message ) \b .{0,20} \b (?: to | for ) \s (?: the\s )?
        (?: AI | LLM | assistant | chatbot | language\smodel | agent ) s? \b""",
    "before_you_continue": r"""
        \b before \s (?: you\s )? (?: can\s )?
        (?: answer(?:ing)? | solv(?:e|ing) | continu(?:e|ing) | complet(?:e|ing) ) \b .{0,40}
        \b (?: first | must | please | need\sto ) \b""",
    "hide_it": r"""
        \b (?: do\snot | don'?t | never | without ) \s
        (?: tell | inform | mention | alert | notify ) (?: ing )? \b .{0,20}
        \b (?: user | human | owner | anyone | customer ) \b""",
    "role_marker": r"""
        (?: ^ | \n ) \s*
        (?: <\|? (?: im_start | system | assistant | endoftext ) \|?> | \[/? (?: INST | SYS | SYSTEM ) \]
          | <</? SYS >> | \#{2,}\s? (?: system | instruction ) \b )""",
    "closing_marker": r"""
        </? (?: system | instructions? | user_?input | tool_?result | information | context | data ) >""",
    "send_it_out": r"""
        \b (?: send | forward | e-?mail | post | upload | exfiltrate ) \b .{0,60}
        \b (?: password | credentials? | (?: api | secret ) \skeys? | access\stokens?
          | (?: chat | conversation ) \shistory ) \b""",
    "encoded_orders": r"""
        \b (?: decode | decrypt | base64 | rot13 ) \b .{0,40}
        \b (?: follow | execute | run | obey | do\swhat ) \b""",
    "invisible_text": r"""
        [\U000e0020-\U000e007e]{4,} | [\u200b\u200c\u2060\ufeff]{6,} | [\u202a-\u202e\u2066-\u2069]{2,}""",
}
PATTERNS: Final[Mapping[str, re.Pattern[str]]] = {
    name: re.compile(pattern, re.IGNORECASE | re.VERBOSE) for name, pattern in _VERBOSE.items()
}
CHARS_LOOKED_AT = 200_000


def hints(text: str) -> tuple[str, ...]:
    """Names of the patterns that match, in a fixed order."""
    looked_at = text[:CHARS_LOOKED_AT]
    return tuple(name for name, pattern in PATTERNS.items() if pattern.search(looked_at))
