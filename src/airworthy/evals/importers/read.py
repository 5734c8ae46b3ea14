"""Reads what garak, promptfoo and PyRIT write. What is read of each format stands beside its function."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from airworthy.core.chars import quoted
from airworthy.evals.importers.attack import Attack, Imported, NoAttacks, Shape, cases_of

FILE_BYTES_MAX: Final = 256 * 2**20
_SEVERITIES: Final = {"critical": "critical", "high": "critical", "low": "minor"}
Row = tuple[str, Mapping[str, Any]]


def imported(tool: str, text: str, shape: Shape | None = None) -> Imported:
    """`text`: of the file, whole. Raises: NoAttacks, when nothing in it is as the tool writes it."""
    read = FORMATS.get(tool)
    if read is None:
        raise NoAttacks(
            f"{tool!r} is no tool whose files are known.", mend=f"Known are: {', '.join(FORMATS)}."
        )
    broken: list[str] = []
    found = cases_of(read(_rows(text, broken)), tool, shape or Shape())
    if not found.cases:
        why = found.skipped[0] if found.skipped else broken[0] if broken else "No entry is of this format."
        raise NoAttacks(
            f"Nothing in the file can be taken as an attack of {tool}. {why}",
            mend="Check which tool wrote it.",
        )
    return Imported(found.cases, (*broken, *found.skipped))


def _rows(text: str, broken: list[str]) -> Iterator[Row]:
    """Each JSON object with its place: of a document, of a list, or of lines. A torn line is told and left out."""
    text = text.removeprefix("\ufeff")
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError):
                    broken.append(f"line {number}: it is no JSON.")
                    continue
                if isinstance(value, dict):
                    yield f"line {number}", value
        return
    for number, value in enumerate(whole if isinstance(whole, list) else [whole], start=1):
        if isinstance(value, dict):
            yield f"entry {number}", value


def _garak(rows: Iterator[Row]) -> Iterator[Attack]:
    """`*.report.jsonl`: lines with entry_type "attempt"; `prompt` is a text, or, in newer ones,
    {turns: [{role, content: {text}}]}. Of `notes` the `triggers`. `*.hitlog.jsonl`: lines with `prompt`, `probe`,
    `trigger`.
    """
    for place, row in rows:
        is_hit = "entry_type" not in row and "probe" in row and "prompt" in row
        if row.get("entry_type") != "attempt" and not is_hit:
            continue
        notes = row.get("notes") if isinstance(row.get("notes"), Mapping) else {}
        assert isinstance(notes, Mapping)
        turns = _turns_of(row.get("prompt"))
        triggers = _texts(notes.get("triggers")) or _texts(notes.get("trigger")) or _texts(row.get("trigger"))
        yield Attack(
            turns[-1] if turns else "", str(row.get("probe_classname") or row.get("probe") or "attack"), place,
            str(row.get("goal") or ""), triggers, note=_earlier(turns[:-1]),
        )  # fmt: skip


def _turns_of(prompt: Any) -> list[str]:
    """What the user says in it, turn by turn."""
    if isinstance(prompt, str):
        return [prompt]
    if not isinstance(prompt, Mapping):
        return []
    if isinstance(prompt.get("text"), str):
        return [prompt["text"]]
    turns = prompt.get("turns") if isinstance(prompt.get("turns"), list) else []
    assert isinstance(turns, list)
    found = []
    for turn in turns:
        if isinstance(turn, Mapping) and turn.get("role") == "user":
            content = turn.get("content")
            text = content.get("text") if isinstance(content, Mapping) else content
            if isinstance(text, str):
                found.append(text)
    return found


def _promptfoo(rows: Iterator[Row]) -> Iterator[Attack]:
    """The file of `promptfoo eval -o results.json`: results.results, each with `vars`, `prompt.raw` and
    `testCase` {assert, metadata}; of an older one, or of a generated suite as JSON: `tests` with vars and assert.
    """
    for place, row in rows:
        inner = row.get("results")
        results = (
            inner.get("results") if isinstance(inner, Mapping) else inner if isinstance(inner, list) else None
        )
        tests = (
            results
            if isinstance(results, list)
            else row.get("tests")
            if isinstance(row.get("tests"), list)
            else [row]
        )
        assert isinstance(tests, list)
        for number, each in enumerate(tests, start=1):
            if isinstance(each, Mapping) and isinstance(each.get("vars"), Mapping):
                yield _promptfoo_attack(each, f"{place}, result {number}" if len(tests) > 1 else place)


def _promptfoo_attack(row: Mapping[str, Any], place: str) -> Attack:
    given = row.get("testCase")
    test: Mapping[str, Any] = given if isinstance(given, Mapping) else row
    metadata: dict[str, Any] = {}
    for holder in (test, row):
        if isinstance(holder.get("metadata"), Mapping):
            metadata.update(holder["metadata"])
    values: Mapping[str, Any] = row["vars"]
    texts = [value for value in values.values() if isinstance(value, str)]
    prompt = row.get("prompt")
    raw = prompt.get("raw") if isinstance(prompt, Mapping) else prompt
    # Red-team suites put the attack into one variable, `prompt` as a rule; else the longest is taken for it.
    named = next(
        (
            values[name]
            for name in ("prompt", "query", "input", "question")
            if isinstance(values.get(name), str)
        ),
        "",
    )
    text = named or max(texts, key=len, default="") or (raw if isinstance(raw, str) else "")
    family = " ".join(str(metadata[key]) for key in ("pluginId", "strategyId") if metadata.get(key))
    expect, left_out = _promptfoo_expect(test.get("assert"))
    note = f"Not taken over: {', '.join(left_out)}." if left_out else ""
    return Attack(
        text, family or str(test.get("description") or "test"), place, str(metadata.get("goal") or ""),
        expect=expect, severity=_SEVERITIES.get(str(metadata.get("severity")), ""), note=note,
    )  # fmt: skip


def _promptfoo_expect(asserts: Any) -> tuple[dict[str, Any], list[str]]:
    """What of its assertions a case can say; the types of the others."""
    facts: list[str] = []
    not_facts: list[str] = []
    expect: dict[str, Any] = {}
    left_out: list[str] = []
    for each in asserts if isinstance(asserts, list) else ():
        if not isinstance(each, Mapping):
            continue
        kind, value = str(each.get("type", "")), each.get("value")
        match kind:
            case "contains" | "icontains" if isinstance(value, str):
                facts.append(value)
            case "contains-all" | "icontains-all" if isinstance(value, list):
                facts += [str(one) for one in value]
            case "not-contains" | "not-icontains" if isinstance(value, str):
                not_facts.append(value)
            case "regex" if isinstance(value, str):
                facts.append(f"/{value}/")
            case "not-regex" if isinstance(value, str):
                not_facts.append(f"/{value}/")
            case "is-json" if isinstance(value, Mapping):
                expect["json_schema"] = value
            case "cost" if isinstance(each.get("threshold"), int | float):
                expect["cost_usd"] = {"max": each["threshold"]}
            case "latency" if isinstance(each.get("threshold"), int | float) and each["threshold"] < 1e12:
                expect["seconds"] = {"max": each["threshold"] / 1000}
            case "llm-rubric" | "model-graded-closedqa" if isinstance(value, str):
                threshold = each.get("threshold")
                expect["rubric"] = value
                expect["judge"] = (
                    threshold if isinstance(threshold, int | float) and 0 < threshold <= 1 else 0.5
                )
            case _:
                left_out.append(quoted(kind or "an assertion without a type", 80))
    if facts:
        expect["facts"] = facts
    if not_facts:
        expect["not_facts"] = not_facts
    return expect, list(dict.fromkeys(left_out))


def _pyrit(rows: Iterator[Row]) -> Iterator[Attack]:
    """What its memory exports as JSON, a list or lines: pieces with `role`, `conversation_id`, `sequence`,
    `converted_value` and `converted_value_data_type`; those of the user that are text. Newer exports hold the pieces of
    a message under `message_pieces` or `request_pieces`.
    """
    pieces: list[Row] = []
    for place, row in rows:
        for key in ("message_pieces", "request_pieces", "prompt_memory_entries", "conversations"):
            if isinstance(row.get(key), list):
                pieces += [(place, piece) for piece in row[key] if isinstance(piece, Mapping)]
                break
        else:
            pieces.append((place, row))
    before: dict[str, list[str]] = {}
    for place, piece in sorted(pieces, key=_sequence):
        if str(piece.get("role") or piece.get("_role")) != "user":
            continue
        if str(piece.get("converted_value_data_type", "text")) != "text":
            continue
        text = piece.get("converted_value") or piece.get("original_value")
        if not isinstance(text, str):
            continue
        earlier = before.setdefault(str(piece.get("conversation_id", "")), [])
        harms = _texts(piece.get("targeted_harm_categories"))
        yield Attack(text, _pyrit_family(piece, harms), place, ", ".join(harms), note=_earlier(earlier))
        earlier.append(text)


def _sequence(row: Row) -> float:
    value = row[1].get("sequence")
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0


def _pyrit_family(piece: Mapping[str, Any], harms: tuple[str, ...]) -> str:
    converters = piece.get("converter_identifiers")
    names = [
        str(each.get("__type__") or each.get("class_name") or "")
        for each in (converters if isinstance(converters, list) else ())
        if isinstance(each, Mapping)
    ]
    for key in ("attack_identifier", "orchestrator_identifier"):
        told = piece.get(key)
        if isinstance(told, Mapping):
            names.append(str(told.get("__type__") or told.get("class_name") or ""))
    return " ".join(name for name in names if name) or (harms[0] if harms else "attack")


def _earlier(turns: list[str]) -> str:
    """A case is one input; that there was more is said."""
    if not turns:
        return ""
    return f"Turn {len(turns) + 1} of a conversation; what came before is not in the case."


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


FORMATS: Final[Mapping[str, Callable[[Iterator[Row]], Iterator[Attack]]]] = {
    "garak": _garak,
    "promptfoo": _promptfoo,
    "pyrit": _pyrit,
}
