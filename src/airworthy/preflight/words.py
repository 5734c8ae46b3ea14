"""How an agent fails, in sentences for somebody who has seen no run, the worst first. Pure; reads only results."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from airworthy.core.chars import quoted
from airworthy.evals import Finding
from airworthy.preflight.cell import CellResult, Part, State
from airworthy.preflight.oracle import WORST_FIRST
from airworthy.resilience.chaos import KINDS

SENTENCES_MAX: Final = 12
FAULTS_SHOWN: Final = 3
EXAMPLE_CHARS: Final = 260

# What the agent does, as the end of "When X fails so, ..."
_DOES: Final[Mapping[str, str]] = {
    "duplicate_effect": "something is done twice",
    "wrong_effect": "something else is done than in the golden run",
    "ungrounded": "it answers all the same, with facts that nothing supports",
    "missing_effect": "it says that all is well, and what had to be done is not done",
    "limit": "it passes a limit of its policy",
    "no_outcome": "the task comes to no outcome",
    "crash": "its own code crashes",
    "approval": "something is done for which a person had to be asked",
    "not_facts": "it says what must not be said",
    "not_tools": "it calls a tool that must not be called",
    "json_schema": "its answer does not have the form that it must have",
    "not_retried": "one failure that passes with the next try costs the answer",
    "outcome": "the task ends otherwise, although nothing was lost",
    "facts": "the answer lacks a fact, although nothing was lost",
    "reason": "the task ends for another reason, although nothing was lost",
}


def how_it_fails(results: Sequence[CellResult]) -> tuple[str, ...]:
    """One sentence for each tool and way of failing, with an example and the command that shows it."""
    groups: defaultdict[tuple[int, str, str], list[tuple[CellResult, Finding]]] = defaultdict(list)
    for each in _failed(results):
        for kind in dict.fromkeys(finding.kind for finding in each.findings):
            finding = next(finding for finding in each.findings if finding.kind == kind)
            groups[_rank(kind), kind, each.axes.get("tool", "")].append((each, finding))
    # Within one way of failing, the tool that shows it most.
    order = sorted(groups.items(), key=lambda group: (group[0][0], -len(group[1]), group[0][2]))
    sentences = [_sentence(kind, tool, found) for (_, kind, tool), found in order]
    if len(sentences) > SENTENCES_MAX:
        left = len(sentences) - SENTENCES_MAX
        sentences = [*sentences[:SENTENCES_MAX], f"{left} more ways are in the matrix."]
    return tuple(sentences)


def how_it_stands(results: Sequence[CellResult]) -> str:
    """The matrix in one sentence."""
    told = [each for each in results if each.state in (State.PASSED, State.FAILED)]
    failed = list(_failed(results))
    if not told:
        return "No failure could be tried."
    tools = len({each.axes.get("tool") for each in told})
    faults = len({each.axes.get("fault", "").partition(".")[0] for each in told})
    over = f"{_count(len(told), 'failure')} of {faults} kinds at {_count(tools, 'tool or model', 'tools and models')}"
    if not failed:
        return f"The agent bears all of {over}."
    return f"The agent does not bear {len(failed)} of {over}."


def unnoticed(results: Sequence[CellResult]) -> tuple[str, ...]:
    """What no agent could have known, so it is not blamed for it; a person may want to look after it all the same."""
    tools = dict.fromkeys(
        each.axes["tool"]
        for each in results
        if each.state is State.PASSED
        and each.axes.get("fault", "").startswith("not_done")
        and each.evidence.get("outcome", "").startswith("answered")
    )
    return tuple(
        f"When {tool} reports success and has done nothing, nobody notices: nothing here reads it back afterwards."
        for tool in tools
    )


def _failed(results: Sequence[CellResult]) -> Iterator[CellResult]:
    return (
        each
        for each in results
        if each.state is State.FAILED and each.part is Part.FAILURES and each.findings
    )


def _rank(kind: str) -> int:
    return WORST_FIRST.index(kind) if kind in WORST_FIRST else len(WORST_FIRST)


def _sentence(kind: str, tool: str, found: Sequence[tuple[CellResult, Finding]]) -> str:
    whens: dict[str, set[str]] = {}
    for cell, _ in found:
        fault, _, when = cell.axes.get("fault", "").partition(".")
        whens.setdefault(fault, set()).add(when)
    faults = [_fault(fault, every_time=when == {"always"}) for fault, when in whens.items()]
    shown = faults[:FAULTS_SHOWN]
    more = len(faults) - len(shown)
    when = _either(
        [*shown, "fails in another way" if more == 1 else f"fails in one of {more} other ways"]
        if more > 0
        else shown
    )
    does = _DOES.get(kind, kind.replace("_", " "))
    cell, finding = found[0]
    example = quoted(finding.text, EXAMPLE_CHARS).rstrip(".")
    often = "" if len(found) == 1 else f" ({len(found)} cells)"
    command = cell.evidence.get("command") or f"airworthy preflight --cell {cell.id}"
    return f"When {tool} {when}, {does}{often}. For example: {example}. See: {command}"


def _fault(kind: str, *, every_time: bool) -> str:
    about = KINDS[kind].about if kind in KINDS else kind
    return f"{about} every time" if every_time else about


def _either(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number} {one if number == 1 else several or one + 's'}"
