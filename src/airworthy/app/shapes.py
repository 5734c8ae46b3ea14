"""Shapes of results as people name them: by tool, and by agent where several have such a tool."""

from functools import partial

from airworthy.app.build import App
from airworthy.core.errors import InputError
from airworthy.recorder import audit
from airworthy.recorder.audit import Entry
from airworthy.tools.shape import book
from airworthy.tools.shape.folding import ShapeRow

TRIES_MAX = 5  # A worker may store what it found in the same moment.


class UnknownShape(InputError):
    """Nothing is known of the results of such a tool, or several agents have one."""

    code = "unknown_shape"


def shape_of(app: App, tool: str, agent: str = "") -> ShapeRow:
    """Of the release in use last. Raises: UnknownShape."""
    rows = app.database.read_now(lambda tx: book.listing(tx, agent, tool))
    if not rows:
        raise UnknownShape(
            f"No result of {tool!r} has been seen yet.",
            mend="List the tools with `airworthy tools list`; one must be used before its results have a shape.",
        )
    if len(rows) > 1:
        names = ", ".join(row.agent for row in rows)
        raise UnknownShape(
            f"{len(rows)} agents have a tool {tool!r}.", mend=f"Say which with --agent: {names}."
        )
    return rows[0]


def accept_shape(app: App, tool: str, agent: str, by: str) -> tuple[ShapeRow, ShapeRow]:
    """Before and after. Raises: UnknownShape; InputError when there is nothing to accept."""
    for left in reversed(range(TRIES_MAX)):
        before = shape_of(app, tool, agent)
        try:
            now_us, told = app.clock.now_us(), Entry("tool.accept_shape", f"{before.agent}/{before.tool}", by)
            op = partial(book.accept, row=before, by=by, now_us=now_us)
            after = app.database.write_now(audit.noted(op, told, now_us))
        except book.Outrun:
            if not left:
                raise
            continue
        return before, after
    raise AssertionError("the last try returns or raises")
