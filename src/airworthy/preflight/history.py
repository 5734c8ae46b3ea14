"""Whether many runs on shared resources kept out of each other's way, read from what each did and when. Pure.

A resource's versions order what happened to it, where its tools name it (`resource=`): an act makes the next version,
a read sees one. What no tool names is told by arguments that a read and an act have in common, and ordered by time.

The anomalies are those of Adya, "Weak Consistency" (MIT, 1999): a lost update is his P4, and runs that no order
explains form a cycle in his direct serialization graph.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any, Final

from airworthy.core.canonical import digest, encode
from airworthy.evals import Finding
from airworthy.recorder import Recorded, StepState

LOST_UPDATE: Final = "lost_update"
INTERLEAVED: Final = "interleaved"
VALUE_CHARS_MAX: Final = 200
NAMED_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Operation:
    """`version`: what a read saw or an act made; None: the resource is known by its arguments alone. `value`: a digest
    of what a read was told.
    """

    run: str
    resource: str
    tool: str
    seq: int
    acts: bool
    begun_us: int
    ended_us: int
    version: int | None = None
    value: bytes = b""


def operations(runs: Mapping[str, Sequence[Recorded]]) -> list[Operation]:
    """What counts as done to a resource; calls that were refused or certainly did not happen are none of it."""
    made = [(run, step) for run, steps in runs.items() for step in steps if _counts(step)]
    named = [
        _operation(run, step, step.facts.resource, step.facts.resource_version)
        for run, step in made
        if step.facts.resource is not None
    ]
    return [*named, *_by_arguments(made)]


def history_findings(ops: Iterable[Operation]) -> list[Finding]:
    """Each anomaly once, in words; lost updates first, because they explain the others."""
    by_resource: dict[str, list[Operation]] = defaultdict(list)
    for op in ops:
        by_resource[op.resource].append(op)
    found: list[Finding] = []
    explained: set[frozenset[str]] = set()
    for resource, on_it in sorted(by_resource.items()):
        for finding, pair in (*_lost_by_version(resource, on_it), *_lost_by_time(resource, on_it)):
            found.append(finding)
            explained.add(pair)
    return [*found, *_without_order(by_resource, explained)]


def _counts(step: Recorded) -> bool:
    if step.kind != "tool" or step.ended_us is None:
        return False
    return step.acted if step.effect not in (None, "read") else step.state is StepState.DONE


def _operation(run: str, step: Recorded, resource: str, version: int | None) -> Operation:
    acts = step.effect not in (None, "read")
    value = b"" if acts else digest(encode(step.result))
    ended_us = step.ended_us if step.ended_us is not None else step.started_us
    return Operation(run, resource, step.name, step.seq, acts, step.started_us, ended_us, version, value)


def _by_arguments(made: Sequence[tuple[str, Recorded]]) -> Iterator[Operation]:
    """Steps that share an argument's value with another of the other sort: `order_id = 1013` read here, changed there.

    Where both name a resource, its versions tell more.
    """
    sharing: dict[tuple[str, str], list[tuple[str, Recorded]]] = defaultdict(list)
    for run, step in made:
        for pair in _scalars(step.arguments):
            sharing[pair].append((run, step))
    for (name, value), steps in sharing.items():
        sorts = {step.effect not in (None, "read") for _, step in steps}
        if len(sorts) == 2 and any(step.facts.resource is None for _, step in steps):
            for run, step in steps:
                yield _operation(run, step, f"{name} = {value}", None)


def _scalars(arguments: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(arguments, Mapping):
        return
    for name, value in arguments.items():
        if isinstance(value, str | int) and not isinstance(value, bool):
            text = str(value)
            if 0 < len(text) <= VALUE_CHARS_MAX:
                yield str(name), text


def _lost_by_version(resource: str, ops: Sequence[Operation]) -> Iterator[tuple[Finding, frozenset[str]]]:
    acts = [op for op in ops if op.acts and op.version is not None]
    makers: dict[int, Operation] = {}
    for act in acts:
        assert act.version is not None
        first = makers.setdefault(act.version, act)
        if first.run != act.run:
            text = (
                f"{first.run} and {act.run} both made version {act.version} of {resource}: one of the two changes "
                "overwrote the other."
            )
            yield Finding(LOST_UPDATE, text, act.seq), frozenset((first.run, act.run))
        base = _seen_before(act, ops)
        if base is None or base.version is None:
            continue  # It changed what it had never looked at, so nothing it knew was out of date.
        between = [op for op in acts if op.run != act.run and base.version < (op.version or 0) < act.version]
        for other in between[:1]:
            text = (
                f"{act.run} read {resource} at version {base.version}, then {other.run} changed it ({other.tool}), and "
                f"{act.run} changed it ({act.tool}) on what it had read before."
            )
            yield Finding(LOST_UPDATE, text, act.seq), frozenset((act.run, other.run))


def _seen_before(act: Operation, ops: Sequence[Operation]) -> Operation | None:
    """The run's own last look at the resource or change of it before this act."""
    own = [op for op in ops if op.run == act.run and op.seq < act.seq and op.version is not None]
    return max(own, key=lambda op: op.seq, default=None)


def _lost_by_time(resource: str, ops: Sequence[Operation]) -> Iterator[tuple[Finding, frozenset[str]]]:
    acts = [op for op in ops if op.acts and op.version is None]
    reads = [op for op in ops if not op.acts and op.version is None]
    bases = {
        (act.run, act.seq): max(
            (read for read in reads if read.run == act.run and read.seq < act.seq),
            key=lambda read: read.seq,
            default=None,
        )
        for act in acts
    }
    for act in acts:
        base = bases[act.run, act.seq]
        if base is None:
            continue
        other = next(
            (
                op
                for op in acts
                if op.run != act.run and base.ended_us <= op.begun_us and op.ended_us <= act.begun_us
            ),
            None,
        )
        if other is not None:
            text = (
                f"{act.run} read {resource} ({base.tool}), then {other.run} changed it ({other.tool}), and {act.run} "
                f"changed it ({act.tool}) on what it had read before{_certainty(base, other, reads)}."
            )
            yield Finding(LOST_UPDATE, text, act.seq), frozenset((act.run, other.run))
    for one, two in combinations(acts, 2):
        overlap = one.begun_us < two.ended_us and two.begun_us < one.ended_us
        looked = bases[one.run, one.seq] is not None and bases[two.run, two.seq] is not None
        if one.run != two.run and overlap and looked:
            text = f"{one.run} ({one.tool}) and {two.run} ({two.tool}) changed {resource} at the same time."
            yield Finding(INTERLEAVED, text, two.seq), frozenset((one.run, two.run))


def _certainty(base: Operation, other: Operation, reads: Sequence[Operation]) -> str:
    """Whether what was read had changed; a stand-in that always says the same cannot tell."""
    later = [read for read in reads if read.tool == base.tool and read.begun_us >= other.ended_us]
    if any(read.value != base.value for read in later):
        return "; a later look shows that it had changed"
    return ""


def _without_order(
    by_resource: Mapping[str, Sequence[Operation]], explained: set[frozenset[str]]
) -> Iterator[Finding]:
    edges: dict[str, dict[str, str]] = defaultdict(dict)
    for resource, ops in sorted(by_resource.items()):
        for before, after in _dependencies(ops):
            edges[before].setdefault(after, resource)
    for group in _cycles(edges):
        if any(frozenset(pair) in explained for pair in combinations(group, 2)):
            continue
        over = sorted({edges[a][b] for a in group for b in edges[a] if b in group})
        text = (
            f"No order of {_listed(group)} explains what each saw and changed of {_listed(over)}: they were worked on "
            "in between each other."
        )
        yield Finding(INTERLEAVED, text)


def _dependencies(ops: Sequence[Operation]) -> Iterator[tuple[str, str]]:
    """(the run that comes first, the one that comes after it), as far as one resource's versions say."""
    makers = {op.version: op.run for op in ops if op.acts and op.version is not None}
    versions = sorted(makers)
    for earlier, later in pairwise(versions):
        if makers[earlier] != makers[later]:
            yield makers[earlier], makers[later]
    for read in _last_looks(ops):
        assert read.version is not None
        maker = makers.get(read.version)
        if maker is not None and maker != read.run:
            yield maker, read.run
        changer = next((makers[version] for version in versions if version > read.version), None)
        if changer is not None and changer != read.run:
            yield read.run, changer


def _last_looks(ops: Sequence[Operation]) -> Iterator[Operation]:
    """The looks that a run's next act, or its end, rests on; one that it looked at anew rests on nothing."""
    by_run: dict[str, list[Operation]] = defaultdict(list)
    for op in sorted(ops, key=lambda op: op.seq):
        if op.version is not None:
            by_run[op.run].append(op)
    for own in by_run.values():
        for position, op in enumerate(own):
            is_last = position + 1 == len(own) or own[position + 1].acts
            if not op.acts and is_last:
                yield op


def _cycles(edges: Mapping[str, Mapping[str, str]]) -> list[list[str]]:
    """Groups of runs that reach each other. By closure: fifty runs are few."""
    runs = sorted({*edges, *(after for afters in edges.values() for after in afters)})
    reached = {run: _reached(run, edges) for run in runs}
    groups: list[list[str]] = []
    for run in runs:
        group = [other for other in runs if other in reached[run] and run in reached[other]]
        if len(group) > 1 and group not in groups:
            groups.append(group)
    return groups


def _reached(run: str, edges: Mapping[str, Mapping[str, str]]) -> set[str]:
    found: set[str] = set()
    left = [run]
    while left:
        for after in edges.get(left.pop(), {}):
            if after not in found:
                found.add(after)
                left.append(after)
    return found


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED_MAX])
    return shown if len(names) <= NAMED_MAX else f"{shown} and {len(names) - NAMED_MAX} more"
