"""What a person says should have happened in a task: by options, or asked for where the record does not say it."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import typer

from airworthy.cli import show
from airworthy.preflight.cases.recorded import CannotMake, Kind, Wish

if TYPE_CHECKING:
    from airworthy.preflight.cases.recorded import Made


def wish_of(
    kind: str, said: Mapping[str, Sequence[str] | None], *, no_acts: bool, rubric: str, judge: float,
    facts: Mapping[str, str],
) -> Wish:  # fmt: skip
    """Raises: a usage error for a word that is none."""
    if kind and kind not in set(Kind):
        raise typer.BadParameter(f"{show.plain(kind)} is none of {', '.join(Kind)}.", param_hint="--as")
    whole = show.unicode_text
    expect: dict[str, Any] = {key: [whole(text) for text in texts] for key, texts in said.items() if texts}
    if no_acts:
        expect |= {"no_acts": True, "acts": None} if "acts" not in expect else {"no_acts": True}
    if rubric:
        expect |= {"rubric": whole(rubric), "judge": judge}
    return Wish(
        Kind(kind) if kind else None, expect, {key: whole(text) for key, text in facts.items() if text}
    )


def wished(propose: "Callable[[Wish], Made]", wish: Wish, tags: Sequence[str]) -> "Made":
    """Asks what the record does not say, where somebody is there to be asked. Raises: CannotMake."""
    try:
        made = propose(wish)
    except CannotMake:
        if wish.expect or wish.kind is Kind.GOLDEN or not sys.stdin.isatty():
            raise
        made = propose(replace(wish, kind=Kind.FAILURE, expect=_asked()))
    if not tags:
        return made
    own = tuple(show.unicode_text(tag) for tag in tags)
    return replace(made, case=made.case.model_copy(update={"tags": (*made.case.tags, *own)}))


def _asked() -> dict[str, Any]:
    """What should have happened. An empty line leaves a thing open; all empty is asked for anew by the error."""
    from airworthy.evals.case import OutcomeName

    outcomes = _line(f"How should it have ended? ({', '.join(get_args(OutcomeName))})")
    expect: dict[str, Any] = {"outcome": outcomes.replace(",", " ").split()} if outcomes else {}
    for key, question in (
        ("facts", "What must the answer hold? (; between several)"),
        ("not_facts", "What must appear nowhere? (; between several)"),
    ):
        said = [part.strip() for part in _line(question).split(";") if part.strip()]
        if said:
            expect[key] = said
    acts = _line("Which tools may change something? (none: nothing may be done; empty: not checked)")
    if acts.lower() == "none":
        expect["no_acts"] = True
    elif acts:
        expect["acts"] = acts.replace(",", " ").split()
    return expect


def _line(question: str) -> str:
    show.console(stderr=True).print(f"{show.plain(question)} ", end="", markup=False)
    # Read here, because Typer's own question takes Ctrl-C for the end of input.
    return show.unicode_text(sys.stdin.readline()).strip()
