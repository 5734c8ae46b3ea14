"""`redact`: which rules find what in a text, and what would be written; and the rules themselves."""

from pathlib import Path
from typing import Annotated

import typer

from airworthy.cli import options, show

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Try what is written over: secrets and personal data.",
)  # fmt: skip


@app.command(name="test")
def try_(
    text: Annotated[str | None, typer.Argument(metavar="[TEXT|-]", help="The text; - reads stdin.")] = None,
    *,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="PATH", help="Read the text from a file.")
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option("--rule", metavar="NAME", help="Only this rule, also when it is off; may be repeated."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All rules, also those that are off.")] = False,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
) -> None:
    """Show which rule finds what in a text, and what would be written.

    Rules of personal data are those that are on in recorder.toml. Secrets are always looked for, whatever it says.
    What is found is shown as it is, so mind who reads along.

    \b
    Examples:
      airworthy redact test "Mail ada@example.org" --all
      airworthy redact test --file answer.json --rule iban --json
      airworthy redact test - < prompt.txt
    """
    from airworthy.app.redacting import tried
    from airworthy.cli.reading import STDIN, input_of

    plain = text if text != STDIN else None
    given = input_of(plain, file, STDIN if text == STDIN else None)
    found = tried(folder, given, rule or (), every=every)
    if as_json:
        show.emit(found)
        return
    if found.hits:
        show.table(
            ("rule", "at", "found", "written"),
            [
                (hit.rule, f"{hit.start}-{hit.end}", given[hit.start : hit.end], hit.written)
                for hit in found.hits
            ],
        )
    else:
        show.note("Nothing was found.")
    show.say_lines(found.written)


@app.command(name="rules")
def rules(*, as_json: options.AsJson = False, folder: options.Folder = Path()) -> None:
    """List the rules: what each finds, an example, and whether it is on here.

    \b
    Examples:
      airworthy redact rules
      airworthy redact rules --json
    """
    from airworthy.app.redacting import listed

    found = listed(folder)
    if as_json:
        for each in found:
            show.emit(each, line=True)
        return
    show.table(
        ("rule", "here", "finds", "such as"),
        [(each.rule, each.here, each.what, each.example) for each in found],
    )
