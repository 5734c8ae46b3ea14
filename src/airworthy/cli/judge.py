"""`judge`: whether a judge of answers may be trusted, and how far."""

from pathlib import Path
from typing import Annotated

import typer

from airworthy.cli import options, show

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Ask the judge about labelled answers, and compare it with people.",
)  # fmt: skip


@app.command(name="calibrate")
def calibrate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Labels, one JSON object a line.")],
    *,
    target: Annotated[
        float,
        typer.Option(
            "--target-error", metavar="SHARE", min=0.0001, max=0.9999, help="Of answers that go out alone."
        ),
    ] = 0.05,
    picture: Annotated[
        Path | None, typer.Option("--svg", metavar="PATH", help="Write the reliability diagram there.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Tell how a judge agrees with people, and what sways it.

    And from which confidence on answers may go out alone. Each line is one answer: id, human (true, false or a word),
    judge (the same, or a score from 0 to 1), and if known confidence, length, group, people (a list of what several
    people said). Lines without human are judged answers that no person saw. Or each line is a pair: id,
    human_winner, judge_winner, judge_winner_swapped (each 1, 2 or "tie"), lengths.

    \b
    Examples:
      airworthy judge calibrate labels.jsonl
      airworthy judge calibrate labels.jsonl --target-error 0.02 --svg reliability.svg
    """
    from airworthy.core.errors import InputError
    from airworthy.evals.calibrate import calibrate as calibrated
    from airworthy.evals.calibrate import calibration_document, read_labels, svg

    found = calibrated(read_labels(file), target)
    if picture is not None:
        if found.reliability is None:
            raise InputError(
                "No line has a confidence or a score.", mend="Leave out --svg, or give `confidence`."
            )
        try:
            picture.write_text(svg(found.reliability), encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"{picture} cannot be written: {error}.", mend="Name a path that can."
            ) from error
    if as_json:
        show.emit(calibration_document(found))
        return
    show.say(f"{found.labels} labels of people.")
    for sentence in found.sentences:
        show.say(sentence)


@app.command(name="score")
def score(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Labels with `answer`, one JSON object a line.")
    ],
    *,
    out: Annotated[Path, typer.Option("--out", metavar="PATH", help="Where the judged labels go.")],
    agent: options.OneAgent = "",
    rubric: Annotated[
        str, typer.Option(metavar="TEXT", help="By which it judges; a line's own `rubric` goes first.")
    ] = "",
    cap: Annotated[
        float, typer.Option("--cap", metavar="USD", min=0.0001, help="No call may pass this.")
    ] = 1.0,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Let the judge of preflight.toml score answers that people labelled. What it scored before costs nothing again.

    Lines without `answer`, and lines that have a `judge`, stay as they are. Take labels from `airworthy blind-test
    export`.

    \b
    Examples:
      airworthy judge score labels.jsonl --out judged.jsonl --rubric "Right, complete, and polite."
    """
    from airworthy.app.judged_labels import RUBRIC, judged_by, read_rows
    from airworthy.app.preflight_settings import load_preflight_settings
    from airworthy.app.project import named, project
    from airworthy.core.errors import InputError
    from airworthy.core.money import nano_from_usd, usd_text

    whole = show.unicode_text
    rows = read_rows(file)
    with project(folder, database) as found:
        chosen = named(found.agents, whole(agent) or None)
        rule = load_preflight_settings(folder).judge
        made = judged_by(found.app, chosen.name, rule, rows, whole(rubric) or RUBRIC, nano_from_usd(cap))
    try:
        out.write_text("".join(f"{line}\n" for line in made.lines), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error}.", mend="Name a path that can.") from error
    if as_json:
        show.emit(
            {"judged": made.judged, "undecided": list(made.undecided), "cost_usd": made.cost_nano / 1e9}
        )
        return
    show.say(f"{show.counted(made.judged, 'answer')} judged for {usd_text(made.cost_nano)}.")
    for error_of in made.undecided[:10]:
        show.note(f"Undecided: {error_of}")
    if len(made.undecided) > 10:
        show.note(f"And {len(made.undecided) - 10} more.")
