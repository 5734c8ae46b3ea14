"""When tasks come: recorded production traffic of models, made as strong as a fleet needs it, and plain chance.

The recordings are not part of this project (`--data`): Azure's of two services over an hour (CC-BY-4.0), and Mooncake's
of one over an hour (Apache-2.0), whose times stand on a grid of three seconds.
"""

import gzip
import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TTFT_S = 0.6  # Until a model's first token, and what it makes of tokens after that: usual of hosted models.
TOKENS_PER_S = 60.0
GROUPS_MAX = 60  # So many independent copies are as smooth as more of them.


@dataclass(frozen=True)
class Recording:
    """`times_s`: ascending from 0. `grain_s`: how finely its clock tells them apart. `model_s`: of each call."""

    name: str
    times_s: tuple[float, ...]
    model_s: tuple[float, ...]
    grain_s: float

    @property
    def seconds(self) -> float:
        return self.times_s[-1] + self.grain_s

    @property
    def rate(self) -> float:
        return len(self.times_s) / self.seconds

    def model_mean_s(self) -> float:
        return sum(self.model_s) / len(self.model_s)


def recordings(folder: Path) -> list[Recording]:
    """Raises: OSError when the folder has none."""
    azure = list(_rows(folder / "azure_llm_load.jsonl.gz"))
    mooncake = list(_rows(folder / "mooncake_conv_load.jsonl.gz"))
    found = [
        _recording(
            f"azure {service}", [(row["t"], row["out"]) for row in azure if row["svc"] == service], 0.01
        )
        for service in ("conv", "code")
    ]
    return [*found, _recording("mooncake", [(row["t_ms"] / 1000, row["out"]) for row in mooncake], 3.0)]


def _recording(name: str, rows: Sequence[tuple[float, int]], grain_s: float) -> Recording:
    ordered = sorted(rows)
    first = ordered[0][0]
    return Recording(
        name,
        tuple(at - first for at, _ in ordered),
        tuple(TTFT_S + tokens / TOKENS_PER_S for _, tokens in ordered),
        grain_s,
    )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def by_chance(rng: random.Random, rate: float, seconds: float) -> list[float]:
    """A Poisson stream."""
    times, at = [], rng.expovariate(rate)
    while at < seconds:
        times.append(at)
        at += rng.expovariate(rate)
    return times


def as_one_crowd(rng: random.Random, recording: Recording, rate: float) -> list[float]:
    """As many as `rate` asks for, on the recording's own clock: all agents have their busy seconds together.

    More than were recorded: each arrival is repeated within the same second. Fewer: some are left out, by chance.
    """
    factor = rate / recording.rate
    spread = max(recording.grain_s, 1.0)
    times = []
    for at in recording.times_s:
        copies = int(factor) + (rng.random() < factor % 1)
        # The first keeps its moment, so that a factor of one is the recording itself.
        times += [at if n == 0 else at + rng.uniform(0, spread) for n in range(copies)]
    return sorted(times)


def as_many_apart(rng: random.Random, recording: Recording, rate: float, agents: int) -> list[float]:
    """Independent agents: copies of the recording, each begun at another moment and turned round at its end."""
    groups = min(agents, GROUPS_MAX)
    each = rate / groups
    times: list[float] = []
    for _ in range(groups):
        shift = rng.uniform(0, recording.seconds)
        times += [(at + shift) % recording.seconds for at in as_one_crowd(rng, recording, each)]
    return sorted(times)


@dataclass(frozen=True)
class Bursts:
    """`peak`: the busiest window over the mean one. `dispersion`: variance over mean of the counts; chance has 1."""

    window_s: float
    peak: float
    dispersion: float


def bursts(times_s: Sequence[float], seconds: float, window_s: float) -> Bursts:
    windows = max(1, math.ceil(seconds / window_s))
    counts = [0] * windows
    for at in times_s:
        counts[min(int(at / window_s), windows - 1)] += 1
    mean = len(times_s) / windows
    variance = sum((count - mean) ** 2 for count in counts) / windows
    return Bursts(window_s, max(counts) / mean, variance / mean)


def busiest(times_s: Sequence[float], window_s: float) -> tuple[float, int]:
    """When the window with the most arrivals begins (at one of them), and how many it has."""
    best, at, first = 0, 0.0, 0
    for last, time in enumerate(times_s):
        while time - times_s[first] > window_s:
            first += 1
        if last - first + 1 > best:
            best, at = last - first + 1, times_s[first]
    return at, best
