"""A shape and its changes in words: lines for people, and the alert. Pure; names fields, never values."""

from collections.abc import Iterator, Sequence
from typing import Final, get_args

from airworthy.core.clock import utc_text
from airworthy.recorder.alerts import Alert, Severity
from airworthy.tools.shape.compare import FORMAT_IN_WORDS, at, kinds_in_words, text_rule
from airworthy.tools.shape.folding import ShapeRow
from airworthy.tools.shape.node import Declared, Kind, Node, Shape
from airworthy.tools.shape.tally import Change

KIND: Final = "shape"
LINES_MAX = 200
ROOT: Final = "the result"


def keys_of(row: ShapeRow) -> tuple[str, str]:
    """Of the alert for what breaks, and of the one for what is only new."""
    return f"shape:{row.agent}:{row.tool}", f"shape-new:{row.agent}:{row.tool}"


def storm_key(agent: str) -> str:
    return f"shapes:{agent}"


def alert_of(row: ShapeRow) -> Alert | None:
    """None when nothing has changed."""
    breaking = any(change.difference.breaking for change in row.changes)
    key = keys_of(row)[0 if breaking or row.state == "unstable" else 1]
    severity: Severity = "warning" if breaking or row.state == "unstable" else "info"
    first = min(row.changes, key=lambda change: change.first_us, default=None)
    if row.state == "unstable":
        title = f"Results of {row.tool} keep changing, so they are not watched any more"
    elif first is None:
        return None
    else:
        title = f"Results of {row.tool} {'have changed' if breaking else 'have something new'}"
    lines = [f"- {change_line(change)}" for change in row.changes]
    if first is not None:
        lines.append(f"First met by task {first.task_id}.")
    lines.append(f"If it is right so: {right_so(row)}")
    return Alert(key, KIND, row.agent, severity, title, "\n".join(lines), first.task_id if first else "")


def right_so(row: ShapeRow) -> str:
    """What a person does about a change that is none."""
    if row.shape.declared is not None:
        return mend_of(row.shape.declared)
    return f"airworthy tools schema accept {row.tool} --agent {row.agent}"


def mend_of(declared: Declared) -> str:
    if declared.file:
        return f"Change {declared.place} to what the tool returns, or delete result_schema from the policy."
    return "Let its server declare what it returns; `airworthy alert end` ends the alert."


def storm_of(agent: str, tools: Sequence[str]) -> Alert:
    lines = [f"- {tool}" for tool in tools]
    lines.append("What changed: airworthy tools schema diff TOOL")
    title = f"Results of {len(tools)} tools of {agent} have changed"
    return Alert(storm_key(agent), KIND, agent, "warning", title, "\n".join(lines))


def change_line(change: Change) -> str:
    """As "`customer.phone` is missing in 12 of 12 results since 2026-11-26 09:00:00 UTC; it was in all of 50."."""
    found = change.difference
    place = f"`{found.path}`" if found.path else ROOT
    since = f"in {change.hits} of {change.of} results since {utc_text(change.first_us)}"
    match found.what:
        case "missing":
            return f"{place} is missing {since}; it was {found.before}."
        case "new":
            return f"{place} is new ({found.now}) {since}."
        case _:
            return f"{place} was {found.before}; it is {found.now} {since}."


def lines_of(shape: Shape) -> list[str]:
    """The shape, a line for each place; at most LINES_MAX."""
    lines: list[str] = []
    for line in _lines(shape.root, "", shape.results, declared=shape.declared is not None):
        if len(lines) == LINES_MAX:
            return [*lines, "..."]
        lines.append(line)
    return lines


def _lines(node: Node, path: str, sure: int, *, declared: bool) -> Iterator[str]:
    sure = min(sure, node.seen)
    yield f"{path or ROOT}: {', '.join(_facts(node, sure, declared=declared))}"
    for name, child in node.fields.items():
        yield from _lines(child, at(path, name), sure, declared=declared)
    for mark, inside in ((".*", node.others), ("[]", node.items), ("(JSON)", node.inner)):
        if inside is not None:
            yield from _lines(inside, f"{path}{mark}", sure, declared=declared)


def _facts(node: Node, sure: int, *, declared: bool) -> Iterator[str]:
    everything = node.is_open and len(node.kinds) == len(get_args(Kind))
    yield "anything" if everything else kinds_in_words(node)
    rule = text_rule(node, sure)
    if rule.formats is not None:
        yield f"always {FORMAT_IN_WORDS[next(iter(rule.formats))]}"
    if rule.codes is not None:
        yield f"one of {len(rule.codes)} values"
    if node.lengths is not None:
        low, high = node.lengths
        yield f"{low:,} to {high:,} items"
    if node.others is not None:
        yield "keys vary"
    if node.is_open and not everything:
        yield "with anything else in it"
    if node.absent and declared:
        yield "may be missing"
    elif node.absent:
        yield f"in {node.seen} of {node.seen + node.absent}"
