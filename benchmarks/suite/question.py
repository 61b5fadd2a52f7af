"""What is asked: cells to measure, how to measure one, and how to show what came out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.rows import Measure, Row, checked_rows
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.summary import summarised
from equiworld.errors import UnknownNameError
from equiworld.results import text_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Plan", "Question"]


@dataclass(frozen=True)
class Plan:
    """Which cells are wanted.

    Attributes:
        worlds: names; the question's own if empty.
        arms: names; the question's own if empty.
        seeds: how many; the question's own number if None.
        first_seed: the seeds count up from it.
    """

    worlds: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()
    seeds: int | None = None
    first_seed: int = 0


@dataclass(frozen=True)
class Question(ABC):
    """A frozen dataclass: its fields are the settings that measuring depends on, and its command line.

    A subclass says in class attributes what it is:

    Attributes:
        name: on the command line and in results.
        title: the question, in words.
        version: raised when rows come to mean something else.
        timed: whether it measures time, and has to run alone.
        worlds: names of the worlds that it is asked in unless told otherwise.
        arms: names of what it compares unless told otherwise.
        seeds: how many unless told otherwise.
        coordinates: columns of its rows beside those of their cells that say where, not what.
        measures: columns of its rows that say what.
        small: settings of the small version; no number becomes larger by it.
        choosing: settings that only say which cells there are. All others are inputs of every row.
        closed: whether it knows no worlds and arms but its own.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[int] = 1
    timed: ClassVar[bool] = False
    worlds: ClassVar[tuple[str, ...]] = ()
    arms: ClassVar[tuple[str, ...]] = ()
    seeds: ClassVar[int] = 1
    coordinates: ClassVar[tuple[str, ...]] = ()
    measures: ClassVar[Mapping[str, Measure]]
    small: ClassVar[Mapping[str, Any]] = {}
    choosing: ClassVar[tuple[str, ...]] = ()
    closed: ClassVar[bool] = False

    @abstractmethod
    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """The rows of a cell, without the cell's own coordinates. Equal cells of equal questions give equal rows."""

    def prepare(self, cells: Sequence[Cell], store: Store) -> None:  # noqa: B027  most need nothing
        """Make what many cells need and many workers make sooner together than one, such as data; before all cells."""

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """Further coordinates at which an arm is measured in a world; one without a name by default."""
        return ({},)

    def cells(self, plan: Plan) -> list[Cell]:
        """All cells of a plan, worlds first, then arms, seeds and points.

        Raises:
            UnknownNameError: a world or an arm that a closed question does not know.
        """
        for argument, names, known in (
            ("--world", plan.worlds, self.worlds),
            ("--arm", plan.arms, self.arms),
        ):
            for name in names if self.closed else ():
                if name not in known:
                    raise UnknownNameError(argument, name, known, f"{self.name!r} has those")
        count = self.seeds if plan.seeds is None else plan.seeds
        return [
            Cell.at_point(self.name, world, arm, plan.first_seed + index, **point)
            for world in plan.worlds or self.worlds
            for arm in plan.arms or self.arms
            for index in range(count)
            for point in self.points(world, arm)
        ]

    def depends(self, cell: Cell) -> Mapping[str, Any]:
        """Inputs of a cell's rows beyond settings and cell, such as what its world and its arm are defined to be."""
        return {}

    def inputs(self, cell: Cell) -> dict[str, Any]:
        """All that a cell's rows depend on, but for versions and sources."""
        settings = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in self.choosing}
        # As keywords, so that a question that names one of its own inputs the same is an error, and hides none.
        return dict(version=self.version, settings=settings, **self.depends(cell))

    def modules(self, cell: Cell) -> Sequence[str]:
        """Modules whose sources a cell's rows depend on, with all that these import."""
        return (type(self).__module__,)

    def answer(self, cell: Cell, store: Store) -> list[Row]:
        """The rows of a cell, from the store, or measured now."""

        def measure() -> list[Row]:
            return checked_rows(cell, self.measure(cell, store), self.coordinates, self.measures)

        return store.rows(cell, self.inputs(cell), self.modules(cell), measure)

    def answered(self, cell: Cell, store: Store) -> bool:
        """Whether the store has the rows of a cell."""
        return store.rows_path(cell, self.inputs(cell), self.modules(cell)).exists()

    def reduced(self) -> Self:
        """The small version: in about a minute, and its numbers prove nothing."""
        changes = {name: _smaller(getattr(self, name), small) for name, small in self.small.items()}
        return replace(self, **changes)

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """A picture of rows of one world, of any number of arms and seeds; None if a table says it all."""
        return None

    def table(self, rows: Sequence[Row]) -> str:
        """Rows as they were measured as plain text; by default those of several seeds are one line."""
        hidden, found = ("question", "tasks_solved"), summarised(rows, self.measures)  # hundreds of signs
        return text_table([{k: v for k, v in row.items() if k not in hidden} for row in found])


def _smaller(value: Any, small: Any) -> Any:
    """The smaller of two numbers; of others the second."""
    if isinstance(value, int | float) and isinstance(small, int | float) and not isinstance(small, bool):
        return min(value, small)
    return small
