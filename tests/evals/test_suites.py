"""Cases are read from files and held against each other before anything is run."""

from pathlib import Path

import pytest

from airworthy.evals import Case, Expect, Number, Severity, ToolExpect
from airworthy.evals.suites import Reach, Suite, SuiteError, load, yaml_text

GOOD = """
defaults:
  severity: minor
  expect: {outcome: answered}
cases:
  - id: order-status
    input: {text: "Where is my order?", country: NO, at: 12:30, number: 0123, day: 2026-11-01}
    tags: normal
    expect:
      facts: ["shipped", "/order \\\\d+/"]
      tools:
        - get_order
        - {name: send_reply, arguments: {to: "/@example.com$/"}, times: {min: 1, max: 1}}
      in_order: true
  - id: refund
    input: Give me my money back
    severity: critical
    expect:
      outcome: [escalated]
      acts: []
"""


def _write(folder: Path, text: str, name: str = "cases.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def _flaws(folder: Path, body: str) -> list[str]:
    with pytest.raises(SuiteError) as caught:
        load([_write(folder, body)])
    return [str(flaw).removeprefix(f"{folder}/") for flaw in caught.value.flaws]


def _case(expect: str, **keys: str) -> str:
    more = "".join(f"    {key}: {value}\n" for key, value in keys.items())
    return f"cases:\n  - id: one\n    input: hello\n{more}    expect:\n      {expect}\n"


def test_a_suite_is_read_with_its_defaults_and_places(tmp_path: Path) -> None:
    suite = load([_write(tmp_path, GOOD)])

    first, second = suite.cases
    assert first.expect.outcome == ("answered",)
    assert first.expect.tools[0] == ToolExpect(name="get_order")
    assert (first.severity, second.severity) == ("minor", "critical")
    assert second.expect.acts == ()
    assert suite.places["refund"].line == 15
    assert first.origin.endswith("cases.yaml:6")


def test_what_looks_like_something_else_stays_the_text_it_is(tmp_path: Path) -> None:
    """Norway is no boolean, and an order number keeps its zeros."""
    first = load([_write(tmp_path, GOOD)]).cases[0]

    assert first.input["country"] == "NO"
    assert first.input["at"] == "12:30"
    assert first.input["number"] == "0123"
    assert first.input["day"] == "2026-11-01"


IMPOSSIBLE = [
    ("steps: {min: 5, max: 2}", "at least 5 and at most 2"),
    ("seconds: {max: -1}", "ever at most -1"),
    ("tools: [{name: a, times: {min: 1.2, max: 1.8}}]", "No whole number"),
    ("tools: [{name: a, arguments: {amount: {min: 9, max: 1}}}]", "at least 9 and at most 1"),
    ("{no_acts: true, acts: [send]}", "Nothing may be done"),
    ("{tools: [a], not_tools: [a]}", "forbidden in not_tools"),
    ("{acts: [a], not_tools: a}", "forbidden in not_tools"),
    ("{approval: a, not_tools: a}", "A person must be asked before a"),
    ("{tools: [a, b, {name: c, times: {min: 3}}], steps: {max: 4}}", "required calls alone are 5"),
    ("{tools: [{name: a, arguments: {n: 1}}, {name: a, arguments: {n: 2}}], steps: {max: 1}}", "alone are 2"),
    (
        "tools: [{name: a, times: {max: 1}}, {name: a, arguments: {n: 1}}, {name: a, arguments: {n: 2}}]",
        "others need 2",
    ),
    ("{facts: ['We refund 20 EUR'], not_facts: [refund]}", "nowhere may stand 'refund'"),
    ("{facts: ['/(?=a)b/']}", "no pattern"),
    ("{facts: ['/(/']}", "no pattern"),
    ("{judge: 0.7}", "no rubric"),
    ("{judge: 7, rubric: polite}", "7"),
    ("{reason: limit_step}", "Did you mean limit_steps?"),
    ("{outcome: declined, json_schema: {type: object}}", "has no answer"),
    ("{json_schema: {type: 5}}", "schema cannot be used"),
    ("{outcome: anwsered}", "Did you mean answered?"),
    ("{steps: 5}", "Write {max: 8}"),
    ("{fact: [x]}", "Did you mean facts?"),
    ("{tools: [{nam: x, name: y}]}", "Did you mean name?"),
]  # fmt: skip


@pytest.mark.parametrize(("expect", "says"), IMPOSSIBLE)
def test_what_no_run_can_meet_is_refused(tmp_path: Path, expect: str, says: str) -> None:
    (told,) = _flaws(tmp_path, _case(expect))

    assert says in told
    assert told.startswith(("cases.yaml:5:", "cases.yaml:4:"))
    assert "case one" in told


def test_an_approved_effect_is_not_expected_where_the_person_says_no(tmp_path: Path) -> None:
    (told,) = _flaws(tmp_path, _case("{acts: [refund], approval: [refund]}", people="reject"))

    assert "says no" in told


def test_all_that_is_wrong_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    text = (
        "cases:\n- id: a\n  input: x\n  exepct: {}\n- id: b\n  input: y\n  expect:\n    steps:\n      min: 3\n"
        "      max: 1\n- id: a\n  input: z\n  facts: [x]\nseverty: minor\n"
    )

    told = _flaws(tmp_path, text)

    assert [line.split(" ")[0] for line in told] == [
        "cases.yaml:4:",
        "cases.yaml:8:",
        "cases.yaml:13:",
        "cases.yaml:14:",
    ]
    assert "Did you mean expect?" in told[0]
    assert "belongs in expect" in told[2]


CLASHES = [
    ("{outcome: answered}", "{outcome: [declined, escalated]}", "one ends answered"),
    ("{facts: ['yes, 5 EUR']}", "{not_facts: [yes]}", "'yes, 5 EUR'"),
    ("{tools: [a]}", "{not_tools: [a]}", "a is required in one"),
    ("{acts: [a]}", "{no_acts: true}", "a must be done in one"),
    ("{acts: [a]}", "{acts: [b]}", "not among what may be done"),
    ("{steps: {max: 3}}", "{steps: {min: 4}}", "steps is at most 3"),
    ("{tools: [{name: a, times: {max: 0}}]}", "{tools: [a]}", "a is called at most 0"),
]


@pytest.mark.parametrize(("one", "other", "why"), CLASHES)
def test_cases_that_contradict_each_other_are_refused(tmp_path: Path, one: str, other: str, why: str) -> None:
    text = f"- {{id: a, input: {{x: 1}}, expect: {one}}}\n- {{id: b, input: {{x: 1}}, expect: {other}}}\n"

    (told,) = _flaws(tmp_path, text)

    assert why in told
    assert told.startswith("cases.yaml:2: case b:")
    assert "cases.yaml:1" in told


def test_the_same_words_of_another_customer_are_another_case(tmp_path: Path) -> None:
    text = (
        "- {id: a, input: x, user: u1, expect: {outcome: answered}}\n"
        "- {id: b, input: x, user: u2, expect: {outcome: declined}}\n"
    )

    assert len(load([_write(tmp_path, text)]).cases) == 2


def _warned(suite: Suite) -> str:
    return "\n".join(str(notice) for notice in suite.warnings)


def test_a_suite_of_one_is_warned_of(tmp_path: Path) -> None:
    suite = load([_write(tmp_path, "- {id: a, input: x, expect: {outcome: answered}}")])

    assert "There is one case." in _warned(suite)
    assert "21 %" in _warned(suite)


def test_what_proves_little_is_warned_of(tmp_path: Path) -> None:
    text = "- {id: a, input: x}\n- {id: b, input: x}\n- {id: c, input: y, expect: {rubric: be kind}}\n"

    warned = _warned(load([_write(tmp_path, text)]))

    assert "expects nothing" in warned
    assert "same input and context as a" in warned
    assert "asks for no score" in warned


def test_a_folder_is_searched_and_code_in_it_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    _write(tmp_path, "- {id: a, input: x}")
    _write(tmp_path / "deep", '[{"id": "b", "input": "y"}]', "more.json")
    _write(tmp_path, "raise SystemExit", "code.py")
    (tmp_path / "round").symlink_to(tmp_path)

    assert [case.id for case in load([tmp_path]).cases] == ["a", "b"]


def test_an_empty_folder_is_warned_of_and_a_missing_one_refused(tmp_path: Path) -> None:
    assert "No file of cases" in _warned(load([tmp_path]))
    with pytest.raises(SuiteError, match="no such file"):
        load([tmp_path / "nowhere"])


_ONE = "a: &a [x, x]\nk0: &k0 [*a, *a]\n"
_LAUGHS = _ONE + "".join(f"k{n}: &k{n} [{', '.join([f'*k{n - 1}'] * 9)}]\n" for n in range(1, 9))
UNREADABLE = [
    (_LAUGHS, "unfold"),
    ("cases: &loop [*loop]", "unfold"),
    ("[" * 60 + "]" * 60, "nested more than 40"),
    ("cases: !!python/object/apply:os.system ['true']", "tag"),
    ("cases: !mine x", "tag"),
    ("a: 1\na: 2", "stands twice"),
    ("<<: {a: 1}", "Merge keys"),
    ("- {id: a\n- b", "Not valid YAML"),
    ("--- a\n--- b\n", "several documents"),
    ("? [a]\n: b", "A key is a list"),
    ("\x00", "Not valid YAML"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), UNREADABLE, ids=[says for _, says in UNREADABLE])
def test_no_text_gets_past_the_bounds_of_reading(tmp_path: Path, text: str, says: str) -> None:
    assert any(says in told for told in _flaws(tmp_path, text))


def test_what_is_no_utf8_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_bytes(b"id,input\na,caf\xe9\n")

    with pytest.raises(SuiteError, match=r"cases.csv:2: The byte 0xe9"):
        load([path])


def test_a_spreadsheet_is_read(tmp_path: Path) -> None:
    text = (
        "\ufeffid;input;outcome;facts;tool_order;acts;steps_max;judge;rubric;tags\n"
        'a;"two\nlines";answered;"5 EUR\n7 EUR";get_order;none;4;0.5;kind;normal\n'
        'b;"{""text"": ""hi""}";;;;;;;;edge\n'
    )

    a, b = load([_write(tmp_path, text, "c.csv")]).cases

    assert a.input == "two\nlines"
    assert a.expect.facts == ("5 EUR", "7 EUR")
    assert (a.expect.in_order, a.expect.no_acts, a.expect.steps) == (True, True, Number(max=4))
    assert b.input == {"text": "hi"}
    assert b.origin.endswith("c.csv:5")


SHEETS = [
    ("id,inputs\na,x\n", "c.csv:1: The column 'inputs' is not known. Did you mean input?"),
    ("id,input,input.a\na,x,y\n", "Use one of the two"),
    ("id,input\na,x\nb,x,y\n", "c.csv:3: The row has 3 cells"),
    ("id,input,judge\na,x,high\n", "judge is 'high'"),
    ('id,input\na,"x\n', "Not valid CSV"),
]


@pytest.mark.parametrize(("text", "says"), SHEETS)
def test_what_is_wrong_in_a_spreadsheet_is_told_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SuiteError) as caught:
        load([_write(tmp_path, text, "c.csv")])
    assert says in str(caught.value)


def some_cases() -> list[object]:
    return [Case(id="p1", input="x"), {"id": "p2", "input": "y", "expect": {"outcome": "answered"}}]


def broken_cases() -> list[object]:
    raise ValueError("no\x1b[31m such file")


def test_a_function_gives_cases() -> None:
    suite = load([f"{__name__}:some_cases"])

    assert [case.id for case in suite.cases] == ["p1", "p2"]
    assert suite.cases[1].expect.outcome == ("answered",)


def test_an_error_of_the_function_is_told_without_its_control_characters() -> None:
    with pytest.raises(SuiteError) as caught:
        load([f"{__name__}:broken_cases"])
    assert "It raised ValueError" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_what_is_written_is_read_back_the_same(tmp_path: Path) -> None:
    cases = [
        Case(
            id="hard",
            input={"text": "no\n  - yes: #1\n\ttab \x1b[31m", "n": "0123", "t": "true", "x": None, "f": 1e30},
            expect=Expect(
                facts=("/a+/", "~", " lead"), acts=(), judge=0.5, rubric="a: b\nc", json_schema={"type": "object"},
            ),
            results=({"tool": "t", "arguments": {"a": [1, 2.5]}, "result": {"k": ["- x"]}},), origin="task 1",
        ),
        Case(id="other", input="", severity=Severity.CRITICAL, answers={"Which?": "this"}, origin="o"),
    ]  # fmt: skip

    again = load([_write(tmp_path, yaml_text(cases, head="made\nhere"))])

    assert list(again.cases) == cases


def test_what_the_policy_never_allows_is_refused(tmp_path: Path) -> None:
    reach = Reach(frozenset({"refund"}), steps_max=5, amounts={"refund": ("amount", 50)})
    text = (
        "- {id: a, input: x, expect: {acts: [{name: refund, arguments: {amount: {min: 80}}}]}}\n"
        "- {id: b, input: y, expect: {acts: [{name: refund, arguments: {amount: 50}}]}}\n"
        "- {id: c, input: z, expect: {tools: [refunds], steps: {min: 9}}}\n"
    )

    with pytest.raises(SuiteError) as caught:
        load([_write(tmp_path, text)], reach=reach)

    told = [str(flaw) for flaw in caught.value.flaws]
    assert len(told) == 3
    assert "refuses more than 50" in told[0]
    assert "Did you mean refund?" in told[1]
    assert "stops the task at 5" in told[2]


def test_stored_cases_are_held_against_those_of_files(tmp_path: Path) -> None:
    path = _write(tmp_path, "- {id: a, input: x, expect: {outcome: answered}}")

    with pytest.raises(SuiteError, match="no run can meet both"):
        load([path], more=[Case(id="b", input="x", expect=Expect(outcome=("declined",)))])
