"""Makes a failing case as small as it can be: text and recorded results go while the failure remains.

Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002), over entries of the
case first and over its texts then: lines, sentences, words.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from airworthy.core.canonical import digest, encode
from airworthy.core.errors import InputError
from airworthy.core.outcome import Outcome
from airworthy.evals import UNDECIDED_KINDS, Case, Finding, Trial, score

RUNS_MAX: Final = 300
# Of what failed, never of what could not be told.
_PIECES: Final = (
    re.compile(r"[^\n]*\n+|[^\n]+"),
    re.compile(r"[^.!?\n]*[.!?\n]+\s*|[^.!?\n]+"),
    re.compile(r"\S+\s*|\s+"),
)

Play = Callable[[Case], Awaitable[Trial]]
Findings = Callable[[Case, Trial], Sequence[Finding]]


class DoesNotFail(InputError):
    """There is nothing to shrink: the case passes now, or nothing can be said of it."""

    code = "does_not_fail"


@dataclass(frozen=True, slots=True)
class Size:
    """Of a case: characters of its input, and recorded results and answers."""

    chars: int
    entries: int


@dataclass(frozen=True, slots=True)
class Shrunk:
    """`whole`: nothing smaller fails any more, as far as was looked; else `why` says what ended the search.
    `kinds`: how it fails, which is what was held on to.
    """

    case: Case
    kinds: tuple[str, ...]
    before: Size
    after: Size
    runs: int
    whole: bool = True
    why: str = ""


@dataclass(slots=True)
class _Search:
    play: Play
    findings: Findings
    kinds: frozenset[str]
    outcome: Outcome | None
    runs_max: int
    repeat: int
    runs: int = 0
    ended: str = ""
    seen: dict[bytes, bool] = field(default_factory=dict)

    async def fails(self, case: Case) -> bool:
        """In all the ways of the first time, and with its outcome, in each of `repeat` runs: another failure is another
        case. An empty input lacks every fact too, but it is declined.
        """
        key = digest(encode([case.input, case.results, case.answers]))
        known = self.seen.get(key)
        if known is not None or self.ended:
            return bool(known)
        found = True
        for _ in range(self.repeat):
            if self.runs >= self.runs_max:
                self.ended = f"It was ended after {self.runs} runs."
                return False
            self.runs += 1
            trial = await self.play(case)
            if trial.outcome is not self.outcome or not self.kinds <= _kinds(self.findings(case, trial)):
                found = False
                break
        self.seen[key] = found
        return found


def _kinds(findings: Sequence[Finding]) -> frozenset[str]:
    return frozenset(finding.kind for finding in findings) - UNDECIDED_KINDS


async def shrink(
    case: Case, play: Play, *, findings: Findings = score, runs_max: int = RUNS_MAX, repeat: int = 1
) -> Shrunk:
    """`play`: one trial of the agent. What it raises (a cap that is reached) ends the search with the smallest case so
    far, unless not even the first trial could be made. Raises: DoesNotFail.
    """
    trial = await play(case)
    first = findings(case, trial)
    kinds = _kinds(first)
    if not kinds:
        says = first[0].text if first else "It passes."
        raise DoesNotFail(
            f"Case {case.id} does not fail now. {says}", mend="Check the case, and the agent's version."
        )
    search = _Search(play, findings, kinds, trial.outcome, runs_max, repeat, runs=1)
    best = [case]
    try:
        if repeat > 1 and not await search.fails(case):
            raise DoesNotFail(
                f"Case {case.id} does not fail each time.", mend="Leave out --repeat, or fix the seed."
            )
        await _smaller(search, best)
    except DoesNotFail:
        raise
    except Exception as error:  # noqa: BLE001  # the money is used up, say: what was found so far is still worth having
        search.ended = f"It was ended: {error}"
    small = best[0]
    return Shrunk(
        small,
        tuple(sorted(kinds)),
        size_of(case),
        size_of(small),
        search.runs,
        not search.ended,
        search.ended,
    )


def size_of(case: Case) -> Size:
    text = case.input if isinstance(case.input, str) else encode(case.input).decode()
    return Size(len(text), len(case.results) + len(case.answers))


async def _smaller(search: _Search, best: list[Case]) -> None:
    """Again and again while anything goes: less text may make a result needless, and the other way round."""
    while not search.ended:
        before = best[0]
        await _entries(search, best)
        await _fields(search, best)
        for path in _texts(best[0].input):
            await _text(search, best, path)
        if best[0] == before:
            return


async def _entries(search: _Search, best: list[Case]) -> None:
    def with_results(kept: Sequence[Any]) -> Case:
        return best[0].model_copy(update={"results": tuple(kept)})

    def with_answers(kept: Sequence[Any]) -> Case:
        return best[0].model_copy(update={"answers": dict(kept)})

    await _least(search, best, list(best[0].results), with_results)
    await _least(search, best, list(best[0].answers.items()), with_answers)


async def _fields(search: _Search, best: list[Case]) -> None:
    """Fields of mappings and entries of lists in the input, the outer ones first."""
    for path in _holders(best[0].input):
        held = _at(best[0].input, path)
        kind: type[Any] | None = (
            dict if isinstance(held, Mapping) else list if isinstance(held, list) else None
        )
        if kind is not None:
            atoms = list(held.items()) if kind is dict else list(held)
            await _least(search, best, atoms, partial(_with, best, path, kind))


def _with(best: list[Case], path: Sequence[str | int], kind: type[Any], kept: Sequence[Any]) -> Case:
    return _put(best[0], path, kind(kept))


async def _text(search: _Search, best: list[Case], path: tuple[str | int, ...]) -> None:
    for pieces in _PIECES:
        text = _at(best[0].input, path)
        if not isinstance(text, str) or not text:
            return
        await _least(
            search, best, pieces.findall(text), lambda kept: _put(best[0], path, "".join(kept).strip())
        )


async def _least(
    search: _Search, best: list[Case], atoms: list[Any], made: Callable[[Sequence[Any]], Case]
) -> None:
    """ddmin: `best` holds the smallest case that fails after each step, also when the search is broken off."""
    if not atoms:
        return
    empty = made([])
    if await search.fails(empty):
        best[0] = empty
        return
    parts = 2
    while len(atoms) >= 2 and not search.ended:
        size = -(-len(atoms) // parts)
        chunks = [atoms[at : at + size] for at in range(0, len(atoms), size)]
        for at, chunk in enumerate(chunks):
            rest = [atom for number, other in enumerate(chunks) if number != at for atom in other]
            for kept, next_parts in ((chunk, 2), (rest, max(len(chunks) - 1, 2))):
                candidate = made(kept)
                if len(kept) < len(atoms) and await search.fails(candidate):
                    best[0], atoms, parts = candidate, list(kept), next_parts
                    break
            else:
                continue
            break
        else:
            if parts >= len(atoms):
                return
            parts = min(len(atoms), parts * 2)


def _texts(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(value, str):
        return [path]
    return [each for key, inner in _inside(value) for each in _texts(inner, (*path, key))]


def _holders(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if not isinstance(value, Mapping | list):
        return []
    return [path, *(each for key, inner in _inside(value) for each in _holders(inner, (*path, key)))]


def _inside(value: Any) -> list[tuple[str | int, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


def _at(value: Any, path: Sequence[str | int]) -> Any:
    """None for what is not there any more."""
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _put(case: Case, path: Sequence[str | int], new: Any) -> Case:
    return case.model_copy(update={"input": _changed(case.input, path, new)})


def _changed(value: Any, path: Sequence[str | int], new: Any) -> Any:
    if not path:
        return new
    copy: Any = dict(value) if isinstance(value, Mapping) else list(value)
    copy[path[0]] = _changed(copy[path[0]], path[1:], new)
    return copy
