"""The reference page keeps its word: blocks run, commands parse, the table of faults is the code's."""

import re
import shlex
from pathlib import Path

import pytest

from airworthy.gateway.simulator import KINDS, Rules, Simulator
from airworthy.gateway.simulator.__main__ import application, parser
from tests.gateway.simulator.conversations import AFTER_LOOKUP, QUESTION, calls, message, request, used, user

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "simulator.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("block", blocks("python"), ids=range(len(blocks("python"))))
def test_python_blocks_run(block: str) -> None:
    exec(compile(block, "simulator.md", "exec"), {"__name__": "example"})


@pytest.mark.parametrize("block", blocks("sh"), ids=range(len(blocks("sh"))))
def test_commands_are_accepted(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rules.toml").write_text(blocks("toml")[0])
    monkeypatch.chdir(tmp_path)
    python, flag, module, *options = shlex.split(block)

    assert (python, flag, module) == ("python", "-m", "airworthy.gateway.simulator")
    assert isinstance(application(parser().parse_args(options)), Simulator)


def test_the_example_rules_do_what_their_names_say() -> None:
    simulator = Simulator(rules=Rules.parse(blocks("toml")[0]))

    assert calls(simulator, request(user(QUESTION))) == [("find_order", {"order_id": "ORD-1042"})]
    found = message(simulator, request(*AFTER_LOOKUP))["content"]
    assert found.endswith("order ORD-1042 is shipped; first item: MUG-1.")
    lost = request(user(QUESTION), *used("find_order", {"order_id": "ORD-1042"}, "order not found"))
    assert message(simulator, lost)["content"] == "I could not find ORD-1042."


def test_every_fault_is_in_the_table_with_its_meaning() -> None:
    for kind in KINDS.values():
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{kind.name}` |"))
        assert kind.about in row
        assert row.endswith(f"| {kind.per} |")
        assert all(f"`{variant}`" in row for variant in kind.variants)
        assert kind.seconds is None or f"{kind.seconds:g} by default" in row


def test_every_option_of_the_command_is_on_the_page() -> None:
    for option in parser()._option_string_actions:
        assert option in {"-h", "--help"} or option in PAGE
