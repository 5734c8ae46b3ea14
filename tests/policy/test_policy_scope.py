"""The scope document says everything an owner approves, and text from outside stays text."""

import subprocess
import sys
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from airworthy.policy import Approval, Policy, ToolFact, parse_policy, policy_hash, scope_html, scope_markdown
from airworthy.policy.plain_words import amount, count, duration, listed, money, size

TEXT = """
agent = "support"
purpose = "Answers mail about orders."
stage = "beta"
[owner]
name = "Ann Lee"
contact = "ann@example.com"
review = "weekly"
[escalation]
default = "leads"
[output]
permitted = ["Answers about orders"]
must_not = ["Promise a date"]
[refuse]
topics = ["Legal advice"]
[budgets]
day_usd = 50
[[models]]
name = "sim-large-2026-11-01"
input_usd_per_mtok = 2.5
output_usd_per_mtok = 10
[tools.find]
[tools.refund]
amount_arg = "amount"
approval_above = 100
amount_max = 500
recipient_arg = "to"
recipients = ["*@example.com"]
per_day = 200
per_recipient_per_day = 5
delay_s = "5 min"
[tools.erase]
approval = "always"
dry_run = false
[tools.mail]
dry_run = true
[[stop]]
when = "in_doubt"
to = "finance"
"""
TOOLS = (
    ToolFact("find", "Finds an order.", "read", keyed=True),
    ToolFact("refund", "Pays back.", "send", keyed=True),
    ToolFact("erase", "Erases a note.", "delete", keyed=False),
    ToolFact("mail", "Sends mail.", "send", keyed=False),
    ToolFact("extra", "Nobody mentioned it.", "write", keyed=False),
)
SENTENCES = [
    "Answers mail about orders.",
    "- **Owner:** Ann Lee",
    "- **Review:** Weekly",
    "- Answers about orders",
    "It must not:\n\n- Promise a date",
    "## What it must refuse\n\n- Legal advice",
    "- **May** look things up without asking anybody. It changes nothing.",
    "without asking while `amount` is at most 100.",
    "- **Must ask first** when `amount` is above 100.",
    "- **Never** with `amount` above 500, whoever approves.",
    "- **Never** to anybody but: `*@example.com`",
    "- **Never** more than 200 times a day.",
    "- **Never** more than 5 times a day for the same recipient.",
    "- Each call waits 5 minutes before it is carried out; until then a person can cancel it.",
    "- **May** delete things, but never without asking.",
    "- **Must ask first** every time: a person approves each call.",
    "- **Not bounded:** no number of calls a day is set.",
    "- **May** only pretend to send something",
    "it is not repeated: a person settles what happened.",
    "### `extra`\n\n**Not settled.**",
    "- 2 minutes of work",
    "- 0.50 USD",
    "- 50.00 USD a day",
    "- `sim-large-2026-11-01`: 2.50 USD for a million tokens read, 10.00 USD for a million written.",
    "was carried out: **finance** is asked.",
    "It goes in circles: **leads** is asked.",
]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_document_says(sentence: str) -> None:
    assert sentence in scope_markdown(parse_policy(TEXT), TOOLS)


def test_markdown_and_html_say_the_same() -> None:
    policy = parse_policy(TEXT)

    page = visible(scope_html(policy, TOOLS))

    for words in visible(MarkdownIt().render(scope_markdown(policy, TOOLS))).split():
        assert words.rstrip(":") in page


def test_an_approval_of_this_policy_is_shown_with_who_and_when() -> None:
    policy = parse_policy(TEXT)
    approval = Approval(policy_hash(policy), "Ann Lee", 1_764_000_000_000_000, "Fine.")

    page = scope_markdown(policy, TOOLS, approval)

    assert "**Approved.**" in page
    assert "- **Approved by:** Ann Lee\n- **On:** 2025-11-24 16:00 UTC\n- **Note:** Fine." in page
    assert policy_hash(policy) in page


def test_an_approval_of_another_version_counts_as_none() -> None:
    page = scope_markdown(parse_policy(TEXT), TOOLS, Approval("sha256:old", "Ann Lee", 0))

    assert "**Approved.**" not in page
    assert "**Not approved.** An earlier version was approved by Ann Lee on 1970-01-01 00:00 UTC" in page
    assert "`sha256:old`" in page


def test_without_an_approval_there_is_a_line_to_sign() -> None:
    page = scope_markdown(parse_policy(TEXT), TOOLS)

    assert "**Not approved.**" in page
    assert "- **Approved by:** ....." in page


def test_what_is_missing_is_said_and_not_left_out() -> None:
    page = scope_markdown(parse_policy('agent = "a"\npurpose = "b"\n[checks]\ninput = []\noutput = []\n'), ())

    for sentence in (
        "Nobody yet.",
        "**nobody** is named to be asked.",
        "It has no tools",
        "The policy names no model.",
        "have no budget",
        "The policy names nothing it must refuse.",
        "**No check** looks at the input.",
        "**No check** looks at the answers.",
    ):
        assert sentence in page


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def tags(page: str) -> Tags:
    parser = Tags()
    parser.feed(page)
    parser.close()
    return parser


def visible(page: str) -> str:
    return " ".join("".join(tags(page).text).split())


def with_foreign(text: str) -> tuple[Policy, tuple[ToolFact, ...], Approval]:
    """A policy that skips its own checks, with foreign text wherever text can stand."""
    policy = parse_policy(TEXT)
    policy = policy.model_copy(
        update={
            "purpose": text,
            "owner": policy.owner.model_copy(update={"name": text, "contact": text}),
            "escalation": policy.escalation.model_copy(update={"default": text}),
            "output": policy.output.model_copy(update={"permitted": (text,), "forbid_patterns": (text,)}),
            "refuse": policy.refuse.model_copy(update={"topics": (text,), "patterns": (text,)}),
            "tools": {text: policy.tools["refund"].model_copy(update={"amount_arg": text})},
        }
    )
    return policy, (ToolFact(text, text, "send", keyed=False),), Approval("other", text, 0, text)


ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[click](javascript:alert(1))",
    "![x](http://evil.example/p.png)",
    "# Approved",
    "- item",
    "1. item",
    "> quote",
    "```\ncode",
    "`a` **b** _c_ ~~d~~",
    "a\n\n# Approved by everybody",
    "a\r\n---\r\nb",
    "<http://evil.example>",
    "https://evil.example www.evil.example",
    "&lt;b&gt; &#x3c;",
    "a|b\n-|-\n1|2",
    "=====",
    "\\",
    "trailing\\",
    "$x$",
    "\x1b[31mred\x07",
    "\u202egnitide\u2066",
    "[x]: http://evil.example",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_foreign_text_never_becomes_markup(text: str) -> None:
    policy, tools, approval = with_foreign(text)
    harmless = with_foreign("plain words")

    expected = tags(scope_html(*harmless))
    found = tags(scope_html(policy, tools, approval))
    assert found.tags == expected.tags
    assert found.attributes == expected.attributes

    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    expected = tags(reader.render(scope_markdown(*harmless)))
    found = tags(reader.render(scope_markdown(policy, tools, approval)))
    assert found.tags == expected.tags


@pytest.mark.slow
@given(st.text(min_size=1, max_size=40).filter(lambda t: t.strip()))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_no_text_at_all_becomes_markup(text: str) -> None:
    """Slow: renders a page for each of many texts."""
    policy, tools, approval = with_foreign(f"a{text}b")
    harmless = with_foreign("ab")
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])

    assert tags(scope_html(policy, tools, approval)).tags == tags(scope_html(*harmless)).tags
    found = tags(reader.render(scope_markdown(policy, tools, approval))).tags
    assert found == tags(reader.render(scope_markdown(*harmless))).tags


def test_no_control_or_direction_character_reaches_the_document() -> None:
    policy, tools, approval = with_foreign("a\x1b[2J\x00\u202e\u2066\x85b\u2028c")

    for page in (scope_markdown(policy, tools, approval), scope_html(policy, tools, approval)):
        assert not set(page) & set("\x1b\x00\u202e\u2066\x85\u2028")


def test_very_long_foreign_text_is_cut() -> None:
    policy, tools, approval = with_foreign("x" * 100_000)

    assert len(scope_html(policy, tools, approval)) < 40_000


def test_the_page_asks_nothing_of_any_server_and_runs_nothing() -> None:
    page = scope_html(parse_policy(TEXT), TOOLS)

    found = tags(page)
    assert not {"script", "link", "img", "iframe", "form", "a", "base", "object"} & set(found.tags)
    assert not [
        name for name, _ in found.attributes if name.startswith("on") or name in {"src", "href", "style"}
    ]
    assert "url(" not in page
    assert "@import" not in page
    assert "default-src &#x27;none&#x27;; style-src &#x27;sha256-" in page
    assert 'name="viewport"' in page
    assert "@media print" in page


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (duration(0.5), "500 milliseconds"),
        (duration(1), "1 second"),
        (duration(90), "90 seconds"),
        (duration(300), "5 minutes"),
        (duration(3_600), "1 hour"),
        (duration(604_800), "7 days"),
        (size(1), "1 byte"),
        (size(1_048_576), "1 MiB"),
        (size(262_144), "256 KiB"),
        (size(2_000_000), "2 MB"),
        (size(1_048_577), "1,048,577 bytes"),
        (money(0.5), "0.50 USD"),
        (money(2.5), "2.50 USD"),
        (money(0.0375), "0.0375 USD"),
        (money(1e-07), "0.0000001 USD"),
        (money(12_000), "12,000.00 USD"),
        (amount(100.0), "100"),
        (amount(1_234.5), "1,234.5"),
        (count(1, "step"), "1 step"),
        (listed(["a", "b", "c"]), "a, b and c"),
        (listed([]), ""),
    ],
)
def test_numbers_are_said_as_people_say_them(shown: str, words: str) -> None:
    assert shown == words


def test_importing_the_room_is_light() -> None:
    heavy = "{'markdown_it', 'rich', 'sqlalchemy'}"
    code = f"import sys, airworthy.policy; print(sorted({heavy} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_admission_is_told_as_far_as_the_policy_bounds_it() -> None:
    rule = """
[admission]
concurrency = 4
user_rate = "10/min"
queue_max = 500
user_queue_max = 20
[admission.priorities]
newsletter = -5
claims = 5
"""
    text = scope_markdown(parse_policy(TEXT + rule), TOOLS)

    assert "4 tasks under way at once" in text
    assert "10 per minute begin for each user" in text
    assert "500 tasks waiting to begin; more are refused" in text
    assert "20 tasks waiting to begin for each user" in text
    assert "claims (5) and newsletter (-5)" in text.replace("\\", "")
    assert "Any number of tasks may be under way" in scope_markdown(parse_policy(TEXT), TOOLS)
