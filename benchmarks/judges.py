"""Recorded judges against people: agreement, bias, thresholds, beside what was published; prints one JSON line last.

Run `python -m benchmarks.judges`. The recorded judgements come from beside the project (`--data`); without them every
figure is null. No model is called. Published: LLMBar (Zeng et al. 2023, arXiv 2310.07641), PandaLM (Wang et al. 2023,
arXiv 2306.05087), EVOUNA (Wang et al. 2023, arXiv 2305.12421), XSTest (Röttger et al. 2023, arXiv 2308.01263).
"""

import argparse
import json
from pathlib import Path
from typing import Any

from airworthy.evals.calibrate import Calibration, Label, calibrate, label_of
from benchmarks.versions import DATA, rows

LLMBAR = ("GPT-4/Vanilla", "ChatGPT/Vanilla", "LLaMA2/Vanilla", "PaLM2/Vanilla")
PANDALM = ("gpt-3.5-turbo", "pandalm-7b")


def of_pairs(data: Path, judge: str, *, adversarial: bool | None = None) -> list[Label]:
    labels = []
    for row in rows(data, "judge_pairs"):
        if judge not in row["judges"]:
            continue
        if adversarial is not None and row["subset"].startswith("Adversarial") is not adversarial:
            continue
        first, swapped = row["judges"][judge]
        labels.append(
            label_of({
                "id": row["id"], "human_winner": row["human_winner"], "people": row.get("human_votes"),
                "judge_winner": _winner(first), "judge_winner_swapped": _winner(swapped),
                "lengths": [len(str(row["output_1"])), len(str(row["output_2"]))],
            })
        )  # fmt: skip
    return labels


def _winner(said: Any) -> Any:
    """What is no winner was no judgement."""
    return said if str(said) in {"0", "1", "2"} else None


def of_grader(data: Path, system: str) -> list[Label]:
    """An easy grader, the gold answer found in the text, against people."""
    labels = []
    for row in rows(data, "qa_correctness"):
        if row["system"] != system:
            continue
        text, golds = str(row["answer"]).lower(), str(row["gold"]).lower().split("/")
        found = any(gold and gold in text for gold in golds)
        human = "good" if row["human_correct"] else "bad"
        labels.append(Label(row["id"], human=human, judge="good" if found else "bad", length=len(text)))
    return labels


def of_systems(data: Path) -> list[Label]:
    """Confidence by agreement: how far four other systems' answers hold the words that this one brings, against whether
    people call it right. One label a question, as answers to one question hang together.
    """
    by_question: dict[str, dict[str, Any]] = {}
    for row in rows(data, "qa_correctness"):
        by_question.setdefault(row["id"].rsplit("/", 1)[0], {})[row["system"]] = row
    labels = []
    for name, systems in by_question.items():
        if len(systems) < 5 or "gpt4" not in systems:
            continue
        mine = systems["gpt4"]
        others = [_words(str(row["answer"])) for system, row in systems.items() if system != "gpt4"]
        question = _words(str(mine["question"]))
        new = _words(str(mine["answer"])) - question
        alike = [len(new & other) / max(1, min(len(new), len(other - question))) for other in others]
        labels.append(
            Label(
                name,
                human="good" if mine["human_correct"] else "bad",
                confidence=min(1.0, sum(alike) / len(alike)),
            )
        )
    return labels


def _words(text: str) -> set[str]:
    words = "".join(c if c.isalnum() else " " for c in text.lower()).split()
    return {word for word in words if len(word) > 3 or word.isdigit()}


def of_refusals(data: Path, judge: str) -> list[Label]:
    return [
        label_of({
            "id": row["id"], "human": row["human"], "people": [row["human_1"], row["human_2"]], "judge": row[judge],
            "group": row["prompt"][:60],
        })
        for row in rows(data, "refusal_labels")
    ]  # fmt: skip


def told(found: Calibration) -> dict[str, Any]:
    result: dict[str, Any] = {"labels": found.labels}
    if found.agreement is not None:
        rate = found.agreement.rate
        result["agreement"] = [round(v, 3) for v in (rate.value, rate.low, rate.high)]
        result["kappa"] = None if found.agreement.kappa is None else round(found.agreement.kappa, 3)
    if found.people is not None:
        result["people"] = [round(v, 3) for v in (found.people.value, found.people.low, found.people.high)]
    if found.position is not None:
        result["consistent"] = round(found.position.consistent.value, 3)
        result["first_of_flips"] = round(found.position.first.value, 3)
        result["position_p"] = round(found.position.p, 4)
    if found.length is not None:
        result["length_excess"] = [
            round(v, 3) for v in (found.length.excess, found.length.low, found.length.high)
        ]
    if found.threshold is not None:
        result["threshold"] = found.threshold.value
        result["auto_answered"] = round(found.threshold.share.value, 3)
        result["error_high"] = round(found.threshold.error_high, 3)
    return result


def held_out(labels: list[Label], target: float) -> dict[str, Any]:
    """The threshold from one half; the error it lets through in the other."""
    halves = [labels[place::2] for place in range(2)]
    found = calibrate(halves[0], target).threshold
    if found is None or found.value is None:
        return {"threshold": None, "why": found.why if found else "no confidence"}
    out = [label for label in halves[1] if (label.confidence or 0) >= found.value]
    wrong = sum(label.human == "bad" for label in out)
    return {
        "target": target, "threshold": found.value, "labels": found.labels,
        "share_there": round(len(out) / len(halves[1]), 3), "error_there": round(wrong / max(1, len(out)), 4),
        "error_of_all": round(sum(label.human == "bad" for label in halves[1]) / len(halves[1]), 4),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    data: Path = options.data
    if not (data / "judge_pairs.jsonl.gz").exists():
        print(json.dumps({"llmbar": None, "pandalm": None, "qa": None, "notes": f"No judgements in {data}."}))
        return
    results: dict[str, Any] = {"llmbar": {}, "pandalm": {}, "qa": {}, "refusals": {}}
    for judge in LLMBAR:
        for adversarial in (False, True):
            name = f"{judge} {'adversarial' if adversarial else 'natural'}"
            results["llmbar"][name] = told(calibrate(of_pairs(data, judge, adversarial=adversarial)))
    for judge in PANDALM:
        results["pandalm"][judge] = told(calibrate(of_pairs(data, judge)))
    for system in ("fid", "gpt35", "chatgpt", "gpt4", "newbing"):
        results["qa"][f"gold text in {system}"] = told(calibrate(of_grader(data, system)))
    agreeing = of_systems(data)
    results["qa"]["gpt4, sure by agreement of five"] = told(calibrate(agreeing, 0.1))
    results["qa"]["held out, 10 %"] = held_out(agreeing, 0.1)
    results["qa"]["held out, 5 %"] = held_out(agreeing, 0.05)
    for judge in ("gpt4_judge", "strmatch_judge"):
        results["refusals"][judge] = told(calibrate(of_refusals(data, judge)))
    for group, found in results.items():
        for name, values in found.items():
            print(f"{group}: {name}: {json.dumps(values)}")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
