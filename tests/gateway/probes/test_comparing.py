"""What counts as a change of a model, and which names can be one model; as tables."""

from dataclasses import replace

import pytest

from airworthy.gateway.probes.asking import ProbeAnswer
from airworthy.gateway.probes.comparing import compared, fits
from airworthy.gateway.probes.fixed import PROBES
from airworthy.gateway.probes.overheard import VALUE_CHARS_MAX, VERSIONS_MAX, versions_of


def answer(text: str = "42", probe: str = "arithmetic", **changes: object) -> ProbeAnswer:
    plain = ProbeAnswer(probe, "digest", 1_000, "m-2026-01-01", "fp_1", {}, text, 10, 2, "stop")
    return replace(plain, **changes)  # type: ignore[arg-type]  # a test's own fields


@pytest.mark.parametrize(
    ("pin", "answered", "fit", "why"),
    [
        ("gpt-4o-2024-11-20", "gpt-4o-2024-11-20", True, "the same"),
        ("gpt-4o-2024-11-20", "gpt-4o-2024-08-06", False, "another date"),
        ("gpt-4o", "gpt-4o-2024-11-20", True, "the alias says less"),
        ("gpt-4o-2024-11-20", "gpt-4o", True, "the answer says less"),
        ("gpt-4o", "gpt-4o-mini", False, "another model that begins alike"),
        ("gpt-4o", "gpt-4o-mini-2024-07-18", False, "the same with a date"),
        ("gpt-5-mini-2025-08-07", "gpt-5", False, "the larger one"),
        ("openai/gpt-4.1-2025-04-14", "gpt-4.1-2025-04-14", True, "a prefix of the route"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet-20241022", True, "packed by another vendor"),
        ("us.anthropic.claude-opus-4-1-20250805-v1:0", "claude-opus-4-1-20250805", True, "and in a region"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5", True, "a date without lines"),
        ("gemini-2.5-flash", "models/gemini-2.5-flash-001", True, "a version number"),
        ("GPT-4o", "gpt-4o", True, "capitals"),
        ("qwen3:32b", "qwen3:14b", False, "another size"),
        ("own-model", "/srv/weights/own-model", True, "a server that answers with a path"),
    ],
)  # fmt: skip
def test_a_name_fits_its_pin_unless_it_contradicts(pin: str, answered: str, fit: bool, why: str) -> None:
    assert fits(pin, answered) is fit, why


def test_the_first_time_nothing_has_changed() -> None:
    found = compared([answer()], [], ())

    assert not found.changed
    assert (found.since_us, found.models, found.fingerprints) == (None, ("m-2026-01-01",), ("fp_1",))


def test_the_same_answers_are_no_change() -> None:
    found = compared([answer()], [answer()], {"fp_1"})

    assert (found.changed, found.compared, found.differing, found.since_us) == (False, 1, (), 1_000)


def test_another_name_than_the_last_time_is_a_change() -> None:
    found = compared([answer(answered="m-2026-06-01")], [answer()], {"fp_1"})

    assert found.changed
    assert (found.new_models, found.models_before) == (("m-2026-06-01",), ("m-2026-01-01",))


@pytest.mark.parametrize(
    ("known", "changed", "why"),
    [
        ({"fp_1", "fp_2"}, False, "one that was there at some time"),
        ({"fp_1"}, True, "one that never was"),
        ({"", "fp_1"}, True, "one beside answers without any"),
    ],
)
def test_a_fingerprint_is_a_change_only_if_it_never_was_there(
    known: set[str], changed: bool, why: str
) -> None:
    found = compared([answer(fingerprint="fp_2")], [answer()], known)

    assert found.changed is changed, why


def test_an_answer_without_a_fingerprint_is_no_change() -> None:
    assert not compared([answer(fingerprint="")], [answer()], {"fp_1"}).changed


def test_texts_that_differ_are_counted_and_prove_nothing() -> None:
    now = [answer("43"), answer("same", "date"), answer("new", "a new probe")]
    found = compared(now, [answer("42"), answer("same", "date")], {"fp_1"})

    assert (found.compared, found.differing, found.changed) == (2, ("arithmetic",), False)


def test_of_repeated_answers_one_that_was_there_is_enough() -> None:
    found = compared([answer("43"), answer("42")], [answer("42"), answer("41")], {"fp_1"})

    assert found.differing == ()


def test_answers_to_another_question_by_the_same_name_are_not_compared() -> None:
    found = compared([answer("43", prompt_digest="other")], [answer("42")], {"fp_1"})

    assert (found.compared, found.differing) == (0, ())


def test_the_probes_are_eight_short_ones_of_a_kind_each() -> None:
    assert len({probe.name for probe in PROBES}) == len({probe.digest for probe in PROBES}) == 8
    assert all(len(probe.prompt) < 300 for probe in PROBES)


def test_headers_are_kept_only_if_they_tell_a_version() -> None:
    headers = {
        "openai-version": "2020-10-01", "x-request-id": "req_1", "x-ms-deployment-name": "d",
        "x-ms-rai-invoked": "true", "anthropic-version": "v" * 1_000,
    }  # fmt: skip
    many = {f"x-ms-version-{number:03}": "1" for number in range(100)}

    assert versions_of(headers) == {
        "anthropic-version": "v" * VALUE_CHARS_MAX, "openai-version": "2020-10-01", "x-ms-deployment-name": "d",
    }  # fmt: skip
    assert len(versions_of(many)) == VERSIONS_MAX
