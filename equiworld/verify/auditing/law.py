"""Noisy worlds: whether what is drawn from g·s has the law of g·(what is drawn from s)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.groups.arrays import Array
from equiworld.verify.auditing.access import reseed
from equiworld.verify.auditing.drawing_states import Origin
from equiworld.verify.check.trials import Run, Simulator, Trial

__all__ = ["Law", "energy_test", "holm", "is_noisy", "tested_law"]

_AFTER = 2  # steps after which laws are compared
_ASKED = 5  # states in which it is asked whether anything is drawn
_PERMUTATIONS = 1999


@dataclass(frozen=True)
class Law:
    """What was found of laws.

    Attributes:
        p_values: by element, that the law is kept as far as the dynamics go.
        rewards: likewise of the reward.
        fields: by observed field, over all elements.
        draws: from each side, of each state.
        states: how many.
    """

    p_values: Mapping[int, float]
    rewards: Mapping[int, float]
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


def tested_law(
    simulator: Simulator,
    origins: Sequence[Origin],
    elements: GroupElement,
    chosen: Sequence[int],
    draws: int,
    seed: int,
) -> Law:
    """Draw what follows from s and from g·s with fresh random numbers on both sides, and compare.

    Args:
        simulator: in which they are drawn.
        origins: states and actions.
        elements: a batch.
        chosen: which of them are asked about.
        draws: from each side, of each state.
        seed: of random numbers and permutations.
    """
    rng = np.random.default_rng([seed, 0x6C6177])
    clouds: dict[int, list[tuple[Mapping[str, Array], Mapping[str, Array]]]] = {
        index: [] for index in chosen
    }
    for origin in origins:
        here = _drawn(simulator, origin.trial, None, draws, rng)
        if here is None:
            continue
        for index in chosen:
            there = _drawn(simulator, origin.trial, elements[index], draws, rng)
            if there is not None and len(next(iter(there.values()))) == draws:
                moved = _moved(simulator, here, elements[index])
                clouds[index].append((moved, there))
    scales = _scales(simulator, clouds)

    def p_value(names: Sequence[str], elements: Sequence[int]) -> float:
        pairs = [
            tuple(np.concatenate([side[name] / scales[name] for name in names], -1) for side in pair)
            for element in elements
            for pair in clouds[element]
        ]
        return energy_test(pairs, rng) if pairs else 1.0

    fields = [name for name in scales if name != "reward"]
    return Law(
        {index: p_value(fields, [index]) for index in chosen if clouds[index]},
        {index: p_value(["reward"], [index]) for index in chosen if clouds[index]} if "reward" in scales else {},
        {name: p_value([name], list(chosen)) for name in fields},
        draws,
        len(origins),
    )


def _drawn(
    simulator: Simulator, start: Trial, g: GroupElement | None, draws: int, rng: np.random.Generator
) -> dict[str, Array] | None:
    """By field what was seen after the last step, and the reward, `(draws, size)`; None if it never came to that."""
    symmetry = simulator.symmetry
    actions = simulator.steps_of(start)[:_AFTER]
    if g is not None:
        actions = [np.asarray(symmetry.transform_action(g, each), np.float64) for each in actions]
    seen: list[Run] = []
    for number in rng.integers(2**31, size=draws).tolist():
        try:
            first = simulator.begin(start, g)
        except ArgumentError:
            return None
        reseed(simulator.env, number)
        run = simulator.follow(first, list(actions), g is not None)
        if len(run) > len(actions):
            seen.append(run)
    if len(seen) < draws:
        return None
    found = {
        name: np.stack([run[-1].observation[name].ravel() for run in seen]) for name in seen[0][-1].observation
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


def _scales(
    simulator: Simulator, clouds: Mapping[int, Sequence[tuple[Mapping[str, Array], Mapping[str, Array]]]]
) -> dict[str, float]:
    """By name the spread of what was drawn; what never changed is left out."""
    found: dict[str, float] = {}
    pairs = [pair for each in clouds.values() for pair in each]
    for name in pairs[0][0] if pairs else ():
        within = [float(np.std(side[name], axis=0).max()) for pair in pairs for side in pair]
        if max(within) > 0:
            found[name] = float(np.mean(within))
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
