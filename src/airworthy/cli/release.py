"""`release`: the versions of agents that were seen here, and what differs between two."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show

if TYPE_CHECKING:
    from airworthy.app.build import App
    from airworthy.runtime.releases import ReleaseRow

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Look at the versions of an agent, and compare two.",
)  # fmt: skip
HERE = "here"
Hash = Annotated[
    str,
    typer.Argument(
        metavar="RELEASE", help="The beginning of its hash, `last`, or `here`: as the code is now."
    ),
]


@app.command(name="list")
def list_(
    *,
    agent: options.AgentFilter = "",
    limit: options.Limit = options.LIMIT_DEFAULT,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List releases, the newest first. One is noted when a worker or a preflight begins with it.

    \b
    Examples:
      airworthy release list
      airworthy release list --agent support --json
    """
    from airworthy.app.project import stored
    from airworthy.runtime.releases import listing, release_document

    agents = [show.unicode_text(agent)] if agent else []
    with stored(folder, database) as found:
        rows = found.database.read_now(lambda tx: listing(tx, agents, limit))
    if as_json:
        for row in rows:
            show.emit(release_document(row, whole=False), line=True)
        return
    if not rows:
        show.note("No release yet: a worker or a preflight notes the one it begins with.")
        return
    show.table(
        ("release", "agent", "first seen", "code files", "models", "tools"),
        [
            (
                row.release.short, row.release.agent, show.when(row.made_us), _count(row, "code"),
                ", ".join(row.release.parts.get("models", {})), _count(row, "tools"),
            )
            for row in rows
        ],
    )  # fmt: skip


@app.command(name="show")
def show_one(
    release: Hash = HERE,
    *,
    agent: options.AgentFilter = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Show what a release is made of; without one, of the code as it is now.

    \b
    Examples:
      airworthy release show
      airworthy release show last --json
    """
    from airworthy.runtime.releases import release_document

    row = _found(folder, database, show.unicode_text(agent), [show.unicode_text(release)])[0]
    if as_json:
        show.emit(release_document(row, whole=True))
        return
    show.facts(
        [
            ("Release", row.release.hash),
            ("Agent", row.release.agent),
            ("Policy", row.release.policy_hash),
            ("First seen", show.when(row.made_us) if row.made_us else "not yet noted"),
        ]
    )
    for part, names in row.release.parts.items():
        if names:
            show.say()
            show.say(part.capitalize())
            show.table(("name", "what"), [(name, _brief(value)) for name, value in names.items()])


@app.command(name="diff")
def diff(
    before: Annotated[
        str, typer.Argument(metavar="BEFORE", help="The beginning of a hash, `last` or `here`.")
    ],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="As BEFORE.")] = HERE,
    *,
    agent: options.AgentFilter = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Show what differs between two releases: files, prompts, keys of the policy, models, tools, libraries.

    \b
    Examples:
      airworthy release diff last
      airworthy release diff 4f2a9c01 b7d3e822
    """
    from airworthy.core.release import diff as differences

    refs = [show.unicode_text(before), show.unicode_text(after)]
    old, new = _found(folder, database, show.unicode_text(agent), refs)
    changes = differences(old.release, new.release)
    if as_json:
        told = [{**dataclasses.asdict(each), "text": str(each)} for each in changes]
        show.emit({"before": old.release.hash, "after": new.release.hash, "changes": told})
        return
    show.note(
        f"{old.release.agent} {old.release.short} and {new.release.agent} {new.release.short}", style=""
    )
    for change in changes:
        show.say(show.clipped(str(change), 300))
    if not changes:
        show.say("Nothing differs.")


def _found(folder: Path, database: str | None, agent: str, refs: list[str]) -> "list[ReleaseRow]":
    """The code is loaded only where `here` asks for it."""
    from airworthy.app.project import named, project, stored
    from airworthy.runtime.releases import ReleaseRow, release_of

    agents = [agent] if agent else []
    if HERE not in refs:
        with stored(folder, database) as app_:
            return [_stored(app_, ref, agents) for ref in refs]
    with project(folder, database, only=agents) as found:
        now = ReleaseRow(release_of(named(found.agents, agent or None), found.config.folder), 0)
        known = [now.release.agent]
        return [now if ref == HERE else _stored(found.app, ref, known) for ref in refs]


def _stored(app_: "App", ref: str, agents: list[str]) -> "ReleaseRow":
    from airworthy.runtime.releases import found

    return app_.database.read_now(lambda tx: found(tx, ref, agents))


def _count(row: "ReleaseRow", part: str) -> int:
    return len(row.release.parts.get(part, {}))


def _brief(value: str) -> str:
    return value[:19] if value.startswith("sha256:") else value
