"""`models probe` and `models seen`: whether a model still is the one that its pin names."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show

if TYPE_CHECKING:
    from airworthy.app.probing import Probed

REPEAT_MAX = 100


def probe(
    *,
    agent: options.AgentFilter = "",
    model: Annotated[str, typer.Option(metavar="NAME", help="Only this model.")] = "",
    repeat: Annotated[
        int, typer.Option(metavar="N", min=1, max=REPEAT_MAX, help="Ask each question so often.")
    ] = 1,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Ask the agents' models eight short questions; exit code 1 if a model has changed since the last time.

    It has changed if it calls itself otherwise than the last time, or has a fingerprint that it never had before. The
    questions are always the same; the answers are kept. That some differ is said, and is no proof: models vary.

    The calls are made within the agents' policies, and cost what they cost: see `airworthy spend --by feature`.

    \b
    Examples:
      airworthy models probe
      airworthy models probe --agent support --repeat 3 --json
    """
    from airworthy.app.build import opened
    from airworthy.app.gateway import charges_of, check_charges
    from airworthy.app.gateway_config import database_config, load_gateway_config
    from airworthy.app.probing import chosen, probed
    from airworthy.app.project import agents_of

    settings = load_gateway_config(folder)
    config = database_config(settings, database)
    charges = charges_of(settings, lambda: agents_of(config))
    charges = [charge for charge in charges if charge.policy.models]
    wanted = chosen(charges, show.unicode_text(agent), show.unicode_text(model))
    with opened(config, policies=[charge.policy for charge in charges]) as found:
        check_charges(
            found, [charge for charge in charges if charge.policy.agent in {one.agent for one in wanted}]
        )
        results = asyncio.run(probed(found, charges, wanted, repeat))
    if as_json:
        for one in results:
            show.emit(_document(one), line=True)
    else:
        _tell(results)
    if any(one.comparison is None or one.comparison.changed for one in results):
        raise typer.Exit(1)


def seen(
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List which models answered under which pin, in calls over HTTP and in probes; mark those that do not fit.

    An answer does not fit if the model that gave it calls itself by another name or date than its pin has.

    \b
    Examples:
      airworthy models seen
      airworthy models seen --json
    """
    from airworthy.app.project import gateway_stored
    from airworthy.gateway import reading
    from airworthy.gateway.probes.comparing import fits

    with gateway_stored(folder, database) as found:
        rows = found.database.read_now(reading.seen)
    if as_json:
        for row in rows:
            show.emit(
                {
                    "place": row.place,
                    "model": row.model,
                    "answered": row.answered,
                    "fits": fits(row.model, row.answered),
                    "fingerprint": row.fingerprint or None,
                    "first": show.iso(row.first_us),
                    "last": show.iso(row.last_us),
                    "calls": row.calls,
                },
                line=True,
            )
        return
    if not rows:
        show.note("No model has answered yet.")
        return
    show.table(
        ("place", "answered as", "pin", "fingerprint", "calls", "first", "last"),
        [
            (
                row.place, row.answered, "fits" if fits(row.model, row.answered) else "does not fit",
                row.fingerprint or "-", row.calls, show.when(row.first_us), show.when(row.last_us),
            )
            for row in rows
        ],
    )  # fmt: skip


def _tell(results: "Sequence[Probed]") -> None:
    from airworthy.gateway.probes.comparing import fits

    shown = [(one, one.comparison) for one in results if one.comparison is not None]
    if shown:
        show.table(
            ("asked as", "answered as", "fingerprint", "answers", "last time"),
            [
                (
                    one.wanted.place, ", ".join(found.models) or "-", ", ".join(found.fingerprints) or "-",
                    f"{len(found.differing)} of {found.compared} differ" if found.since_us is not None else "the first",
                    show.when(found.since_us) or "-",
                )
                for one, found in shown
            ],
        )  # fmt: skip
    for one, found in shown:
        name = one.wanted.rule.name
        for model in found.new_models:
            before = ", ".join(found.models_before) or "nothing"
            show.say(f"Changed: {name} answers as {model}; the last time as {before}.", style="bold red")
        for fingerprint in found.new_fingerprints:
            show.say(
                f"Changed: {name} has the fingerprint {fingerprint}, which it never had before.",
                style="bold red",
            )
        for model in found.models:
            if not fits(name, model):
                show.say(f"{name} answers as {model}, which does not fit its pin.", style="yellow")
        if found.differing:
            show.note(f"{name} answered otherwise: {', '.join(found.differing)}.")
    for one in results:
        if one.failed is not None:
            show.fail(one.failed.message, one.failed.mend)
    if all(found is not None and not found.changed for found in (one.comparison for one in results)):
        show.say(f"No change of {show.counted(len(results), 'model')} was found.", style="green")


def _document(one: "Probed") -> dict[str, object]:
    from airworthy.gateway.probes.comparing import fits

    found, wanted = one.comparison, one.wanted
    head: dict[str, object] = {"agent": wanted.agent, "asked": wanted.rule.name, "place": wanted.place}
    if found is None or one.batch is None:
        return {**head, "error": one.failed.message if one.failed is not None else "", "changed": None}
    return {
        **head,
        "error": None,
        "changed": found.changed,
        "answered": found.models,
        "fits": all(fits(wanted.rule.name, model) for model in found.models),
        "fingerprints": found.fingerprints,
        "new_models": found.new_models,
        "new_fingerprints": found.new_fingerprints,
        "answers": len(one.batch.answers),
        "compared": found.compared,
        "differing": found.differing,
        "since": show.iso(found.since_us),
        "versions": one.batch.answers[0].versions if one.batch.answers else {},
    }
