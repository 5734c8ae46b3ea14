"""`user`: accounts of people who sign in to the console."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show
from airworthy.cli.access import AgentsOf

if TYPE_CHECKING:
    from airworthy.console.accounts import Accounts, Link
    from airworthy.console.signing import SigningIn

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Accounts of people who sign in to the console.",
)  # fmt: skip
Who = Annotated[
    str, typer.Argument(metavar="NAME", help="Their id in people.toml, or a name of your choice.")
]


@app.command(name="add")
def add(
    name: Who,
    *,
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role", metavar="ROLE",
            help="viewer, reviewer, operator or admin. May be given again. With people.toml the roles stand there.",
        ),
    ] = None,
    agent: AgentsOf = None,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:  # fmt: skip
    """Make an account, and a link by which they set a password. The link is good once, for 15 minutes.

    \b
    Examples:
      airworthy user add dana
      airworthy user add dana --role reviewer --agent support
    """
    whole = show.unicode_text
    with _accounts(folder, database) as (accounts, _):
        link = accounts.add(
            whole(name), [whole(each) for each in role or ()], [whole(each) for each in agent or ()]
        )
    _tell(link, folder, as_json=as_json)


@app.command(name="link")
def link(
    name: Who,
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Make a link by which they set a new password; earlier links are void.

    \b
    Examples:
      airworthy user link dana
    """
    with _accounts(folder, database) as (accounts, _):
        made = accounts.link(show.unicode_text(name))
    _tell(made, folder, as_json=as_json)


@app.command(name="list")
def list_(
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List accounts.

    \b
    Examples:
      airworthy user list
    """
    with _accounts(folder, database) as (accounts, signing):
        found = accounts.listing()
        open_ = {each.person: len(signing.sessions(each.person)) for each in found}
        declared = accounts.people().people
    if as_json:
        for each in found:
            rule = declared.get(each.person)
            roles, agents = (
                (each.roles, each.agents) if not declared else (rule.roles, rule.agents) if rule else ((), ())
            )
            show.emit(
                {"name": each.person, "roles": list(roles), "agents": list(agents), "password": each.has_password,
                 "created": show.iso(each.created_us), "changed": show.iso(each.changed_us),
                 "disabled": show.iso(each.disabled_us), "sessions": open_[each.person]},
                line=True,
            )  # fmt: skip
    elif not found:
        show.note("There are no accounts. Make one with `airworthy user add NAME`.")
    else:
        show.table(
            ("name", "roles", "password", "sessions", "state"),
            [
                (
                    each.person, "as in people.toml" if declared else ", ".join(each.roles),
                    "set" if each.has_password else "not yet", open_[each.person],
                    "disabled" if each.disabled_us is not None
                    else "not in people.toml" if declared and each.person not in declared else "good",
                )
                for each in found
            ],
        )  # fmt: skip


@app.command(name="password")
def password(
    name: Who,
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Set a password, asked for here or read from stdin; all their sessions end.

    \b
    Examples:
      airworthy user password dana
    """
    new = _typed()
    with _accounts(folder, database) as (accounts, _):
        accounts.set_password(show.unicode_text(name), show.unicode_text(new))
    _done(
        {"name": name, "changed": True},
        f"The password of {name} is set, and all their sessions ended.",
        as_json,
    )


@app.command(name="disable")
def disable(
    name: Who,
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Shut somebody out, however they sign in, and end their sessions.

    \b
    Examples:
      airworthy user disable dana
    """
    with _accounts(folder, database) as (accounts, _):
        changed = accounts.disable(show.unicode_text(name))
    _done({"name": name, "changed": changed}, f"{name} {'is' if changed else 'was'} shut out.", as_json)


@app.command(name="enable")
def enable(
    name: Who,
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Let somebody in again.

    \b
    Examples:
      airworthy user enable dana
    """
    with _accounts(folder, database) as (accounts, _):
        changed = accounts.enable(show.unicode_text(name))
    _done({"name": name, "changed": changed}, f"{name} {'may' if changed else 'might'} sign in.", as_json)


@app.command(name="sessions")
def sessions(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Left out: of everybody.")] = "",
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List who is signed in, from where, since when.

    \b
    Examples:
      airworthy user sessions
    """
    with _accounts(folder, database) as (_, signing):
        found = signing.sessions(show.unicode_text(name))
    if as_json:
        for each in found:
            show.emit(
                {"id": each.id, "name": each.person, "by": each.way, "address": each.address, "browser": each.browser,
                 "created": show.iso(each.created_us), "seen": show.iso(each.seen_us),
                 "expires": show.iso(each.expires_us)},
                line=True,
            )  # fmt: skip
    elif not found:
        show.note("Nobody is signed in.")
    else:
        show.table(
            ("id", "name", "by", "address", "browser", "since", "seen"),
            [
                (each.id, each.person, each.way, each.address, show.clipped(each.browser, 40),
                 show.when(each.created_us), show.when(each.seen_us))
                for each in found
            ],
        )  # fmt: skip


@app.command(name="end-sessions")
def end_sessions(
    name: Who,
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """End all sessions of somebody, at once; they may sign in again.

    \b
    Examples:
      airworthy user end-sessions dana
    """
    with _accounts(folder, database) as (_, signing):
        count = signing.end_sessions(show.unicode_text(name))
    _done({"name": name, "ended": count}, f"{show.counted(count, 'session')} ended.", as_json)


@contextlib.contextmanager
def _accounts(folder: Path, database: str | None) -> "Iterator[tuple[Accounts, SigningIn]]":
    """Whoever may admit others: with people.toml, an admin."""
    from airworthy.app.build import opened
    from airworthy.app.config import load_config, person
    from airworthy.app.console import accounts_of, signing_of
    from airworthy.app.console_settings import door_of, load_console_settings
    from airworthy.review import Command

    door = door_of(load_console_settings(folder))
    with opened(load_config(folder, database=database)) as found:
        found.reviews.check_command(person(), Command.ADMIT)
        accounts = accounts_of(found, lambda: found.reviews.people)
        yield accounts, signing_of(accounts, door)


def _tell(link: "Link", folder: Path, *, as_json: bool) -> None:
    from airworthy.app.console_settings import load_console_settings

    url = f"{load_console_settings(folder).public_url or ''}{link.path}"
    if as_json:
        show.emit({"name": link.person, "link": url, "expires": show.iso(link.expires_us)})
        return
    show.say(url)
    show.note(
        f"Give it to {link.person}: it sets a password, once, within 15 minutes. It cannot be shown again."
    )
    if not url.startswith("http"):
        show.note("Put the console's address before it, or set public_url in console.toml.")


def _done(document: dict[str, object], words: str, as_json: bool) -> None:  # noqa: FBT001  # of this file alone
    if as_json:
        show.emit(document)
    else:
        show.say(words)


def _typed() -> str:
    """Unseen and twice where somebody types; a line of what comes through a pipe."""
    import sys

    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("New password", hide_input=True, confirmation_prompt=True, err=True))
