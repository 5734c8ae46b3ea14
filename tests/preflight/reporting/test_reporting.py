"""One report in four forms: each tells the same, is bounded, and holds no text that could become anything but text."""

import re
import shlex
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from airworthy.preflight.cell import Part, State
from airworthy.preflight.report import Section, Verdict
from airworthy.preflight.reporting import (
    from_document,
    html,
    html_text,
    json_text,
    junit_text,
    replay_command,
    report_from_json,
    terminal_lines,
    to_document,
)
from airworthy.preflight.reporting.json_ import NotAReport
from airworthy.preflight.reporting.svg import interval_svg, share_text
from tests.preflight.reporting.kit import hostile, realistic

CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
REPORT = realistic(150)
BAD = hostile()


class Page(HTMLParser):
    """What a browser would make of it, as far as it matters here."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "action"):
                self.links.append(value or "")


def test_the_file_asks_nothing_of_any_server_and_runs_nothing() -> None:
    page = Page(html_text(BAD))

    assert not {"script", "img", "link", "iframe", "form", "object"} & set(page.tags)
    assert not {name for name in page.attributes if name.startswith("on")} | (
        {"style", "src"} & page.attributes
    )
    assert {link[:1] for link in page.links} == {"#"}
    assert "default-src 'none'" in html_text(BAD)


def test_no_text_of_an_agent_is_markup_a_template_or_a_control_character_on_the_page() -> None:
    text = html_text(BAD)

    assert "<script" not in text
    assert "{{ 7*7 }}" in text
    assert CONTROLS.search(text) is None
    text.encode("utf-8")


def test_every_link_of_the_page_leads_somewhere_and_each_cell_of_the_heat_map_to_its_run() -> None:
    page = Page(html_text(REPORT))

    assert {link[1:] for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    cells = [cell for section in REPORT.sections for cell in section.cells]
    assert sum(id_.startswith("cell-") for id_ in page.ids) == len(cells)


def test_the_verdict_comes_first_then_what_is_missing_and_how_it_fails() -> None:
    text = html_text(REPORT)
    order = [
        text.index(f">{word}")
        for word in (
            "No-go<",
            "What is missing<",
            "How this agent fails<",
            "Readiness checklist<",
            "Golden cases <",
        )
    ]

    assert order == sorted(order)
    assert "An agent that does nothing passes 3 of 25 cases." in text


def test_the_page_is_bounded_and_failing_cells_keep_their_evidence_longest() -> None:
    huge = {"answer": "z" * 50_000}
    section = REPORT.sections[2]
    cells = tuple(replace(cell, evidence=huge) for cell in section.cells)
    report = replace(REPORT, sections=(replace(section, cells=cells),))

    text = html_text(report, chars_max=20_000)

    failed = sum(cell.state is State.FAILED for cell in cells)
    assert failed
    assert text.count("z" * 5_000) == min(failed, 3)
    assert text.count("z") < 25_000


def test_of_thousands_of_cells_those_that_passed_are_left_out_and_no_link_leads_to_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(html, "CELLS_MAX", 20)  # So that it takes no thousands here.
    page = Page(html_text(REPORT))
    failed = [cell for cell in REPORT.sections[2].cells if cell.state is State.FAILED]

    assert "more stand in the JSON report" in html_text(REPORT)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert html_text(REPORT).count("The reply to A-1001 was sent 2 times") >= len(failed)


def test_a_report_of_500_cells_is_under_two_megabytes() -> None:
    assert len(html_text(realistic(500)).encode()) < 2_000_000


def test_junit_is_read_by_a_parser_and_counts_what_the_report_counts() -> None:
    root = ET.fromstring(junit_text(REPORT))
    suites = {suite.get("name"): suite for suite in root}
    failures = suites["failures"]
    section = REPORT.sections[2]

    assert list(suites) == [*(each.part.value for each in REPORT.sections), "readiness"]
    assert int(failures.get("tests", "")) == len(section.cells) == len(failures.findall("testcase"))
    assert int(failures.get("failures", "")) == sum(c.state is State.FAILED for c in section.cells)
    assert int(failures.get("skipped", "")) == sum(c.state is State.UNDECIDED for c in section.cells)
    assert suites["readiness"].get("failures") == "1"
    assert int(root.get("tests", "")) == sum(int(suite.get("tests", "")) for suite in root)
    shown = failures.findall("testcase/failure")[0]
    assert shown.get("type") == "duplicate_effect"
    assert "airworthy preflight" in (shown.text or "")


def test_a_part_that_never_ran_is_no_empty_success_in_junit() -> None:
    root = ET.fromstring(junit_text(REPORT))
    context = next(suite for suite in root if suite.get("name") == "context")

    assert [case.find("skipped") is not None for case in context.findall("testcase")] == [True]


def test_hostile_text_in_junit_is_text_and_without_control_characters() -> None:
    text = junit_text(BAD)
    root = ET.fromstring(text)

    assert {each.tag for each in root.iter()} <= {
        "testsuites", "testsuite", "properties", "property", "testcase", "failure", "skipped", "error",
    }  # fmt: skip
    assert text.isascii()
    assert all(
        CONTROLS.search(value) is None
        for each in root.iter()
        for value in (each.text or "", *each.attrib.values())
    )


def test_json_holds_the_whole_report_and_gives_it_back() -> None:
    read = report_from_json(json_text(REPORT))

    assert to_document(read) == to_document(REPORT)
    assert read.sections[2].cells[5] == REPORT.sections[2].cells[5]
    assert json_text(BAD).isascii()
    assert to_document(report_from_json(json_text(BAD))) == to_document(BAD)


def test_json_has_no_number_that_json_lacks() -> None:
    cell = replace(
        REPORT.sections[0].cells[0], evidence={"a": float("nan"), "b": {"c": [float("inf")]}, "d": b"\xff"}
    )
    report = replace(REPORT, sections=(replace(REPORT.sections[0], cells=(cell,)),))

    read = report_from_json(json_text(report))

    assert read.sections[0].cells[0].evidence == {"a": None, "b": {"c": [None]}, "d": "\ufffd"}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema": 99}', '{"schema": 1, "id": 3}', "[" * 100_000])
def test_what_is_no_report_is_told_so(text: str) -> None:
    with pytest.raises(NotAReport):
        report_from_json(text)


def test_a_document_with_a_wrong_value_is_told_where() -> None:
    document = to_document(REPORT)
    document["sections"][0]["cells"][0]["state"] = "splendid"

    with pytest.raises(NotAReport, match=r"sections\.0\.cells\.0\.state"):
        from_document(document)


def test_terminal_lines_command_no_terminal_and_forge_no_line() -> None:
    lines = terminal_lines(BAD)

    assert lines[0].text.startswith("NO-GO: Not ready")
    assert not any(CONTROLS.search(line.text) for line in lines)
    assert not any(line.text.lstrip().startswith("forged") for line in lines)


def test_the_replay_command_is_one_shell_line_with_the_very_cell() -> None:
    cell = replace(REPORT.sections[2].cells[0], id="failures/x; rm -rf $HOME/`id`/y.once")

    words = shlex.split(replay_command(REPORT, cell))

    assert words[:5] == ["airworthy", "preflight", "support", "--cell", cell.id]
    assert words[5:] == ["--seed", "7"]


@pytest.mark.parametrize(
    ("share", "text"),
    [(1.0, "100 %"), (0.999, "over 99 %"), (0.0, "0 %"), (0.001, "under 1 %"), (0.5, "50 %")],
)
def test_a_share_is_not_rounded_to_all_or_none(share: float, text: str) -> None:
    assert share_text(share) == text


def test_an_interval_says_in_words_what_it_draws() -> None:
    drawn = interval_svg(0.5, (0.25, 0.75), 0.1)

    assert "50 %, between 25 % and 75 % with 95 % confidence; the agent that does nothing: 10 %" in drawn


def test_the_pass_rate_is_that_of_the_cases_whose_interval_stands_beside_it() -> None:
    assert "<b>94 %</b> of\n137 trials passed, over 25 cases" in html_text(REPORT)


def test_facts_of_an_unexpected_form_are_shown_as_they_are() -> None:
    odd = {
        "pass_rate": "many",
        "do_nothing": [1],
        "comparison": "same",
        "by_host": {"a": {"n": 1}},
        "x": {"y": None},
    }
    section = Section(Part.GOLDEN, Verdict.GO, "Fine.", facts=odd)

    text = html_text(replace(REPORT, sections=(section,)))

    assert "many" in text
    assert "by host" in text
