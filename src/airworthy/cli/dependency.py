"""`dependency`: the systems that tools talk to: how well they are, how they know us, when they are away."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show

if TYPE_CHECKING:
    from airworthy.app.credential_state import CredentialState
    from airworthy.app.dependency_view import View
    from airworthy.app.health import Declared
    from airworthy.app.project import Project

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Look at and check the systems that tools talk to.",
)  # fmt: skip

Name = Annotated[str, typer.Argument(metavar="NAME", help="The dependency's name in the policy.")]
Names = Annotated[
    list[str] | None, typer.Argument(metavar="NAME...", help="Names in the policy; none: all of them.")
]


@app.command(name="list")
def list_(
    *, as_json: options.AsJson = False, folder: options.Folder = Path(), database: options.Database = None
) -> None:
    """List the declared dependencies: the last check, calls of the last day, the credential, the breaker.

    Asks nobody: all is from the database.

    \b
    Examples:
      airworthy dependency list
      airworthy dependency list --json
    """
    with _views(folder, database) as views:
        if as_json:
            for view in views:
                show.emit(_document(view), line=True)
            return
        if not views:
            show.note("No policy here declares a dependency.")
            return
        show.table(
            ("name", "health", "since", "calls failed", "credential", "breaker", "now"),
            [
                (
                    view.name, _health(view), show.when(view.health.since_us) if view.health else "",
                    f"{view.failed} of {view.ok + view.failed}", _credential(view.credential), view.breaker,
                    view.outage,
                )
                for view in views
            ],
        )  # fmt: skip


@app.command(name="show")
def show_(
    name: Name,
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Show one dependency: what the policy says of it, the last check, calls, the credential, outages.

    \b
    Examples:
      airworthy dependency show crm
    """
    with _views(folder, database, [name]) as views:
        (view,) = views
        if as_json:
            show.emit(_document(view))
            return
        rule, health, credential = view.rule, view.health, view.credential
        show.facts([
            ("Name", view.name),
            ("Address", rule.base_url),
            ("Critical", "yes" if rule.critical else f"no; fallback: {rule.fallback}"),
            ("Health", _health(view)),
            ("Reason", health.reason if health else ""),
            ("Since", f"{show.when(health.since_us)}, {show.counted(health.streak, 'check')}" if health else ""),
            ("Last check", f"{show.when(health.at_us)}, took {health.took_us / 1e6:.2f} s" if health else ""),
            ("Calls, 1 day", f"{view.ok + view.failed}, {view.failed} failed"),
            ("Credential", _credential(credential)),
            ("", credential.mend if credential else ""),
            ("Caution", credential.caution if credential else ""),
            ("Breaker", view.breaker),
            ("Now", view.outage),
            ("Outages", "\n".join(_outage(rule) for rule in rule.outages)),
            ("Learnt", view.learnt and f"{show.counted(view.learnt, 'window')}: {_outages_of(view)}"),
        ])  # fmt: skip


@app.command(name="check")
def check(
    names: Names = None,
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Ask dependencies now whether they are well, and for their credentials; exit code 1 if one is not.

    A credential that was given up is tried once more: that is how you say that it is mended. Asks each dependency that
    has a health check, all at once, and keeps the answers.

    \b
    Examples:
      airworthy dependency check
      airworthy dependency check crm --json
    """
    with _project(folder, database) as found:
        wanted = _chosen(found, names or [])
        results = asyncio.run(_checked(found, wanted))
    for one, credential, reason in results:
        well = not reason and (credential is None or credential.standing != "bad")
        if as_json:
            document = {
                "name": one.name, "well": well, "reason": reason or None,
                "credential": None if credential is None else {
                    "standing": credential.standing, "words": credential.words, "mend": credential.mend or None,
                    "until": show.iso(credential.until_us),
                },
            }  # fmt: skip
            show.emit(document, line=True)
            continue
        if credential is not None and credential.standing == "bad":
            show.fail(f"{one.name}: credential: {credential.words}", credential.mend)
        if reason:
            show.fail(f"{one.name}: {reason}", f"Look closer: airworthy dependency show {one.name}")
        if well:
            checked = (
                "is well" if one.rule.health is not None else "has no health check; its credential is good"
            )
            nothing = one.rule.health is None and credential is None
            show.say(f"{one.name} {'has nothing to check' if nothing else checked}.", style="green")
    if any(
        reason or (credential is not None and credential.standing == "bad")
        for _, credential, reason in results
    ):
        raise typer.Exit(1)


@app.command(name="outages")
def outages(
    names: Names = None,
    *,
    zone: Annotated[
        str,
        typer.Option(
            metavar="ZONE", help="Look in this time zone, as Europe/Berlin, instead of the policy's."
        ),
    ] = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Find hours and weekdays at which dependencies are away again and again; print them ready for the policy.

    Looks at the checks and calls of the last twelve weeks. Of a dependency that fails at random, at most one look in a
    hundred finds a window that is none. Windows that the policy has already are left out.

    \b
    Examples:
      airworthy dependency outages
      airworthy dependency outages crm --zone Europe/Berlin
    """
    from airworthy.app.health import learnt
    from airworthy.core.errors import InputError
    from airworthy.policy.dependency_rule import is_zone

    if zone and not is_zone(zone):
        raise InputError(
            f"{zone!r} is no time zone known here.", mend='Write a name as "Europe/Berlin", or "UTC".'
        )
    with _project(folder, database) as found:
        wanted = _chosen(found, names or [])
        shown = [
            (one, found.app.database.read_now(lambda tx, one=one: learnt(tx, one, zone)))  # type: ignore[misc]
            for one in wanted
        ]
    for one, windows in shown:
        for window in windows:
            if as_json:
                show.emit({"dependency": one.name, **_window(window)}, line=True)
                continue
            show.say_lines(window.toml(one.name))
            show.note(f"{one.name}, {window}: {window.evidence}")
    if not as_json and not any(windows for _, windows in shown):
        show.note(f"No window was found for {', '.join(one.name for one in wanted) or 'any dependency'}.")


def _window(window: object) -> dict[str, object]:
    from airworthy.tools.windows import Window

    assert isinstance(window, Window)
    return {
        "days": window.days, "begin": window.begin, "end": window.end, "zone": window.zone,
        "bad_days": window.bad_days, "days_seen": window.days_seen, "elsewhere_bad": window.elsewhere_bad,
        "elsewhere_seen": window.elsewhere_seen, "chance": window.chance,
    }  # fmt: skip


async def _checked(
    found: "Project", wanted: "list[Declared]"
) -> "list[tuple[Declared, CredentialState | None, str]]":
    from airworthy.app.credential_state import obtained
    from airworthy.app.health import checked

    async def one_of(one: "Declared") -> "tuple[Declared, CredentialState | None, str]":
        credential = None
        if one.rule.credentials is not None:
            credential = await asyncio.to_thread(obtained, one.name, one.agent, found.app, by_hand=True)
        if one.rule.health is None or one.rule.base_url is None:
            return one, credential, ""
        return one, credential, (await checked(found.app, one)).reason

    return list(await asyncio.gather(*(one_of(one) for one in wanted)))


@contextlib.contextmanager
def _project(folder: Path, database: str | None) -> "Iterator[Project]":
    from airworthy.app.project import project

    with project(folder, database) as found:
        yield found


@contextlib.contextmanager
def _views(folder: Path, database: str | None, names: list[str] | None = None) -> "Iterator[list[View]]":
    from airworthy.app.dependency_view import view_of

    with _project(folder, database) as found:
        yield [view_of(found.app, one) for one in _chosen(found, names or [])]


def _chosen(found: "Project", names: list[str]) -> "list[Declared]":
    from airworthy.app.health import declared
    from airworthy.core.errors import InputError

    known = {one.name: one for one in declared(found.agents)}
    for name in names:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise InputError(f"No policy here declares a dependency {name!r}.", mend=f"Declared: {listed}.")
    return [known[name] for name in dict.fromkeys(names)] if names else list(known.values())


def _health(view: "View") -> str:
    if view.rule.health is None:
        return "no check"
    if view.health is None:
        return "not checked yet"
    return "well" if view.health.ok else f"unwell: {view.health.reason}"


def _credential(state: "CredentialState | None") -> str:
    if state is None:
        return "none"
    until = f" until {show.when(state.until_us)}" if state.standing == "good" and state.until_us else ""
    return f"{state.kind}: {state.words}{until}"


def _outage(rule: object) -> str:
    from airworthy.policy import OutageRule

    assert isinstance(rule, OutageRule)
    note = f" ({rule.note})" if rule.note else ""
    return f"{', '.join(rule.days)} {rule.begin} to {rule.end} {rule.zone}{note}"


def _outages_of(view: "View") -> str:
    return f"airworthy dependency outages {view.name}"


def _document(view: "View") -> dict[str, object]:
    health, credential = view.health, view.credential
    return {
        "name": view.name,
        "base_url": view.rule.base_url,
        "critical": view.rule.critical,
        "health": None if health is None else {
            "ok": health.ok, "reason": health.reason or None, "at": show.iso(health.at_us),
            "since": show.iso(health.since_us), "streak": health.streak, "took_s": health.took_us / 1e6,
        },
        "calls_day": {"ok": view.ok, "failed": view.failed},
        "credential": None if credential is None else {
            "kind": credential.kind, "standing": credential.standing, "words": credential.words,
            "mend": credential.mend or None, "until": show.iso(credential.until_us),
            "caution": credential.caution or None,
        },
        "breaker": view.breaker or None,
        "outage": view.outage or None,
        "outages": [rule.model_dump(mode="json") for rule in view.rule.outages],
        "learnt": view.learnt,
    }  # fmt: skip
