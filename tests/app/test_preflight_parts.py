"""What decides whether a preflight is the same as one that was broken off."""

from pathlib import Path

import pytest

from airworthy.app.preflight_parts import props_of
from airworthy.preflight.settings import PreflightSettings

SETTINGS = PreflightSettings.model_validate({
    "simulator": "rules.toml", "tools": {"send_mail": {"stand_in": "props_of_a_test:pretends"}}
})  # fmt: skip


def test_other_rules_and_other_stand_ins_are_another_preflight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    code, rules = tmp_path / "props_of_a_test.py", tmp_path / "rules.toml"
    code.write_text("def pretends():\n    return 1\n")
    rules.write_text("a = 1\n")
    first = props_of(tmp_path, SETTINGS)

    rules.write_text("a = 2\n")
    second = props_of(tmp_path, SETTINGS)
    code.write_text("def pretends():\n    return 2\n")
    third = props_of(tmp_path, SETTINGS)

    assert first.keys() == {"props_of_a_test.py", "rules.toml"}
    assert len({tuple(each.items()) for each in (first, second, third)}) == 3
