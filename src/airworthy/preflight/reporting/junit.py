"""A report as JUnit XML, as CI systems read it: a suite for each part, a test for each cell.

Form: the Ant/Jenkins dialect (testsuites > testsuite > testcase > failure | error | skipped). A failed cell is a
failure; one that says nothing about the agent (our side or the judge broke) an error; one without a verdict skipped.
"""

import re
from typing import Final
from xml.etree import ElementTree as ET  # only writes

from airworthy.core.chars import printable
from airworthy.core.clock import iso
from airworthy.preflight.cell import CellResult, State
from airworthy.preflight.report import Item, Report, Section, Verdict
from airworthy.preflight.reporting.replaying import replay_command

TEXT_CHARS_MAX: Final = 8_000
MESSAGE_CHARS_MAX: Final = 500
# What XML 1.0 cannot hold, even escaped (section 2.2 of its specification); `printable` spells most of it out before.
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_text(report: Report) -> str:
    root = ET.Element("testsuites", {"name": _attribute(f"preflight {report.agent}")})
    suites = [_suite(report, section) for section in report.sections]
    if report.checklist:
        suites.append(_checklist(report))
    counted = ("tests", "failures", "errors", "skipped")
    for suite in suites:
        root.append(suite)
    for name in counted:
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    root.set("time", f"{report.seconds:.3f}")
    ET.indent(root)
    # ASCII: whatever encoding a reader takes it for, it is the same text.
    raw: bytes = ET.tostring(root, encoding="us-ascii", xml_declaration=True)
    return raw.decode("ascii") + "\n"


def _suite(report: Report, section: Section) -> ET.Element:
    suite = ET.Element("testsuite", {"name": section.part.value, "timestamp": iso(report.began_us) or ""})
    properties = ET.SubElement(suite, "properties")
    facts = {
        "agent": report.agent, "release": report.release, "preflight": report.id, "verdict": section.verdict.value,
        "sentence": section.sentence, "seed": str(report.seed),
    }  # fmt: skip
    for name, value in facts.items():
        ET.SubElement(properties, "property", {"name": name, "value": _attribute(value)})
    cases = [_case(report, cell) for cell in section.cells]
    if section.verdict is Verdict.INCONCLUSIVE or (section.verdict is Verdict.NO_GO and not section.cells):
        # Without it a part that never ran would be an empty suite, which CI systems show as a success.
        cases.append(_of_part(section))
    return _counted(suite, cases, sum(cell.seconds for cell in section.cells))


def _of_part(section: Section) -> ET.Element:
    case = ET.Element(
        "testcase", {"classname": f"preflight.{section.part.value}", "name": "verdict", "time": "0"}
    )
    told = {"message": _attribute(section.sentence)}
    kind = "skipped" if section.verdict is Verdict.INCONCLUSIVE else "failure"
    ET.SubElement(case, kind, told).text = _text("\n".join(section.missing))
    return case


def _case(report: Report, cell: CellResult) -> ET.Element:
    case = ET.Element(
        "testcase",
        {
            "classname": f"preflight.{cell.part.value}",
            "name": _attribute(cell.id),
            "time": f"{cell.seconds:.3f}",
        },
    )
    lines = [cell.title, *(finding.text for finding in cell.findings), cell.why]
    lines.append(f"Severity: {cell.severity.value}. Trials: {cell.runs}, passed: {cell.passed}.")
    lines.append(f"Replay: {replay_command(report, cell)}")
    text = _text("\n".join(line for line in lines if line))
    message = _attribute(cell.findings[0].text if cell.findings else cell.why or cell.title)
    match cell.state:
        case State.FAILED:
            kind = cell.findings[0].kind if cell.findings else "failed"
            ET.SubElement(case, "failure", {"message": message, "type": _attribute(kind)}).text = text
        case State.BROKEN:
            ET.SubElement(case, "error", {"message": message, "type": "broken"}).text = text
        case State.UNDECIDED:
            ET.SubElement(case, "skipped", {"message": message}).text = text
        case State.PASSED:
            pass
    return case


def _checklist(report: Report) -> ET.Element:
    suite = ET.Element("testsuite", {"name": "readiness", "timestamp": iso(report.began_us) or ""})
    return _counted(suite, [_item(item) for item in report.checklist], 0.0)


def _item(item: Item) -> ET.Element:
    case = ET.Element(
        "testcase", {"classname": "preflight.readiness", "name": _attribute(item.key), "time": "0"}
    )
    text = _text("\n".join(line for line in (item.question, item.evidence, item.mend, item.link) if line))
    message = _attribute(item.evidence or item.question)
    if item.state == "unanswered":
        ET.SubElement(case, "failure", {"message": message, "type": "unanswered"}).text = text
    elif item.state == "waived":
        ET.SubElement(case, "skipped", {"message": message}).text = text
    return case


def _counted(suite: ET.Element, cases: list[ET.Element], seconds: float) -> ET.Element:
    suite.extend(cases)
    suite.set("tests", str(len(cases)))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("time", f"{seconds:.3f}")
    return suite


def _attribute(text: str) -> str:
    return _clean(printable(" ".join(text[: 2 * MESSAGE_CHARS_MAX].split())))[:MESSAGE_CHARS_MAX]


def _text(text: str) -> str:
    lines = text[:TEXT_CHARS_MAX].replace("\r\n", "\n").split("\n")
    return _clean("\n".join(printable(line) for line in lines))


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
