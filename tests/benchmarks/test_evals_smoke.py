"""The figures of evaluations come without the recorded data, as null with the reason; and from a few made-up runs."""

import json
from pathlib import Path

import pytest

from benchmarks import judges, versions


@pytest.mark.parametrize("benchmark", [judges, versions], ids=["judges", "versions"])
def test_without_data_every_figure_is_null(
    benchmark: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["benchmark", "--data", str(tmp_path)])

    benchmark.main()  # type: ignore[attr-defined]

    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert str(tmp_path) in found.pop("notes")
    assert set(found.values()) == {None}


def test_a_recorded_run_is_counted_by_its_tools_and_words() -> None:
    run = {
        "reward": 1.0,
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "four", "tool_calls": [{"name": "find"}, {"name": "find"}]},
            {"role": "tool", "content": "x"},
            {"role": "assistant", "content": None},
        ],
    }

    seen = versions.seen(run)

    assert (seen.passed, seen.tools) == (True, {"find": 2})
    assert seen.signals == {"steps": 2.0, "length": 4.0}
