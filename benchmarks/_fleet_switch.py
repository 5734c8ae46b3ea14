"""What a machine loses when more processes want to compute than it has cores, told by processes that do nothing else.

Pairs ask and answer one another, as a worker and its server do: each side does a piece of work, says so, and waits.
With twice as many pairs as cores every piece begins on a core that has just done somebody else's.
"""

import multiprocessing
import os
import random
import socket
import time
from statistics import median
from typing import Final

PIECE_S: Final = 0.0005  # About what is computed between two messages.
NUMBERS: Final = 20_000  # 0.6 MB: a part of what a process of ours goes through.
SECONDS: Final = 1.5
PAIRS_A_CORE: Final = 2
TIMES: Final = 3


def switch_s(cores: int, seconds: float = SECONDS) -> float:
    """Seconds of a core by which a piece that had to wait for it takes longer; cold caches are a part of them.

    The middle one of some: a host gives more in one moment than in the next.
    """
    return median(_once_s(cores, seconds) for _ in range(TIMES))


def _once_s(cores: int, seconds: float) -> float:
    numbers = list(range(NUMBERS))
    random.Random(1).shuffle(numbers)
    pass_s = min(_pass_s(numbers) for _ in range(50))
    passes = max(1, round(PIECE_S / pass_s))
    context = multiprocessing.get_context("fork")
    counted: multiprocessing.Queue[int] = context.Queue()
    children = []
    for _ in range(PAIRS_A_CORE * cores):
        ours, theirs = socket.socketpair()
        children += [
            context.Process(target=_asks, args=(ours, theirs, numbers, passes, seconds, counted)),
            context.Process(target=_answers, args=(theirs, ours, numbers, passes)),
        ]
        for child in children[-2:]:
            child.start()
        ours.close()
        theirs.close()
    journeys = sum(counted.get() for _ in range(PAIRS_A_CORE * cores))
    for child in children:
        child.join()
    # All cores are busy all the time, so a piece takes them `cores` seconds a second over the pieces of all.
    return max(0.0, cores * seconds / (2 * journeys) - passes * pass_s)


def _pass_s(numbers: list[int]) -> float:
    began = time.perf_counter()
    sum(numbers)
    return time.perf_counter() - began


def _work(numbers: list[int], passes: int) -> None:
    for _ in range(passes):
        sum(numbers)


def _asks(
    here: socket.socket, there: socket.socket, numbers: list[int], passes: int, seconds: float,
    counted: "multiprocessing.Queue[int]",
) -> None:  # fmt: skip
    there.close()
    numbers = list(numbers)  # What a fork shares is one piece of memory for all.
    until_s, count = time.perf_counter() + seconds, 0
    while time.perf_counter() < until_s:
        _work(numbers, passes)
        here.send(b"?")
        here.recv(1)
        count += 1
    here.close()
    counted.put(count)


def _answers(here: socket.socket, there: socket.socket, numbers: list[int], passes: int) -> None:
    there.close()
    numbers = list(numbers)
    while here.recv(1):
        _work(numbers, passes)
        here.send(b"!")


if __name__ == "__main__":
    print(f"{switch_s(len(os.sched_getaffinity(0))) * 1e6:.0f} us")
