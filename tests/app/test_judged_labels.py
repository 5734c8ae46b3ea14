"""Labels that a judge fills in: each answer once, and what it cannot say stays open."""

import asyncio
import json

from airworthy.app.judged_labels import judged
from airworthy.evals.judge import Answer


class Scripted:
    """A judge's model that likes answers with "yes" in them, and chokes on others."""

    def __init__(self) -> None:
        self.prompts: list[str] = []

    async def __call__(self, prompt: str) -> Answer:
        self.prompts.append(prompt)
        if "choke" in prompt:
            raise RuntimeError("no")
        return Answer(json.dumps({"reason": "so", "score": 0.9 if "yes" in prompt else 0.1}), 5)


def test_the_judge_fills_what_is_empty_and_nothing_else() -> None:
    rows = [
        {"id": "a", "human": True, "judge": None, "answer": "yes", "input": "q"},
        {"id": "b", "human": False, "answer": "oh", "rubric": "Of its own."},
        {"id": "c", "human": False, "judge": 0.4, "answer": "yes"},
        {"id": "d", "human": True},
        {"id": "e", "human": True, "answer": "choke"},
    ]
    ask = Scripted()

    found = asyncio.run(judged(rows, "For all.", ask, lambda: 10))

    assert [json.loads(line).get("judge") for line in found.lines] == [0.9, 0.1, 0.4, None, None]
    assert (found.judged, found.cost_nano) == (2, 10)
    assert [text.split(":")[0] for text in found.undecided] == ["e"]
    assert ["Of its own." in prompt for prompt in ask.prompts].count(True) == 1
