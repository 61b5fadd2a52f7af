"""Fields of what an environment observes, under turns about gravity: by what each number of MuJoCo's means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from equiworld.symmetry import (
    Concatenation,
    Field,
    Heading,
    Parts,
    Point,
    Pseudoscalar,
    Pseudovector,
    Rotation,
    Scalar,
    SymmetricMatrix,
    Vector,
)
from equiworld.verify.mechanism.layout import DIFFERENCE, layout_of
from equiworld.verify.mechanism.model_map import FREE, HINGE, SLIDE, Array, Model, ModelMap
from equiworld.verify.mechanism.roots import roots_of
from equiworld.verify.mechanism.sources import sources_of_model

__all__ = ["TurningFields"]

_NAMES = {
    "qpos": "joints",
    "qvel": "joint_rates",
    "cos qpos": "cosines",
    "sin qpos": "sines",
    "ctrl": "controls",
}
_SPATIAL: dict[str, tuple[int, tuple[Field, ...]]] = {
    "cvel": (6, (Pseudovector(), Vector())),
    "cfrc_ext": (6, (Pseudovector(), Vector())),
    "cinert": (10, (SymmetricMatrix(), Vector(), Scalar())),
}
"""Numbers of one body in world axes."""

_PLACES = ("xpos", "xipos", "subtree_com", "site_xpos")
_FORCES = ("qvel", "qfrc_actuator", "qfrc_constraint")


@dataclass(frozen=True)
class _Role:
    """What one number is: of which arrow or orientation which component; or a number that stays but for its sign."""

    kind: str
    owner: str
    component: int


class TurningFields:
    """Fields of the numbers that an environment observes.

    Args:
        model: a mujoco.MjModel.
        mirror: that tells signs; None where reflections are not asked about.
        dim: of the group's elements, 2 or 3.
    """

    def __init__(self, model: Model, mirror: ModelMap | None, dim: int) -> None:
        self._model, self._mirror, self._dim = model, mirror, dim
        self._joints: dict[str, dict[int, _Role]] = {"qpos": {}, "qvel": {}}
        self._hinges: dict[int, int] = {}  # by number among hinges, the root's joint
        for body in roots_of(model):
            self._of_root(body)
        matrices = {} if mirror is None else {one.name: one.matrix(mirror) for one in sources_of_model(model)}
        self._signs = matrices

    def _of_root(self, body: int) -> None:
        """The roles of the numbers of a root's joints."""
        model, name = self._model, self._model.body(body).name or str(body)
        first = int(model.body_jntadr[body])
        hinges = np.flatnonzero(model.jnt_type == HINGE).tolist()
        turned = False
        for joint in range(first, first + int(model.body_jntnum[body])):
            at, rate, kind = (
                int(model.jnt_qposadr[joint]),
                int(model.jnt_dofadr[joint]),
                model.jnt_type[joint],
            )
            if kind == FREE:
                for i in range(3):
                    self._joints["qpos"][at + i] = _Role("point", name, i)
                    self._joints["qvel"][rate + i] = _Role("vector", name, i)
                for i in range(4):
                    self._joints["qpos"][at + 3 + i] = _Role("wxyz", name, i)
                turned = True
            elif kind == SLIDE and not turned and abs(model.jnt_axis[joint][2]) < 1.0:
                axis = int(np.abs(model.jnt_axis[joint]).argmax())
                self._joints["qpos"][at] = _Role("point", name, axis)
                self._joints["qvel"][rate] = _Role("vector", name, axis)
            elif kind == HINGE and not turned:
                self._joints["qpos"][at] = _Role("heading", model.joint(joint).name or str(joint), 0)
                self._hinges[hinges.index(joint)] = joint
                turned = True

    def _role(self, source: str, index: int) -> _Role:
        """What a number of a source is."""
        if source == "qpos":
            return self._joints["qpos"].get(index, _Role("scalar", "", index))
        if source in _FORCES:
            found = self._joints["qvel"].get(index)
            return _Role("scalar", "", index) if found is None else found
        if source in ("cos qpos", "sin qpos") and index in self._hinges:
            return _Role("vector", f"arm_{self._hinges[index]}", int(source == "sin qpos"))
        if source in _PLACES:
            return self._in_plane("point", f"{source}_{index // 3}", index % 3)
        return _Role("scalar", "", index)

    def _in_plane(self, kind: str, owner: str, component: int) -> _Role:
        """Heights stay where space is the plane."""
        flat = self._dim == 2 and component == 2
        return _Role("scalar" if flat else kind, owner, 0 if flat else component)

    def fields(self, env: gym.Env, data: Any, seed: int) -> dict[str, Field] | tuple[str, ...]:
        """By key; or what has no type, in words."""
        layout = layout_of(env, self._model, data, seed)
        if layout.unknown:
            return layout.unknown
        found: dict[tuple[str, str], dict[int, int]] = {}
        kinds: dict[tuple[str, str], tuple[str, int]] = {}
        spatial: list[tuple[str, str, Field, tuple[int, ...]]] = []
        for piece in layout.pieces:
            assert piece.source is not None
            if piece.source in _SPATIAL:
                width, parts = _SPATIAL[piece.source]
                count, rest = divmod(len(piece.at), width)
                if self._dim == 2 or rest or piece.indices[0] % width:
                    return (
                        f"{piece.key}{list(piece.at[:1])}…: {piece.source}, not of whole bodies in space",
                    )
                spatial.append((piece.key, piece.source, Concatenation(parts * count), piece.at))
                continue
            for number, at in enumerate(piece.at):
                if piece.source == DIFFERENCE:
                    role = self._in_plane("vector", f"way_{piece.at[0]}", number)
                else:
                    role = self._role(piece.source, piece.indices[number])
                sign = self._sign(piece, number) if role.kind == "scalar" else 1
                if sign == 0:
                    return (f"{piece.key}[{at}]: a mirror exchanges it with others",)
                owner = (
                    role.owner
                    or f"{_NAMES.get(piece.source, piece.source)}_{'minus' if sign < 0 else 'plus'}"
                )
                component = at if role.kind == "scalar" else role.component
                # rates and places of one root are two arrows
                name = f"{role.kind}_{owner}" + (f"_{piece.source}" if piece.source in _FORCES else "")
                found.setdefault((piece.key, name), {})[component] = at
                kinds[piece.key, name] = (role.kind, sign)
        return self._by_key(found, kinds, spatial)

    def _sign(self, piece: Any, number: int) -> int:
        """Of a number that stays where it is under the mirror; 0 where others come."""
        if self._mirror is None or piece.source == DIFFERENCE:
            return 1
        row = self._signs[piece.source][piece.indices[number]]
        own = float(row[piece.indices[number]])
        return int(own) if abs(own) == 1.0 and np.abs(row).sum() == 1.0 else 0

    def _by_key(
        self,
        found: Mapping[tuple[str, str], Mapping[int, int]],
        kinds: Mapping[tuple[str, str], tuple[str, int]],
        spatial: Sequence[tuple[str, str, Field, tuple[int, ...]]],
    ) -> dict[str, Field] | tuple[str, ...]:
        whole: dict[str, dict[str, tuple[Field, tuple[int, ...]]]] = {}
        for key, name, field, at in spatial:
            whole.setdefault(key, {})[name] = (field, at)
        sizes = {"point": self._dim, "vector": self._dim, "wxyz": 4}
        left = []
        for (key, name), places in found.items():
            kind, sign = kinds[key, name]
            at = tuple(places[each] for each in sorted(places))
            field = self._field(kind, sign, len(at))
            if kind == "point" and sorted(places) == [2] and self._dim == 3:
                name, field = f"height_{name}", Scalar()  # shifts go across it
            elif sizes.get(kind, len(at)) != len(at):
                left.append(f"{key}{list(at)}: only a part of a {kind} is observed")
            whole.setdefault(key, {})[name.replace(" ", "_")] = (field, at)
        if left:
            return tuple(left)
        return {
            (key or "observation"): Parts(
                {name: field for name, (field, _) in own.items()}, {name: at for name, (_, at) in own.items()}
            )
            for key, own in whole.items()
        }

    def _field(self, kind: str, sign: int, count: int) -> Field:
        if kind == "scalar":
            return Scalar(count) if sign > 0 else Pseudoscalar(count)
        if kind == "heading":
            turn = 0.0 if self._mirror is None else _angle(self._mirror.isometry)
            return Heading(axis=turn / 2 % np.pi)
        plain: dict[str, Field] = {
            "point": Point(),
            "vector": Vector(),
            "wxyz": Rotation(form="wxyz"),
        }
        return plain[kind]

    def action(self, env: gym.Env) -> Field | None:
        """Of the controls, which are told in the mechanism's own axes."""
        model, space = self._model, env.action_space
        if not isinstance(space, spaces.Box) or space.shape != (max(model.nu, 1),):
            return None
        if self._mirror is None or not model.nu:
            return Scalar(max(model.nu, 1))
        orders = self._mirror.orders
        signs = set(orders.actuator_signs.tolist())
        if (orders.actuators != np.arange(model.nu)).any() or len(signs) > 1:
            return None
        return Scalar(model.nu) if signs == {1} else Pseudoscalar(model.nu)


def _angle(matrix: Array) -> float:
    return float(np.arctan2(matrix[1, 0], matrix[0, 0]))
