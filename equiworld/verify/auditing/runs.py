"""The runs of an audit: from s, from s again, and from g·s; and where each of them goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.groups.arrays import Array
from equiworld.verify.auditing.access import Restored
from equiworld.verify.auditing.drawing_states import Origin
from equiworld.verify.auditing.naming import words_of
from equiworld.verify.auditing.regions import UNREAD, Region, worse
from equiworld.verify.auditing.subgroups import Lattice
from equiworld.verify.check.chaos import before_chaos
from equiworld.verify.check.trials import Run, Seen, Simulator

__all__ = ["Floor", "Runner", "Runs", "followed"]


@dataclass(frozen=True)
class Floor:
    """What the simulator does when it is put in the same state twice and given the same actions.

    Attributes:
        states: from how many it was tried.
        same: whether all that was seen was the same to the last bit.
        deviation: the largest difference of any observed number.
        acts: whether other actions led elsewhere.
    """

    states: int
    same: bool
    deviation: float
    acts: bool


@dataclass
class Runs:
    """All that was run.

    Attributes:
        reference: by state, the run from s.
        turned: by state and element, the run from g·s.
        regions: likewise, where the two went.
        numbers: likewise, the simulator's own numbers after one step from g·s, and what g makes of those from s.
        refused: likewise, why nothing began at g·s.
        floor: the same state twice.
    """

    reference: list[Run] = field(default_factory=list)
    turned: dict[tuple[int, int], Run] = field(default_factory=dict)
    regions: dict[tuple[int, int], str] = field(default_factory=dict)
    numbers: dict[tuple[int, int], Mapping[str, tuple[Array, Array]]] = field(default_factory=dict)
    refused: dict[tuple[int, int], str] = field(default_factory=dict)
    floor: Floor = field(default_factory=lambda: Floor(0, True, 0.0, False))


class Runner:
    """Makes runs from s and from g·s.

    Args:
        simulator: in which they are made.
        origins: states and actions.
        lattice: subgroups, and elements, each of which is tried in some of the states.
        region: what tells where a state lies.
        tolerance: relative, for telling chaos from a symmetry that is broken.

    Attributes:
        found: all that was run so far.
    """

    def __init__(
        self,
        simulator: Simulator,
        origins: Sequence[Origin],
        lattice: Lattice,
        region: Region | None,
        tolerance: float,
    ) -> None:
        self.simulator, self.origins, self.lattice = simulator, origins, lattice
        self.region, self.tolerance = region, tolerance
        self.restored = simulator.restore if isinstance(simulator.restore, Restored) else None
        self.found = Runs()
        # By state, where the run from s went, and a snapshot after one step.
        self._went: list[tuple[str, object]] = []

    def run(self) -> Runs:
        """Every state, under those elements that are tried there."""
        simulator, found = self.simulator, self.found
        floors: list[tuple[bool, float, bool]] = []
        for state, origin in enumerate(self.origins):
            actions, first = simulator.steps_of(origin.trial), simulator.begin(origin.trial, None)
            reference, where, after = followed(simulator, first, actions, self.region, self.restored)
            found.reference.append(reference)
            self._went.append((where, after))
            floors.append(_floor(simulator, origin, reference, actions))
            self.turn(state, self.lattice.tried(state))
        same, apart, acts = zip(*floors, strict=True)
        found.floor = Floor(len(floors), all(same), max(apart), any(acts))
        return found

    def turn(self, state: int, elements: Iterable[int]) -> None:
        """The runs from g·s of one state, for elements that were not tried there yet."""
        simulator, found, start = self.simulator, self.found, self.origins[state].trial
        where, after = self._went[state]
        for index in elements:
            if (state, index) in found.turned or (state, index) in found.refused:
                continue
            g = self.lattice.elements[index]
            try:
                first = simulator.begin(start, g)
            except ArgumentError as error:
                found.refused[state, index] = f"{words_of(g)}: {error.__cause__ or error}"
                continue
            actions = simulator.steps_of(start)
            moved = [np.asarray(simulator.symmetry.transform_action(g, one), np.float64) for one in actions]
            run, there, _ = followed(simulator, first, moved, self.region, None, turned=True)
            if self.restored is not None and after is not None and len(run) > 1:
                pair = _numbers(simulator, self.restored, first, moved, start, after, g)
                if pair:
                    found.numbers[state, index] = pair
            found.turned[state, index] = before_chaos(
                simulator, found.reference[state], run, self.lattice.elements, index, self.tolerance
            )
            found.regions[state, index] = worse(where, there)


def followed(
    simulator: Simulator,
    first: Seen,
    actions: Sequence[Array],
    region: Region | None,
    restored: Restored | None,
    turned: bool = False,
) -> tuple[Run, str, object]:
    """A run step by step, the worst region that it goes through, and a snapshot after its first step.

    Args:
        simulator: that is where it begins.
        first: what is seen there.
        actions: one after the other.
        region: what tells where a state lies.
        restored: takes the snapshot; None for none.
        turned: whether actions are ρ(g)·a, which may be refused.
    """
    run, after = [first], None
    where = UNREAD if region is None else region(simulator.env)
    for number, action in enumerate(actions):
        *_, last = simulator.follow(run[-1], [action], turned)
        if last is run[-1] or last.refused is not None:
            run[-1] = last
            break
        run.append(last)
        if number == 0 and restored is not None:
            after = restored.get(simulator.env)
        if region is not None:
            where = worse(where, region(simulator.env))
        if last.ended is not None and any(last.ended):
            break
    return run, where, after


def _floor(
    simulator: Simulator, origin: Origin, reference: Run, actions: Sequence[Array]
) -> tuple[bool, float, bool]:
    """Whether the same follows again, how far it is at most, and whether other actions lead elsewhere."""
    again = simulator.follow(simulator.begin(origin.trial, None), list(actions))
    other = simulator.follow(simulator.begin(origin.trial, None), [0.5 * each for each in actions[:2]])
    same, apart = len(again) == len(reference), 0.0
    for here, there in zip(reference, again, strict=False):
        for name, array in here.observation.items():
            same = same and bool(np.array_equal(array, there.observation[name]))
            apart = max(apart, float(np.abs(array - there.observation[name]).max(initial=0.0)))
        same = same and here.reward == there.reward and here.ended == there.ended
    acts = any(
        not np.array_equal(array, there.observation[name])
        for here, there in zip(reference, other, strict=False)
        for name, array in here.observation.items()
    )
    return same, apart, acts


def _numbers(
    simulator: Simulator,
    restored: Restored,
    first: Seen,
    moved: Sequence[Array],
    start: object,
    after: object,
    g: GroupElement,
) -> dict[str, tuple[Array, Array]]:
    """By name the simulator's own numbers one step after g·s, and those of g·(one step after s)."""
    access, env = restored.access, simulator.env
    if not access.numbers(env):
        return {}
    try:
        simulator.begin(start, g)  # type: ignore[arg-type]
        simulator.follow(replace(first, refused=None), list(moved[:1]), True)
        there = {name: np.array(each) for name, each in access.numbers(env).items()}
        restored.begin(env, after, g)  # type: ignore[arg-type]
    except ArgumentError:
        return {}
    return {name: (each, there[name]) for name, each in access.numbers(env).items() if each.size}
