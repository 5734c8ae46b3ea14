"""Reads `people.toml`, which stands beside airworthy.toml: who decides, and how they are told."""

import difflib
from pathlib import Path

from pydantic import BaseModel, ValidationError

from airworthy.policy.errors import PolicyError, Problem
from airworthy.policy.flaws import KeyPath
from airworthy.policy.lines import nearest, positions
from airworthy.policy.load import read_toml
from airworthy.policy.wording import Finding, findings, key_text
from airworthy.review import People, PersonRule, TeamRule
from airworthy.review.channel_rule import ChannelRule

PEOPLE_FILE = "people.toml"
_TABLES: dict[str, type[BaseModel]] = {"people": PersonRule, "teams": TeamRule, "channels": ChannelRule}


class PeopleError(PolicyError):
    """What is wrong with people.toml, line by line; no value is repeated, for it may be a misplaced secret."""

    code = "people"


def load_people(folder: Path) -> People:
    """Nobody, where there is no such file. Raises: PeopleError, PolicyError when it cannot be read."""
    path = folder / PEOPLE_FILE
    if not path.exists():
        return People()
    text, raw = read_toml(path)
    try:
        return People.model_validate(raw)
    except ValidationError as error:
        found = findings(error)
    where = positions(text)
    problems = []
    for finding in found:
        at = nearest(where, finding.path)
        problems.append(Problem(at.line, at.column, key_text(finding.path), "", finding.says, _mend(finding)))
    problems.sort(key=lambda problem: (problem.line, problem.column))
    raise PeopleError(str(path), problems)


def _mend(finding: Finding) -> str:
    known = _known(finding.path)
    if finding.says != "is not a known key." or not known:
        return finding.mend
    near = difflib.get_close_matches(str(finding.path[-1])[:80], known, n=1)
    return f"Did you mean {near[0]}?" if near else f"Delete it, or use one of: {', '.join(known)}."


def _known(path: KeyPath) -> list[str]:
    if len(path) == 1:
        return list(People.model_fields)
    model = _TABLES.get(str(path[0]))
    return list(model.model_fields) if model is not None and len(path) == 3 else []
