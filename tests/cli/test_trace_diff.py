"""`airworthy trace diff`: two runs held against each other in a terminal."""

from collections.abc import Callable

from tests.cli.conftest import Airworthy


def test_tells_what_differs_step_by_step(airworthy: Airworthy, ran: Callable[[str], str]) -> None:
    one, other = ran("look teapot"), ran("look kettle")

    said = airworthy("trace", "diff", one, other)
    assert said.code == 0
    assert "differ" in said.out.splitlines()[0]
    assert '-   "what": "teapot"' in said.out
    assert '+   "what": "kettle"' in said.out


def test_a_run_and_itself_are_the_same(airworthy: Airworthy, ran: Callable[[str], str]) -> None:
    one = ran("look teapot")

    assert airworthy("trace", "diff", one, one).out.startswith("0 of ")
    assert airworthy("trace", "diff", one, one, "--json").json["differing"] == 0


def test_says_how_to_go_on_where_nothing_is_near(airworthy: Airworthy, ran: Callable[[str], str]) -> None:
    said = airworthy("trace", "diff", ran("fail it"))

    assert said.code != 0
    assert "name the other" in said.err


def test_text_from_outside_commands_no_terminal(airworthy: Airworthy, ran: Callable[[str], str]) -> None:
    one, other = ran("look \x1b[31mred"), ran("look \u202eback")

    said = airworthy("trace", "diff", one, other)
    assert not {char for char in said.out if char in "\x1b\u202e"}
