"""Turns about gravity, shifts across it and their mirrors, proposed for a MuJoCo environment from its model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from equiworld.errors import ArgumentError
from equiworld.groups import E2, O2, SE2, SO2, Group, GroupElement
from equiworld.symmetry import Symmetry
from equiworld.verify.discovery.turning_fields import TurningFields
from equiworld.verify.mechanism.model_map import FREE, SLIDE, Model, ModelMap
from equiworld.verify.mechanism.moving import keeps_reward, move_data
from equiworld.verify.mechanism.report import Mechanism
from equiworld.verify.mechanism.roots import roots_of
from equiworld.verify.mechanism.turn import WorldTurn
from equiworld.verify.moving import observe_now
from equiworld.verify.mujoco_move import mujoco_move

__all__ = ["Turning", "TurningMover", "turning_symmetry"]

_ENDS = "range of joint"  # where turns end: what is observed there is for a check to find
_DRAWN = 3  # elements under which rewards are compared


@dataclass(frozen=True)
class Turning:
    """What `turning_symmetry` proposes.

    Attributes:
        symmetry: the declaration; None if there is none.
        move: brings the environment to g·s.
        left: why there is none, in words.
    """

    symmetry: Symmetry | None = None
    move: TurningMover | None = None
    left: tuple[str, ...] = ()


class TurningMover:
    """Moves an environment to g·s, of a group of turns, shifts, and reflections that a mirror of the model gives.

    Args:
        mirror: what one reflection does to the model; None of groups without.
    """

    def __init__(self, mirror: ModelMap | None) -> None:
        self._mirror = mirror

    def __call__(self, env: gym.Env, g: GroupElement) -> Any:
        """Bring it there.

        Raises:
            ArgumentError: its joints cannot do it.
        """
        if float(g.determinant) < 0:
            if self._mirror is None:
                raise ArgumentError("g", "a reflection", "a rotation or a shift")
            base: Any = env.unwrapped
            move_data(base.model, base.data, self._mirror)
            whole = np.eye(3)
            whole[: g.dim, : g.dim] = g.matrix
            turn = whole @ self._mirror.isometry.T
            g = SE2().element(turn[:2, :2], np.asarray(g.translation)[:2])
        observed = mujoco_move(env, g)
        return observe_now(env) if observed is None else observed


def turning_symmetry(env: gym.Env, mechanism: Mechanism, seed: int = 0) -> Turning:
    """How an environment transforms under turns about gravity, and what moves it so; or why that cannot be said.

    What floats is typed in space, about the axis of gravity: places, orientations, velocities. What only slides and
    turns in the plane is typed there, with reflections where the model has an exact mirror.

    Args:
        env: a Gymnasium environment with MuJoCo's `model` and `data`. It is reset.
        mechanism: what `explain` said of it, of turns of the world too: those that are broken are not proposed.
        seed: of resets and actions.
    """
    base: Any = env.unwrapped
    model, data = base.model, base.data
    try:
        WorldTurn(model, 0.7)
    except ArgumentError as error:
        return Turning(left=(str(error),))
    broken = [each for each in mechanism.explanations if each.map is None and not each.exact]
    causes = [cause for each in broken for cause in each.causes.causes if cause.name != _ENDS]
    if causes or any(not each.causes.causes for each in broken):
        return Turning(left=tuple(cause.words for cause in causes) or ("for reasons that were not found",))
    floats = bool((model.jnt_type == FREE).any())
    up = -np.asarray(model.opt.gravity, np.float64)
    up = up / np.linalg.norm(up) if up.any() else np.array([0.0, 0.0, 1.0])
    if not floats and abs(up[2]) < 1.0:
        return Turning(left=("gravity is not across the plane",))
    mirrors = [None] if floats else [*_mirrors(mechanism), None]
    for mirror in mirrors:
        typing = TurningFields(model, mirror, 3 if floats else 2)
        found = typing.fields(env, data, seed)
        action = typing.action(env)
        if isinstance(found, tuple) or action is None:
            left = (
                found if isinstance(found, tuple) else ("actions: they are not MuJoCo's controls, one each",)
            )
            if mirror is None:
                return Turning(left=left)
            continue
        shifts = all(_slides(model, body) for body in roots_of(model))
        group = _group(floats, shifts, mirror is not None, tuple((up + 0.0).tolist()))
        flat = isinstance(env.observation_space, spaces.Box)
        symmetry, move = Symmetry(group, found, action, flat=flat), TurningMover(mirror)
        drawn = group.sample(np.random.default_rng(seed), _DRAWN)
        if not keeps_reward(env, symmetry, move, [drawn[i] for i in range(_DRAWN)], seed, tries=2):
            symmetry = replace(symmetry, reward=False)
        return Turning(symmetry, move)
    raise AssertionError("the last of the mirrors is None, which returns")


def _mirrors(mechanism: Mechanism) -> Iterator[ModelMap]:
    """Those that hold, and reflect the plane about the origin."""
    for each in mechanism.explanations:
        found = each.map
        if found is None or not each.exact or found.determinant > 0:
            continue
        if found.isometry[2, 2] == 1.0 and not found.centre.any():
            yield found


def _slides(model: Model, body: int) -> bool:
    """Whether a root can go anywhere in the plane."""
    first = int(model.body_jntadr[body])
    joints = range(first, first + int(model.body_jntnum[body]))
    if model.jnt_type[first] == FREE:
        return True
    axes = [model.jnt_axis[joint][:2] for joint in joints if model.jnt_type[joint] == SLIDE]
    return bool(axes) and int(np.linalg.matrix_rank(np.stack(axes))) == 2


def _group(floats: bool, shifts: bool, mirrors: bool, axis: tuple[float, ...]) -> Group:
    if floats:
        return SE2(axis) if shifts else SO2(axis)
    if shifts:
        return E2() if mirrors else SE2()
    return O2() if mirrors else SO2()
