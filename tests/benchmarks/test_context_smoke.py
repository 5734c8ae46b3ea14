"""The inputs of the benchmark of short conversations, and how it tells broken ones; nothing is timed."""

from pathlib import Path

from benchmarks import context


def test_the_measured_conversation_has_a_hundred_messages_and_is_whole() -> None:
    messages = context.conversation(100)

    assert len(messages) == 100
    assert context.well_formed(messages)
    assert not context.well_formed(messages[:3])
    assert not context.well_formed([*messages[:2], *messages[3:]])


def test_every_call_is_counted_and_what_is_cut_fits() -> None:
    found = context.at([context.conversation(60)], 4_000, "drop_results")

    assert found["calls"] == 29
    assert found["cut"] > 0
    assert (found["refused"], found["malformed"], found["above_the_room"]) == (0, 0, 0)


def test_without_data_there_are_no_figures(tmp_path: Path) -> None:
    assert context.recorded(tmp_path) is None
