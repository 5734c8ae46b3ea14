"""The command tree and the shell around it: which module holds which command, and what an error looks like."""

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from airworthy import __version__
from airworthy.cli.exits import Exit, exit_of

# Name -> module, and the first line of its help, which is shown without importing the module.
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("airworthy.cli.init", "Make a working folder from a template."),
    "demo": ("airworthy.demo.command", "Run the support agent on a small shop whose services break."),
    "run": ("airworthy.cli.work", "Work on tasks in this terminal until told to stop."),
    "submit": ("airworthy.cli.work", "Hand in a task and print its id."),
    "task": ("airworthy.cli.task", "Look at tasks; cancel, pause, resume and await them."),
    "trace": ("airworthy.cli.trace", "Find, look at and export traces, of tasks and of other programs."),
    "replay": ("airworthy.cli.replay", "Call an agent again with a task's record alone, and compare."),
    "fork": ("airworthy.cli.fork", "Go on from a step of a task in another way, in rehearsal."),
    "case": ("airworthy.cli.case", "Cases of preflights: of tasks, of files, of other tools."),
    "import": ("airworthy.cli.import_", "Take in traces from files."),
    "review": ("airworthy.cli.review", "Decide on what waits for a person."),
    "outbox": ("airworthy.cli.outbox", "Decide on effects that wait or are in doubt."),
    "manual": ("airworthy.cli.manual", "Do a task in the agent's place, with its tools."),
    "dead-letter": ("airworthy.cli.dead_letter", "Bring back tasks that could not be processed."),
    "feedback": ("airworthy.cli.feedback", "Keep what users say of tasks; make links for them."),
    "result": ("airworthy.cli.result", "Keep what came of tasks later: resolved, refunded, corrected."),
    "blind-test": (
        "airworthy.cli.blind_test",
        "Let invited people try an agent in rehearsal and rate its answers.",
    ),
    "judge": ("airworthy.cli.judge", "Ask the judge about labelled answers, and compare it with people."),
    "redact": ("airworthy.cli.redact", "Try what is written over: secrets and personal data."),
    "retention": ("airworthy.cli.retention", "Show and apply how long records are kept."),
    "erase": ("airworthy.cli.erase", "Erase a user from the records."),
    "export-user": ("airworthy.cli.erase", "Write everything stored on a user to a ZIP."),
    "seal": ("airworthy.cli.seal", "Put closed days into Parquet files; check those."),
    "pause": ("airworthy.cli.switch", "Stop an agent, or all of them, before their next step."),
    "resume": ("airworthy.cli.switch", "Let a paused agent, or all of them, go on."),
    "status": ("airworthy.cli.switch", "Show what is paused, waits and works."),
    "preflight": ("airworthy.cli.preflight", "Prove that an agent is ready, before anyone depends on it."),
    "workers": ("airworthy.cli.workers", "Show who works on what, on which machine."),
    "migrate": ("airworthy.cli.migrate", "Bring the database to this version, or show what is missing."),
    "move": ("airworthy.cli.move", "Move everything that is stored into another database."),
    "doctor": ("airworthy.cli.doctor", "Find what is wrong here, and how to mend it."),
    "alert": ("airworthy.cli.alert", "Look at alerts, and end those that were seen to."),
    "event": ("airworthy.cli.event", "Look at what other programs are told; send again what failed."),
    "notice": ("airworthy.cli.notice", "Look at notifications; send again what failed; try a channel."),
    "up": ("airworthy.cli.up", "Work on tasks and serve everything over HTTP, in one process on one port."),
    "gateway": ("airworthy.cli.gateway", "Serve models over HTTP, within the policies."),
    "key": ("airworthy.cli.key", "Make, list and revoke keys to the gateway."),
    "models": ("airworthy.cli.models", "Show what models cost and how long they live."),
    "call": ("airworthy.cli.call", "Look at the calls that came over HTTP."),
    "spend": ("airworthy.cli.spend", "Show what was spent, by agent, user, feature, model or day."),
    "api": ("airworthy.cli.api", "Serve the HTTP API: tasks, the review queue, feedback."),
    "access": ("airworthy.cli.access", "Make, list and revoke keys to the API."),
    "user": ("airworthy.cli.user", "Accounts of people who sign in to the console."),
    "audit": ("airworthy.cli.audit", "Who decided or changed what; whether the log was touched."),
    "mcp-proxy": ("airworthy.cli.mcp_proxy", "Stand before an MCP server and guard its tools."),
    "mcp": ("airworthy.cli.mcp", "Look at the tools of MCP servers; accept changes."),
    "tools": ("airworthy.cli.tools", "Show tools; compare and accept the shape of results."),
    "dependency": ("airworthy.cli.dependency", "Look at and check the systems that tools talk to."),
    "breaker": ("airworthy.cli.breaker", "Look at circuit breakers; open and close them."),
    "release": ("airworthy.cli.release", "Look at the versions of an agent, and compare two."),
    "readiness": (
        "airworthy.cli.readiness",
        "Show what is missing before an agent may go live; waive an item.",
    ),
    "scope": ("airworthy.cli.scope", "Show, approve and check what an agent may do."),
}
HELP = """Run AI agents as durable tasks with limits, guarded tools and one explicit outcome each.

A working folder holds airworthy.toml, the agent's code, its policy and the database. Commands look for it in the
current folder; -C names another.

Examples:

\b
  airworthy init support            make a working folder with a small agent
  airworthy submit --input TEXT -w  hand in a task and wait for its answer
  airworthy run                     work on tasks until Ctrl-C
  airworthy task show ID            see what happened, and what to do next
  airworthy --debug COMMAND ...     show where an error came from

Exit codes:

\b
"""
HELP += "\n".join(f"  {code.value:<4} {code.meaning}" for code in Exit)


@dataclass(slots=True)
class Shell:
    """What the error shell must know after the command is gone."""

    debug: bool = False


class LazyGroup(TyperGroup):
    """Imports a command's module when that command is used, and not to list it."""

    _listing = False

    # The class of the context is Typer's own secret.
    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return [name for name, (module, _) in COMMANDS.items() if _exists(module)]

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, summary = COMMANDS[cmd_name]
        if self._listing:
            return TyperCommand(name=cmd_name, help=summary)
        return _loaded(cmd_name, module) if _exists(module) else None

    def format_help(self, ctx: Any, formatter: Any) -> None:
        with self._summaries():
            super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        with self._summaries():
            return super().shell_complete(ctx, incomplete)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        # Typer suggests near names from this table, which lazy loading leaves empty.
        self.commands = {name: TyperCommand(name=name) for name in self.list_commands(ctx)}
        return super().resolve_command(ctx, args)

    @contextlib.contextmanager
    def _summaries(self) -> Iterator[None]:
        self._listing = True
        try:
            yield
        finally:
            self._listing = False


app = typer.Typer(
    cls=LazyGroup, name="airworthy", help=HELP, no_args_is_help=True, rich_markup_mode=None,
    pretty_exceptions_enable=False, context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
)  # fmt: skip


def _show_version(asked: bool) -> None:  # noqa: FBT001  # Typer calls it like this
    if asked:
        typer.echo(f"airworthy {__version__}")
        raise typer.Exit


@app.callback(help=HELP)
def root(
    ctx: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001  # its callback has done it
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    if isinstance(ctx.obj, Shell):
        ctx.obj.debug = debug


def command() -> TyperGroup:
    """The whole tree, as Typer's own objects; for the shell and for the reference page."""
    made = typer.main.get_command(app)
    assert isinstance(made, TyperGroup)
    return made


def run() -> None:
    """The entry point of `airworthy`."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            # A terminal that cannot show a character gets it spelled out, not a traceback.
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # absent on replaced streams
    sys.exit(execute(sys.argv[1:]))


def execute(arguments: Sequence[str]) -> int:
    """One command line, to its exit code. Every error ends here, in words."""
    from airworthy.core.origin import Origin, comes_from

    shell = Shell()
    comes_from(Origin("cli"))
    try:
        code = command().main(list(arguments), prog_name="airworthy", standalone_mode=False, obj=shell)
        return code if isinstance(code, int) else Exit.OK
    except (KeyboardInterrupt, typer.Abort) as error:
        return _interrupted(error)
    except Exception as error:  # noqa: BLE001  # the shell: whatever it is, a person gets it in words
        return _told(error, debug=shell.debug)


def _interrupted(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt) or isinstance(error.__cause__, KeyboardInterrupt):
        return Exit.INTERRUPTED
    return Exit.FAILED  # No answer to a question: the end of input.


def _told(error: Exception, *, debug: bool) -> int:
    from airworthy.cli import show
    from airworthy.core.errors import AirworthyError

    if isinstance(error, _USAGE_ERROR):
        ctx = getattr(error, "ctx", None)
        path = ctx.command_path if ctx is not None else "airworthy"
        message = error.format_message()
        if message.startswith("Usage: "):  # A group without a command: its help.
            show.say_lines(message, stderr=True)
        else:
            show.fail(message, f"See `{path} --help`.")
        return Exit.USAGE
    if debug:
        import traceback

        show.say_lines("".join(traceback.format_exception(error)), stderr=True)
    if isinstance(error, AirworthyError):
        show.fail(error.message, error.mend)
        return exit_of(error)
    show.fail(
        f"{type(error).__name__}: {error}",
        "This was not expected. `airworthy --debug COMMAND ...` shows where it came from.",
    )
    return exit_of(error)


# The root of Typer's complaints about a command line; it has no public name of its own.
_USAGE_ERROR: Any = typer.BadParameter.__mro__[1]


def _exists(module: str) -> bool:
    """Rooms above may be left out of an installation."""
    return module.startswith("airworthy.cli.") or importlib.util.find_spec(module) is not None


def _loaded(name: str, module_name: str) -> TyperCommand | TyperGroup | None:
    module = importlib.import_module(module_name)
    if hasattr(module, "register"):
        holder = typer.Typer(rich_markup_mode=None, add_completion=False)
        holder.callback()(lambda: None)
        module.register(holder)
    else:
        holder = module.app
    made = typer.main.get_command(holder)
    if isinstance(made, TyperGroup) and name in made.commands:
        found = made.commands[name]
    else:
        found = made
    return found if isinstance(found, TyperCommand | TyperGroup) else None
