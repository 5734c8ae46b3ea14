"""`key`: who may use the gateway."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show

if TYPE_CHECKING:
    from airworthy.gateway.keys import Key

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Make, list and revoke keys to the gateway.",
)  # fmt: skip
LIMIT_DEFAULT = 100


@app.command(name="create")
def create(
    *,
    agent: Annotated[
        str,
        typer.Option(
            "--agent",
            metavar="NAME",
            help="The agent whose policy its calls go by.",
            autocompletion=options.agent_names,
        ),
    ],
    user: Annotated[str, typer.Option(metavar="ID", help="Only for this user.")] = "",
    feature: Annotated[str, typer.Option(metavar="NAME", help="Only for this feature.")] = "",
    label: Annotated[str, typer.Option(metavar="TEXT", help="A word for people: who has it.")] = "",
    expires: Annotated[
        str, typer.Option(metavar="PERIOD", help="How long it is good: 12h, 30d, 8w, 1y. Left out: for ever.")
    ] = "",
    priority: Annotated[
        int, typer.Option(metavar="N", help="Higher goes first where calls wait.", min=-1000, max=1000)
    ] = 0,
    day_usd: Annotated[float | None, typer.Option(metavar="USD", help="Money a day (UTC).")] = None,
    month_usd: Annotated[float | None, typer.Option(metavar="USD", help="Money a month (UTC).")] = None,
    total_usd: Annotated[float | None, typer.Option(metavar="USD", help="Money in all.")] = None,
    day_tokens: Annotated[int | None, typer.Option(metavar="N", help="Tokens a day.")] = None,
    day_calls: Annotated[int | None, typer.Option(metavar="N", help="Calls a day.")] = None,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Make a key and show it, this once.

    Only its hash is stored. Its budgets bound it beside those of the agent's policy. A running gateway knows it
    within a second.

    \b
    Examples:
      airworthy key create --agent support --label "web shop" --expires 90d
      airworthy key create --agent support --user ann --day-usd 2 --day-calls 500
    """
    from airworthy.app.gateway_keys import created, key_store
    from airworthy.gateway.budget import KeyBudgets
    from airworthy.gateway.keys import NewKey

    whole = show.unicode_text
    new = NewKey(
        whole(agent), whole(user), whole(feature), whole(label), priority,
        KeyBudgets(day_usd, month_usd, total_usd, day_tokens, day_calls),
    )  # fmt: skip
    with key_store(folder, database) as found:
        secret, key = created(found, new, whole(expires))
    if as_json:
        show.emit({**_document(key), "key": secret})
        return
    show.say(secret)
    show.note(f"Key {key.id} for {key.agent}. It is not stored and cannot be shown again.")


@app.command(name="list")
def list_(
    *,
    agent: options.AgentFilter = "",
    all_: Annotated[bool, typer.Option("--all", help="Those expired and revoked too.")] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", min=1, max=100_000, help="At most so many.")
    ] = LIMIT_DEFAULT,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List keys, the newest first.

    \b
    Examples:
      airworthy key list
      airworthy key list --agent support --all --json
    """
    from airworthy.app.gateway_keys import key_store, listed

    with key_store(folder, database) as found:
        now_us = found.clock.now_us()
        keys = listed(found, show.unicode_text(agent), limit, every=all_)
    if as_json:
        show.emit([_document(key) for key in keys])
        return
    if not keys:
        show.note("There are no keys. Make one with `airworthy key create --agent NAME`.")
        return
    show.table(
        ("ID", "AGENT", "USER", "FEATURE", "LABEL", "USED", "EXPIRES", "STATE", "BUDGETS"),
        [
            (
                key.id, key.agent, key.user, key.feature, key.label, key.used_day or "never",
                show.when(key.expires_us)[:10], _state(key, now_us), _budgets(key),
            )
            for key in keys
        ],
    )  # fmt: skip
    if len(keys) == limit:
        show.note(f"There may be more: --limit N shows more than {limit}.")


@app.command(name="revoke")
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="The key's id, its beginning, or the whole key.")],
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Revoke a key for good; every gateway refuses it within a second.

    Calls under way go on to their end.

    \b
    Examples:
      airworthy key revoke aw_7Kd9aXq2
    """
    from airworthy.app.gateway_keys import key_store, revoked

    with key_store(folder, database) as found:
        gone, was_good = revoked(found, show.unicode_text(key))
    if as_json:
        show.emit({**_document(gone), "changed": was_good})
    elif was_good:
        show.say(f"Key {gone.id} of {gone.agent} is revoked.")
    else:
        show.say(f"Key {gone.id} of {gone.agent} was not good any more.")


def _document(key: "Key") -> dict[str, object]:
    budgets = key.budgets
    return {
        "id": key.id, "agent": key.agent, "user": key.user or None, "feature": key.feature or None,
        "label": key.label, "priority": key.priority, "created": show.iso(key.created_us),
        "expires": show.iso(key.expires_us), "revoked": show.iso(key.revoked_us), "used_day": key.used_day or None,
        "day_usd": budgets.day_usd, "month_usd": budgets.month_usd, "total_usd": budgets.total_usd,
        "day_tokens": budgets.day_tokens, "day_calls": budgets.day_calls,
    }  # fmt: skip


def _state(key: "Key", now_us: int) -> str:
    if key.revoked_us is not None:
        return "revoked"
    return "good" if key.good(now_us) else "expired"


def _budgets(key: "Key") -> str:
    budgets = key.budgets
    named = (
        ("USD a day", budgets.day_usd), ("USD a month", budgets.month_usd), ("USD in all", budgets.total_usd),
        ("tokens a day", budgets.day_tokens), ("calls a day", budgets.day_calls),
    )  # fmt: skip
    return ", ".join(f"{value:g} {name}" for name, value in named if value is not None)
