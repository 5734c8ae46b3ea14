"""`airworthy demo`: options, what is said before and after, and the exit code. The course itself is in `play`."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from airworthy.demo.choice import Choice
    from airworthy.demo.play import Decide, Stay, Wishes
    from airworthy.demo.report import Report
    from airworthy.demo.view import Picture
    from airworthy.tools import EffectRow

EXIT_CLAIM_BROKEN = 1
EXIT_INTERRUPTED = 130


def register(app: typer.Typer) -> None:
    """Adds the command. What it needs is imported when it runs, so that `--help` stays quick."""

    @app.command("demo")
    def demo(
        *,
        folder: Annotated[
            Path, typer.Option(help="Where to work; cleared if an earlier demo made it.")
        ] = Path("airworthy-demo"),
        count: Annotated[int, typer.Option(min=2, max=200, help="How many letters come in.")] = 200,
        seed: Annotated[int, typer.Option(help="The same seed gives the same shop, letters and faults.")] = 7,
        headless: Annotated[
            bool, typer.Option("--headless", help="Wait for nobody, and draw no picture.")
        ] = False,
        jobs: Annotated[int, typer.Option(min=1, max=256, help="Letters worked on at once.")] = 16,
        no_kill: Annotated[bool, typer.Option("--no-kill", help="Let the worker live.")] = False,
        model: Annotated[str | None, typer.Option(help="The model's exact name, or `simulated`.")] = None,
        base_url: Annotated[str | None, typer.Option(help="A server that speaks chat completions.")] = None,
        faults: Annotated[
            bool, typer.Option(help="Whether shop and simulated model misbehave now and then.")
        ] = True,
    ) -> None:
        """A support agent answers 200 letters to a small shop, is killed on the way, and is then checked.

        The shop and its letters are made up, the work is real: every step is recorded, every mail is counted where it
        arrives. Uses a real model if OPENAI_API_KEY, ANTHROPIC_API_KEY or a base URL is set, else a simulated one.
        Exits with 0 only if all its own claims held.
        """
        from airworthy.demo.play import Wishes

        wishes = Wishes(folder, count, seed, jobs, kill=not no_kill, faults=faults)
        raise typer.Exit(run(wishes, model, base_url, headless=headless))


def run(wishes: "Wishes", model: str | None, base_url: str | None, *, headless: bool) -> int:
    """The exit code. Raises: AirworthyError when it could not be run at all."""
    from rich.console import Console

    from airworthy.demo.choice import choose

    console = Console(highlight=False, soft_wrap=True)
    attended = console.is_terminal and sys.stdin.isatty() and not headless
    try:
        with _interruptible():
            choice = choose(model, base_url)
            _say_model(console, choice, wishes.count)
            if attended and not choice.simulated and choice.price.tokens_in and not typer.confirm("Go on?"):
                return 0
            report = _played(console, wishes, choice, attended=attended)
    except KeyboardInterrupt:
        console.print(
            f"Stopped. Nothing is left running; what was done so far is in {wishes.folder}.", markup=False
        )
        return EXIT_INTERRUPTED
    if not attended:
        _say_report(console, wishes, report)
        console.print(
            f"See it in a browser: airworthy up -C {wishes.folder} --roles api,console", markup=False
        )
    return 0 if report.held else EXIT_CLAIM_BROKEN


def _played(console: "Console", wishes: "Wishes", choice: "Choice", *, attended: bool) -> "Report":
    from airworthy.demo.play import play
    from airworthy.demo.view import Lines, Picture

    if not attended:
        return play(wishes, choice, Lines(console), None)
    with Picture(console) as picture:
        return play(wishes, choice, picture, _asking(console), _staying(console, wishes, picture))


def _staying(console: "Console", wishes: "Wishes", picture: "Picture") -> "Stay":
    """The report, and then the console for as long as the person likes."""

    def stay(report: "Report", link: str) -> None:
        import threading

        with picture.aside():
            _say_report(console, wishes, report)
            console.print()
            console.print(f"The console is open on all of it: {link}", markup=False, style="bold")
            console.print(
                "The link lets you choose a password, once, within 15 minutes. A worker goes on with what you decide. "
                "Ctrl-C ends it.",
                markup=False,
            )
            with suppress(KeyboardInterrupt):
                threading.Event().wait()

    return stay


def _asking(console: "Console") -> "Decide":
    """One question for each refund that waits."""

    def decide(effect: "EffectRow") -> bool:
        import orjson

        from airworthy.demo.shop import euros
        from airworthy.policy.chars import printable

        asked = orjson.loads(effect.arguments)
        amount = euros(int(asked["amount_cents"]))
        why = printable(" ".join(str(asked["reason"]).split()))[:200]
        console.print(
            f"The agent wants to refund {amount} on order {asked['order_id']}. {why}.", markup=False
        )
        return typer.confirm("Do you approve?", default=False)

    return decide


def _say_model(console: "Console", choice: "Choice", letters: int) -> None:
    if choice.simulated:
        console.print(
            f"Model: simulated, because {choice.because}. It costs nothing and follows a script; what is shown is "
            "everything around a model.",
            markup=False,
        )
        return
    from airworthy.demo.folder import policy_text
    from airworthy.policy import parse_policy

    cap_usd = parse_policy(policy_text(choice, None)).budgets.day_usd
    if not choice.price_known:
        cost = "Its price is not known here, so no cost is counted: if it is not free, watch its bill."
    elif choice.price.tokens_in:
        cost = (
            f"This costs real money: about {choice.estimate_usd(letters):.2f} USD, and never more than "
            f"{cap_usd:.2f} USD, where the policy stops it."
        )
    else:
        cost = "It runs on a server of your own, so nothing is paid."
    console.print(f"Model: {choice.name}, because {choice.because}. {cost}", markup=False)


def _say_report(console: "Console", wishes: "Wishes", report: "Report") -> None:
    import orjson

    from airworthy.demo.folder import REPORT
    from airworthy.demo.report import as_json
    from airworthy.demo.wording import written

    file = wishes.folder / REPORT
    file.write_bytes(orjson.dumps(as_json(report), option=orjson.OPT_INDENT_2) + b"\n")
    console.print()
    for line in written(report, str(wishes.folder)):
        is_heading = bool(line) and not line.startswith(" ") and not line.endswith(".")
        style = "bold" if is_heading else "red" if line.startswith("  NO ") else ""
        console.print(line, markup=False, style=style)
    console.print()
    verdict = "All claims held." if report.held else "Not all claims held."
    console.print(f"{verdict} The same as data: {file}", markup=False, style="bold")
    console.print(
        "Shop and simulated model ran only for the demo; `airworthy init support` begins an agent of your own."
    )


@contextmanager
def _interruptible() -> Iterator[None]:
    """To be told to end is as good as Ctrl-C: children are ended before this process is."""

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.signal(number, interrupted) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
