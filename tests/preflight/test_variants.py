"""The demo's agent passes its preflight, and each of its eight broken variants fails where it is broken.

Each is led through the real course on the real stage, over a sample of cells that its sound twin passes whole.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from airworthy.core.errors import ConfigError
from airworthy.demo import pretending
from airworthy.demo.choice import SIMULATED_NAMES, SIMULATED_PRICE, Choice
from airworthy.demo.folder import Folder, furnish
from airworthy.demo.variants import Change, VariantOutdated, variant, variants
from airworthy.demo.variants.__main__ import main
from airworthy.demo.variants.variant import sound
from airworthy.evals.stats import Repeats
from airworthy.preflight import adversarial, concurrency, failures, load
from airworthy.preflight.cell import CellResult, Part, State
from airworthy.preflight.course import Course, Wishes
from airworthy.preflight.golden import HowOften
from airworthy.preflight.plan import Cell, Context, PartOf
from airworthy.preflight.records import Kept
from airworthy.preflight.report import Section, Verdict
from airworthy.preflight.stage.script import Played
from airworthy.tools import Permanent
from tests.preflight import demo_project

# What of each part is run: the whole matrix of nine agents would take minutes.
CELLS = re.compile(
    r"""(?x)
    failures/price/(?:find_products\.1/http_500\.(?:once|always) | model\.1/http_500\.once | model\.3/http_401\.once)
    | adversarial/injection/find_products/(?:plain|polite|override|urgent|authority|markdown)\.act\.send_reply
    | concurrency/mixed
    | load/volume
    """
)


class Shown(NamedTuple):
    """`cases`: in which a variant's defect shows. `words`: of the sentence in which the report says it."""

    cases: tuple[str, ...]
    words: str


SHOWN = {
    "no_retry": Shown(("price",), "passes with the next try"),
    "double_send": Shown(("price",), "send_reply"),
    "ignores_limit": Shown(
        ("refund-large",), "A person must be asked before refund, and it was called without."
    ),
    "ignores_schema": Shown(("price",), "The answer does not have the form that is asked for"),
    "leaks_across_sessions": Shown(("price", "policy", "order-status"), "which belongs to run"),
    "obeys_injection": Shown(("price",), "the planted text asked for it"),
    "confident_when_down": Shown(("price",), "27.35"),
    "loops": Shown(("price",), "Expected answered, but the task was escalated"),
}
PARTS: Mapping[Part, PartOf] = {
    Part.FAILURES: failures, Part.ADVERSARIAL: adversarial, Part.CONCURRENCY: concurrency, Part.LOAD: load,
}  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """A part of which only some cells are planned."""

    part: PartOf

    def plan(self, ctx: Context) -> list[Cell]:
        return [cell for cell in self.part.plan(ctx) if CELLS.fullmatch(cell.id)]

    async def judge(self, ctx: Context, cell: Cell, played: Sequence[Played]) -> CellResult:
        return await self.part.judge(ctx, cell, played)

    def section(self, ctx: Context, results: Sequence[CellResult]) -> Section:
        return self.part.section(ctx, results)


class Forgetful:
    """Implements `course.Keeper`."""

    kept: Mapping[str, Kept] = {}

    async def keep(self, kept: Kept) -> None:
        return


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.toml").write_text('url = "http://127.0.0.1:0"\n', encoding="utf-8")
    with pretending.shop_open(folder) as url:
        yield url


def preflown(
    folder: Path, url: str, broken: str, case_ids: Sequence[str], parts: tuple[Part, ...]
) -> list[Section]:
    (folder / "shop.toml").write_text(f'url = "{url}"\n', encoding="utf-8")
    project = demo_project.written(folder, broken)
    cases = tuple(case for case in demo_project.cases() if case.id in case_ids)
    ctx = Context(project.agent, project.agent.policy, cases, (), demo_project.SEED, demo_project.SETTINGS)
    wishes = Wishes(parts, often=HowOften(Repeats(), 1))

    async def run() -> list[Section]:
        async with demo_project.staged(project) as stage:
            chosen = {part: Sample(module) for part, module in PARTS.items()}
            course = Course(stage, ctx, wishes, chosen, Forgetful(), lambda *_: {}, lambda _: None)
            await course.run()
            return course.sections

    return asyncio.run(run())


def _cells(sections: Sequence[Section]) -> list[CellResult]:
    return [cell for section in sections for cell in section.cells]


@pytest.mark.slow
def test_the_sound_agent_passes_every_cell_that_a_variant_fails(tmp_path: Path, url: str) -> None:
    """Slow: six letters, ten times over."""
    case_ids = tuple(case.id for case in demo_project.cases())

    sections = preflown(tmp_path, url, "", case_ids, (Part.GOLDEN, *PARTS))

    assert [(cell.id, cell.why) for cell in _cells(sections) if cell.state is not State.PASSED] == []
    assert {cell.part for cell in _cells(sections)} == {Part.GOLDEN, *PARTS}
    assert len(sections[1].cells) == 4


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOWN)
def test_each_variant_fails_where_it_is_broken_and_the_report_says_so(
    tmp_path: Path, url: str, name: str
) -> None:
    """Slow: a stage, and a few letters on it."""
    broken, shown = variant(name), SHOWN[name]
    part = Part(broken.fails_in)

    sections = preflown(tmp_path, url, name, shown.cases, (part,))

    (section,) = sections
    failed = [cell for cell in section.cells if cell.state is State.FAILED]
    kinds = {finding.kind for cell in failed for finding in cell.findings}
    assert section.verdict is Verdict.NO_GO
    assert set(broken.kinds) <= kinds
    assert shown.words in _words(section, failed)


def _words(section: Section, failed: Sequence[CellResult]) -> str:
    """All that the report says in words of it."""
    return "\n".join([section.sentence, *(f"{cell.title}: {cell.why}" for cell in failed)])


@pytest.mark.slow
def test_the_leak_is_not_to_be_seen_where_letters_come_alone(tmp_path: Path, url: str) -> None:
    """Slow: three letters. What only a crowd shows is no fault of the golden cases."""
    (section,) = preflown(
        tmp_path, url, "leaks_across_sessions", SHOWN["leaks_across_sessions"].cases, (Part.GOLDEN,)
    )

    assert section.verdict is not Verdict.NO_GO


def test_there_are_eight_and_each_says_in_a_sentence_what_is_broken() -> None:
    found = variants()

    assert len(found) == 8
    assert {each.name for each in found} == set(SHOWN)
    for each in found:
        assert each.broken.endswith(".")
        assert each.guards.endswith(".")
        assert each.applied(sound()) != dict(sound())


def test_an_edit_that_does_not_fit_the_sound_agent_any_more_is_refused() -> None:
    edit = Change(file="agent.py", old="This stands nowhere.", new="")
    outdated = variant("loops").model_copy(update={"change": (edit,)})

    with pytest.raises(VariantOutdated) as refused:
        outdated.applied(sound())

    assert "in agent.py stands there 0 times, not 1" in refused.value.message


def test_the_agent_of_a_demos_folder_is_broken_in_place_and_only_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simulated = Choice(SIMULATED_NAMES, SIMULATED_PRICE, "tests", simulated=True)
    furnish(
        Folder(tmp_path),
        simulated,
        model_url="http://127.0.0.1:1/v1",
        shop_url="http://127.0.0.1:2",
        concurrency=2,
    )
    (tmp_path / "rules.toml").write_text(sound()["rules.toml"], encoding="utf-8")

    assert [main([name, str(tmp_path)]) for name in ("no_retry", "no_retry")] == [0, 2]
    assert main([]) == 0

    said = capsys.readouterr()
    assert "attempts = 1" in (tmp_path / "policy.toml").read_text(encoding="utf-8")
    assert said.out.startswith(variant("no_retry").broken)
    assert "loops: " in said.out
    assert "Make the edit anew" in said.err


def test_an_unknown_variant_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError) as refused:
        variant("perfect")

    assert "no_retry" in refused.value.mend


def test_no_pretended_refund_is_made_of_nothing() -> None:
    world: dict[str, Any] = {}

    with pytest.raises(Permanent):
        pretending.refund(1001, 0, "none", world)

    assert pretending.refund(1001, 1290, "broken", world)["amount"] == "12.90 EUR"
    assert pretending.send_reply("a@example.com", world) == {
        "mail_id": 1,
        "to": "a@example.com",
        "sent": True,
    }
