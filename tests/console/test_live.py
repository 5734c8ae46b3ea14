"""Readings that are shared, and streams that end with the server."""

import threading

import pytest

from airworthy.console.live import KEYS_MAX, STREAMS_MAX, Readings, Streams
from airworthy.core.clock import US_PER_S


def test_however_many_look_the_store_is_read_once_in_so_many_seconds() -> None:
    readings, reads = Readings(), []

    def read() -> int:
        reads.append(1)
        return len(reads)

    told = [readings.get("a", 2.0, at * US_PER_S // 10, read) for at in (0, 1, 19, 20, 21)]

    assert told == [1, 1, 1, 2, 2]


def test_a_clock_that_was_set_back_hides_nothing() -> None:
    readings, reads = Readings(), []
    for now_us in (100_000_000, 99_500_000, 40_000_000, 40_500_000):
        readings.get("a", 1.0, now_us, lambda now_us=now_us: reads.append(now_us))  # type: ignore[misc]

    assert reads == [100_000_000, 40_000_000]


def test_those_who_come_at_once_wait_for_one_reading() -> None:
    readings, begun, go, reads = Readings(), threading.Event(), threading.Event(), []

    def slow() -> int:
        reads.append(1)
        begun.set()
        go.wait(5)
        return 7

    found: list[int] = []
    looking = [
        threading.Thread(target=lambda: found.append(readings.get("a", 1.0, 0, slow))) for _ in range(4)
    ]
    for each in looking:
        each.start()
    begun.wait(5)
    go.set()
    for each in looking:
        each.join()

    assert (found, reads) == ([7] * 4, [1])


def test_a_reading_that_failed_is_tried_again_by_the_next() -> None:
    readings = Readings()

    def fails() -> int:
        raise RuntimeError("locked")

    with pytest.raises(RuntimeError):
        readings.get("a", 5.0, 0, fails)

    assert readings.get("a", 5.0, 0, lambda: 3) == 3


def test_readings_do_not_pile_up() -> None:
    readings = Readings()
    for key in range(KEYS_MAX * 3):
        readings.get(key, 1.0, 0, lambda: 0)

    assert len(readings._kept) <= KEYS_MAX


async def test_streams_end_with_the_server_and_none_begins_after() -> None:
    streams = Streams()
    first = streams.opened()
    streams.close()

    assert first.is_set()
    assert streams.full
    assert streams.opened().is_set()


async def test_there_are_only_so_many_streams_and_a_closed_one_makes_room() -> None:
    streams = Streams()
    held = [streams.opened() for _ in range(STREAMS_MAX)]
    was_full = streams.full
    streams.closed(held[0])

    assert (was_full, streams.full, streams.open) == (True, False, STREAMS_MAX - 1)
