"""The table of all policy keys, written from the model itself so that the two cannot differ."""

import json
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from airworthy.policy.admission_rule import AdmissionRule
from airworthy.policy.context_rule import ContextRule
from airworthy.policy.credential_rule import CredentialRule
from airworthy.policy.dependency_rule import DependencyRule, HealthRule, OutageRule
from airworthy.policy.gateway_rule import CacheRule
from airworthy.policy.model import Policy
from airworthy.policy.model_rule import ModelRule
from airworthy.policy.plain_words import size
from airworthy.policy.review_rule import WaitRule
from airworthy.policy.sections import StopRule
from airworthy.policy.tool_rule import BreakerRule, ToolRule

_LISTS: Final[dict[str, tuple[str, type[BaseModel]]]] = {
    "admission": ("[admission]", AdmissionRule),
    "context": ("[context]", ContextRule),
    "models": ("[[models]]", ModelRule),
    "tools": ("[tools.<name>]", ToolRule),
    "dependencies": ("[dependencies.<name>]", DependencyRule),
    "stop": ("[[stop]]", StopRule),
}
_INNER: Final[dict[str, type[BaseModel]]] = {
    "breaker": BreakerRule,
    "cache": CacheRule,
    "health": HealthRule,
    "credentials": CredentialRule,
    "outages": OutageRule,
}
_UNITS: Final = (
    ("_usd_per_mtok", "USD per million tokens"),
    ("bytes_max", "bytes, or text: 256 KiB"),
    ("_usd", "USD"),
    ("_s", "seconds, or text: 2 min"),
    ("_s_max", "seconds, or text: 2 min"),
    ("seconds", "seconds, or text: 2 min"),
)
_UNIT_OF: Final = {
    "window": "tokens",
    "output_tokens_max": "tokens",
    "tokens": "tokens",
    "tokens_in": "tokens",
    "chars_min": "characters",
    "failure_share": "share, 0 to 1",
    "share": "share, 0 to 1",
    "keep_turns": "turns",
    "rate": "number per s, min, h or day",
    "user_rate": "number per s, min, h or day",
    "feature_rate": "number per s, min, h or day",
    "user_concurrency": "at once",
    "feature_concurrency": "at once",
    "queue_max": "tasks",
    "user_queue_max": "tasks",
    "per_task": "calls",
    "per_hour": "messages",
    "per_day": "calls",
    "per_recipient_per_day": "calls",
    "calls_per_day": "calls",
    "calls_per_month": "calls",
    "user_calls_per_day": "calls",
    "feature_calls_per_day": "calls",
    "tokens_per_day": "tokens",
    "tokens_per_month": "tokens",
    "user_tokens_per_day": "tokens",
    "feature_tokens_per_day": "tokens",
    "tokens_per_min": "tokens",
    "requests_per_min": "calls",
    "retell_max": "times",
    "temperature_max": "0 to 2",
    "approval_above": "as the tool's argument",
    "approval_below_confidence": "share, 0 to 1",
    "amount_max": "as the tool's argument",
    "steps": "steps",
    "tool_calls": "calls",
    "identical_calls": "calls",
    "cycle_repeats": "times",
    "no_progress": "steps",
    "off_track": "calls",
    "calls_min": "calls",
    "schema_learn": "results",
    "result_schema": "path of a file",
    "concurrency": "at once",
    "attempts": "times",
    "attempts_max": "times",
    "end_of_life": "date",
    "temperature": "0 to 2",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One row of the table."""

    name: str
    meaning: str
    unit: str
    default: str
    broken: str


def sections() -> list[tuple[str, str, list[Key]]]:
    """Header as written in the file, what the section is, its keys; in the order of the model."""
    top = [(name, field) for name, field in Policy.model_fields.items() if field.description]
    tables: list[tuple[str, str, list[Key]]] = [
        ("", "Top of the file", [_key(name, field) for name, field in top])
    ]
    for name, field in Policy.model_fields.items():
        if field.description:
            continue
        header, model = _LISTS.get(name, (f"[{name}]", field.annotation))
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise TypeError(f"{name} is neither a section nor listed here")
        about = (model.__doc__ or "").splitlines()[0]
        tables.append((header, about, _keys(model)))
        if name == "review":
            header = "[review.approvals], [review.tools.<name>] and the others"
            tables.append((header, (WaitRule.__doc__ or "").splitlines()[0], _keys(WaitRule)))
    return tables


def key_tables() -> str:
    """Markdown: a heading and a table for each section."""
    out = []
    for header, about, keys in sections():
        out.append(f"### `{header}`\n\n{about}" if header else f"### {about}")
        out.append(_table(keys))
    return "\n\n".join(out) + "\n"


def key_table(model: type[BaseModel]) -> str:
    """The same for one section of another file."""
    return _table(_keys(model)) + "\n"


def _table(keys: list[Key]) -> str:
    rows = ["| key | meaning | unit | default | when broken |", "|---|---|---|---|---|"]
    rows += [
        f"| `{key.name}` | {key.meaning} | {key.unit} | {key.default} | {key.broken} |".replace("  ", " ")
        for key in keys
    ]
    return "\n".join(rows)


def _keys(model: type[BaseModel], prefix: str = "") -> list[Key]:
    keys = []
    for name, field in model.model_fields.items():
        keys.append(_key(prefix + name, field))
        if name in _INNER:
            keys += _keys(_INNER[name], f"{prefix}{name}.")
    return keys


def _key(name: str, field: FieldInfo) -> Key:
    meaning, _, broken = (field.description or "").partition(" Broken: ")
    last = name.rsplit(".", 1)[-1]
    unit = _UNIT_OF.get(last) or next((unit for end, unit in _UNITS if last.endswith(end)), "")
    broken = broken[:1].upper() + broken[1:]
    return Key(name, meaning.replace("|", "\\|"), unit, _default(name, field), broken.replace("|", "\\|"))


def _default(name: str, field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default: Any = field.default
    if default is None or field.default_factory is not None:
        return "none"
    if isinstance(default, BaseModel):
        return "as below"
    if name.endswith("bytes_max"):
        return f'`"{size(default)}"`'
    return f"`{json.dumps(default)}`"
