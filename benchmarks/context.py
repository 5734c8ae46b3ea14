"""What keeping conversations short costs and saves; prints one JSON line last.

Run `python -m benchmarks.context`. Recorded conversations come from data beside the project (`--data`); where it is
absent their figures are null.
"""

import argparse
import gzip
import json
import statistics
import timeit
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from airworthy.core.canonical import encode
from airworthy.gateway.overflow.history import LEFT, applied, pieces_of, planned
from airworthy.gateway.tokens import Estimate
from airworthy.policy import ContextRule

DATA = Path("/work/shared/data")
STRATEGIES = ("drop_results", "keep_selected")
MODEL = "gpt-4o-2024-08-06"
WINDOWS = (4_000, 8_000, 16_000)
# Names of tools that change something, in the recorded benches.
ACTS = ("cancel_", "modify_", "exchange_", "return_", "book_", "update_", "send_", "transfer_")
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


class Sizes:
    """The tokens of a request with these messages, as the runtime counts them."""

    def __init__(self) -> None:
        self._estimate = Estimate(MODEL)
        self._around = encode({"model": MODEL, "tools": [TOOL]})[:-1]

    def __call__(self, pieces: Sequence[bytes]) -> int:
        return self._estimate.of(b"".join((self._around, b',"messages":[', b",".join(pieces), b"]}")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    results: dict[str, Any] = {"cost": cost(), "recorded": recorded(options.data)}
    for key, value in results.items():
        print(f"{key}: {json.dumps(value, indent=2)}")
    print(json.dumps(results))


def conversation(messages: int) -> list[dict[str, Any]]:
    """An agent's: a call and its result of about 700 characters, in turns."""
    told: list[dict[str, Any]] = [
        {"role": "system", "content": "You look."},
        {"role": "user", "content": "Look."},
    ]
    for number in range((messages - 2) // 2):
        function = {"name": "look", "arguments": json.dumps({"order": number})}
        call = {"id": f"call_{number}", "type": "function", "function": function}
        told.append({"role": "assistant", "content": None, "tool_calls": [call]})
        told.append(
            {"role": "tool", "tool_call_id": f"call_{number}", "content": f"Order {number} was sent. " * 30}
        )
    return told


def cost() -> dict[str, Any]:
    """Microseconds for a conversation of 100 messages, the best of 20 rounds, since the machine may be shared."""
    messages, sizes = conversation(100), Sizes()
    whole = sizes(pieces_of(messages))
    found: dict[str, Any] = {
        "messages": len(messages), "bytes": len(encode(messages)), "tokens": whole,
        "nothing_to_cut_us": micros(lambda: sizes(pieces_of(messages))),
    }  # fmt: skip
    for strategy in STRATEGIES:
        rule = ContextRule.model_validate({"strategy": strategy})
        found[f"{strategy}_to_half_us"] = micros(
            lambda rule=rule: planned(messages, rule, frozenset(), sizes, whole // 2)
        )
    return found


def micros(call: Any) -> float:
    return round(min(timeit.repeat(call, number=20, repeat=20)) / 20 * 1e6, 1)


def recorded(data: Path) -> dict[str, Any] | None:
    """At each model call of each recorded run: whether it had to be cut, and what was sent instead."""
    conversations = list(runs(data))
    if not conversations:
        return None
    found: dict[str, Any] = {"conversations": len(conversations)}
    for window in WINDOWS:
        for strategy in STRATEGIES:
            found[f"{window} {strategy}"] = at(conversations, window, strategy)
    return found


def at(conversations: Sequence[list[dict[str, Any]]], window: int, strategy: str) -> dict[str, Any]:
    """As the built-in loop does it: what was cut stays cut."""
    rule, sizes = ContextRule.model_validate({"strategy": strategy, "share": 1.0}), Sizes()
    calls = over = refused = broken = late = 0
    before, after = [], []
    for messages in conversations:
        acts = frozenset(name for name in names(messages) if name.startswith(ACTS))
        kept: list[Any] = []
        for message in messages:
            if message["role"] == "assistant" and kept:
                calls += 1
                tokens = sizes(pieces_of(kept))
                if tokens > window:
                    over += 1
                    plan = planned(kept, rule, acts, sizes, window)
                    if plan is None:
                        refused += 1
                        break
                    kept = applied(kept, plan)
                    before.append(tokens)
                    after.append(sizes(pieces_of(kept)))
                    broken += not well_formed(kept)
                    late += after[-1] > window
            kept.append(message)
    return {
        "calls": calls, "cut": len(before), "refused": refused, "over_pct": round(100 * over / max(calls, 1), 2),
        "malformed": broken, "above_the_room": late,
        "tokens_before_median": statistics.median(before) if before else None,
        "tokens_after_median": statistics.median(after) if after else None,
        "tokens_saved_pct": round(100 * (1 - sum(after) / sum(before)), 1) if before else None,
    }  # fmt: skip


def names(messages: Sequence[dict[str, Any]]) -> set[str]:
    return {call["function"]["name"] for message in messages for call in message.get("tool_calls") or ()}


def well_formed(messages: Sequence[Any]) -> bool:
    """Each result follows the message that called for it, each call is answered, and a note stands once at most."""
    waiting: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                return False
            waiting.discard(message["tool_call_id"])
        elif waiting:
            return False
        else:
            waiting = {call["id"] for call in message.get("tool_calls") or ()}
    return not waiting and sum(LEFT in message for message in messages) <= 1


def runs(data: Path) -> Iterator[list[dict[str, Any]]]:
    """The recorded runs as chat messages; those that were malformed as recorded are left out."""
    path = data / "tau_runs.jsonl.gz"
    if not path.exists():
        return
    texts = json.loads((data / "tau_refs.json").read_text())["policies"]
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            messages = [chat(message, texts) for message in json.loads(line)["messages"]]
            if well_formed(messages):
                yield messages


def chat(message: dict[str, Any], texts: dict[str, Any]) -> dict[str, Any]:
    reference = message.get("content_ref")
    content = message.get("content") if reference is None else texts[reference]
    made: dict[str, Any] = {"role": message["role"], "content": content}
    if message.get("tool_calls"):
        made["tool_calls"] = [
            {
                "id": call["id"], "type": "function",
                "function": {"name": call["name"], "arguments": json.dumps(call["arguments"])},
            }
            for call in message["tool_calls"]
        ]  # fmt: skip
    if message["role"] == "tool":
        made["tool_call_id"] = message["tool_call_id"]
    return made


if __name__ == "__main__":
    main()
