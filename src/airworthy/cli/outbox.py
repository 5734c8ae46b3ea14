"""`outbox`: effects that wait for a person or for their time, and those of which nobody knows whether they happened."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show

if TYPE_CHECKING:
    from airworthy.tools import EffectRow, EffectState

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Decide on effects that wait or are in doubt.",
)  # fmt: skip


@app.command(name="list")
def list_(
    *,
    all_: Annotated[bool, typer.Option("--all", help="Those decided and carried out too.")] = False,
    limit: options.Limit = options.LIMIT_DEFAULT,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List what is held, scheduled or in doubt, the oldest first.

    \b
    Examples:
      airworthy outbox list
      airworthy outbox list --all --json
    """
    from airworthy.app.lookup import OPEN_EFFECTS
    from airworthy.app.project import stored
    from airworthy.cli.listing import show_effects
    from airworthy.tools import EffectState

    with stored(folder, database) as found:
        rows = found.operations.outbox(tuple(EffectState) if all_ else OPEN_EFFECTS, limit)
        show_effects(rows, limit, as_json=as_json)


@app.command(name="show")
def show_one(
    effect: options.EffectId,
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Show one effect with its whole arguments.

    \b
    Examples:
      airworthy outbox show eff_4be1
    """
    from airworthy.app.lookup import effect_id
    from airworthy.app.project import stored
    from airworthy.cli.next_step import about_effects
    from airworthy.runtime import documents

    with stored(folder, database) as found:
        row = found.operations.effect(effect_id(found, effect))
        if as_json:
            show.emit(documents.effect_document(row))
            return
        show.facts(
            [
                ("Effect", row.id),
                ("State", row.state.value),
                ("Tool", f"{row.tool} ({row.effect}{', keyed' if row.keyed else ''})"),
                ("Arguments", show.readable(documents.parsed_arguments(row), indent=2)),
                ("Recipient", row.recipient),
                ("Task", row.task_id),
                ("Agent", row.agent),
                ("Proposed", show.when(row.created_us)),
                ("Due", show.when(row.due_us)),
                ("Started", show.when(row.started_us)),
                ("Ended", show.when(row.ended_us)),
                ("Decided by", row.decided_by),
                ("Decided", show.when(row.decided_us)),
                ("Takes back", row.undo_of),
                ("Note", row.note),
                ("Why", _reasons(row)),
                ("Result", row.result),
            ]
        )
        for step in about_effects([row]):
            show.say()
            show.say(step)


@app.command(name="approve")
def approve(
    effect: options.EffectId,
    *,
    note: Annotated[str, typer.Option(metavar="TEXT", help="A word for the record.")] = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Approve a held effect; its task goes on and carries it out once.

    \b
    Examples:
      airworthy outbox approve eff_4be1 --note "customer called"
    """
    from airworthy.tools import EffectState

    _decide(effect, EffectState.APPROVED, note, (folder, database), as_json=as_json)


@app.command(name="reject")
def reject(
    effect: options.EffectId,
    *,
    why: Annotated[str, typer.Option(metavar="TEXT", help="The reason; the agent is told.")],
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Reject a held effect; it never happens, and the agent is told why.

    \b
    Examples:
      airworthy outbox reject eff_4be1 --why "not covered"
    """
    from airworthy.tools import EffectState

    _decide(effect, EffectState.REJECTED, why, (folder, database), as_json=as_json)


@app.command(name="cancel")
def cancel(
    effect: options.EffectId,
    *,
    note: Annotated[str, typer.Option(metavar="TEXT", help="A word for the record.")] = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Cancel an effect that has not been sent; it never is.

    \b
    Examples:
      airworthy outbox cancel eff_4be1
    """
    from airworthy.tools import EffectState

    _decide(effect, EffectState.CANCELLED, note, (folder, database), as_json=as_json)


@app.command(name="settle")
def settle(
    effect: options.EffectId,
    *,
    happened: Annotated[bool, typer.Option("--happened", help="It took place.")] = False,
    not_happened: Annotated[
        bool, typer.Option("--not-happened", help="It did not; the agent is told.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="It did not, and it is to be done now.")] = False,
    result: Annotated[
        str | None, typer.Option(metavar="JSON", help="With --happened: what the other side answered.")
    ] = None,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Say what became of an effect in doubt, after a look at the other side; its task goes on.

    \b
    Examples:
      airworthy outbox settle eff_4be1 --happened --result '{"refund": "R-17"}'
      airworthy outbox settle eff_4be1 --again
    """
    from airworthy.core.errors import InputError
    from airworthy.tools import EffectState

    if happened + not_happened + again != 1:
        raise typer.BadParameter("Give one of --happened, --not-happened and --again.")
    if result is not None:
        if not happened:
            raise typer.BadParameter("A --result goes with --happened.")
        try:
            json.loads(result)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"--result is no JSON: {error}.", mend="Quote text: --result '\"R-17\"'."
            ) from error
    to = EffectState.DONE if happened else EffectState.FAILED if not_happened else EffectState.APPROVED
    settled = (EffectState.IN_DOUBT,)
    _decide(effect, to, "", (folder, database), as_json=as_json, only=settled, result=result or "")


@app.command(name="undo")
def undo(
    effect: options.EffectId,
    *,
    why: Annotated[str, typer.Option(metavar="TEXT", help="The reason, for the record.")] = "",
    by: Annotated[str, typer.Option(metavar="NAME", help="Who says so; left out: your login.")] = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Take back an effect that was done, once; a worker carries it out. Refused where the tool declares no undo.

    \b
    Examples:
      airworthy outbox undo eff_4be1 --why "wrong customer"
    """
    from airworthy.app.config import person
    from airworthy.app.lookup import effect_id
    from airworthy.app.project import stored
    from airworthy.review import Command
    from airworthy.runtime import documents

    with stored(folder, database) as found:
        who = show.unicode_text(by).strip() or person()
        found.reviews.check_command(who, Command.LET_OUT)
        row = found.operations.undo(effect_id(found, effect), who, show.unicode_text(why))
    if as_json:
        show.emit(documents.effect_document(row))
        return
    show.say(f"{row.tool} ({row.undo_of}) is taken back by {row.id}, as soon as a worker runs.")
    show.say(f"Until it begins: airworthy outbox cancel {row.id}")


def _decide(
    part: str,
    to: "EffectState",
    note: str,
    place: tuple[Path, str | None],
    *,
    as_json: bool,
    only: "tuple[EffectState, ...]" = (),
    result: str = "",
) -> None:
    from airworthy.app.config import person
    from airworthy.app.lookup import effect_id
    from airworthy.app.project import stored_with_agents
    from airworthy.review import Act
    from airworthy.runtime import documents
    from airworthy.tools import EffectState

    with stored_with_agents(*place) as found:
        id_ = effect_id(found, part)
        before = found.operations.effect(id_)
        _check(before, to, only)
        act = Act.HAPPENED if only else Act.APPROVE if to is EffectState.APPROVED else Act.REJECT
        found.reviews.check_may(id_, person(), act)
        row = found.operations.decide(
            id_, to, person(), show.unicode_text(note), show.unicode_text(result).encode()
        )
        task = found.operations.task(row.task_id)
    if as_json:
        show.emit({**documents.effect_document(row), "task_state": task.state.value})
        return
    show.say(
        f"{row.tool} ({row.id}) was {before.state.value.replace('_', ' ')} and is now {row.state.value}."
    )
    show.say(f"Task {task.id} is {task.state.value}.")


def _reasons(row: "EffectRow") -> str | None:
    """Each rule that held it, with where its value was read."""
    from airworthy.runtime import documents

    evidence = documents.evidence_of(row)
    if evidence is None:
        return None
    return "\n".join(
        f"{each['rule']}: {each['text']}" + "".join(f" [step {source['step']}]" for source in each["sources"])
        for each in evidence["rules"]
    )


def _check(row: "EffectRow", to: "EffectState", only: "tuple[EffectState, ...]") -> None:
    """What the table would allow but this command does not mean: approving is no settling."""
    from airworthy.tools import EffectState, TransitionRefused

    if only and row.state not in only:
        raise TransitionRefused(
            f"Effect {row.id} ({row.tool}) is {row.state.value}, not in doubt; there is nothing to settle.",
            mend=f"Look at it with `airworthy outbox show {row.id}`.",
        )
    if not only and row.state is EffectState.IN_DOUBT and to is EffectState.APPROVED:
        raise TransitionRefused(
            f"Effect {row.id} ({row.tool}) is in doubt: it may have happened already.",
            mend=f"Look at the other side, then use `airworthy outbox settle {row.id}`.",
        )
