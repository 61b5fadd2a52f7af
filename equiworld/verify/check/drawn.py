"""Elements, states and actions that a check begins from."""

from __future__ import annotations

import copy

import gymnasium as gym
import numpy as np

from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.groups.arrays import Array
from equiworld.symmetry import Symmetry
from equiworld.verify.check.trials import Trial
from equiworld.verify.elements import NOTHING_TO_COMPARE

__all__ = ["drawn_elements", "drawn_starts", "within"]

_NEAR, _FAR = 30, 100  # steps of walks at most: to s; and of those that are compared all along
_HELD = (4, 16)  # steps at most that an action of either is held: what changes at every step goes nowhere


def drawn_elements(group: Group, count: int, rng: np.random.Generator, scale: float) -> GroupElement:
    """`count` elements besides the identity; fewer of a small finite group.

    The first moves all there is: it turns, shifts, reflects, and exchanges labels. Among the others are a pure turn, a
    pure shift and the labels' generators, so that what fails can be named.
    """
    generators = [index for _, index in group.labels.generators]
    if group.finite:
        every = group.elements()
        first = [every[index] for index in generators if not every[index].is_close(group.identity())]
        pool = [*first, *group.grid(len(every))]
    else:
        kernel = group.kernel()
        section = group.section()
        turn = kernel.sample(rng, scale=0.0).within(group)
        general = kernel.sample(rng, scale=scale).within(group)
        pool = [general if not generators else section[generators[-1]] @ general, turn]
        if group.has_translations:
            shift = GroupElement(
                group, np.eye(group.dim), group.kernel().sample(rng, scale=scale).translation
            )
            pool.append(shift)
        pool += [section[index] for index in generators]
        pool += list(group.sample(rng, count, scale=scale))
    found: list[GroupElement] = []
    for g in pool:
        if not any(g.is_close(other) for other in (group.identity(), *found)):
            found.append(g)
    if not found:
        raise ArgumentError("group", repr(group), NOTHING_TO_COMPARE)
    return GroupElement.stack(found[:count])


def drawn_starts(
    env: gym.Env, symmetry: Symmetry, elements: GroupElement, states: int, steps: int, seed: int
) -> tuple[list[Trial], list[Trial], bool]:
    """States and actions, the first as the reset gives it; walks, two a state; and whether all ρ(g)·a are allowed."""
    space = copy.deepcopy(env.action_space)
    space.seed(seed)
    rng, inside = np.random.default_rng([seed, 0x636865636B]), True

    def drawn() -> Array:
        nonlocal inside
        action, stays = within(space, symmetry, elements, np.asarray(space.sample(), np.float64))
        inside = inside and stays
        return action

    def walk(length: int, held: int) -> tuple[Array, ...]:
        found: list[Array] = []
        while len(found) < length:
            found += [drawn()] * int(rng.integers(1, held + 1))
        return tuple(found[:length])

    lengths = [_NEAR * index // max(states - 1, 1) for index in range(states)]
    starts = [
        Trial(seed + index, walk(length, _HELD[0]), tuple(drawn() for _ in range(steps)))
        for index, length in enumerate(lengths)
    ]
    walks = [Trial(seed + states + index, (), walk(_FAR, _HELD[1])) for index in range(2 * states)]
    return starts, walks, inside


def within(space: gym.Space, symmetry: Symmetry, elements: GroupElement, action: Array) -> tuple[Array, bool]:
    """The action, drawn towards what no element moves until all images lie in the space, if they ever do."""
    declared, centre = symmetry.action, np.asarray(symmetry.centre)
    still = declared.decode(
        {kind: 0.0 * each for kind, each in declared.encode(action, centre).items()}, centre
    )
    for power in range(8):
        near = still + 0.99 * 0.6**power * (action - still)
        images = declared.transform(elements, np.tile(near, (len(elements), 1)), centre, "action")
        if all(space.contains(each.astype(space.dtype)) for each in (near, *images)):
            return near, True
    return action, False
