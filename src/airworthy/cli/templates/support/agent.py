"""A support agent: it looks orders up and pays refunds; a person approves the large ones."""

import json
import sqlite3
from pathlib import Path

from pydantic import BaseModel

from airworthy import Agent, Run, tool

HERE = Path(__file__).parent


class Reply(BaseModel):
    answer: str


@tool(effect="read", resource="order:{order_id}")
def find_order(order_id: str) -> dict[str, str]:
    """Finds an order by its number: what was bought, its price and where it is."""
    orders: dict[str, dict[str, str]] = json.loads((HERE / "orders.json").read_text(encoding="utf-8"))
    return orders[order_id]


@tool(effect="write", keyed=True, resource="order:{order_id}")
def refund_order(order_id: str, amount_usd: float, *, idempotency_key: str) -> str:
    """Refunds an amount in USD for an order."""
    with sqlite3.connect(HERE / "refunds.db") as book:
        book.execute(
            "CREATE TABLE IF NOT EXISTS refunds (key TEXT PRIMARY KEY, order_id TEXT, amount_usd REAL)"
        )
        # The key is the same whenever this call is made again, so a refund is booked once.
        book.execute(
            "INSERT OR IGNORE INTO refunds VALUES (?, ?, ?)", (idempotency_key, order_id, amount_usd)
        )
    return f"Refunded {amount_usd:.2f} USD for order {order_id}."


agent = Agent(HERE / "policy.toml", tools=[find_order, refund_order])


@agent.task
async def handle(run: Run) -> Reply:
    reply: Reply = await run.loop(
        instructions="You answer customers of a small shop. Look the order up before you say anything about it.",
        prompt=run.text,
        output=Reply,
    )
    return reply
