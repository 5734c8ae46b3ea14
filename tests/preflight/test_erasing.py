"""A user is erased out of preflights too: out of cells, and out of the report that was made of them."""

from dataclasses import replace

from airworthy.app.build import assembled
from airworthy.app.privacy import Users
from airworthy.evals import Finding
from airworthy.preflight import records
from airworthy.preflight.cell import CellResult, Part, State
from airworthy.preflight.records import Kept, RunState, Stored
from airworthy.preflight.report import Item, Report, Section, Verdict
from airworthy.preflight.reporting import json_text
from airworthy.store import Tx
from tests.database import memory
from tests.preflight.kit import agent_of

RUN = Stored("pfl_1", "support", "abc123", RunState.RUNNING, "", 1_800_000_000_000_000, None, 7, "same", 0, 0)
SECRET = "Ann lives at 12 Long Street"


def _cell(id_: str, part: Part, said: str) -> CellResult:
    found = (Finding("facts", said),)
    return CellResult(id_, part, State.FAILED, said, findings=found, why=said, evidence={"input": said})


ANN = _cell("golden/ann", Part.GOLDEN, SECRET)
BOB = _cell("golden/bob", Part.GOLDEN, "Bob's words")
MET = _cell("adversarial/stranger", Part.ADVERSARIAL, f"Bob asks: {SECRET}?")
REPORT = Report(
    RUN.id, RUN.agent, RUN.release, Verdict.INCONCLUSIVE, SECRET, RUN.began_us, 1.0, 7,
    (Section(Part.GOLDEN, Verdict.NO_GO, SECRET, (ANN, BOB), (SECRET,), {"rows": [SECRET]}),
     Section(Part.ADVERSARIAL, Verdict.NO_GO, SECRET, (MET,))),
    (Item("failure", "Is it known how it fails?", "answered", SECRET, "#how"),
     Item("owner", "Who?", "answered", "Dana")),
    (SECRET,), (SECRET,),
)  # fmt: skip


def _write(tx: Tx) -> None:
    records.begun(tx, RUN)
    for cell, user in ((ANN, "ann-7"), (BOB, "bob-8"), (MET, "bob-8")):
        records.keep(tx, RUN.id, Kept(cell, (), user), at_us=RUN.began_us, spent_nano=0)
    records.ended(tx, REPORT, RunState.DONE, at_us=RUN.began_us + 1, worked_us=1, spent_nano=0)


def test_who_is_erased_stands_in_no_report_and_the_verdict_does() -> None:
    app = assembled(memory(), [agent_of()])
    app.database.write_now(_write)

    Users(app).erased("ann-7", "dana", cancel=False)

    report = app.database.read_now(lambda tx: records.get(tx, RUN.id))
    assert report is not None
    assert "Long Street" not in json_text(report)
    assert report.sections[0].cells[1] == BOB
    assert [each.state for each in report.sections[0].cells] == [State.FAILED, State.FAILED]
    assert (report.verdict, report.checklist[1]) == (Verdict.INCONCLUSIVE, REPORT.checklist[1])
    assert app.database.read_now(lambda tx: records.cells(tx, RUN.id)).keys() == {"golden/bob"}


def test_a_report_whose_cells_have_aged_tells_nothing_either() -> None:
    app = assembled(memory(), [agent_of()])
    app.database.write_now(_write)
    app.database.write_now(lambda tx: tx.execute("DELETE FROM preflight_cells"))

    Users(app).erased("ann-7", "dana", cancel=False)

    report = app.database.read_now(lambda tx: records.get(tx, RUN.id))
    assert report is not None
    assert "Long Street" not in json_text(report)
    assert replace(report.sections[1].cells[0], evidence={}) == report.sections[1].cells[0]
