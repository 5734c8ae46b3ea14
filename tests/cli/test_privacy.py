"""`redact`, `retention`, `erase`, `export-user`, `seal`: as a person calls them."""

import zipfile
from pathlib import Path

from tests.cli.conftest import Airworthy, stored


def test_a_rule_is_tried_on_a_text_and_what_would_be_written_is_shown(
    airworthy: Airworthy, folder: Path
) -> None:
    found = airworthy(
        "redact", "test", "Mail ada@example.org, password=hunter2hunter2", "--all", "--json"
    ).json
    off = airworthy("redact", "test", "Mail ada@example.org", "--json").json
    one = airworthy("redact", "test", "Mail ada@example.org", "--rule", "email").out

    assert [(hit["rule"], hit["written"]) for hit in found["hits"]] == [
        ("email", "[redacted:email]"), ("password", "[redacted:password]"),
    ]  # fmt: skip
    assert found["written"] == "Mail [redacted:email], password=[redacted:password]"
    assert (off["hits"], off["written"]) == ([], "Mail ada@example.org")
    assert "Mail [redacted:email]" in one


def test_the_settings_of_the_folder_say_which_rules_are_on(airworthy: Airworthy, folder: Path) -> None:
    (folder / "recorder.toml").write_text(
        '[redact]\nemail = "pseudonym"\n[[redact.rules]]\nname = "customer"\npattern = \'KD-\\d{6}\'\n'
    )

    found = airworthy("redact", "test", "Mail ada@example.org about KD-123456", "--json").json
    listed = {row["rule"]: row["here"] for row in airworthy("redact", "rules", "--json").lines}

    assert found["written"].startswith("Mail [email:")
    assert found["written"].endswith("about [redacted:customer]")
    assert (listed["email"], listed["iban"], listed["customer"], listed["jwt"]) == (
        "pseudonym",
        "off",
        "redact",
        "always",
    )


def test_a_rule_that_is_none_is_refused(airworthy: Airworthy, folder: Path) -> None:
    done = airworthy("redact", "test", "x", "--rule", "emial")

    assert done.code == 1
    assert "redact rules" in done.err


def test_a_pattern_that_may_take_for_ever_is_refused_with_its_line(
    airworthy: Airworthy, folder: Path
) -> None:
    (folder / "recorder.toml").write_text('[[redact.rules]]\nname = "evil"\npattern = "(a+)+b"\n')

    done = airworthy("redact", "rules")

    assert done.code == 2
    assert "recorder.toml:3" in done.err.replace(" ", "") or "line 3" in done.err


def test_a_user_is_shown_exported_and_erased(airworthy: Airworthy, folder: Path) -> None:
    id_ = airworthy("submit", "--input", "look marmalade", "--user", "ada").word
    airworthy("run", "--until-idle")

    there = airworthy("erase", "--user", "ada", "--dry-run", "--json").json
    out = folder / "ada.zip"
    airworthy("export-user", "--user", "ada", "--out", str(out))
    unasked = airworthy("erase", "--user", "ada")
    done = airworthy("erase", "--user", "ada", "--yes", "--by", "dana", "--json").json

    assert (there["tasks"], there["blocked"]) == (1, [])
    with zipfile.ZipFile(out) as archive:
        assert f"tasks/{id_}.json" in archive.namelist()
    assert unasked.code == 2
    assert "--yes" in unasked.err
    assert (done["tasks"], done["scrubbed"]["log_left"]) == (1, False)
    assert "marmalade" not in stored(folder)
    assert airworthy("task", "show", id_).code == 0


def test_open_tasks_stop_an_erasure_and_are_named(airworthy: Airworthy, folder: Path) -> None:
    id_ = airworthy("submit", "--input", "hello", "--user", "ada").word

    refused = airworthy("erase", "--user", "ada", "--yes")
    done = airworthy("erase", "--user", "ada", "--cancel", "--yes")

    assert refused.code == 1
    assert id_ in refused.err
    assert "--cancel" in refused.err
    assert done.code == 0, done.err


def test_retention_shows_what_goes_and_when(airworthy: Airworthy, folder: Path) -> None:
    airworthy("submit", "--input", "hello", "--user", "ada")
    airworthy("run", "--until-idle")
    before = airworthy("retention", "show").err
    (folder / "recorder.toml").write_text("[retention]\npayloads_days = 0.00000001\n")

    dry = airworthy("retention", "run", "--dry-run", "--json").json
    done = airworthy("retention", "run", "--json").json
    shown = airworthy("retention", "show", "--json").json
    scrubbed = airworthy("retention", "scrub", "--yes", "--json").json

    assert "kept for good" in before
    assert dry["tasks"] == done["tasks"] == {"payloads": 1}
    assert shown["days"] == {"payloads_days": 0.00000001}
    assert {row["what"]: row["count"] for row in shown["removed"]}["of payloads"] == 1
    assert scrubbed["log_left"] is False


def test_sealing_says_what_it_sealed_and_a_spoilt_part_fails_the_check(
    airworthy: Airworthy, folder: Path
) -> None:
    airworthy("submit", "--input", "hello", "--user", "ada")
    airworthy("run", "--until-idle")

    nothing = airworthy("seal")
    wrong = airworthy("seal", "--before", "soon")
    checked = airworthy("seal", "verify")

    assert (nothing.code, checked.code) == (0, 0)
    assert "sealed" in nothing.err  # today is not over
    assert wrong.code == 2
