"""The recorder.toml that the pages show is one that loads."""

import re
from pathlib import Path

import pytest

from airworthy.app.recorder_settings import load_recorder_settings
from airworthy.policy import PolicyError

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to"


@pytest.mark.parametrize("page", ["send-traces.md", "export-to-a-collector.md"])
def test_the_settings_on_the_page_load(page: str, tmp_path: Path) -> None:
    (block,) = re.findall(r"^```toml\n(.*?)^```$", (HOW_TO / page).read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "recorder.toml").write_text(block)
    found = load_recorder_settings(tmp_path)

    assert found.export is None or found.export.url == "https://collector.example.com:4318/v1/traces"


def test_a_misspelt_key_is_an_error_that_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "recorder.toml").write_text('[export]\nendpont = "https://collector.example.com"\n')

    with pytest.raises(PolicyError, match="endpoint"):
        load_recorder_settings(tmp_path)
