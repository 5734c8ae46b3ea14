"""A release names exactly what an agent is made of: it changes with each part, with nothing else, and never after."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airworthy.app.build import MIGRATIONS
from airworthy.core.release import Change, Release, diff
from airworthy.policy import Policy
from airworthy.runtime import Agent
from airworthy.runtime.releases import UnknownRelease, found, get, listing, noted, release_of
from airworthy.runtime.sources import code_files
from airworthy.store import migrate
from airworthy.tools import tool
from tests.database import memory

AGENT = """
import helpers
from lib.deep import thing

async def handle(run):
    import late
    import importlib
    importlib.import_module("named")
    return "done"
"""
FILES = {
    "made_of.py": AGENT, "helpers.py": "import json\n", "lib/__init__.py": "", "lib/beside.py": "", "late.py": "",
    "lib/deep.py": "from . import beside\nthing = 1", "named.py": "", "unused.py": "", "orders.json": "{}",
    "prompts/system.md": "Be kind.", "answer.j2": "{{ x }}", "uv.lock": "1",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("made_of", "helpers", "lib", "lib.deep", "lib.beside", "late", "named"):
        sys.modules.pop(name, None)


def agent_in(folder: Path, **keys: Any) -> Agent:
    import made_of  # type: ignore[import-not-found]  # written by the fixture

    @tool(effect="read")
    def look(order: str) -> str:
        """Looks an order up."""
        return order

    made = Agent(Policy(agent="support", purpose="Helps.", **keys), tools=[look])
    made.task(made_of.handle)
    return made


def test_code_is_what_the_agent_imports_from_its_folder_and_nothing_else(folder: Path) -> None:
    agent = agent_in(folder)

    parts = release_of(agent, folder).parts

    own = [name for name in parts["code"] if not name.startswith("tests.")]
    expected = [
        "helpers.py",
        "late.py",
        "lib/__init__.py",
        "lib/beside.py",
        "lib/deep.py",
        "made_of.py",
        "named.py",
    ]
    assert own == expected
    assert list(parts["prompts"]) == ["answer.j2", "prompts/system.md"]
    assert "uv.lock" in parts["libraries"]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("lib/beside.py", "code"), ("prompts/system.md", "prompts"), ("uv.lock", "libraries"), ("unused.py", ""),
        ("orders.json", ""),
    ],
)  # fmt: skip
def test_it_changes_with_each_part_and_with_nothing_beside(folder: Path, name: str, changes: str) -> None:
    agent = agent_in(folder)
    before = release_of(agent, folder)
    (folder / name).write_text("changed = 1")

    after = release_of(agent, folder)

    assert [(each.part, each.name) for each in diff(before, after)] == ([(changes, name)] if changes else [])
    assert (before.hash == after.hash) == (not changes)


def test_line_ends_of_another_system_are_the_same_code(folder: Path) -> None:
    agent = agent_in(folder)
    before = release_of(agent, folder)
    (folder / "made_of.py").write_bytes(AGENT.replace("\n", "\r\n").encode())

    assert release_of(agent, folder).hash == before.hash


def test_a_release_goes_from_stage_to_stage_as_the_same_one(folder: Path) -> None:
    early, late = (release_of(agent_in(folder, stage=stage), folder) for stage in ("development", "general"))

    assert early.hash == late.hash
    assert early.policy_hash != late.policy_hash


def test_a_diff_says_in_words_which_keys_models_and_tools_changed(folder: Path) -> None:
    model = {
        "name": "m-2026-01-01",
        "base_url": "http://127.0.0.1/v1",
        "input_usd_per_mtok": 1.0,
        "output_usd_per_mtok": 1.0,
    }
    old = release_of(agent_in(folder, limits={"steps": 9}, models=({**model, "timeout_s": 9.0},)), folder)
    new_agent = agent_in(folder, limits={"steps": 12, "seconds": 5.0}, models=(model,))

    @tool(effect="send")
    def look(order: str, amount: int) -> str:
        """Sends an order."""
        return order

    new_agent.tools = (look,)
    texts = [str(change) for change in diff(old, release_of(new_agent, folder))]

    assert texts == [
        "policy: limits.seconds is new: 5.0",
        "policy: limits.steps was 9, is 12",
        "models: m-2026-01-01 changed in timeout_s",
        "tools: look changed in description, effect, schema",
    ]


def test_no_link_leads_out_of_the_folder(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.py"
    outside.write_text("x = 1")
    (folder / "helpers.py").unlink()
    (folder / "helpers.py").symlink_to(outside)

    assert "helpers.py" not in code_files(folder, [agent_in(folder).handler])


def test_what_is_noted_is_never_changed_and_found_by_the_beginning_of_its_hash(folder: Path) -> None:
    database = memory()
    migrate(database, MIGRATIONS)
    release = release_of(agent_in(folder), folder)

    assert noted(database, release, 5)
    assert not noted(database, Release(release.agent, release.parts, "another"), 9)

    row = database.read_now(lambda tx: found(tx, release.short[:6]))
    assert (row.made_us, row.release) == (5, release)
    assert database.read_now(lambda tx: get(tx, "support", release.hash)) == row
    assert database.read_now(lambda tx: listing(tx, ["other"])) == []
    for part in ("zz", "0" * 64, "' OR 1=1", "%%%%"):
        with pytest.raises(UnknownRelease):
            database.read_now(lambda tx, part=part: found(tx, part))  # type: ignore[misc]  # bound now


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (Change("code", "a.py", "sha256:1", "sha256:2"), "code: a.py changed"),
        (Change("code", "a.py", "", "sha256:2"), "code: a.py is new"),
        (Change("tools", "t", '{"a":1}', ""), "tools: t is gone"),
        (Change("libraries", "python", "3.11", "3.12"), "libraries: python was 3.11, is 3.12"),
        (Change("tools", "t", "{broken", '{"a":1}'), "tools: t was {broken, is {\"a\":1}"),
    ],
)  # fmt: skip
def test_a_change_in_words(change: Change, text: str) -> None:
    assert str(change) == text
