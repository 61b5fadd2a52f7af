"""One objective for several ways to observe an environment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from equiworld.errors import ArgumentError
from equiworld.symmetry import Symmetry
from equiworld.tasks.objective import Cost, Objective, Read, as_objective, in_goal, in_state

__all__ = ["FirstOf"]


@dataclass(frozen=True)
class FirstOf(Objective):
    """The first of some objectives whose fields an environment has: one task for several ways to observe it.

    An objective is passed over where none of the fields are there that it alone reads. Where some of them are there
    and another is not even observed, its name is taken for a mistake.

    Attributes:
        objectives: in order of preference.

    Raises:
        ArgumentError: they are no sequence of objectives; when bound, if a name is mistaken, or if none can be bound,
            with what each of them lacks.

    >>> from equiworld.tasks import KeypointDistance
    >>> FirstOf((KeypointDistance("keypoints", "goal_keypoints"), KeypointDistance("place", "goal"))).terms[0][0]
    1.0
    """

    objectives: Sequence[Objective]

    def __post_init__(self) -> None:
        if not isinstance(self.objectives, Sequence):
            raise ArgumentError("objectives", repr(self.objectives), "a sequence of objectives")
        found = tuple(as_objective(each, "objectives") for each in self.objectives)
        object.__setattr__(self, "objectives", found)

    def bind(self, symmetry: Symmetry) -> Cost:
        channels, goal_channels = symmetry.channels(), symmetry.channels(symmetry.goal)
        there = {*map(in_state, channels), *map(in_goal, goal_channels)}
        chosen = next((each for each in self.objectives if each.reads <= there), None)
        passed_over = list(takewhile(lambda each: each is not chosen, self.objectives))
        lacking = ["no " + _listed(each.reads - there) for each in passed_over]
        mistaken = [self._mistaken(each, there, symmetry) for each in passed_over]
        if any(mistaken):
            expected = "each objective with all of the fields that it alone reads, or with none of them"
            raise ArgumentError("objectives", "; ".join(filter(None, mistaken)), expected, _names(there))
        if chosen is None:
            raise ArgumentError("objectives", "; ".join(lacking) or "none", "one whose fields are all there")
        return chosen.bind(symmetry)

    def _mistaken(self, objective: Objective, there: set[Read], symmetry: Symmetry) -> str:
        """In words, the names that must be mistakes: others that the objective alone reads are there."""
        shared = set[Read]().union(*(other.reads for other in self.objectives if other is not objective))
        own = objective.reads - shared
        hidden = {*symmetry.observation} - {
            read.name for read in there
        }  # observed, of neither state nor goal
        unknown = {read for read in objective.reads - there if read.name not in hidden}
        return f"no {_listed(unknown)}, beside {_listed(own & there)}" if unknown and own & there else ""


def _names(reads: Iterable[Read]) -> list[str]:
    return sorted(f"{read.name!r} of the {read.part}" for read in reads)


def _listed(reads: Iterable[Read]) -> str:
    return ", ".join(_names(reads))
