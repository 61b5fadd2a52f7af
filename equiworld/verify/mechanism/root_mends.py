"""What at a mechanism's roots breaks turns of the world: ranges of joints there, slides that are not alike."""

from __future__ import annotations

import numpy as np

from equiworld.verify.mechanism.differences import Difference
from equiworld.verify.mechanism.mending import Mend
from equiworld.verify.mechanism.model_map import FREE, SLIDE, Model
from equiworld.verify.mechanism.roots import roots_of, standing_geoms

__all__ = ["root_mends"]

_WORDS = {
    "dof_damping": "damping",
    "dof_armature": "armature",
    "dof_frictionloss": "friction loss",
    "jnt_stiffness": "stiffness",
}


class _Limits(Mend):
    """Joints of roots that end nowhere."""

    def __init__(self, model: Model, joints: list[int]) -> None:
        names = [model.joint(joint).name or f"joint {joint}" for joint in joints]
        words = f"joints that place {', '.join(names)} in the world have ranges, which do not turn"
        differences = [
            Difference("range", "joint", (name,), (tuple(map(float, model.jnt_range[joint])),))
            for name, joint in zip(names, joints, strict=True)
        ]
        super().__init__("range of joint", words, differences)
        self._joints = joints

    def apply(self, model: Model) -> None:
        model.jnt_limited[self._joints] = 0


class _Alike(Mend):
    """Slides of one root with the same parameters."""

    def __init__(self, model: Model, array: str, joints: list[int]) -> None:
        self._array = array
        self._places = model.jnt_dofadr[joints] if array.startswith("dof") else np.array(joints)
        values = tuple(float(value) for value in getattr(model, array)[self._places])
        names = tuple(model.joint(joint).name or f"joint {joint}" for joint in joints)
        numbers = ", ".join(f"{value:.6g}" for value in values)
        words = (
            f"{_WORDS[array]} of slides {', '.join(names)}, which are no directions of their own: {numbers}"
        )
        difference = Difference(_WORDS[array], "joint", names[:2], (values[:1], values[1:2]))
        super().__init__(f"{_WORDS[array]} of joint", words, (difference,))

    def apply(self, model: Model) -> None:
        values = getattr(model, self._array)
        values[self._places] = values[self._places].mean()


class _Fixed(Mend):
    """What is fixed to the world touches nothing, but for floors."""

    def __init__(self, model: Model, geoms: list[int]) -> None:
        names = [model.geom(geom).name or f"geom {geom}" for geom in geoms]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        differences = [Difference("fixed to the world", "geom", (name,), ()) for name in names]
        super().__init__("fixed geoms", f"{names[0]}{more} stand in the world and do not turn", differences)
        self._geoms = geoms

    def apply(self, model: Model) -> None:
        model.geom_contype[self._geoms] = model.geom_conaffinity[self._geoms] = 0


def root_mends(model: Model) -> list[Mend]:
    """One for ranges, and one for each parameter that slides of one root do not share."""
    found, limited = list[Mend](), list[int]()
    for body in roots_of(model):
        first = int(model.body_jntadr[body])
        joints = list(range(first, first + int(model.body_jntnum[body])))
        limited += [joint for joint in joints if model.jnt_limited[joint] and model.jnt_type[joint] != FREE]
        level = [joint for joint in joints if model.jnt_type[joint] == SLIDE and _is_level(model, joint)]
        for array in _WORDS:
            places = model.jnt_dofadr[level] if array.startswith("dof") else level
            if len(level) > 1 and np.ptp(getattr(model, array)[places]) > 0:
                found.append(_Alike(model, array, level))
    if limited:
        found.append(_Limits(model, limited))
    fixed = standing_geoms(model)
    if fixed:
        found.append(_Fixed(model, fixed))
    return found


def _is_level(model: Model, joint: int) -> bool:
    """Whether a slide of a root goes across gravity."""
    length = np.linalg.norm(model.opt.gravity)
    return length == 0 or abs(model.jnt_axis[joint] @ model.opt.gravity) < 1e-9 * length
