"""`user`: accounts made and closed from the shell, a password by link or by hand, and who may do that."""

import io
from pathlib import Path

import pytest

from airworthy.cli.exits import Exit
from tests.cli.conftest import Airworthy, Said, stored
from tests.database import opened_at

PASSWORD = "correct horse battery"


def typed(airworthy: Airworthy, monkeypatch: pytest.MonkeyPatch, password: str) -> Said:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    return airworthy("user", "password", "dana")


def test_an_account_comes_with_a_link_that_is_shown_once(airworthy: Airworthy, folder: Path) -> None:
    made = airworthy("user", "add", "dana", "--role", "reviewer", "--agent", "shop", "--json").json
    [listed] = airworthy("user", "list", "--json").lines

    assert made["link"].startswith("/login/link/awl_")
    assert (listed["name"], listed["roles"], listed["agents"]) == ("dana", ["reviewer"], ["shop"])
    assert (listed["password"], listed["disabled"], listed["sessions"]) == (False, None, 0)
    assert made["link"].split("/")[-1] not in stored(folder)


def test_the_link_has_the_consoles_address_where_that_is_known(airworthy: Airworthy, folder: Path) -> None:
    (folder / "console.toml").write_text('public_url = "https://console.example"\n')

    assert airworthy("user", "add", "dana", "--role", "viewer").out.startswith(
        "https://console.example/login/link/awl_"
    )


def test_a_password_is_set_by_hand_and_only_its_hash_is_kept(
    airworthy: Airworthy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    airworthy("user", "add", "dana", "--role", "viewer")
    said = typed(airworthy, monkeypatch, PASSWORD)
    database = opened_at(folder)
    [(hash_,)] = database.read_now(lambda tx: tx.rows("SELECT hash FROM accounts"))
    database.close()

    assert said.code == 0
    assert hash_.startswith("$argon2id$v=19$m=47104,t=2,p=1$")
    assert PASSWORD not in said.out + said.err
    assert typed(airworthy, monkeypatch, "short").code == Exit.FAILED


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("dana",), "no people.toml that says what dana may do"),
        (("dana", "--role", "king"), "no role 'king'"),
        (("dana", "--role", "submitter"), "no role 'submitter'"),
        (("da na", "--role", "viewer"), "no name for an account"),
        (("dana", "--role", "viewer", "--agent", "a b"), "no name of an agent"),
    ],
)
def test_an_account_that_cannot_be_is_refused(
    airworthy: Airworthy, arguments: tuple[str, ...], why: str
) -> None:
    said = airworthy("user", "add", *arguments)

    assert (said.code, why in said.err) == (Exit.FAILED, True)


def test_where_people_are_declared_only_they_get_accounts_and_only_an_admin_gives_them(
    airworthy: Airworthy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "people.toml").write_text(
        '[people.ada]\nname = "Ada"\nroles = ["admin"]\n[people.dana]\nname = "Dana"\n'
    )
    monkeypatch.setenv("AIRWORTHY_USER", "dana")
    by_dana = airworthy("user", "add", "dana")
    monkeypatch.setenv("AIRWORTHY_USER", "ada")

    assert "needs the role admin" in by_dana.err
    assert airworthy("user", "add", "dana").code == 0
    assert "no 'erik' in people.toml" in airworthy("user", "add", "erik").err
    assert "stand in people.toml" in airworthy("user", "add", "ada", "--role", "viewer").err
    assert "has an account" in airworthy("user", "add", "dana").err


def test_a_closed_account_gets_no_link_until_it_is_opened_again(airworthy: Airworthy) -> None:
    airworthy("user", "add", "dana", "--role", "viewer")
    first, again = (airworthy("user", "disable", "dana", "--json").json["changed"] for _ in range(2))
    refused = airworthy("user", "link", "dana")
    airworthy("user", "enable", "dana")

    assert (first, again) == (True, False)
    assert "closed" in refused.err
    assert airworthy("user", "link", "dana").code == 0
    assert airworthy("user", "link", "erik").code == Exit.FAILED


def test_all_of_it_is_in_the_audit_log_with_who_gave_the_command(
    airworthy: Airworthy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRWORTHY_USER", "root")
    airworthy("user", "add", "dana", "--role", "viewer")
    typed(airworthy, monkeypatch, PASSWORD)
    airworthy("user", "disable", "dana")
    key = airworthy(
        "access", "create", "--program", "shop", "--role", "viewer", "--agent", "shop", "--json"
    ).json
    airworthy("access", "revoke", key["id"])
    rows = list(reversed(airworthy("audit", "list", "--json").lines))

    assert [(row["what"], row["about"], row["who"], row["door"]) for row in rows] == [
        ("account.add", "dana", "root", "cli"), ("account.password", "dana", "root", "cli"),
        ("account.disable", "dana", "root", "cli"), ("access.create", key["id"], "root", "cli"),
        ("access.revoke", key["id"], "root", "cli"),
    ]  # fmt: skip
    assert rows[3]["detail"] == {"agents": ["shop"], "for": "program:shop", "roles": ["viewer"]}
