"""A Symmetry for a MuJoCo environment that has none, from its model and from what it observes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.groups.isometries import Isometries
from equiworld.symmetry import Field, Parts, SignedPermutation, Symmetry
from equiworld.verify.mechanism.explain import explain
from equiworld.verify.mechanism.layout import layout_of
from equiworld.verify.mechanism.loading import load_model
from equiworld.verify.mechanism.model_map import FREE, Model, ModelMap
from equiworld.verify.mechanism.moving import Mover, keeps_reward
from equiworld.verify.mechanism.report import Mechanism
from equiworld.verify.mechanism.sources import sources_of_model
from equiworld.verify.mechanism.typing import Typed, fields_of_piece, mixing_field

__all__ = ["Proposal", "propose"]


@dataclass(frozen=True)
class Proposal:
    """What `propose` found, to be confirmed by a person and then checked.

    Attributes:
        symmetry: to be confirmed; None where nothing maps the mechanism to itself, or something is not typed.
        move: brings the environment to g·s, for `check_symmetry` and `register_symmetry`; None without a symmetry.
        untyped: what of the observation or of the actions has no type, in words.
        mechanism: the maps, how well the dynamics keep them, and what breaks them.
    """

    symmetry: Symmetry | None
    move: Callable[[gym.Env, GroupElement], Any] | None
    untyped: tuple[str, ...]
    mechanism: Mechanism

    def __str__(self) -> str:
        lines = [f"proposed: {self.symmetry}" if self.symmetry else "nothing proposed"]
        lines += [f"not typed: {each}" for each in self.untyped]
        return "\n".join([*lines, str(self.mechanism)])


def propose(
    env: gym.Env, world: str = "still", seed: int = 0, starts: int = 12, gravity: bool = False
) -> Proposal:
    """Propose how a MuJoCo environment transforms under the mirrors and turns that map its mechanism to itself.

    Which number of the observation is which of MuJoCo's is found by stepping the environment and comparing. A mirror
    reflects world and robot alike. A turn of a floating robot's own axes exchanges its legs and leaves the world as it
    is, so that tasks with a direction stay what they are; or it turns the world as well.

    Args:
        env: a Gymnasium environment with MuJoCo's `model` and `data`. It is reset.
        world: "still" or "turned": what turns of a floating robot's own axes do to the world.
        seed: of resets and actions.
        starts: states from which the dynamics are compared.
        gravity: whether the mechanism is to tell of turns of the world about gravity too.

    Raises:
        ArgumentError: no such environment.

    >>> found = propose(gym.make("Walker2d-v5"))
    >>> found.symmetry.action.orders, found.symmetry.holds, found.untyped
    (((3, 4, 5, 0, 1, 2),), 'everywhere', ())
    """
    import mujoco

    if world not in ("still", "turned"):
        raise ArgumentError("world", repr(world), "what turns do to it", ("still", "turned"))
    base: Any = getattr(env, "unwrapped", env)
    data = getattr(base, "data", None)
    if not isinstance(data, mujoco.MjData):
        raise ArgumentError(
            "env", f"a {type(base).__name__}", "an environment with MuJoCo's `model` and `data`"
        )
    model = load_model(env).model
    mechanism = explain(env, starts=starts, seed=seed, gravity=gravity)
    maps = [_in_world(each, model, world) for each in mechanism.maps]
    if not maps:
        return Proposal(None, None, (), mechanism)
    typed, untyped = _observation(env, model, data, maps, seed)
    action = _action(env, model, maps)
    if action is None:
        untyped += ("actions: they are not MuJoCo's controls, one each",)
    if untyped or action is None:
        return Proposal(None, None, untyped, mechanism)
    group = Isometries([each.isometry for each in maps], [each.own for each in maps])
    flat = isinstance(env.observation_space, spaces.Box)
    observation: dict[str, Field] = {
        (key or "observation"): _parts(key, fields) for key, fields in _by_key(typed).items()
    }
    move = Mover(maps)
    symmetry = Symmetry(group, observation, action, flat=flat, holds=_holds(mechanism))
    elements = group.elements()
    kept = keeps_reward(env, symmetry, move, [elements[i] for i in range(1, len(elements))], seed)
    return Proposal(replace_reward(symmetry, kept), move, (), mechanism)


def replace_reward(symmetry: Symmetry, kept: bool) -> Symmetry:
    """The same with what is known of the reward."""
    return symmetry if kept else replace(symmetry, reward=False)


def _in_world(found: ModelMap, model: Model, world: str) -> ModelMap:
    """A map with what it does to the world: turns may leave it alone where everything at its root floats."""
    roots = [body for body in range(1, model.nbody) if model.body_weldid[model.body_parentid[body]] == 0]
    floats = all(
        model.body_jntnum[body] and model.jnt_type[model.body_jntadr[body]] == FREE
        for body in roots
        if model.body_weldid[body] == body
    )
    if world == "still" and floats and found.determinant > 0:
        return replace(found, isometry=np.eye(3), centre=np.zeros(3))
    return found


def _observation(
    env: gym.Env, model: Model, data: Any, maps: Sequence[ModelMap], seed: int
) -> tuple[list[tuple[str, Typed]], tuple[str, ...]]:
    """Typed fields with their keys, and what is not typed."""
    layout = layout_of(env, model, data, seed)
    keys = {piece.key for piece in layout.pieces}
    sources = {source.name: source for source in sources_of_model(model)}
    typed, untyped, taken = list[tuple[str, Typed]](), list(layout.unknown), dict[str, int]()
    for piece in layout.pieces:
        source = sources.get(piece.source) if piece.source else None
        fields, left = fields_of_piece(piece, source, model, maps)
        untyped += left
        for name, field, at in fields:
            own = f"{name}_of_{piece.key}" if name in keys else name
            taken[own] = taken.get(own, 0) + 1
            own = own if taken[own] == 1 else f"{own}_{taken[own]}"
            typed.append((piece.key, (own, field, at)))
    return typed, tuple(untyped)


def _by_key(typed: Sequence[tuple[str, Typed]]) -> dict[str, list[Typed]]:
    found: dict[str, list[Typed]] = {}
    for key, each in typed:
        found.setdefault(key, []).append(each)
    return found


def _parts(key: str, fields: Sequence[Typed]) -> Field:
    """The fields of one key; of one that is all of it, that."""
    ordered = sorted(fields, key=lambda each: each[2])
    _, field, at = ordered[0]
    if key and len(ordered) == 1 and at == tuple(range(len(at))):
        return field
    return Parts({name: field for name, field, _ in ordered}, {name: at for name, _, at in ordered})


def _action(env: gym.Env, model: Model, maps: Sequence[ModelMap]) -> Field | None:
    """The controls, in the actuators' order."""
    space = env.action_space
    if not model.nu or not isinstance(space, spaces.Box) or space.shape != (model.nu,):
        return None
    if any((each.orders.actuators < 0).any() for each in maps):
        return None
    matrices = []
    for each in maps:
        matrix = np.zeros((model.nu, model.nu))
        matrix[np.arange(model.nu), each.orders.actuators] = each.orders.actuator_signs
        matrices.append(matrix)
    found = mixing_field(matrices)
    if found is not None and not isinstance(found, SignedPermutation):
        count = list(range(model.nu))
        return SignedPermutation([count for _ in maps])
    return found


def _holds(mechanism: Mechanism) -> str:
    """Where the symmetry holds, as far as the dynamics were measured."""
    broken = [each for each in mechanism.explanations if not each.exact]
    if not broken:
        return "everywhere"
    causes = dict.fromkeys(cause.words for each in broken for cause in each.causes.causes)
    return (
        f"nowhere, because of {'; '.join(causes)}" if causes else "nowhere, for reasons that were not found"
    )
