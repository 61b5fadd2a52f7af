"""Noisy worlds: whether what is drawn from g·s has the law of g·(what is drawn from s)."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.groups.arrays import Array
from equiworld.symmetry import Cloud
from equiworld.verify.auditing.access import reseed
from equiworld.verify.auditing.drawing_states import Origin
from equiworld.verify.auditing.subgroups import Lattice
from equiworld.verify.check.trials import Run, Simulator, Trial

__all__ = ["Law", "compared_laws", "energy_test", "holm", "is_noisy"]

_AFTER = 2  # steps after which laws are compared
_ASKED = 5  # states in which it is asked whether anything is drawn
_DRAWS = 24  # from each side, of each state
_PERMUTATIONS = 999  # at least
_MOST_PERMUTATIONS = 100_000
_WAVES = 64  # that clouds are compared by
_STILL = 1e-9  # of the numbers' size: what scatters by less is not noise

Sides = tuple[Mapping[str, Array], Mapping[str, Array]]
"""By name what was drawn from g·s, and g·(what was drawn from s): `(draws, size)` each."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Drawn:
    """What was drawn from one side, by name `(draws, size)`.

    Attributes:
        seen: by observed field, what was seen after the last step; empty where an episode ended before.
        told: "reward", the sum over the steps; and "end", by step whether it terminated or truncated the episode.
    """

    seen: Mapping[str, Array]
    told: Mapping[str, Array]


@dataclass(frozen=True)
class Law:
    """What was found of laws.

    Attributes:
        kept: by element, whether the law of the dynamics is kept; nothing of those whose draws ended too soon.
        p_values: by element, of the elements that only the same subgroup has together, that it is.
        rewarded: by element, whether the laws of the reward and of the ends of episodes are.
        fields: by observed field, of the elements whose law is not kept, the p-value that this field's is.
        draws: from each side, of each state.
        states: how many.
    """

    kept: Mapping[int, bool]
    p_values: Mapping[int, float]
    rewarded: Mapping[int, bool]
    fields: Mapping[str, float]
    draws: int
    states: int


def is_noisy(simulator: Simulator, origins: Sequence[Origin]) -> bool:
    """Whether other random numbers lead elsewhere from the same state."""
    for number, origin in enumerate(origins[:_ASKED]):
        seen = []
        for seed in (number, number + _ASKED):
            first = simulator.begin(origin.trial, None)
            if not reseed(simulator.env, seed):
                return False
            seen.append(simulator.follow(first, simulator.steps_of(origin.trial)[:_AFTER]))
        for here, there in zip(*seen, strict=False):
            same = all(
                np.array_equal(array, there.observation[name]) for name, array in here.observation.items()
            )
            if not same or here.reward != there.reward or here.ended != there.ended:
                return True
    return False


def compared_laws(
    simulator: Simulator,
    origins: Sequence[Origin],
    lattice: Lattice,
    chosen: Collection[int],
    level: float,
    seed: int,
) -> Law:
    """Draw what follows from s and from g·s with fresh random numbers on both sides, and compare.

    Elements that only the same subgroup has are tested together, one in each state. Holm's correction is over
    subgroups, and half of the level is that of the reward and of ends, where these are to be invariant.

    Args:
        simulator: in which they are drawn.
        origins: states and actions.
        lattice: subgroups that are asked about, and elements.
        chosen: which of them are asked about; the others are known to keep the law.
        level: how rarely a world that is symmetric may be said not to be.
        seed: of random numbers and permutations.

    Raises:
        ArgumentError: so low a level takes too many permutations.
    """
    rng = np.random.default_rng([seed, 0x6C6177])
    owner = {index: number for number, own in enumerate(lattice.own) for index in own}
    level = level / 2 if simulator.symmetry.reward else level
    permutations = _permutations(2 * len({owner[index] for index in chosen if index in owner}), level)
    seen: dict[int, list[Sides]] = {}
    told: dict[int, list[Sides]] = {}
    for state, origin in enumerate(origins):
        here = _drawn(simulator, origin.trial, None, rng)
        for index in lattice.tried(state) if here is not None else ():
            there = _drawn(simulator, origin.trial, lattice.elements[index], rng) if index in chosen else None
            if here is not None and there is not None:
                told.setdefault(owner[index], []).append((here.told, there.told))
                if here.seen and there.seen:
                    moved = _features(simulator, here.seen, lattice.elements[index])
                    sides = _unordered(simulator, (moved, _features(simulator, there.seen)))
                    seen.setdefault(owner[index], []).append(sides)

    def p_value(pairs: Sequence[Sides], *names: str) -> float:
        return _p_value(pairs, names, rng, permutations)

    fields = list(simulator.symmetry.observation)
    p_values = {number: p_value(pairs, *fields) for number, pairs in seen.items()}
    kept = holm(p_values, level)
    alike = holm(
        {
            (number, name): p_value(pairs, name)
            for number, pairs in told.items()
            for name in ("reward", "end")
        },
        level,
    )
    lost = [pair for number, pairs in seen.items() if not kept[number] for pair in pairs]
    asked = {index: number for index, number in owner.items() if index in chosen}
    known = {index: number for index, number in asked.items() if number in seen}
    return Law(
        {index: kept[number] for index, number in known.items()},
        {index: p_values[number] for index, number in known.items()},
        {
            index: alike[number, "reward"] and alike[number, "end"]
            for index, number in asked.items()
            if number in told
        },
        {name: p_value(lost, name) for name in fields} if lost else {},
        _DRAWS,
        len(origins),
    )


def _permutations(laws: int, level: float) -> int:
    """So many that the smallest p-value they can give is small enough for the first of Holm's tests."""
    needed = int(np.ceil(laws / level))
    if needed > _MOST_PERMUTATIONS:
        got = f"one that leaves each of {laws} laws a level of {level / laws:.1g}"
        raise ArgumentError(
            "confidence", got, f"one that leaves at least {1 / _MOST_PERMUTATIONS:.0e}: a lower one"
        )
    return max(_PERMUTATIONS, needed)


def _p_value(
    pairs: Sequence[Sides], names: Sequence[str], rng: np.random.Generator, permutations: int
) -> float:
    """That both sides of each pair have one law, by these arrays; those without noise are compared plainly."""
    scaled: list[tuple[Array, Array]] = []
    for here, there in pairs:
        sides: tuple[list[Array], list[Array]] = ([], [])
        for name in names:
            one, other = here[name], there[name]
            size = max(float(np.abs(one).max(initial=0.0)), float(np.abs(other).max(initial=0.0)), 1e-9)
            noise = float(np.sqrt((one.var(0) + other.var(0)).max(initial=0.0) / 2))
            if noise > _STILL * size:
                sides[0].append(one / noise)
                sides[1].append(other / noise)
            elif np.abs(one.mean(0) - other.mean(0)).max(initial=0.0) > 1e-6 * size:
                return 0.0
        if sides[0]:
            scaled.append((np.concatenate(sides[0], -1), np.concatenate(sides[1], -1)))
    return energy_test(scaled, rng, permutations) if scaled else 1.0


def _drawn(
    simulator: Simulator, start: Trial, g: GroupElement | None, rng: np.random.Generator
) -> Drawn | None:
    """What follows from s, or from g·s; None if the environment refuses to begin there or to take the actions."""
    symmetry = simulator.symmetry
    actions = simulator.steps_of(start)[:_AFTER]
    if g is not None:
        actions = [np.asarray(symmetry.transform_action(g, each), np.float64) for each in actions]
    runs: list[Run] = []
    for number in rng.integers(2**31, size=_DRAWS).tolist():
        try:
            first = simulator.begin(start, g)
        except ArgumentError:
            return None
        reseed(simulator.env, number)
        run = simulator.follow(first, list(actions), g is not None)
        if run[-1].refused is not None:
            return None
        runs.append(run)
    reward, end = np.zeros((_DRAWS, 1)), np.zeros((_DRAWS, len(actions), 2))
    for draw, run in enumerate(runs):
        reward[draw] = sum(each.reward or 0.0 for each in run)
        end[draw, : len(run) - 1] = [each.ended for each in run[1:]]
    lasting = all(len(run) > len(actions) for run in runs)
    fields = runs[0][-1].observation if lasting else {}
    return Drawn(
        {name: np.stack([run[-1].observation[name] for run in runs]) for name in fields},
        {"reward": reward, "end": end.reshape(_DRAWS, -1)},
    )


def _features(
    simulator: Simulator, drawn: Mapping[str, Array], g: GroupElement | None = None
) -> dict[str, Array]:
    """What was drawn, or ρ(g) of it, as Features, where one orientation has only one form: `(draws, size)`."""
    symmetry = simulator.symmetry
    centre = np.asarray(symmetry.centre)
    found = {}
    for name, array in drawn.items():
        declared = symmetry.observation[name]
        moved = array if g is None else np.asarray(declared.transform(g, array, centre), np.float64)
        channels = declared.encode(moved, centre).values()
        found[name] = np.concatenate([each.reshape(len(array), -1) for each in channels], -1)
    return found


def _unordered(simulator: Simulator, sides: Sides) -> Sides:
    """With clouds as means of waves over their points, whose order means nothing.

    Those of all waves fix a distribution, those of some at random nearly do (A. Rahimi and B. Recht, NeurIPS 2007).
    """
    dim, fields = simulator.symmetry.dim, simulator.symmetry.observation
    found = dict(sides[0]), dict(sides[1])
    for name in sides[0]:
        if isinstance(fields[name], Cloud):
            clouds = [side[name].reshape(_DRAWS, dim, -1) for side in sides]
            points = np.concatenate(clouds, -1).swapaxes(0, 1).reshape(dim, -1)
            waves = np.random.default_rng(0).normal(size=(_WAVES, dim)) / max(points.std(-1).max(), 1e-300)
            for side, cloud in zip(found, clouds, strict=True):
                phases = waves @ (cloud - points.mean(-1, keepdims=True))
                side[name] = np.concatenate([np.cos(phases).mean(-1), np.sin(phases).mean(-1)], -1)
    return found


def energy_test(
    pairs: Sequence[tuple[Array, ...]], rng: np.random.Generator, permutations: int = _PERMUTATIONS
) -> float:
    """The p-value that in each pair both samples have one law: energy distances summed, permuted within pairs.

    E = 2 E|X − Y| − E|X − X′| − E|Y − Y′|, which is 0 for equal laws only.

    Args:
        pairs: of samples `(n, size)` and `(n, size)`, as many on both sides.
        rng: of the permutations.
        permutations: how many; no p-value is below one in that many.

    Reference: G. J. Székely and M. L. Rizzo, J. Stat. Plan. Inference 143 (2013) 1249–1272.

    >>> rng = np.random.default_rng(0)
    >>> alike, shifted = rng.normal(size=(2, 30, 2)), rng.normal(size=(30, 2)) + 2.0
    >>> bool(energy_test([tuple(alike)], rng) > 0.05), energy_test([(alike[0], shifted)], rng) < 0.01
    (True, True)
    """
    observed, permuted = 0.0, np.zeros(permutations)
    for one, other in pairs:
        both = np.concatenate([one, other])
        apart = np.linalg.norm(both[:, None] - both[None], axis=-1)
        sides = np.repeat([1.0, -1.0], [len(one), len(other)])
        observed -= sides @ apart @ sides
        shuffled = rng.permuted(np.tile(sides, (permutations, 1)), axis=1)
        permuted -= np.einsum("bi,bi->b", shuffled @ apart, shuffled)
    slack = 1e-9 * max(abs(observed), 1e-300)
    return float((1 + np.sum(permuted >= observed - slack)) / (1 + permutations))


def holm(p_values: Mapping[Key, float], level: float) -> dict[Key, bool]:
    """Which hypotheses are kept when all are tested together: one true one is rejected as rarely as `level` says.

    Reference: S. Holm, Scand. J. Stat. 6 (1979) 65–70.

    >>> holm({0: 0.001, 1: 0.2, 2: 0.03}, 0.05)
    {0: False, 1: True, 2: True}
    """
    kept: dict[Key, bool] = {}
    order = sorted(p_values, key=lambda index: p_values[index])
    for rank, index in enumerate(order):
        earlier = rank > 0 and kept[order[rank - 1]]
        kept[index] = earlier or p_values[index] > level / (len(order) - rank)
    return {index: kept[index] for index in p_values}
