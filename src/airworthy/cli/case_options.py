"""Options of the commands about cases. Knows no command."""

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="Write it there as YAML; - writes to stdout."),
]
Runs = Annotated[int, typer.Option("--runs", metavar="N", min=2, max=100_000, help="Trials at most.")]
Repeat = Annotated[
    int, typer.Option("--repeat", metavar="N", min=1, max=100, help="It must fail in each of so many trials.")
]
Budget = Annotated[
    float | None, typer.Option("--budget", metavar="USD", min=0, help="Left out: as preflight.toml says.")
]
Texts = list[str] | None
CaseId = Annotated[str, typer.Argument(metavar="ID", help="The case's id.")]
As = Annotated[
    str,
    typer.Option(
        "--as", metavar="golden|failure", help="Whether it went well; left out: as its record says."
    ),
]
Outcomes = Annotated[
    Texts, typer.Option("--outcome", metavar="NAME", help="How it should have ended; repeatable.")
]
Facts = Annotated[
    Texts, typer.Option("--fact", metavar="TEXT", help="What the answer must hold; repeatable.")
]
NotFacts = Annotated[
    Texts, typer.Option("--not-fact", metavar="TEXT", help="What must appear nowhere; repeatable.")
]
Tools = Annotated[
    Texts, typer.Option("--tool", metavar="NAME", help="A tool that must be called; repeatable.")
]
NotTools = Annotated[
    Texts, typer.Option("--not-tool", metavar="NAME", help="A tool that must not be called; repeatable.")
]
Acts = Annotated[
    Texts,
    typer.Option("--act", metavar="TOOL", help="An effect that must come of it, and no other; repeatable."),
]
NoActs = Annotated[bool, typer.Option("--no-acts", help="Nothing may be done.")]
Rubric = Annotated[str, typer.Option("--rubric", metavar="TEXT", help="What a judge goes by.")]
Least = Annotated[
    float, typer.Option("--judge", metavar="SCORE", min=0, max=1, help="The least score under the rubric.")
]
Id = Annotated[str, typer.Option("--id", metavar="ID", help="The case's id.")]
HowBad = Annotated[
    str, typer.Option("--severity", metavar="critical|major|minor", help="How bad it is when the case fails.")
]
Tags = Annotated[
    Texts, typer.Option("--tag", metavar="TAG", help="Besides those it has by itself; repeatable.")
]
Shrink = Annotated[
    bool, typer.Option("--shrink", help="Take away text and results while it still fails; needs the agent.")
]
KeepNames = Annotated[
    bool, typer.Option("--keep-names", help="Leave the user's and the session's id in the file.")
]
