"""`judge`: whether a judge of answers may be trusted, and how far."""

from pathlib import Path
from typing import Annotated

import typer

from airworthy.cli import options, show

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Compare a judge, or stated confidence, with people.",
)  # fmt: skip


@app.callback()
def judge() -> None:
    """Keeps `calibrate` a command of its own although it is the only one."""


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
    """Tell how a judge agrees with people, what sways it, and from which confidence answers may go out alone.

    Each line is one answer: id, human (true, false or a word), judge (the same, or a score from 0 to 1), and if known
    confidence, length, group, people (a list of what several people said). Lines without human are judged answers that
    no person saw. Or each line is a pair: id, human_winner, judge_winner, judge_winner_swapped (each 1, 2 or "tie"),
    lengths.

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
