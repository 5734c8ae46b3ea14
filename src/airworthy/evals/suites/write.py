"""Cases as YAML text, in the order in which people read them. What it writes, `load` reads back as the same cases."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from airworthy.evals.case import Case

_WIDTH: Final = 100
_ORDER: Final = (
    "id", "note", "origin", "severity", "tags", "user", "session", "feature", "source", "input", "people", "answers",
    "expect", "results",
)  # fmt: skip


_RESULT: Final = ("tool", "arguments", "result", "error")


class _Dumper(yaml.SafeDumper):
    """Long texts in blocks, nothing shared between places, every text that could be read as something else quoted."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    block = (
        "\n" in text
        and all(char.isprintable() or char == "\n" for char in text)
        and not text.startswith((" ", "\n"))
    )
    if block and not any(line.endswith(" ") for line in text.split("\n")):
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
    quoted = '"' if not text or not (text[0].isalpha() and text.isprintable()) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=quoted)


_Dumper.add_representer(str, _text)


def yaml_text(cases: Sequence[Case], *, head: str = "") -> str:
    """`head`: a comment's lines above."""
    comment = "".join(f"# {line}\n" for line in head.splitlines())
    data = {"cases": [as_mapping(case) for case in cases]}
    return comment + yaml.dump(data, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=_WIDTH)


def as_mapping(case: Case) -> dict[str, Any]:
    """Only what is not as if it were left out."""
    raw = case.model_dump(mode="json", exclude_defaults=True)
    raw["input"] = case.model_dump(mode="json")["input"]
    if case.expect.acts == ():
        raw.setdefault("expect", {})["acts"] = []
    if "expect" in raw:
        raw["expect"] = _whole(raw["expect"])
    if "results" in raw:
        raw["results"] = [_ordered(entry, _RESULT) for entry in raw["results"]]
    return _ordered(raw, _ORDER)


def _ordered(entry: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
    return {key: entry[key] for key in (*order, *entry) if key in entry}


def _whole(value: Any, key: str = "") -> Any:
    """Ends of ranges are numbers of any kind, and people write 8, not 8.0. What arguments and schemas hold stays."""
    if key in {"arguments", "json_schema"}:
        return value
    if isinstance(value, dict):
        return {name: _whole(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
