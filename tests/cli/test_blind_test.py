"""`blind-test` and `judge` as people call them: links once, what was said, cases and labels, and a judge compared."""

import json
from pathlib import Path

from airworthy.cli.exits import Exit
from tests.cli.conftest import Airworthy, stored


def test_links_are_shown_once_and_a_stopped_test_is_over(airworthy: Airworthy, folder: Path) -> None:
    made = airworthy("blind-test", "start", "--people", "2", "--url", "https://try.example", "--json").json
    [listed] = airworthy("blind-test", "list", "--json").lines
    stopped = airworthy("blind-test", "stop", made["id"]).out
    again = airworthy("blind-test", "stop", made["id"]).out
    shown = airworthy("blind-test", "show", made["id"])

    assert len(made["links"]) == 2
    assert all(link.startswith("https://try.example/try/awb_") for link in made["links"])
    assert made["links"][0].rpartition("/")[2] not in stored(folder)
    assert (listed["people"], listed["tries"], listed["agent"]) == (2, 0, "shop")
    assert ("is over" in stopped, "was over" in again, shown.code) == (True, True, Exit.OK)


def test_a_test_is_exported_as_cases_and_labels(airworthy: Airworthy, folder: Path) -> None:
    test = airworthy("blind-test", "start", "--json").json["id"]

    told = airworthy(
        "blind-test", "export", test, "--cases", "cases.yaml", "--labels", "labels.jsonl", "--json"
    ).json

    assert told == {"cases": 0, "labels": 0, "left_out": 0}
    assert (folder / "labels.jsonl").read_text() == ""
    assert airworthy("blind-test", "export", test).code != Exit.OK
    assert airworthy("blind-test", "show", "bld_nope").code == Exit.FAILED


def test_without_a_bound_that_makes_sense_none_is_begun(airworthy: Airworthy) -> None:
    assert airworthy("blind-test", "start", "--people", "0").code != Exit.OK
    assert airworthy("blind-test", "start", "--shape", "no json").code == Exit.FAILED
    assert airworthy("blind-test", "start", "--agent", "nobody").code == Exit.FAILED


def test_a_judge_is_compared_with_people(airworthy: Airworthy, folder: Path) -> None:
    rows = [{"id": i, "human": i % 5 > 0, "judge": 0.9 if i % 5 else 0.2, "length": i} for i in range(200)]
    (folder / "labels.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    told = airworthy("judge", "calibrate", "labels.jsonl", "--svg", "picture.svg")
    data = airworthy("judge", "calibrate", "labels.jsonl", "--json").json
    absent = airworthy("judge", "calibrate", "absent.jsonl")

    assert "agrees with people in 100.0%" in told.out
    assert "0 of 160 were" in told.out
    assert (folder / "picture.svg").read_text().startswith("<svg")
    assert data["threshold"]["value"] == 0.21
    assert (absent.code, "absent.jsonl" in absent.err) == (Exit.FAILED, True)


def test_a_guests_wish_is_rehearsed_rated_and_exported(airworthy: Airworthy, folder: Path) -> None:
    """Through the real worker and its guards: the tool that would pay is never called."""
    from airworthy.app.blind import blind_tests_of
    from airworthy.app.project import project
    from airworthy.preflight.blind import Rating

    agent = next(folder.glob("scripted_*.py"))
    # Small enough to be done without asking anybody.
    text = agent.read_text().replace("amount=80.0", "amount=8.0")
    agent.write_text(text.replace('"""Pays."""', f'"""Pays."""\n    open("{folder}/paid", "w").close()'))
    made = airworthy("blind-test", "start", "--people", "1", "--json").json
    secret = made["links"][0].rpartition("/")[2]
    with project(folder) as found:
        tests = blind_tests_of(found.app, [each.policy for each in found.agents])
        first = tests.ask(secret, "pay ann", "1")
        assert airworthy("run", "--until-idle").code == Exit.OK
        second = tests.ask(secret, "hello", "2")
        assert airworthy("run", "--until-idle").code == Exit.OK
        tests.rate(secret, second.task, Rating(5))
        tries = tests.tries(made["id"])
    told = airworthy(
        "blind-test", "export", made["id"], "--cases", "c.yaml", "--labels", "l.jsonl", "--json"
    ).json
    task = airworthy("task", "show", first.task, "--json").json

    assert not (folder / "paid").exists()
    assert (task["source"], tries[1].text) == ("blind test", "echo hello")
    assert told == {"cases": 1, "labels": 1, "left_out": 1}
    assert json.loads((folder / "l.jsonl").read_text())["human"] is True
    assert "5 of 5 stars" in (folder / "c.yaml").read_text()
