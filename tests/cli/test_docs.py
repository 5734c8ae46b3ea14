"""The generated reference pages say what the code does today."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """It is a script beside the pages, not part of the package."""
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["cli.md", "task-states.md", "policy.md"])
def test_the_page_is_current(name: str, generate: ModuleType) -> None:
    """Run `make docs` when this fails."""
    pages = {path.name: text for path, text in generate.pages().items()}

    assert (DOCS / "reference" / name).read_text(encoding="utf-8") == pages[name]


def test_every_event_of_the_state_table_is_explained(generate: ModuleType) -> None:
    assert all(text.endswith(".") for text in generate.EVENTS.values())
    assert set(generate.EVENTS) == set(generate.Event)
