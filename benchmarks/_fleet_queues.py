"""Known results of queueing theory, as plain functions of rates; knows nothing of tasks or workers."""

import math


def erlang_b(load: float, servers: int) -> float:
    """Share of arrivals that find all servers taken and go away. `load` in erlang. Erlang (1917), by the recursion."""
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


def erlang_c(load: float, servers: int) -> float:
    """Share of arrivals that have to wait in M/M/c; 1 at and past saturation."""
    if load >= servers:
        return 1.0
    blocked = erlang_b(load, servers)
    return servers * blocked / (servers - load * (1 - blocked))


def mmc_wait(rate: float, service_s: float, servers: int) -> float:
    """Mean wait of M/M/c."""
    spare = servers / service_s - rate
    return erlang_c(rate * service_s, servers) / spare if spare > 0 else math.inf


def mmc_wait_at(rate: float, service_s: float, servers: int, share: float) -> float:
    """The wait that `share` of all arrivals stay under, in M/M/c."""
    spare = servers / service_s - rate
    if spare <= 0:
        return math.inf
    waits = erlang_c(rate * service_s, servers)
    return max(0.0, math.log(waits / (1 - share)) / spare) if waits > 0 else 0.0


def mg1_wait(rate: float, service_s: float, service_cv2: float) -> float:
    """Mean wait of M/G/1. Pollaczek (1930), Khinchine (1932). `service_cv2`: variance over squared mean."""
    used = rate * service_s
    return used * service_s * (1 + service_cv2) / (2 * (1 - used)) if used < 1 else math.inf


def md1_wait(rate: float, service_s: float) -> float:
    """Mean wait of M/D/1."""
    return mg1_wait(rate, service_s, 0.0)


def md1_within(rate: float, service_s: float, wait_s: float) -> float:
    """Share of M/D/1's arrivals that wait no longer. Crommelin (1932). Its terms cancel, so only for short waits."""
    used = rate * service_s
    total = 0.0
    for k in range(int(wait_s / service_s) + 1):
        x = rate * (k * service_s - wait_s)
        total += x**k / math.factorial(k) * math.exp(-x)
    return (1 - used) * total


def ggc_wait(rate: float, service_s: float, servers: int, arrival_cv2: float, service_cv2: float) -> float:
    """Mean wait of G/G/c, about. Allen and Cunneen (1978): that of M/M/c, times the mean of the two variabilities."""
    return mmc_wait(rate, service_s, servers) * (arrival_cv2 + service_cv2) / 2


def group_commit_cycle(writers: int, rate: float, batch_s: float, write_s: float) -> float:
    """How long it takes until every one of `writers` has held the lock once, when each takes along what waits.

    A round is the fixed part of each batch and the writes that came in a round: r = writers * batch_s + rate * r *
    write_s. So the lock never saturates by its fixed part: batches grow instead, and only `write_s` bounds the rate.
    """
    spare = 1 - rate * write_s
    return writers * batch_s / spare if spare > 0 else math.inf


def group_commit_rate(batch_s: float, write_s: float, batch_max: int) -> float:
    """Writes per second at the most: full batches, one after another."""
    return batch_max / (batch_s + batch_max * write_s)


def closed_bound(servers: int, demand_s: float, think_s: float, customers: int) -> float:
    """Throughput of a closed loop at the most: by the busiest station, or by all customers always under way."""
    return min(servers / demand_s if demand_s > 0 else math.inf, customers / (demand_s + think_s))
