"""The tool-failure matrix as a grid: tools and models down, faults across, in each field its cells."""

from collections.abc import Sequence
from dataclasses import dataclass

from airworthy.preflight.cell import CellResult, State

ORDER = {State.FAILED: 0, State.BROKEN: 1, State.UNDECIDED: 2, State.PASSED: 3}
MARKS = {State.PASSED: "✓", State.FAILED: "✗", State.UNDECIDED: "?", State.BROKEN: "!"}


@dataclass(frozen=True, slots=True)
class Field:
    """`state`: the worst of its cells; None where there is none. The cells worst first."""

    cells: tuple[CellResult, ...]

    @property
    def state(self) -> State | None:
        return self.cells[0].state if self.cells else None


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    failed: int
    total: int
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Heat:
    faults: tuple[str, ...]
    rows: tuple[Row, ...]


def heat_of(cells: Sequence[CellResult]) -> Heat:
    """Of cells with the axes `tool` and `fault`; others are left out. Tools and faults in the order of first sight.

    A fault that is given once and one at every try stand in one column, `http_500` for `http_500.once`.
    """
    placed: dict[tuple[str, str], list[CellResult]] = {}
    tools: dict[str, None] = {}
    faults: dict[str, None] = {}
    for cell in cells:
        tool, fault = cell.axes.get("tool"), cell.axes.get("fault")
        if not tool or not fault:
            continue
        fault = fault.partition(".")[0]
        tools[tool] = faults[fault] = None
        placed.setdefault((tool, fault), []).append(cell)
    rows = []
    for tool in tools:
        fields = tuple(Field(tuple(worst_first(placed.get((tool, fault), ())))) for fault in faults)
        states = [cell.state for field in fields for cell in field.cells]
        rows.append(Row(tool, states.count(State.FAILED), len(states), fields))
    return Heat(tuple(faults), tuple(rows))


def worst_first(cells: Sequence[CellResult]) -> list[CellResult]:
    return sorted(cells, key=lambda cell: (ORDER[cell.state], cell.id))
