"""A command that takes a query of the filter language, whose terms may begin with a minus as options do."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from typer.core import TyperCommand

from airworthy.cli import show

if TYPE_CHECKING:
    from airworthy.recorder.traces.query import Query

LANGUAGE: Final = """\b
Terms, all of which must hold:
  agent:support outcome:escalated,declined    any of these
  -tool:refund                                none of it
  model:gpt-5* user:*                         whatever begins so; any at all
  cost>0.05 duration>30s steps>=20            in USD; us, ms, s, m, h, d
  since:24h until:2026-11-20                  m, h, d, w ago; a day or a moment in UTC
  is:open is:error is:unpriced
  refund "late parcel"                        words of any text
Keys: agent, release, session, user, feature, outcome, reason, error, tool, model,
check, origin, id. Put a query that holds > or quotes in single quotes."""


class Asking(TyperCommand):
    """`-tool:refund` is a term; `-C` and `-n` are options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        own, dashes, rest = _parted(args)
        negated = [word for word in own if _is_negated(word)]
        return super().parse_args(
            ctx, [*(word for word in own if not _is_negated(word)), *dashes, *negated, *rest]
        )


def query_of(words: Sequence[str] | None, now_us: int) -> "Query":
    """Raises: FilterError."""
    from airworthy.recorder.traces.filter import parse

    return parse(show.unicode_text(" ".join(words or ())), now_us)


def _parted(args: list[str]) -> tuple[list[str], list[str], list[str]]:
    if "--" in args:
        at = args.index("--")
        return args[:at], ["--"], args[at + 1 :]
    return args, ["--"], []


def _is_negated(word: str) -> bool:
    return len(word) > 2 and word[0] == "-" and word[1] != "-"
