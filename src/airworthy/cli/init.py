"""`init`: a working folder from a template, which then belongs to whoever made it."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from airworthy.cli import options, show

app = typer.Typer(rich_markup_mode=None, add_completion=False)


class Template(StrEnum):
    SUPPORT = "support"


@app.command(name="init")
def init(
    template: Annotated[
        Template,
        typer.Argument(metavar="TEMPLATE", help="What to start from: `support`, a small support agent."),
    ],
    directory: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Folder to make; left out: the template's name.")
    ] = None,
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
) -> None:
    """Make a working folder from a template.

    An existing file is never overwritten: if one of the template's names is taken, nothing is written at all.

    \b
    Examples:
      airworthy init support
      airworthy init support my-agent
    """
    from airworthy.cli.templates import written

    to = folder / (directory if directory is not None else Path(template.value))
    files = written(template.value, to)
    if as_json:
        show.emit({"folder": str(to), "files": [path.relative_to(to).as_posix() for path in files]})
        return
    show.say(f"Made {to} with {', '.join(path.relative_to(to).as_posix() for path in files)}.")
    show.say(f"Read {to / 'README.md'} next; it takes five minutes.")
