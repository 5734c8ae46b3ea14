"""The table of cases that people made of tasks, and what it holds of them."""

from collections.abc import Sequence
from typing import Final

from airworthy.recorder.holdings import DELETE, Holding, Kept
from airworthy.store.migrate import Migration, create_all


def _fourth(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, String, Table

    metadata = MetaData()
    cases = Table(
        "cases",
        metadata,
        Column("agent", String, primary_key=True),
        Column("id", String, primary_key=True),
        Column("task_id", String, nullable=False),
        Column("user_id", String, nullable=False),
        Column("kind", String, nullable=False),  # of recorded.Kind
        Column("made_us", BigInteger, nullable=False),
        Column("made_by", String, nullable=False),
        Column("body", LargeBinary, nullable=False),
    )
    Index("cases_by_task", cases.c.task_id)
    Index("cases_by_user", cases.c.user_id)
    return create_all(metadata, dialect)


MIGRATIONS: Final = (Migration("preflight", 4, "cases made of tasks", _fourth),)
# A case outlives its task: that is what it is for. It goes with its user, or when somebody deletes it.
HOLDINGS: Final = (
    Holding(
        "cases",
        Kept.STATE,
        "Cases made of tasks, with what was said in them, until somebody deletes them.",
        of_user="user_id = ?user",
        words=DELETE,
        key="agent, id",
        packed=("body",),
        told=("agent", "id", "task_id", "kind", "made_us", "body"),
    ),
)
