"""Chinese, Japanese and Korean text cut into pairs of characters, as the index finds words only between spaces. Pure.

A run of such characters becomes each two that stand together, and its last one alone: 退款失败 is 退款 款失 失败 败.
So any two of them are found wherever they stand, and one is found as the beginning of a pair.
"""

import re
from typing import Final

_SIGN: Final = (
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U000323af"
)
_RUN: Final = re.compile(f"[{_SIGN}]+")


def spread(text: str) -> str:
    """For the index. Text without such characters is returned as it is."""
    if text.isascii():
        return text
    return _RUN.sub(lambda run: f" {_pairs(run[0])} {run[0][-1]} ", text)


def asked(text: str) -> str:
    """For a search: the pairs alone; a single character stays one, and is to be looked for as a beginning."""
    return text if text.isascii() else _RUN.sub(lambda run: f" {_pairs(run[0]) or run[0]} ", text)


def is_single(token: str) -> bool:
    return len(token) == 1 and _RUN.fullmatch(token) is not None


def _pairs(run: str) -> str:
    return " ".join(run[at : at + 2] for at in range(len(run) - 1))
