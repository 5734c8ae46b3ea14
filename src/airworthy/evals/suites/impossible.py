"""What no run could meet: within one case, and between cases of the same input. Pure, over cases alone."""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, Final

from airworthy.core.canonical import encode
from airworthy.core.outcome import ReasonCode
from airworthy.evals.case import Case, Expect, Number, ToolExpect
from airworthy.evals.matching import BadPattern, fits, folded, holds, is_pattern, is_range, pattern
from airworthy.evals.scoring import range_text
from airworthy.evals.suites.wording import Wrong, did_you_mean

_WHOLE: Final = frozenset({"steps", "times"})
_RESULT_KEYS: Final = ("tool", "arguments", "result", "error")
_WITHOUT_ANSWER: Final = frozenset({"declined", "dead_lettered", "cancelled"})


def impossible(case: Case) -> Iterator[Wrong]:
    """Whatever the agent does, the case fails."""
    expect = case.expect
    yield from _ranges(expect)
    yield from _patterns(expect)
    yield from _texts(expect)
    yield from _tools(expect)
    yield from _effects(case)
    yield from _form(expect)
    for at, code in enumerate(expect.reason):
        if code not in set(ReasonCode):
            yield Wrong(
                ("expect", "reason", at),
                f"{code!r} is no reason a task can end for.",
                did_you_mean(code, ReasonCode),
            )
    if expect.judge is not None and not expect.rubric.strip():
        yield Wrong(
            ("expect", "judge"),
            "A score is asked for, and there is no rubric to judge by.",
            "Add rubric: ...",
        )
    for at, entry in enumerate(case.results):
        for key in entry:
            if key not in _RESULT_KEYS:
                yield Wrong(("results", at, key), "This key is not known.", did_you_mean(key, _RESULT_KEYS))
        if not isinstance(entry.get("tool"), str):
            yield Wrong(("results", at), "The result names no tool.", "Add tool: NAME.")


def _ranges(expect: Expect) -> Iterator[Wrong]:
    yield from _range(("expect", "steps"), expect.steps)
    yield from _range(("expect", "cost_usd"), expect.cost_usd)
    yield from _range(("expect", "seconds"), expect.seconds)
    for key, entries in (("tools", expect.tools), ("acts", expect.acts or ())):
        for at, entry in enumerate(entries):
            yield from _range(("expect", key, at, "times"), entry.times)
            yield from _inner_ranges(("expect", key, at, "arguments"), entry.arguments)


def _range(path: tuple[str | int, ...], bounds: Number) -> Iterator[Wrong]:
    least, most = bounds.min, bounds.max
    if any(end is not None and not math.isfinite(end) for end in (least, most)):
        yield Wrong(path, "An end of the range is no finite number.", "Leave an end out to leave it open.")
    elif least is not None and most is not None and least > most:
        yield Wrong(path, f"Nothing is at least {least:g} and at most {most:g}.", "Exchange min and max.")
    elif most is not None and most < 0:
        yield Wrong(path, f"Nothing here is ever at most {most:g}.", "Write 0 or more.")
    elif (
        path[-1] in _WHOLE and least is not None and most is not None and math.ceil(least) > math.floor(most)
    ):
        yield Wrong(path, f"No whole number lies in {range_text(bounds)}.", "Write whole numbers.")


def _inner_ranges(path: tuple[str | int, ...], value: Any) -> Iterator[Wrong]:
    if is_range(value):
        try:
            bounds = Number(min=value.get("min"), max=value.get("max"))
        except ValueError:
            yield Wrong(path, "An end of the range is no number.", "Write {min: 1, max: 8}.")
            return
        if bounds.min is not None and bounds.max is not None and bounds.min > bounds.max:
            yield Wrong(
                path,
                f"Nothing is at least {bounds.min:g} and at most {bounds.max:g}.",
                "Exchange min and max.",
            )
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _inner_ranges((*path, key), each)


def _patterns(expect: Expect) -> Iterator[Wrong]:
    texts: list[tuple[tuple[str | int, ...], Any]] = []
    for key in ("facts", "not_facts"):
        texts += [(("expect", key, at), text) for at, text in enumerate(getattr(expect, key))]
    for key, entries in (("tools", expect.tools), ("acts", expect.acts or ())):
        for at, entry in enumerate(entries):
            texts += [
                (("expect", key, at, "arguments", name), value) for name, value in entry.arguments.items()
            ]
    for path, text in texts:
        if isinstance(text, str) and is_pattern(text):
            try:
                pattern(text)
            except BadPattern as error:
                yield Wrong(
                    path,
                    f"This is no pattern that can be searched for: {error}.",
                    "Mend it; look-around and back references are not taken.",
                )
        elif path[1] in {"facts", "not_facts"} and not folded(str(text)):
            yield Wrong(path, "The text is empty.", "Delete it.")


def _texts(expect: Expect) -> Iterator[Wrong]:
    for at, fact in enumerate(expect.facts):
        twin = next((text for text in expect.not_facts if _excludes(fact, text)), None)
        if twin is not None:
            yield Wrong(
                ("expect", "facts", at),
                f"The answer must hold {fact!r}, and nowhere may stand {twin!r}.",
                "Delete one of the two.",
            )


def _excludes(fact: str, forbidden: str) -> bool:
    """Whether what holds the one cannot lack the other. Two patterns are not compared."""
    if is_pattern(fact):
        return fact == forbidden
    try:
        return holds(fact, forbidden)
    except BadPattern:
        return False


def _tools(expect: Expect) -> Iterator[Wrong]:
    for key, entries in (("tools", expect.tools), ("acts", expect.acts or ())):
        for at, entry in enumerate(entries):
            if entry.name in expect.not_tools and _least(entry) > 0:
                yield Wrong(
                    ("expect", key, at),
                    f"{entry.name} is required here and forbidden in not_tools.",
                    "Delete one of the two.",
                )
            needed = _needed(entry.name, [each for each in entries if each.arguments])
            if not entry.arguments and entry.times.max is not None and needed > entry.times.max:
                yield Wrong(
                    ("expect", key, at, "times"),
                    f"{entry.name} may be called {range_text(entry.times)} times, and others need {needed}.",
                    "Raise max.",
                )
    for at, name in enumerate(expect.approval):
        if name in expect.not_tools:
            yield Wrong(
                ("expect", "approval", at),
                f"A person must be asked before {name}, and it is forbidden in not_tools.",
                "Delete one of the two.",
            )
    needed_in_all = _calls_needed(expect)
    if expect.steps.max is not None and needed_in_all > expect.steps.max:
        yield Wrong(
            ("expect", "steps"),
            f"The run may take {range_text(expect.steps)} steps, and the required calls alone are {needed_in_all}.",
            f"Write max: {needed_in_all} or more.",
        )


def _calls_needed(expect: Expect) -> int:
    """At least so many calls, each a step. A call may meet an entry of `tools` and one of `acts` at once."""
    acts = expect.acts or ()
    names = {entry.name for entry in (*expect.tools, *acts)} | set(expect.approval)
    return sum(
        max(_needed(name, expect.tools), _needed(name, acts), int(name in expect.approval)) for name in names
    )


def _needed(name: str, entries: Sequence[ToolExpect]) -> int:
    wanted = [entry for entry in entries if entry.name == name]
    apart = all(_apart(one, other) for one, other in combinations(wanted, 2))
    counts = [_least(entry) for entry in wanted]
    return sum(counts) if apart else max(counts, default=0)


def _apart(one: ToolExpect, other: ToolExpect) -> bool:
    """No single call can be both: an argument has two values."""
    for key in one.arguments.keys() & other.arguments.keys():
        mine, yours = one.arguments[key], other.arguments[key]
        plain = not any(
            isinstance(value, dict | list) or (isinstance(value, str) and is_pattern(value))
            for value in (mine, yours)
        )
        if plain and not fits(mine, yours):
            return True
    return False


def _least(entry: ToolExpect) -> int:
    least = entry.times.min
    return 0 if least is None or not math.isfinite(least) else max(0, math.ceil(least))


def _effects(case: Case) -> Iterator[Wrong]:
    expect = case.expect
    required = [(at, entry) for at, entry in enumerate(expect.acts or ()) if _least(entry) > 0]
    if expect.no_acts and expect.acts:
        yield Wrong(
            ("expect", "no_acts"),
            "Nothing may be done, and acts lists what must be.",
            "Delete one of the two.",
        )
    if case.people == "reject":
        for at, entry in required:
            if entry.name in expect.approval:
                yield Wrong(
                    ("expect", "acts", at),
                    f"{entry.name} must be done, and the person asked about it says no (people: reject).",
                    "Write people: approve, or delete it from acts.",
                )


def _form(expect: Expect) -> Iterator[Wrong]:
    if expect.json_schema is None:
        return
    from airworthy.tools.mcp.schema import SchemaUnusable, checker

    try:
        checker(encode(expect.json_schema)).problems(None)
    except SchemaUnusable as error:
        yield Wrong(
            ("expect", "json_schema"),
            f"The schema cannot be used: {' '.join(str(error).split())[:300]}",
            "Mend it, without references to elsewhere.",
        )
        return
    if (
        expect.outcome
        and set(expect.outcome) <= _WITHOUT_ANSWER
        and checker(encode(expect.json_schema)).problems(None)
    ):
        yield Wrong(
            ("expect", "json_schema"),
            f"A task that is {' or '.join(expect.outcome)} has no answer that could have this form.",
            "Delete the schema, or allow answered.",
        )


def same_situation(case: Case) -> bytes:
    """Equal for cases that an agent cannot tell apart."""
    return encode(
        [
            case.input,
            case.session,
            case.user,
            case.feature,
            case.source,
            case.people,
            case.answers,
            case.results,
        ]
    )


def clashes(one: Expect, other: Expect) -> list[str]:
    """Why no run can meet both. Each reads on after "because"."""
    found = []
    if one.outcome and other.outcome and not set(one.outcome) & set(other.outcome):
        found.append(f"one ends {' or '.join(one.outcome)} and the other {' or '.join(other.outcome)}")
    elif one.reason and other.reason and not set(one.reason) & set(other.reason):
        found.append(f"one ends for {' or '.join(one.reason)} and the other for {' or '.join(other.reason)}")
    for name in ("steps", "cost_usd", "seconds"):
        mine, yours = getattr(one, name), getattr(other, name)
        if _disjoint(mine, yours):
            found.append(f"{name} is {range_text(mine)} in one and {range_text(yours)} in the other")
    for first, second in ((one, other), (other, one)):
        found += [
            f"{fact!r} must stand in one answer, and {text!r} nowhere in the other"
            for fact in first.facts
            for text in second.not_facts
            if _excludes(fact, text)
        ]
        required = {entry.name for entry in (*first.tools, *(first.acts or ())) if _least(entry) > 0}
        found += [
            f"{name} is required in one and forbidden in the other"
            for name in sorted(required & set(second.not_tools))
        ]
        done = [entry for entry in first.acts or () if _least(entry) > 0]
        if second.no_acts and done:
            found.append(f"{done[0].name} must be done in one, and nothing may be done in the other")
        elif second.acts is not None and not second.no_acts:
            allowed = {entry.name for entry in second.acts}
            found += [
                f"{entry.name} must be done in one, and is not among what may be done in the other"
                for entry in done
                if entry.name not in allowed
            ]
    found += [
        f"{mine.name} is called {range_text(mine.times)} times in one and {range_text(yours.times)} in the other"
        for mine in one.tools for yours in other.tools
        if mine.name == yours.name and mine.arguments == yours.arguments and _disjoint(mine.times, yours.times)
    ]  # fmt: skip
    return found


def _disjoint(one: Number, other: Number) -> bool:
    least = max(
        one.min if one.min is not None else -math.inf, other.min if other.min is not None else -math.inf
    )
    most = min(one.max if one.max is not None else math.inf, other.max if other.max is not None else math.inf)
    return least > most
