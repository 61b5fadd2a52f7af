"""A MuJoCo environment brought from s to g·s by the maps of its model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.symmetry import Symmetry
from equiworld.verify.mechanism.model_map import FREE, Array, Model, ModelMap
from equiworld.verify.mechanism.tensors import six_of, tensor_of
from equiworld.verify.moving import observe_now

__all__ = ["Mover", "keeps_reward", "move_data"]

Move = Callable[[gym.Env, GroupElement], Any]
_EQUAL = 1e-3


class Mover:
    """Moves an environment with MuJoCo's `model` and `data` to g·s, and gives what is observed then.

    What the last step left behind to be observed goes with the state: places, forces and inertias of bodies belong to
    an instant before its end, and no `mj_forward` makes them so.

    Args:
        maps: what the generators of the group do, in their order.
    """

    def __init__(self, maps: Sequence[ModelMap]) -> None:
        self._maps = tuple(maps)

    def __call__(self, env: gym.Env, g: GroupElement) -> Any:
        """Bring it there.

        Raises:
            ArgumentError: g is of another group.
        """
        base: Any = env.unwrapped
        for index in reversed(self._word(g)):
            move_data(base.model, base.data, self._maps[index])
        return observe_now(env)

    def _word(self, g: GroupElement) -> list[int]:
        """Generators whose product, from the left, is g."""
        labels = g.group.labels
        generators = [index for _, index in labels.generators]
        if len(generators) != len(self._maps):
            raise ArgumentError("g", f"an element of {g.group!r}", "one of the proposed group")
        words: dict[int, list[int]] = {0: []}
        queue = [0]
        for element in queue:
            for which, generator in enumerate(generators):
                product = int(labels.table[generator, element])
                if product not in words:
                    words[product] = [which, *words[element]]
                    queue.append(product)
        return words[int(g.label)]


def keeps_reward(
    env: gym.Env, symmetry: Symmetry, move: Move, elements: Iterable[GroupElement], seed: int, tries: int = 4
) -> bool:
    """Whether rewards and ends are the same after a step from s and from g·s, in a few states.

    Args:
        env: is reset.
        symmetry: its declaration.
        move: brings it to g·s.
        elements: that are tried.
        seed: of resets and actions.
        tries: how many states.
    """
    base: Any = env.unwrapped
    for attempt in range(tries):
        for g in elements:
            seen = []
            for moved in (False, True):
                env.reset(seed=seed + attempt)
                env.action_space.seed(seed + attempt)
                for _ in range(5):
                    env.step(env.action_space.sample())
                action: Any = np.asarray(env.action_space.sample(), np.float64)
                if moved:
                    move(env, g)
                    action = symmetry.transform_action(g, action)
                _, reward, terminated, *_ = base.step(action)
                seen.append((float(reward), bool(terminated)))
            scale = 1.0 + abs(seen[0][0])
            # a broken model changes rewards a little, another direction a lot
            if abs(seen[0][0] - seen[1][0]) > _EQUAL * scale or seen[0][1] != seen[1][1]:
                return False
    return True


def move_data(model: Model, data: Any, found: ModelMap, shift: Array | None = None) -> None:
    """Bring a simulation from s to g·s, with what its last step left behind.

    Args:
        model: a mujoco.MjModel.
        data: its mujoco.MjData.
        found: the map.
        shift: by which floating bodies are shifted besides, `(3,)` [m].
    """
    import mujoco

    turn, away = found.isometry, np.zeros(3) if shift is None else shift
    about = found.centre - turn @ found.centre + away
    left: dict[str, Array] = {}
    left |= {name: spatial_moved(getattr(data, name)[found.bodies], turn) for name in ("cvel", "cfrc_ext")}
    left["cinert"] = inertia_moved(data.cinert[found.bodies], turn)
    for name in ("xpos", "xipos", "subtree_com"):
        left[name] = getattr(data, name)[found.bodies] @ turn.T + about
    for name in ("qfrc_actuator", "qacc_warmstart", "qfrc_constraint"):
        left[name] = found.move_tangents(getattr(data, name))
    data.qpos[:], data.qvel[:] = found.move_positions(data.qpos), found.move_tangents(data.qvel)
    data.mocap_pos[:], data.mocap_quat[:] = found.move_mocap(data.mocap_pos, data.mocap_quat)
    data.mocap_pos[:] += away
    for joint in np.flatnonzero(model.jnt_type == FREE):
        at = int(model.jnt_qposadr[joint])
        data.qpos[at : at + 3] += away
    if model.nu:
        data.ctrl[:] = found.move_controls(data.ctrl)
    mujoco.mj_forward(model, data)
    for name, array in left.items():  # last, for mj_forward solves too, and keeps that as its warm start
        getattr(data, name)[:] = array


def spatial_moved(rows: Array, isometry: Array) -> Array:
    """Six numbers a body in world axes, an axial vector and a vector, `(n, 6)`."""
    axial = np.sign(np.linalg.det(isometry)) * isometry
    return np.concatenate([rows[:, :3] @ axial.T, rows[:, 3:] @ isometry.T], axis=1)


def inertia_moved(rows: Array, isometry: Array) -> Array:
    """Ten numbers a body in world axes: six of a symmetric matrix, a vector, a mass, `(n, 10)`."""
    turned = six_of(isometry @ tensor_of(rows[:, :6]) @ isometry.T)
    return np.concatenate([turned, rows[:, 6:9] @ isometry.T, rows[:, 9:]], axis=1)
