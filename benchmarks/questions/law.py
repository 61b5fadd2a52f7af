"""Is what is planned at g·s distributed as g times what is planned at s?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.rows import Measure, Row, share
from equiworld.benchmarks.suite.store import Store
from equiworld.groups import GroupElement
from equiworld.planners import MPCPolicy
from equiworld.symmetry import Symmetry, symmetry_of

__all__ = ["Law", "energy_test"]

Array = NDArray[np.float64]

LEVEL = 0.05


@dataclass(frozen=True)
class Law(TrainedQuestion):
    """First actions of plans, drawn with independent noise at s and at g·s, and of these also with the same noise.

    Equal paths for equal noise are more than is asked of a policy whose noise is drawn anew; equal laws are what it has
    to have. At the identity laws are equal whatever the policy: what the test says there is its level.

    Attributes:
        tasks: of the slice, whose starts are s; each has a random element g of its own.
        draws: of a plan, on each side.
        permutations: of each test.
    """

    tasks: int = 40
    draws: int = 64
    permutations: int = 999

    name: ClassVar[str] = "law"
    title: ClassVar[str] = "Is what is planned at g·s distributed as g times what is planned at s?"
    worlds: ClassVar[tuple[str, ...]] = ("pusht", "cloudpush")
    arms: ClassVar[tuple[str, ...]] = ("equivariant", "plain")
    coordinates: ClassVar[tuple[str, ...]] = ("at",)
    measures: ClassVar[dict[str, Measure]] = {
        "rejected": Measure("1", "share of tasks whose test says p < .05, with Wilson's 95 % interval"),
        "successes": Measure("1", "tasks of which it says so"),
        "episodes": Measure("1", "tasks"),
        "p_all": Measure("1", "p of all tests together by Fisher's method", log=True),
        "verdict": Measure("", "differ where that is < .05"),
        "energy": Measure("px|m", "energy distance of the two samples of actions, mean over tasks"),
        "apart_same_noise": Measure("px|m", "largest |plan(g·s) − g·plan(s)| with the same noise", log=True),
        "apart_other_noise": Measure("px|m", "mean of the same with independent noise", log=True),
    }
    small: ClassVar[dict[str, Any]] = {"tasks": 2, "draws": 8, "permutations": 19}

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """Policies that decide in the frame at the door, and along the world's axes."""
        return [{"door": door} for door in (True, False)]

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """A row of random elements, and one of the identity."""
        world, model = self.world(cell.world), self.model(cell, store)
        policy = world.policy(model, cell.seed, door=bool(cell.point["door"]))
        half_width = self.scale_in(world).half_width
        env, seen = world.make(**world.loop_arguments(half_width)), list[Any]()
        try:
            symmetry = symmetry_of(env)
            for start in world.starts(self.tasks, half_width, cell.seed):
                seen.append(env.reset(seed=start.seed, options=dict(start.options or {}))[0])
        finally:
            env.close()
        rng, rows = np.random.default_rng([cell.seed, 15]), list[Row]()
        elements = {
            "g": world.elements(self.tasks, cell.seed),
            "identity": [symmetry.group.identity()] * self.tasks,
        }
        for at, several in elements.items():
            pairs = zip(seen, several, strict=True)
            tried = np.array([self._tried(policy, symmetry, one, g, rng) for one, g in pairs])
            rows.append({"at": at, **_together(*tried.T)})
        return rows

    def _tried(
        self, policy: MPCPolicy, symmetry: Symmetry, seen: Any, g: GroupElement, rng: np.random.Generator
    ) -> tuple[float, float, float, float]:
        """Energy distance and its p, and how far actions are apart with the same noise and with independent one."""
        sides = {name: np.repeat(array[None], self.draws, 0) for name, array in seen.items()}
        both = sides, symmetry.transform_observation(g, sides)

        def planned(count: int, fixed: bool) -> tuple[Any, Any]:
            here, there = (
                policy.predict({name: array[:count] for name, array in side.items()}, deterministic=fixed)[0]
                for side in both
            )
            return symmetry.transform_action(g, here), there

        first, second = planned(self.draws, False)
        here, there = planned(1, True)
        same, other = (np.linalg.norm(a - b, axis=-1).mean() for a, b in ((here, there), (first, second)))
        return *energy_test(first, second, self.permutations, rng), float(same), float(other)


def _together(energies: Array, ps: Array, same: Array, other: Array) -> Row:
    from scipy.stats import combine_pvalues

    p = float(combine_pvalues(ps, method="fisher").pvalue)
    return {
        **share("rejected", int((ps < LEVEL).sum()), len(ps)),
        **{"p_all": p, "verdict": "differ" if p < LEVEL else "no difference found"},
        **{"energy": float(energies.mean()), "apart_same_noise": float(same.max())},
        "apart_other_noise": float(other.mean()),
    }


def energy_test(
    first: Array, second: Array, permutations: int, rng: np.random.Generator
) -> tuple[float, float]:
    """The energy distance of two samples of one size, and the p of a permutation test that their laws are equal.

    It is 2 E|X − Y| − E|X − X′| − E|Y − Y′| = −zᵀDz/n² of all distances D and signs z, 1 in the first sample and −1 in
    the second; permutations exchange the signs.

    Args:
        first: `(n, size)`.
        second: likewise.
        permutations: of the signs; p is at least 1/(permutations + 1).
        rng: that draws them.

    Reference: G. J. Székely and M. L. Rizzo, J. Stat. Plan. Inference 143 (2013) 1249–1272.

    >>> energy_test(np.zeros((8, 1)), np.ones((8, 1)), 99, np.random.default_rng(0))
    (2.0, 0.01)
    """
    from scipy.spatial.distance import cdist

    both, n = np.concatenate([first, second]).astype(float), len(first)
    distances, signs = cdist(both, both), np.repeat([1.0, -1.0], n)
    tried = np.vstack([signs, rng.permuted(np.tile(signs, (permutations, 1)), axis=1)])
    energies = -np.einsum("pi,ij,pj->p", tried, distances, tried, optimize=True) / n**2
    # Up to rounding: a permutation that is the sample itself counts as equal.
    at_least = energies >= energies[0] - 1e-9 * abs(energies[0])
    return float(energies[0]), float(at_least.mean())
