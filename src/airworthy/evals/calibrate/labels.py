"""Human labels beside what a judge said and how sure it was: lines of JSON, read with care."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from airworthy.core.errors import InputError

LINES_MAX: Final = 200_000
LINE_CHARS_MAX: Final = 1_000_000
LENGTH_MAX: Final = 1_000_000_000
TIE: Final = "tie"
ANSWER_KEYS: Final = frozenset({"id", "human", "people", "judge", "confidence", "length", "group"})
PAIR_KEYS: Final = frozenset(
    {"id", "human_winner", "people", "judge_winner", "judge_winner_swapped", "confidence", "lengths", "group"}
)
# Carried along for people, and for nothing else.
FREE_KEYS: Final = frozenset({"text", "input", "answer", "note", "source", "stars", "rubric"})


@dataclass(frozen=True, slots=True)
class Label:
    """One answer, or one pair of answers, judged. Labels are words: "good" and "bad" for true and false, "1", "2" and
    "tie" for winners. `human` empty: no person looked. `people`: what each of several people said; `human` is then what
    most of them did. `score`: of the judge, 0 to 1, if it gave one. `swapped`: the judge's winner when the answers were
    shown the other way round, numbered as in the file. `group`: labels of one question hang together.
    """

    id: str
    human: str = ""
    judge: str = ""
    swapped: str = ""
    people: tuple[str, ...] = ()
    score: float | None = None
    confidence: float | None = None
    length: int | None = None
    lengths: tuple[int, int] | None = None
    group: str = ""
    pair: bool = False


def read_labels(path: Path) -> list[Label]:
    """Raises: InputError, naming the line."""
    return parse_labels(lines_of(path), str(path))


def lines_of(path: Path) -> list[str]:
    """Raises: InputError."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read: {error}.", mend="Give a file of JSON lines, UTF-8."
        ) from error


def parse_labels(lines: Iterable[str], name: str = "labels") -> list[Label]:
    found: list[Label] = []
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{name}, line {number}"
        if len(found) >= LINES_MAX or len(line) > LINE_CHARS_MAX:
            raise InputError(
                f"{place}: too much.", mend=f"Give at most {LINES_MAX} lines of a million characters."
            )
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{place}: no JSON ({error}).", mend="One JSON object a line.") from error
        if not isinstance(row, dict):
            raise InputError(f"{place}: {type(row).__name__} is no object.", mend="One JSON object a line.")
        label = label_of(row, place)
        if label.id in seen:
            raise InputError(
                f"{place}: id {label.id!r} came before.",
                mend="Keep one line for each; several people's words go into `people`.",
            )
        seen.add(label.id)
        found.append(label)
    if len({label.pair for label in found}) > 1:
        raise InputError(f"{name} holds single answers and pairs.", mend="Put them into two files.")
    return found


def label_of(row: Mapping[str, Any], place: str = "label") -> Label:
    pair = "human_winner" in row or "judge_winner" in row
    known = (PAIR_KEYS if pair else ANSWER_KEYS) | FREE_KEYS
    unknown = sorted(row.keys() - known)
    if unknown:
        raise InputError(
            f"{place}: unknown key {unknown[0]!r}.", mend=f"Use {', '.join(sorted(known - FREE_KEYS))}."
        )
    if not isinstance(row.get("id"), str | int) or row["id"] == "":
        raise InputError(f"{place}: `id` is missing.", mend="Name each answer, so that nothing counts twice.")
    word = _winner if pair else _word
    people = tuple(word(one, place) for one in _list(row.get("people"), place))
    human = word(row.get("human_winner" if pair else "human"), place) or _most(people)
    judge = row.get("judge_winner" if pair else "judge")
    lengths = [_length(one, place) for one in _list(row.get("lengths"), place)]
    if lengths and (len(lengths) != 2 or None in lengths):
        raise InputError(
            f"{place}: `lengths` takes two numbers.", mend="Give those of the first and second answer."
        )
    return Label(
        str(row["id"]), human, word(judge, place), word(row.get("judge_winner_swapped"), place), people,
        score=_share(judge, place) if _is_number(judge) and not pair else None,
        confidence=_share(row.get("confidence"), place),
        length=_length(row.get("length"), place),
        lengths=(lengths[0] or 0, lengths[1] or 0) if lengths else None,
        group=str(row.get("group") or ""), pair=pair,
    )  # fmt: skip


def _list(value: Any, place: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > 1000:
        raise InputError(f"{place}: {value!r:.80} is no list.", mend="Give a list.")
    return value


def _most(people: tuple[str, ...]) -> str:
    """What more people said than anything else; nobody's word if they are split."""
    ranked = Counter(people).most_common(2)
    if not ranked or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return ""
    return ranked[0][0]


def _word(value: Any, place: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "good" if value else "bad"
    if _is_number(value):
        return "good" if (_share(value, place) or 0) >= 0.5 else "bad"
    if isinstance(value, str) and 0 < len(value) <= 200:
        return value
    raise InputError(
        f"{place}: {value!r:.80} is no label.", mend="Give true, false, 0 to 1, or a short word."
    )


def _winner(value: Any, place: str) -> str:
    if value is None:
        return ""
    text = TIE if value in (0, "0", TIE) and not isinstance(value, bool) else str(value)
    if text not in {"1", "2", TIE}:
        raise InputError(f"{place}: {value!r:.80} is no winner.", mend='Give 1, 2 or "tie".')
    return text


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _share(value: Any, place: str) -> float | None:
    if value is None:
        return None
    if not _is_number(value) or not 0 <= value <= 1:
        raise InputError(f"{place}: {value!r:.80} is no share.", mend="Give a number from 0 to 1.")
    return float(value)


def _length(value: Any, place: str) -> int | None:
    if value is None:
        return None
    if not _is_number(value) or not 0 <= value <= LENGTH_MAX:
        raise InputError(
            f"{place}: {value!r:.80} is no length.", mend="Give a number of characters or tokens."
        )
    return int(value)
