"""`access`: who may use the API."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show

if TYPE_CHECKING:
    from airworthy.console.access import AccessKey

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Make, list and revoke keys to the API.",
)
AgentsOf = Annotated[
    list[str] | None,
    typer.Option(
        "--agent", metavar="NAME", help="Only for the tasks of this agent. May be given again.",
        autocompletion=options.agent_names,
    ),
]  # fmt: skip


@app.command(name="create")
def create(
    *,
    person: Annotated[
        str,
        typer.Option(
            "--person", metavar="ID", help="A person; their roles stand in people.toml, if there is one."
        ),
    ] = "",
    program: Annotated[
        str, typer.Option("--program", metavar="NAME", help="Or a program, with --role.")
    ] = "",
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role",
            metavar="ROLE",
            help="viewer looks; submitter hands in tasks and feedback; reviewer decides; operator also cancels and "
            "pauses; admin may do all. May be given again.",
        ),
    ] = None,
    agent: AgentsOf = None,
    expires: Annotated[
        str, typer.Option(metavar="PERIOD", help="How long it is good: 12h, 30d, 8w, 1y. Left out: for ever.")
    ] = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Make a key and show it, this once. Only its hash is stored.

    \b
    Examples:
      airworthy access create --program shop --role submitter --expires 90d
      airworthy access create --person dana
    """
    from airworthy.app.build import opened
    from airworthy.app.config import load_config
    from airworthy.app.config import person as login
    from airworthy.app.console import created
    from airworthy.review import Command

    whole = show.unicode_text
    with opened(load_config(folder, database=database)) as found:
        found.reviews.check_command(login(), Command.ADMIT)
        secret, key = created(
            found, found.reviews.people, person=whole(person), program=whole(program),
            roles=[whole(each) for each in role or ()], agents=[whole(each) for each in agent or ()],
            expires=whole(expires),
        )  # fmt: skip
    if as_json:
        show.emit({**_document(key), "key": secret})
        return
    show.say(secret)
    show.note(f"Key {key.id} for {key.person or key.program}. It is not stored and cannot be shown again.")


@app.command(name="list")
def list_(
    *,
    all_: Annotated[bool, typer.Option("--all", help="Those expired and revoked too.")] = False,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List keys to the API, the newest first.

    \b
    Examples:
      airworthy access list
    """
    from airworthy.app.console import listed
    from airworthy.app.project import stored

    with stored(folder, database) as found:
        now_us = found.clock.now_us()
        keys = [key for key in listed(found) if all_ or key.good(now_us)]
    if as_json:
        for key in keys:
            show.emit(_document(key), line=True)
    elif not keys:
        show.note("There are no keys. Make one with `airworthy access create --program NAME --role ROLE`.")
    else:
        show.table(
            ("id", "for", "roles", "agents", "expires", "state"),
            [
                (
                    key.id, key.person or key.program, "as in people.toml" if key.person else ", ".join(key.roles),
                    ", ".join(key.agents) or "all",
                    show.when(key.expires_us)[:10],
                    "good" if key.good(now_us) else "revoked" if key.revoked_us is not None else "expired",
                )
                for key in keys
            ],
        )  # fmt: skip


@app.command(name="revoke")
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `list` shows it.")],
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Revoke a key for good, at once.

    \b
    Examples:
      airworthy access revoke awp_7Kd9aXq2
    """
    from airworthy.app.config import person
    from airworthy.app.console import revoked
    from airworthy.app.project import stored
    from airworthy.review import Command

    with stored(folder, database) as found:
        found.reviews.check_command(person(), Command.ADMIT)
        changed = revoked(found, show.unicode_text(key))
    if as_json:
        show.emit({"id": key, "changed": changed})
    else:
        show.say(f"{key} is revoked." if changed else f"{key} was revoked before.")


def _document(key: "AccessKey") -> dict[str, object]:
    return {
        "id": key.id, "person": key.person or None, "program": key.program or None, "roles": list(key.roles),
        "agents": list(key.agents),
        "created": show.iso(key.created_us), "expires": show.iso(key.expires_us), "revoked": show.iso(key.revoked_us),
    }  # fmt: skip
