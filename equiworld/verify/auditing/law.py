"""Noisy worlds: whether what is drawn from g·s has the law of g·(what is drawn from s)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.groups.arrays import Array
from equiworld.verify.auditing.access import reseed
from equiworld.verify.auditing.drawing_states import Origin
from equiworld.verify.auditing.subgroups import Lattice
from equiworld.verify.check.trials import Run, Simulator, Trial

__all__ = ["Law", "compared_laws", "energy_test", "holm", "is_noisy"]

_AFTER = 2  # steps after which laws are compared
_ASKED = 5  # states in which it is asked whether anything is drawn
_DRAWS = 24  # from each side, of each state
_PERMUTATIONS = 999
_STILL = 1e-9  # of the numbers' size: what scatters by less is not noise

Sides = tuple[Mapping[str, Array], Mapping[str, Array]]
"""By field, and "reward", what was drawn from g·s, and g·(what was drawn from s): `(draws, size)` each."""


@dataclass(frozen=True)
class Law:
    """What was found of laws.

    Attributes:
        kept: by element, whether the law of the dynamics is kept; nothing of those whose draws ended too soon.
        p_values: by element, of the elements that only the same subgroup has together, that it is.
        rewarded: likewise, whether that of the reward is.
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
            if not same or here.reward != there.reward:
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
    subgroups, and half of the level is the reward's, where that is to be invariant.

    Args:
        simulator: in which they are drawn.
        origins: states and actions.
        lattice: subgroups that are asked about, and elements.
        chosen: which of them are asked about; the others are known to keep the law.
        level: how rarely a world that is symmetric may be said not to be.
        seed: of random numbers and permutations.
    """
    rng = np.random.default_rng([seed, 0x6C6177])
    owner = {index: number for number, own in enumerate(lattice.own) for index in own}
    clouds: dict[int, list[Sides]] = {}
    for state, origin in enumerate(origins):
        here = _drawn(simulator, origin.trial, None, rng)
        for index in lattice.tried(state) if here is not None else ():
            there = _drawn(simulator, origin.trial, lattice.elements[index], rng) if index in chosen else None
            if here is not None and there is not None:
                moved = _moved(simulator, here, lattice.elements[index])
                clouds.setdefault(owner[index], []).append((moved, there))
    fields = list(simulator.symmetry.observation)
    p_values = {number: _p_value(pairs, fields, rng) for number, pairs in clouds.items()}
    rewards = {number: _p_value(pairs, ["reward"], rng) for number, pairs in clouds.items()}
    level = level / 2 if simulator.symmetry.reward else level
    kept, paid = holm(p_values, level), holm(rewards, level)
    lost = [pair for number, pairs in clouds.items() if not kept[number] for pair in pairs]
    known = {index: number for index, number in owner.items() if number in kept and index in chosen}
    return Law(
        {index: kept[number] for index, number in known.items()},
        {index: p_values[number] for index, number in known.items()},
        {index: paid[number] for index, number in known.items()},
        {name: _p_value(lost, [name], rng) for name in fields} if lost else {},
        _DRAWS,
        len(origins),
    )


def _p_value(pairs: Sequence[Sides], names: Sequence[str], rng: np.random.Generator) -> float:
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
    return energy_test(scaled, rng) if scaled else 1.0


def _drawn(
    simulator: Simulator, start: Trial, g: GroupElement | None, rng: np.random.Generator
) -> dict[str, Array] | None:
    """By field what was seen after the last step, and the reward, `(draws, size)`; None if it never came to that."""
    symmetry = simulator.symmetry
    actions = simulator.steps_of(start)[:_AFTER]
    if g is not None:
        actions = [np.asarray(symmetry.transform_action(g, each), np.float64) for each in actions]
    seen: list[Run] = []
    for number in rng.integers(2**31, size=_DRAWS).tolist():
        try:
            first = simulator.begin(start, g)
        except ArgumentError:
            return None
        reseed(simulator.env, number)
        run = simulator.follow(first, list(actions), g is not None)
        if len(run) > len(actions):
            seen.append(run)
    if len(seen) < _DRAWS:
        return None
    found = {
        name: np.stack([run[-1].observation[name].ravel() for run in seen])
        for name in seen[0][-1].observation
    }
    return found | {"reward": np.array([[sum(each.reward or 0.0 for each in run)] for run in seen])}


def _moved(simulator: Simulator, here: Mapping[str, Array], g: GroupElement) -> dict[str, Array]:
    """ρ(g) of what was drawn at s."""
    symmetry = simulator.symmetry
    centre = np.asarray(symmetry.centre)
    found = {}
    for name, rows in here.items():
        declared = symmetry.observation.get(name)
        if declared is None:
            found[name] = rows
            continue
        items = rows.reshape(-1, declared.size(symmetry.dim))
        moved = np.asarray(declared.transform(g, items, centre), np.float64)
        found[name] = moved.reshape(rows.shape)
    return found


def energy_test(pairs: Sequence[tuple[Array, ...]], rng: np.random.Generator) -> float:
    """The p-value that in each pair both samples have one law: energy distances summed, permuted within pairs.

    E = 2 E|X − Y| − E|X − X′| − E|Y − Y′|, which is 0 for equal laws only.

    Args:
        pairs: of samples `(n, size)` and `(n, size)`, as many on both sides.
        rng: of the permutations.

    Reference: G. J. Székely and M. L. Rizzo, J. Stat. Plan. Inference 143 (2013) 1249–1272.

    >>> rng = np.random.default_rng(0)
    >>> alike, shifted = rng.normal(size=(2, 30, 2)), rng.normal(size=(30, 2)) + 2.0
    >>> bool(energy_test([tuple(alike)], rng) > 0.05), energy_test([(alike[0], shifted)], rng) < 0.01
    (True, True)
    """
    observed, permuted = 0.0, np.zeros(_PERMUTATIONS)
    for one, other in pairs:
        both = np.concatenate([one, other])
        apart = np.linalg.norm(both[:, None] - both[None], axis=-1)
        sides = np.repeat([1.0, -1.0], [len(one), len(other)])
        observed -= sides @ apart @ sides
        shuffled = rng.permuted(np.tile(sides, (_PERMUTATIONS, 1)), axis=1)
        permuted -= np.einsum("bi,bi->b", shuffled @ apart, shuffled)
    slack = 1e-9 * max(abs(observed), 1e-300)
    return float((1 + np.sum(permuted >= observed - slack)) / (1 + _PERMUTATIONS))


def holm(p_values: Mapping[int, float], level: float) -> dict[int, bool]:
    """Which hypotheses are kept when all are tested together: one true one is rejected as rarely as `level` says.

    Reference: S. Holm, Scand. J. Stat. 6 (1979) 65–70.

    >>> holm({0: 0.001, 1: 0.2, 2: 0.03}, 0.05)
    {0: False, 1: True, 2: True}
    """
    kept: dict[int, bool] = {}
    order = sorted(p_values, key=lambda index: p_values[index])
    for rank, index in enumerate(order):
        earlier = rank > 0 and kept[order[rank - 1]]
        kept[index] = earlier or p_values[index] > level / (len(order) - rank)
    return {index: kept[index] for index in p_values}
