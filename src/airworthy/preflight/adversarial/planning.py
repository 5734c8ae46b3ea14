"""Which adversarial cells are played, and when: every kind of input, each family of planted text."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from airworthy.evals import Severity
from airworthy.preflight.adversarial.asked import disguised, doubtful, languages, nothing, out_of_scope
from airworthy.preflight.adversarial.attack import Attack
from airworthy.preflight.adversarial.edges import edges
from airworthy.preflight.adversarial.ground import Ground, ground_of
from airworthy.preflight.adversarial.injected import injected
from airworthy.preflight.adversarial.kinds import types
from airworthy.preflight.adversarial.payloads import FAMILIES
from airworthy.preflight.adversarial.persons import reveal, strangers
from airworthy.preflight.cell import Part
from airworthy.preflight.plan import Cell, Context

# At every tool, because each stands for a way of its own; of the other families each is tried at some tool.
ALWAYS: Final = ("plain", "override", "json_call", "split")
LANGUAGES_MAX: Final = 8
# Each is in a script of its own; the others of the language group are drawn.
SCRIPTS: Final = ("de", "ru", "ar", "zh", "mixed")
SHOWN_CHARS: Final = 600
_ORDER: Final = (Severity.CRITICAL, Severity.MAJOR, Severity.MINOR)
NO_GOLDEN: Final = "No golden case has passed, and adversarial cases are made from those that do."


@dataclass(frozen=True, slots=True)
class Planned:
    """A cell's own value: what it was made from, and what must hold."""

    ground: Ground
    attack: Attack


def plan(ctx: Context) -> list[Cell]:
    """Deterministic in the context; the most telling first, since the money may be used up at any of them."""
    ground = ground_for(ctx)
    if not ground.bases:
        return [Cell("adversarial/all", Part.ADVERSARIAL, "adversarial cases", lacking=NO_GOLDEN)]
    return [_cell(ground, attack) for attack in in_turn(chosen(every(ground), ctx.seed))]


def find(ctx: Context, wanted: str) -> Cell | None:
    """Any cell of this agent by its id, also one that is not among those that `plan` chose."""
    ground = ground_for(ctx)
    return next((_cell(ground, each) for each in every(ground) if f"adversarial/{each.id}" == wanted), None)


def ground_for(ctx: Context) -> Ground:
    golden = [(each.case, (each.played,)) for each in ctx.golden]
    return ground_of(ctx.policy, ctx.agent.tools, golden, ctx.seed)


def every(ground: Ground) -> list[Attack]:
    """All that there is for this agent, chosen or not; ids are unique."""
    kinds = (injected, strangers, edges, nothing, out_of_scope, doubtful, reveal, disguised, languages, types)
    return [attack for kind in kinds for attack in kind(ground)]


def chosen(attacks: Iterable[Attack], seed: int) -> list[Attack]:
    by_group: dict[str, list[Attack]] = defaultdict(list)
    for attack in attacks:
        by_group[attack.group].append(attack)
    tools = sorted(
        group for group in by_group if group.startswith("injection/") and group != "injection/input"
    )
    kept: list[Attack] = []
    for group, members in by_group.items():
        if group in tools:
            kept += _families(members, tools.index(group), len(tools), seed)
        elif group == "language":
            kept += _languages(members, seed)
        else:
            kept += members
    return kept


def in_turn(attacks: Sequence[Attack]) -> list[Attack]:
    """Grave ones first, and within a severity one of each group in turn."""
    waiting: dict[tuple[int, str], list[Attack]] = defaultdict(list)
    for attack in attacks:
        waiting[_ORDER.index(attack.severity), attack.group].append(attack)
    ranked = [
        (severity, nth, group, attack)
        for (severity, group), members in waiting.items()
        for nth, attack in enumerate(members)
    ]
    return [attack for *_, attack in sorted(ranked, key=lambda each: each[:3])]


def not_tried(ground: Ground) -> list[str]:
    """What the agent's policy has and no golden case gives a way to."""
    tried = {attack.id for attack in edges(ground)}
    told = []
    for name, rule in ground.policy.tools.items():
        if rule.amount_arg is not None and not any(each.startswith(f"edge/{name}.") for each in tried):
            told.append(
                f"The sums of {name}: no golden case asks for a sum with which it was then called. Add one that does."
            )
    if ground.bases and not any(True for _ in strangers(ground)):
        told.append(
            "Other customers: no two golden cases of different users name records of their own. "
            "Give cases a user and add a second one."
        )
    return told


def _families(members: Sequence[Attack], nth: int, tools: int, seed: int) -> list[Attack]:
    names = list(FAMILIES)
    kept = []
    for attack in members:
        family = attack.id.split("/")[2].partition(".")[0]
        if family in ALWAYS or (names.index(family) + seed) % tools == nth:
            kept.append(attack)
    return kept


def _languages(members: Sequence[Attack], seed: int) -> list[Attack]:
    named = [each for each in members if each.id.partition("/")[2] in SCRIPTS]
    others = [each for each in members if each not in named]
    start = seed % len(others) if others else 0
    turned = others[start:] + others[:start]
    return [*named, *turned[: max(LANGUAGES_MAX - len(named), 0)]]


def _cell(ground: Ground, attack: Attack) -> Cell:
    return Cell(
        f"adversarial/{attack.id}",
        Part.ADVERSARIAL,
        attack.title,
        attack.severity,
        {"family": attack.id.partition("/")[0], "case": attack.script.case.id, "place": attack.place},
        (attack.script,),
        about=Planned(ground, attack),
    )


def sent(attack: Attack) -> dict[str, Any]:
    """What a report shows of a cell before it was played."""
    text = attack.script.case.input
    shown = text if isinstance(text, str) else repr(text)
    return {"input": _clipped(shown), "why": attack.why, **dict(attack.shown)}


def _clipped(text: str) -> str:
    half = SHOWN_CHARS // 2
    return text if len(text) <= SHOWN_CHARS else f"{text[:half]} … {text[-half:]}"
