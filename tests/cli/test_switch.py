"""`pause`, `resume`, `status`: what is off stays off until somebody switches it on, and everybody can see it."""

from pathlib import Path

from tests.cli.conftest import Airworthy


def test_a_paused_agent_takes_nothing_until_it_is_resumed(airworthy: Airworthy) -> None:
    id_ = airworthy("submit", "--input", "hello").word
    airworthy("pause", "--agent", "shop", "--why", "wrong prices")

    status = airworthy("status", "--json").json
    shown = airworthy("task", "show", id_, "--json").json
    idle = airworthy("run", "--until-idle")
    resumed = airworthy("resume", "--agent", "shop", "--json").json
    airworthy("run", "--until-idle")

    assert [(row["scope"], row["by"], row["why"]) for row in status["paused"]] == [
        ("agent:shop", "dana", "wrong prices")
    ]
    assert (idle.code, idle.out) == (0, "")
    assert "Agent shop is paused" in idle.err
    assert any("airworthy resume --agent shop" in step for step in shown["next"])
    assert resumed == {"scope": "agent:shop", "paused": False, "changed": True, "tasks": 0}
    assert airworthy("task", "wait", id_).out == "echo hello\n"


def test_pausing_and_resuming_twice_says_so_and_does_no_harm(airworthy: Airworthy) -> None:
    words = [airworthy(*command).out.splitlines()[0] for command in (
        ("pause", "--all"), ("pause", "--all"), ("resume", "--all"), ("resume", "--all"),
    )]  # fmt: skip

    assert words == [
        "All agents are paused.", "All agents are paused already.",
        "All agents are resumed; 0 stopped tasks back in the queue.", "There was no pause of all agents.",
    ]  # fmt: skip


def test_resuming_all_tells_who_stays_paused_by_name(airworthy: Airworthy) -> None:
    airworthy("pause", "--all")
    airworthy("pause", "--agent", "shop")

    said = airworthy("resume", "--all")

    assert "Agent shop is paused still: airworthy resume --agent shop" in said.err


def test_pausing_a_name_nobody_knows_is_done_and_doubted(airworthy: Airworthy) -> None:
    said = airworthy("pause", "--agent", "shopp")

    assert said.code == 0
    assert "check the name" in said.err


def test_pausing_needs_no_working_agent(airworthy: Airworthy, folder: Path) -> None:
    """In an emergency the code may be what is broken."""
    airworthy("submit", "--input", "hello")
    (module,) = folder.glob("scripted_*.py")
    module.write_text("1 / 0")

    assert airworthy("pause", "--all").code == 0
    assert airworthy("status").code == 0
    assert airworthy("task", "cancel", "last").code == 0


def test_status_counts_what_there_is_and_what_needs_a_person(airworthy: Airworthy) -> None:
    for text in ("hello", "escalate who", "pay ann", "fail"):
        airworthy("submit", "--input", text)
    airworthy("run", "--until-idle")

    document, text = airworthy("status", "--json").json, airworthy("status").out

    assert (
        document["tasks"]["answered"] == document["tasks"]["escalated"] == document["tasks"]["waiting"] == 1
    )
    assert document["effects"] == {"held": 1, "scheduled": 0, "in_doubt": 0}
    assert document["workers"] == []
    assert "For people    3 (airworthy review list" in text
    assert "airworthy run" in text
