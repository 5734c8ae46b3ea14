"""`blind-test`: links by which invited people try an agent without knowing which, and what they said of it."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show

if TYPE_CHECKING:
    from airworthy.preflight.blind import BlindTest, BlindTests, Try

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Let invited people try an agent in rehearsal and rate its answers.",
)  # fmt: skip
TestId = Annotated[str, typer.Argument(metavar="ID", help="Of the blind test, as `list` shows it.")]

PeopleCount = Annotated[int, typer.Option("--people", metavar="N", min=1, max=100, help="So many links.")]
Days = Annotated[float, typer.Option("--days", metavar="N", min=0.01, max=90, help="How long they are good.")]
Tries = Annotated[int, typer.Option("--tries", metavar="N", min=1, max=200, help="For each person.")]
Cap = Annotated[
    float, typer.Option("--cap", metavar="USD", min=0.01, help="No try is begun that might pass this in all.")
]
Title = Annotated[str, typer.Option(metavar="TEXT", help="What people see at the top.")]
Shape = Annotated[
    str, typer.Option(metavar="JSON", help='The agent\'s input, with "{text}" where what they write goes.')
]
Url = Annotated[
    str, typer.Option("--url", metavar="URL", help="Where they reach the console; default: its public_url.")
]


@app.command(name="start")
def start(
    *,
    agent: options.OneAgent = "",
    people: PeopleCount = 5,
    days: Days = 7,
    tries: Tries = 20,
    cap: Cap = 20.0,
    title: Title = "Try our assistant",
    shape: Shape = '"{text}"',
    url: Url = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Make a link for each person. Whoever has one tries the agent on a page of the console, without an account.

    Tries are real tasks whose effects are only rehearsed, marked with the source "blind test". They are worked on by
    `airworthy up` or `airworthy run`. The page tells nobody which agent, model or version it is.

    \b
    Examples:
      airworthy blind-test start --people 5 --days 7 --url https://agents.example.com
      airworthy blind-test start --agent support --shape '{"subject": "question", "text": "{text}"}' --cap 10
    """
    from airworthy.app.blind import blind_tests_of
    from airworthy.app.config import person
    from airworthy.app.project import project
    from airworthy.core.money import nano_from_usd
    from airworthy.preflight.blind import BlindTest
    from airworthy.review import Command

    whole = show.unicode_text
    with project(folder, database) as found:
        found.app.reviews.check_command(person(), Command.ADMIT)
        policies = [each.policy for each in found.agents]
        wanted = BlindTest(
            "",
            whole(agent) or _only([policy.agent for policy in policies]),
            whole(title),
            whole(shape),
            0,
            0,
            people,
            tries,
            nano_from_usd(cap),
            person(),
        )
        made, secrets = blind_tests_of(found.app, policies).start(wanted, days=days)
    links = [f"{_base(folder, url)}/try/{secret}" for secret in secrets]
    if as_json:
        show.emit({**_document(made), "links": links})
        return
    for link in links:
        show.say(link)
    show.note(
        f"{made.id}: one link a person, good until {show.when(made.expires_us)}. They cannot be shown again."
        f" See what they say: airworthy blind-test show {made.id}"
    )
    if not links[0].startswith("http"):
        show.note("Put the console's address before them, or give --url, or set public_url in console.toml.")


@app.command(name="list")
def list_(
    *,
    agent: options.AgentFilter = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List blind tests, the newest first.

    \b
    Examples:
      airworthy blind-test list
    """
    with _tests(folder, database) as tests:
        found = [
            (test, tests.tries(test.id), tests.is_open(test))
            for test in tests.listing(show.unicode_text(agent))
        ]
    if as_json:
        for test, tries, _ in found:
            show.emit(
                {**_document(test), "tries": len(tries), "rated": sum(t.rating is not None for t in tries)},
                line=True,
            )
        return
    if not found:
        show.note("There are no blind tests. Begin one with `airworthy blind-test start`.")
        return
    show.table(
        ("id", "agent", "people", "tries", "rated", "good", "spent", "state"),
        [
            (
                test.id, test.agent, test.people, len(tries), sum(t.rating is not None for t in tries),
                sum(bool(t.rating and t.rating.good) for t in tries), _money(tries),
                "open" if is_open else "stopped" if test.stopped_us is not None else "over",
            )
            for test, tries, is_open in found
        ],
    )  # fmt: skip


@app.command(name="show")
def show_(
    test_id: TestId,
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Show what people asked, what they got, and what they said of it.

    \b
    Examples:
      airworthy blind-test show bld_06f2c8
    """
    from airworthy.evals.stats import clustered

    with _tests(folder, database) as tests:
        test = tests.get(test_id)
        tries = tests.tries(test_id)
    if as_json:
        show.emit({
            **_document(test),
            "tries": [
                {
                    "task": t.task, "person": t.number, "at": show.iso(t.at_us), "asked": t.asked, "outcome": t.outcome,
                    "answer": t.text, "stars": t.rating.stars if t.rating else None,
                    "words": [word.value for word in t.rating.words] if t.rating else [],
                    "note": t.rating.note if t.rating else "",
                }
                for t in tries
            ],
        })  # fmt: skip
        return
    judged = [(t.number, t.rating.good) for t in tries if t.rating is not None and t.rating.good is not None]
    if judged:
        by = {
            str(n): (float(sum(g for m, g in judged if m == n)), sum(m == n for m, _ in judged))
            for n, _ in judged
        }
        show.say(
            f"Good answers: {clustered(by)}, by {show.counted(len(by), 'person', 'people')}, each counting alike."
        )
    show.table(
        ("task", "person", "stars", "asked", "outcome", "said"),
        [
            (
                t.task, t.number, t.rating.stars if t.rating else "", show.clipped(t.asked, 50),
                t.outcome or ("waits" if t.waits else "under way"),
                show.clipped(", ".join([*t.rating.words, t.rating.note]) if t.rating else "", 60),
            )
            for t in tries
        ],
    )  # fmt: skip


@app.command(name="stop")
def stop(
    test_id: TestId,
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """End a blind test at once: its links open nothing any more. What was said stays.

    \b
    Examples:
      airworthy blind-test stop bld_06f2c8
    """
    from airworthy.app.config import person

    with _tests(folder, database) as tests:
        done = tests.stop(test_id, person())
    if as_json:
        show.emit({"id": test_id, "stopped": done})
    else:
        show.say(f"{test_id} {'is' if done else 'was'} over.")


@app.command(name="export")
def export(
    test_id: TestId,
    *,
    cases: Annotated[
        Path | None, typer.Option("--cases", metavar="PATH", help="Write cases there, as YAML.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option("--labels", metavar="PATH", help="Write labels there, as JSON lines.")
    ] = None,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Make cases of rated tries, and labels by which a judge is calibrated.

    4 and 5 stars are good; 1 and 2, and what is wrong or made up, are bad; 3 stars say neither. A case of a bad answer
    accepts anything until you say in it what should have happened. Fill `judge` in the labels with what your judge says
    of each, then run `airworthy judge calibrate`.

    \b
    Examples:
      airworthy blind-test export bld_06f2c8 --cases cases/blind.yaml --labels labels.jsonl
    """
    from airworthy.app.blind import export as written

    if cases is None and labels is None:
        raise typer.BadParameter("Give --cases, --labels or both.")
    with _tests(folder, database) as tests:
        made = written(tests, test_id, cases, labels)
    if as_json:
        show.emit({"cases": len(made.cases), "labels": len(made.labels), "left_out": made.left_out})
        return
    show.say(
        f"{show.counted(len(made.cases), 'case')} and {show.counted(len(made.labels), 'label')};"
        f" {made.left_out} left out, not rated or erased since."
    )


@contextlib.contextmanager
def _tests(folder: Path, database: str | None) -> "Iterator[BlindTests]":
    """Without the agents' code, which may be broken just when a test must be stopped."""
    from airworthy.app.blind import blind_tests_of
    from airworthy.app.project import stored

    with stored(folder, database) as found:
        yield blind_tests_of(found, ())


def _only(names: list[str]) -> str:
    from airworthy.core.errors import InputError

    if len(names) != 1:
        raise InputError(
            f"There are {len(names)} agents here.", mend=f"Say which with --agent: {', '.join(names)}."
        )
    return names[0]


def _base(folder: Path, url: str) -> str:
    from airworthy.app.console_settings import load_console_settings

    return (url or load_console_settings(folder).public_url or "").rstrip("/")


def _document(test: "BlindTest") -> dict[str, object]:
    return {
        "id": test.id, "agent": test.agent, "title": test.title, "people": test.people, "tries_max": test.tries_max,
        "cap_usd": test.cap_nano / 1e9, "created": show.iso(test.created_us), "expires": show.iso(test.expires_us),
        "stopped": show.iso(test.stopped_us), "by": test.by,
    }  # fmt: skip


def _money(tries: "Sequence[Try]") -> str:
    from airworthy.core.money import usd_text

    return usd_text(sum(one.cost_nano or 0 for one in tries))
