"""From runs to numbers: how far each run is off, by element, subgroup, region and part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from equiworld.groups import GroupElement
from equiworld.verify.auditing.naming import words_of
from equiworld.verify.auditing.outcome import Outcome
from equiworld.verify.auditing.runs import Runs
from equiworld.verify.auditing.subgroups import Lattice
from equiworld.verify.check.report import kind_of

__all__ = [
    "ElementFinding",
    "Holds",
    "RegionFinding",
    "SubgroupFinding",
    "bound_of_none",
    "by_element",
    "by_region",
]
__all__ += ["by_subgroup", "maximal"]

Holds = Literal["exact", "to the solver's tolerance", "in law", "broken", "untested"]


@dataclass(frozen=True)
class ElementFinding:
    """What one element did to all states that it was tried in.

    Attributes:
        element: which.
        words: in words.
        kind: what sort of isometry it is.
        runs: states that it was tried in.
        broken: of them, in how many the dynamics deviate.
        refused: states whose g·s the simulator would not take.
        one_step: the largest relative deviation after one action.
        horizon: over all steps.
        reward: of the reward.
        infeasible: the share of all allowed a whose ρ(g)·a is not allowed.
        p_value: that what is drawn from g·s has the law of g·(what is drawn from s), where that was tested.
    """

    element: int
    words: str
    kind: str
    runs: int
    broken: int
    refused: int
    one_step: float
    horizon: float
    reward: float
    infeasible: float
    p_value: float | None = None


def by_element(
    elements: GroupElement,
    found: Sequence[Outcome],
    runs: Runs,
    infeasible: NDArray[np.float64],
    p_values: Mapping[int, float],
) -> list[ElementFinding]:
    """One finding for each element."""
    result = []
    for index, g in enumerate(elements):
        own = [each for each in found if each.element == index]
        result.append(
            ElementFinding(
                index,
                words_of(g),
                kind_of(g),
                len(own),
                sum(not each.dynamics for each in own),
                sum(element == index for _, element in runs.refused),
                max((each.one_step for each in own), default=0.0),
                max((each.horizon for each in own), default=0.0),
                max((each.reward for each in own), default=0.0),
                float(infeasible[index]),
                p_values.get(index),
            )
        )
    return result


@dataclass(frozen=True)
class SubgroupFinding:
    """Whether a subgroup holds.

    Attributes:
        name: of the subgroup.
        size: its dimension, and how many elements or components it has.
        elements: how many of its elements were tried.
        states: in how many states; each is of another episode.
        broken: of them, in how many the dynamics deviate under one of its elements.
        bound: with the confidence asked at most this share of states break it: exact binomial; None where it breaks.
        one_step: the largest relative deviation after one action.
        horizon: over all steps.
        holds: "exact" to rounding, "to the solver's tolerance", "in law" of a noisy world, "broken", "untested".
        reward: whether the reward and the end of episodes are the same too.
        reward_deviation: of the reward, relative.
    """

    name: str
    size: tuple[float, float]
    elements: int
    states: int
    broken: int
    bound: float | None
    one_step: float
    horizon: float
    holds: Holds
    reward: bool
    reward_deviation: float

    @property
    def held(self) -> bool:
        """Whether it holds, in whichever sense."""
        return self.holds not in ("broken", "untested")


def bound_of_none(trials: int, confidence: float) -> float:
    """The largest rate at which no violation in so many trials is as likely as 1 − confidence: about 3/n at 95 %.

    Reference: J. A. Hanley and A. Lippman-Hand, JAMA 249 (1983) 1743–1745.

    >>> round(bound_of_none(100, 0.95), 4)
    0.0295
    """
    return 1.0 if trials < 1 else float(1.0 - (1.0 - confidence) ** (1.0 / trials))


def by_subgroup(
    lattice: Lattice,
    found: Sequence[Outcome],
    confidence: float,
    in_law: Mapping[int, bool] | None = None,
) -> list[SubgroupFinding]:
    """One finding for each subgroup.

    Args:
        lattice: subgroups and elements.
        found: the runs to count.
        confidence: of the bounds.
        in_law: of a noisy world, by element whether its law is kept, those left out of which that is not known; None
            where runs are compared one by one.
    """
    result, critical = [], {one.state for one in found if not one.dynamics}
    for which, each in enumerate(lattice.subgroups):
        inside = lattice.members[which]
        own = [one for one in found if one.element in inside]
        broken = {one.state for one in own if not one.dynamics}
        states = {one.state for one in own}
        horizon = max((one.horizon for one in own), default=0.0)
        proper = lattice.own[which] or inside
        verdict = _verdict(own, proper, critical)
        if in_law is not None and verdict != "untested":
            lost = any(not in_law.get(index, True) for index in inside)
            broken = broken if lost else set()
            verdict = "broken" if lost else "untested" if proper.isdisjoint(in_law) else "in law"
        result.append(
            SubgroupFinding(
                each.name,
                each.size,
                len({one.element for one in own}),
                len(states),
                len(broken),
                None if verdict in ("broken", "untested") else bound_of_none(len(states), confidence),
                max((one.one_step for one in own), default=0.0),
                horizon,
                verdict,
                all(one.rewarded and one.ended for one in own),
                max((one.reward for one in own), default=0.0),
            )
        )
    return result


def _verdict(own: Sequence[Outcome], proper: frozenset[int], critical: set[int]) -> Holds:
    """Of runs under a subgroup's elements.

    Those that no smaller one has say more than they do; and where some states break the symmetry, a subgroup that was
    refused in all of them was not put to the test.
    """
    if any(not one.dynamics for one in own):
        return "broken"
    telling = [one for one in own if one.element in proper and (not critical or one.state in critical)]
    if not telling:
        return "untested"
    return "exact" if all(one.exact for one in own) else "to the solver's tolerance"


def maximal(
    lattice: Lattice,
    found: Sequence[SubgroupFinding],
    kept: Callable[[SubgroupFinding], bool],
) -> list[SubgroupFinding]:
    """Of those that are kept, the ones that lie in no other one, the largest first."""
    members = lattice.members
    good = [which for which, each in enumerate(found) if kept(each)]
    return [found[one] for one in good if not any(members[one] < members[other] for other in good)]


@dataclass(frozen=True)
class RegionFinding:
    """What was found where runs went.

    Attributes:
        region: "free", "in contact", "against what is fixed", or a user's own.
        runs: pairs of runs that went there, and no further.
        broken: of them, in how many the dynamics deviate.
        one_step: the largest relative deviation after one action.
        horizon: over all steps.
        largest: the names of the largest subgroups that hold there.
    """

    region: str
    runs: int
    broken: int
    one_step: float
    horizon: float
    largest: tuple[str, ...]


def by_region(lattice: Lattice, found: Sequence[Outcome], confidence: float) -> list[RegionFinding]:
    """One finding for each region that any run went to."""
    result = []
    for region in dict.fromkeys(each.region for each in found):
        own = [each for each in found if each.region == region]
        judged = by_subgroup(lattice, own, confidence)
        largest = maximal(lattice, judged, lambda each: each.held)
        result.append(
            RegionFinding(
                region,
                len(own),
                sum(not each.dynamics for each in own),
                max(each.one_step for each in own),
                max(each.horizon for each in own),
                tuple(each.name for each in largest),
            )
        )
    return sorted(result, key=lambda each: each.broken / each.runs)
