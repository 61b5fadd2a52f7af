"""Causes of what is broken in a MuJoCo simulator, found in its model by mending one thing after another."""

from __future__ import annotations

from collections.abc import Sequence

import gymnasium as gym
import numpy as np

from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.symmetry import Symmetry
from equiworld.verify.auditing.cause import Cause
from equiworld.verify.auditing.mujoco_states import model_and_data
from equiworld.verify.mechanism import Explanation, explain

__all__ = ["doubted", "mujoco_causes"]

_STARTS, _STEPS = 24, 30
_LEAST = 1e-6  # of the deviation
_STILL = 1e-9
_OPTIONS = ("friction cone", "noslip", "solver", "wind")


def mujoco_causes(env: gym.Env, symmetry: Symmetry, failing: Sequence[GroupElement]) -> list[Cause]:
    """Why elements fail: those that move parts because of what differs, turns of the world because of options.

    Args:
        env: any; nothing is found of one without MuJoCo's model.
        symmetry: its declaration.
        failing: the elements under which it deviates.

    >>> import gymnasium, equiworld.envs
    >>> from equiworld.symmetry import symmetry_of
    >>> env = gymnasium.make("Humanoid-v5")
    >>> symmetry = symmetry_of(env)
    >>> mujoco_causes(env, symmetry, [symmetry.group.elements()[1]])[0].name
    'stiffness of joint'
    """
    found = model_and_data(env)
    if found is None or not found[0].nv:
        return []
    parts = [moves_parts(g) for g in failing]
    turns = any(not moved and _turns(g) for g, moved in zip(failing, parts, strict=True))
    try:
        source = env if hasattr(env.unwrapped, "model") else found[0]
        mechanism = explain(source, starts=_STARTS, steps=_STEPS, gravity=turns)
    except ArgumentError:  # a model of a kind that it does not know
        return []
    chosen = [each for each in mechanism.explanations if (any(parts) if each.map is not None else turns)]
    return [cause for each in chosen for cause in _causes(each)]


def doubted(env: gym.Env, elements: Sequence[GroupElement]) -> tuple[frozenset[int], list[Cause]]:
    """Elements that hold in the states of an audit, and under which options of the model are known to break the world.

    Friction cones that stand along axes are felt where something heavy slips: an audit's states seldom do, those of
    `explain` are pushed so. Quarter turns and mirrors along the axes keep such cones.

    Args:
        env: any; nothing is doubted of one without MuJoCo's model.
        elements: that hold so far.

    Returns:
        Their numbers, and why.
    """
    found = model_and_data(env)
    oblique = [number for number, g in enumerate(elements) if _oblique(g)]
    if found is None or not found[0].nv or not oblique:
        return frozenset(), []
    try:
        mechanism = explain(found[0], maps=False)
    except ArgumentError:
        return frozenset(), []
    causes = [cause for each in mechanism.explanations if not each.exact for cause in _causes(each)]
    causes = [each for each in causes if each.name in _OPTIONS]
    return frozenset(oblique if causes else ()), causes


def _oblique(g: GroupElement) -> bool:
    """Whether it takes some axis elsewhere than along an axis."""
    apart = np.abs(g.matrix)
    return bool((np.minimum(apart, np.abs(apart - 1.0)) > _STILL).any())


def moves_parts(g: GroupElement) -> bool:
    """Whether an element reflects, or turns a body against its own axes: parts then change places."""
    own = g.group.labels.natural.get("body")
    if own is not None and own.shape[-1] == g.dim:
        return bool(np.abs(own[int(g.label)] - np.eye(g.dim)).max() > _STILL)
    return float(g.determinant) < 0


def _turns(g: GroupElement) -> bool:
    return bool(np.abs(g.matrix - np.eye(g.dim)).max() > _STILL)


def _causes(each: Explanation) -> list[Cause]:
    found = []
    for cause in each.causes.causes:
        if cause.share >= _LEAST:
            found.append(Cause(cause.name, f"{each.name}: {cause.words}", cause.share, cause.to_dict()))
    return found
