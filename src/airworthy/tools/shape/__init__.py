"""The shape of what tools return: learnt from results, pinned, and watched for changes."""

from typing import TYPE_CHECKING

from airworthy.core.late import late

if TYPE_CHECKING:
    from airworthy.tools.shape.compare import Difference, differences
    from airworthy.tools.shape.learning import added, merged, of_json, of_value
    from airworthy.tools.shape.matcher import Matcher
    from airworthy.tools.shape.node import Node, Shape
    from airworthy.tools.shape.settling import accepted, settled

__getattr__ = late(
    __name__,
    {
        "compare": "Difference differences",
        "learning": "added merged of_json of_value",
        "matcher": "Matcher",
        "node": "Node Shape",
        "settling": "accepted settled",
    },
)

__all__ = [
    "Difference",
    "Matcher",
    "Node",
    "Shape",
    "accepted",
    "added",
    "differences",
    "merged",
    "of_json",
    "of_value",
    "settled",
]
