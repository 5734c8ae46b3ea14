"""Answers that people labelled, shown to the folder's judge: the other half of a calibration."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from airworthy.app.build import App
from airworthy.app.judging import JudgeModel
from airworthy.core.errors import ConfigError
from airworthy.core.outcome import Outcome
from airworthy.evals import Case, Expect, Trial
from airworthy.evals.calibrate import parse_labels
from airworthy.evals.calibrate.labels import lines_of
from airworthy.evals.judge import Ask, Judge
from airworthy.policy import ModelRule
from airworthy.preflight.stage.answers import StoredAnswers
from airworthy.preflight.stage.purse import Purse

RUBRIC: Final = "The answer is right, complete and fit for the person who asked."
AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class JudgedLabels:
    """`lines`: JSON lines as they came, with `judge` filled where it was empty. `undecided`: the judge's errors."""

    lines: tuple[str, ...]
    judged: int
    undecided: tuple[str, ...]
    cost_nano: int


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Raises: InputError, naming the line."""
    lines = lines_of(path)
    parse_labels(lines, str(path))  # Before money is spent on what cannot be calibrated with.
    return [json.loads(line) for line in lines if line.strip()]


def judged_by(
    app: App, agent: str, rule: ModelRule | None, rows: Sequence[dict[str, Any]], rubric: str, cap_nano: int
) -> JudgedLabels:
    """Raises: ConfigError without a judge; what opening its model raises."""
    if rule is None:
        raise ConfigError("There is no judge.", mend="Name its model under [judge] in preflight.toml.")
    purse = Purse(cap_nano)

    async def work() -> JudgedLabels:
        model = JudgeModel(rule, purse, StoredAnswers(app.database, app.payloads, agent), app.clock)
        try:
            return await judged(rows, rubric, model, lambda: purse.spent_nano)
        finally:
            await model.aclose()

    return asyncio.run(work())


async def judged(
    rows: Sequence[dict[str, Any]], rubric: str, ask: Ask, spent_nano: Callable[[], int]
) -> JudgedLabels:
    """Rows without an answer, and those judged before, stay as they are."""
    judge = Judge(ask)
    room = asyncio.Semaphore(AT_ONCE)
    undecided: list[str] = []
    done = 0

    async def one(row: dict[str, Any]) -> str:
        nonlocal done
        if row.get("judge") is None and isinstance(row.get("answer"), str):
            case = Case(
                id="label", input=row.get("input", ""), expect=Expect(rubric=str(row.get("rubric") or rubric))
            )
            async with room:
                found = await judge.score(case, Trial("label", Outcome.ANSWERED, answer=row["answer"]))
            if found.score is None:
                undecided.append(f"{row['id']}: {found.error}")
            else:
                row = {**row, "judge": found.score}
                done += 1
        return json.dumps(row, ensure_ascii=False)

    lines = await asyncio.gather(*(one(row) for row in rows))
    return JudgedLabels(tuple(lines), done, tuple(undecided), spent_nano())
