"""What the tools' tables hold of people, and what becomes of it."""

from typing import Final

from airworthy.recorder.holdings import DELETE, Holding, Kept

TOOLS: Final = (
    Holding(
        "effects",
        Kept.TRACES,
        "What tools were asked to do to the world, for whom, and what came of it.",
        of_task="task_id = ?task",
        words={"arguments": "'{}'", "result": "NULL", "note": "NULL", "evidence": "NULL", "undoable": "0"},
        spoilt={"undoable": "0"},  # To take it back takes its arguments as they were.
        names={"recipient": "NULL"},
        waits="task_id = ?task AND state IN ('held', 'approved', 'scheduled', 'started', 'in_doubt')",
        told=(
            "id",
            "tool",
            "effect",
            "state",
            "arguments",
            "recipient",
            "created_us",
            "ended_us",
            "note",
            "result",
        ),
    ),
    Holding(
        "last_good",
        Kept.STATE,
        "Results kept for when a tool is away; they go by the policy's own age.",
        of_user="whom = 'user:' || ?user",
        words=DELETE,
        told=("agent", "tool", "body", "at_us"),
    ),
    Holding("tokens", Kept.STATE, "Access to other systems, sealed."),
    Holding("health", Kept.STATE, "How each dependency is."),
    Holding("health_hours", Kept.COUNTS, "How each dependency was, by hour."),
    Holding("health_counted", Kept.STATE, "Up to when calls were counted."),
    Holding("mcp_tools", Kept.STATE, "Tools of MCP servers as they were accepted."),
    Holding("tool_shapes", Kept.STATE, "The shape of results: names of fields and types, no values."),
)
