"""`case`: cases of preflights, made of recorded tasks, checked, taken in from other tools, made small."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import case_options as asked
from airworthy.cli import options, show
from airworthy.cli.case_files import kept_cases, one_of, taken_in, write

if TYPE_CHECKING:
    from airworthy.app.cases import Effort
    from airworthy.app.project import Project
    from airworthy.evals import Case
    from airworthy.preflight.cases.recorded import Made, Wish
    from airworthy.preflight.cases.shrinking import Shrunk

    Proposed = tuple[str, Made]  # the task's id, and the case

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Cases of preflights: of tasks, of files, of other tools.",
)  # fmt: skip


@app.command(name="from-task")
def from_task(
    task: options.TaskId,
    *,
    as_: asked.As = "",
    outcome: asked.Outcomes = None,
    fact: asked.Facts = None,
    not_fact: asked.NotFacts = None,
    tool: asked.Tools = None,
    not_tool: asked.NotTools = None,
    act: asked.Acts = None,
    no_acts: asked.NoActs = False,
    rubric: asked.Rubric = "",
    judge: asked.Least = 0.7,
    id_: asked.Id = "",
    severity: asked.HowBad = "",
    tag: asked.Tags = None,
    shrink: asked.Shrink = False,
    runs: asked.Runs = 300,
    repeat: asked.Repeat = 1,
    budget: asked.Budget = None,
    keep_names: asked.KeepNames = False,
    out: asked.Out = None,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Make a case of a recorded task: its input, what tools said, and what should have happened.

    Of a task that went well, what should happen is what happened. Of one that went wrong, say it by options, or be
    asked for it. The case is kept in the database, where preflights find it; with --out it goes into a file instead,
    with other names for the user and the session.

    \b
    Examples:
      airworthy case from-task last
      airworthy case from-task tsk_06f2c8 --as failure --outcome declined --no-acts --severity critical
      airworthy case from-task tsk_06f2c8 --as failure --fact "30 days" --shrink --out cases/refund-late.yaml
    """
    from airworthy.app.cases import Effort
    from airworthy.app.project import project
    from airworthy.cli.case_wish import wish_of

    said = {
        "outcome": outcome,
        "facts": fact,
        "not_facts": not_fact,
        "tools": tool,
        "not_tools": not_tool,
        "acts": act,
    }
    facts = {"id": id_, "severity": severity}
    wish = wish_of(as_, said, no_acts=no_acts, rubric=rubric, judge=judge, facts=facts)
    effort = Effort(runs, repeat, budget) if shrink else None
    with project(folder, database, agents_needed=shrink) as found:
        made, small = _proposed(found, task, wish, tag or (), effort)
        _kept(found, made, small, out, keep_names=keep_names, as_json=as_json)


def _proposed(
    found: "Project", task: str, wish: "Wish", tags: Sequence[str], effort: "Effort | None"
) -> "tuple[Proposed, Shrunk | None]":
    """Not kept yet; smaller, where an effort is to be made."""
    from airworthy.app.cases import cases_of
    from airworthy.app.config import person
    from airworthy.app.lookup import task_id
    from airworthy.cli.case_wish import wished
    from airworthy.review import Command

    found.app.reviews.check_command(person(), Command.OPERATE)
    id_ = task_id(found.app, task)
    cases = cases_of(found.app)
    made = wished(lambda wanted: cases.proposed(id_, wanted), wish, tags=tags)
    if effort is None:
        return (id_, made), None
    return (id_, made), _shrunk(found, found.app.operations.task(id_).agent, made.case, effort)


def _kept(
    found: "Project",
    proposed: "Proposed",
    small: "Shrunk | None",
    out: Path | None,
    *,
    keep_names: bool,
    as_json: bool,
) -> None:
    from dataclasses import replace

    from airworthy.app.cases import cases_of
    from airworthy.app.config import person
    from airworthy.preflight.cases.recorded import renamed

    task_id, made = proposed
    case = made.case if small is None else small.case
    if out is not None:
        case = case if keep_names else renamed(case)
        write(out, [case], f"Made of task {task_id}.", quiet=as_json)
    else:
        cases_of(found.app).keep(task_id, replace(made, case=case), person())
    for note in (*made.notes, *([_small_text(small)] if small is not None else [])):
        show.note(note)
    if as_json:
        show.emit(case.model_dump(mode="json", exclude_defaults=True))
    elif out is None:
        show.say(f"{case.id} is kept ({made.kind.value}). Show it: airworthy case show {case.id}")


def _shrunk(found: "Project", agent: str, case: "Case", effort: "Effort") -> "Shrunk":
    from airworthy.app.cases import shrunk
    from airworthy.app.project import named

    made = named(found.agents, agent)
    return asyncio.run(shrunk(found.app, made, found.config.folder, case, effort))


def _small_text(small: "Shrunk") -> str:
    before, after = small.before, small.after
    text = (
        f"It fails by {', '.join(small.kinds)} with {after.chars} characters in place of {before.chars}, and"
        f" {after.entries} recorded results in place of {before.entries}; {small.runs} trials."
    )
    return text if small.whole else f"{text} {small.why}"


@app.command(name="list")
def list_(
    *,
    agent: options.AgentFilter = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List the cases of this folder: those in its files, and those that were made of tasks.

    \b
    Examples:
      airworthy case list
      airworthy case list --agent support --json
    """
    from airworthy.app.cases import suite_in

    kept = kept_cases(folder, database, agent)
    suite = suite_in(folder, ())
    rows = [
        (case.id, case.severity.value, ", ".join(case.tags), str(suite.places[case.id]))
        for case in suite.cases
    ]
    rows += [
        (
            each.case.id,
            each.case.severity.value,
            ", ".join(each.case.tags),
            f"{each.agent}, made by {each.made_by}",
        )
        for each in kept
    ]
    if as_json:
        for id_, severity, tags, where in rows:
            show.emit({"id": id_, "severity": severity, "tags": tags, "where": where}, line=True)
    else:
        show.table(("case", "severity", "tags", "where"), rows)
        show.note(show.counted(len(rows), "case"))


@app.command(name="show")
def show_one(
    case: asked.CaseId,
    *,
    agent: options.AgentFilter = "",
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Show one case as YAML, as a file of cases could hold it.

    \b
    Examples:
      airworthy case show golden-06f2c8a1b2
      airworthy case show golden-06f2c8a1b2 > cases/order-status.yaml
    """
    from airworthy.evals.suites import yaml_text

    one = one_of(folder, database, case, agent)
    if as_json:
        show.emit(one.model_dump(mode="json", exclude_defaults=True))
    else:
        show.say_lines(yaml_text([one]).rstrip())


@app.command(name="delete")
def delete(
    case: asked.CaseId,
    *,
    agent: options.AgentFilter = "",
    yes: options.Yes = False,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Delete a case that was made of a task. Those in files are yours to delete.

    \b
    Examples:
      airworthy case delete golden-06f2c8a1b2
      airworthy case delete golden-06f2c8a1b2 --agent support --yes
    """
    from airworthy.app.cases import cases_of
    from airworthy.app.config import person
    from airworthy.app.project import stored
    from airworthy.review import Command

    with stored(folder, database) as found:
        found.reviews.check_command(person(), Command.OPERATE)
        cases = cases_of(found)
        one = cases.get(case, [agent] if agent else ())
        options.confirmed(f"Delete case {one.case.id} of {one.agent}?", yes=yes)
        cases.remove(one, person())
    if as_json:
        show.emit({"id": one.case.id, "agent": one.agent, "deleted": True})
    else:
        show.say(f"{one.case.id} is deleted.")


@app.command(name="check")
def check(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH...", help="Files, folders, module:function; left out: preflight.toml's."
        ),
    ] = None,
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Check cases without running anything: contradictions, ranges that nothing can meet, ids used twice.

    Says also what an agent that does nothing would score on them.

    \b
    Examples:
      airworthy case check
      airworthy case check cases/golden.yaml mypackage.cases:generated
    """
    from airworthy.app.cases import suite_in
    from airworthy.evals.baselines import baselines, sentence

    kept = () if paths else tuple(each.case for each in kept_cases(folder, database, ""))
    suite = suite_in(folder, paths or (), kept)
    lazy = sentence(baselines(suite.cases))
    if as_json:
        show.emit(
            {
                "cases": len(suite.cases),
                "warnings": [str(each) for each in suite.warnings],
                "do_nothing": lazy,
            }
        )
        return
    for notice in suite.warnings:
        show.say(notice, style="yellow")
    show.say(f"{show.counted(len(suite.cases), 'case')}, and nothing in them contradicts. {lazy}")


@app.command(name="shrink")
def shrink_one(
    case: asked.CaseId,
    *,
    agent: options.AgentFilter = "",
    runs: asked.Runs = 300,
    repeat: asked.Repeat = 1,
    budget: asked.Budget = None,
    out: asked.Out = None,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Make a failing case as small as it can be: text and recorded results go while it still fails in the same way.

    \b
    Examples:
      airworthy case shrink refund-late --out cases/refund-late-small.yaml
      airworthy case shrink refund-late --repeat 3 --budget 1.00
    """
    from airworthy.app.cases import Effort
    from airworthy.app.project import named, project
    from airworthy.evals.suites import yaml_text

    with project(folder, database) as found:
        one = one_of(folder, database, case, agent)
        small = _shrunk(found, named(found.agents, agent or None).name, one, Effort(runs, repeat, budget))
    show.note(_small_text(small))
    if out is not None:
        write(out, [small.case], f"A smaller {one.id}.", quiet=as_json)
    if as_json:
        show.emit(
            {
                "case": small.case.model_dump(mode="json", exclude_defaults=True),
                "fails_by": list(small.kinds),
                "chars": [small.before.chars, small.after.chars],
                "results": [small.before.entries, small.after.entries],
                "trials": small.runs,
                "whole": small.whole,
            }
        )
    elif out is None:
        show.say_lines(yaml_text([small.case]).rstrip())


@app.command(name="import")
def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="What the tool wrote.")
    ],
    *,
    tool: Annotated[
        str, typer.Option("--from", metavar="garak|promptfoo|pyrit", help="The tool that wrote it.")
    ],
    like: Annotated[
        str, typer.Option(metavar="ID", help="Take this case's input, with the attack in place of --at.")
    ] = "",
    at: Annotated[
        str,
        typer.Option(metavar="FIELD", help="The field of the input that holds the attack, as message.text."),
    ] = "",
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The file of cases; - is stdout.")],
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Take in attacks that another tool found, as adversarial cases: met by any explicit outcome without an effect.

    \b
    Examples:
      airworthy case import garak.report.jsonl --from garak --out cases/garak.yaml
      airworthy case import results.json --from promptfoo --like order-status --at text --out cases/redteam.yaml
    """
    from airworthy.evals.importers import Shape

    shape = Shape(at, one_of(folder, database, like, "") if like else None)
    taken = taken_in(file, tool, shape)
    write(out, taken.cases, f"Attacks that {tool} found; texts as they were.", quiet=as_json)
    if as_json:
        show.emit({"cases": [case.id for case in taken.cases], "skipped": list(taken.skipped)})
