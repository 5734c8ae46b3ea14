"""A link opens one task's feedback, until its time, and no other door."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airworthy.review.links import Link, LinkRefused, opened, signed

NOW_US = 1_764_000_000_000_000
LINK = Link("tsk_06f2c8", NOW_US + 60_000_000)


def test_a_link_says_what_it_was_made_for_until_its_time() -> None:
    text = signed(LINK, "secret")

    assert opened(text, "secret", NOW_US) == LINK
    with pytest.raises(LinkRefused, match="too old"):
        opened(text, "secret", LINK.expires_us)


@given(st.integers(0, 200), st.characters(codec="ascii", categories=["L", "N"]))
def test_a_link_with_one_character_changed_is_refused(position: int, other: str) -> None:
    text = signed(LINK, "secret")
    position %= len(text)
    changed = text[:position] + other + text[position + 1 :]

    if changed == text:
        return
    try:
        # The last character of base 64 has bits that say nothing; what it opens must be the same.
        assert opened(changed, "secret", NOW_US) == LINK
    except LinkRefused:
        return


@given(st.text(max_size=300))
def test_no_text_of_a_stranger_opens_anything(text: str) -> None:
    with pytest.raises(LinkRefused):
        opened(text, "secret", NOW_US)


def test_another_secret_opens_nothing_and_the_text_fits_an_address() -> None:
    text = signed(LINK, "secret")

    assert text.isascii()
    assert not set(text) & set("/?#&+ %")
    with pytest.raises(LinkRefused):
        opened(text, "another", NOW_US)
