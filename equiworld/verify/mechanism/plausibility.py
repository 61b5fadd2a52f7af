"""Whether more than the joints' places speak for a map: shapes and ranges, which planar mechanisms need."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from equiworld.verify.mechanism.kinematics import Kinematics
from equiworld.verify.mechanism.model_map import ModelMap

__all__ = ["Fit", "fit_of"]

_FAR = 0.1  # of the mechanism's size: no fault, another shape
_BESIDE = 5e-3
_OVERLAP = 0.5  # of two ranges: less are another joint's
_MOST = 0.3
_PLANE = 0


class Fit(NamedTuple):
    """How many of a mechanism's parts are unlike their images at first sight.

    Attributes:
        joints: whose range is another one.
        limited: of how many.
        geoms: that have no geom of their kind near their image.
        touching: of how many.
        example: one of them, in words.
    """

    joints: int
    limited: int
    geoms: int
    touching: int
    example: str

    @property
    def plausible(self) -> bool:
        """Whether most parts are like their images: what differs then may be a fault."""
        return self.joints <= _MOST * self.limited and self.geoms <= _MOST * self.touching

    @property
    def misses(self) -> int:
        """Joints and geoms."""
        return self.joints + self.geoms


def fit_of(kinematics: Kinematics, found: ModelMap) -> Fit:
    """Compare ranges and places roughly."""
    model, example = kinematics.model, ""
    joints = limited = geoms = touching = 0
    for place in np.flatnonzero(model.jnt_limited).tolist():
        source, sign = int(found.orders.joints[place]), int(found.orders.joint_signs[place])
        if not sign:
            continue
        limited += 1
        ends = [
            each.range[:] - found.reference[each.qposadr[0]]
            for each in (model.joint(place), model.joint(source))
        ]
        own, image = ends[0], np.sort(sign * ends[1]) + found.slides[place]
        shared = min(own[1], image[1]) - max(own[0], image[0])
        if shared < _OVERLAP * (max(own[1], image[1]) - min(own[0], image[0])):
            joints += 1
            names = kinematics.name("joint", source), kinematics.name("joint", place)
            example = f"the range of joint {names[0]!r} does not fit {names[1]!r}"
    if not (found.isometry - np.eye(3)).any():  # what merely changes places is in one place
        for place in (np.flatnonzero(model.body_mass[1:] > 0) + 1).tolist():
            image = found.turns[place] @ model.body_ipos[found.bodies[place]] + found.shifts[place]
            if np.linalg.norm(image - model.body_ipos[place]) > _BESIDE * kinematics.size:
                name = kinematics.name("body", place)
                return Fit(1, 1, 0, 0, f"body {name!r} and its partner are not in one place")
    for root in [body for body in range(model.nbody) if model.body_weldid[body] == body]:
        for place in kinematics.geoms(root):
            touching += 1
            source = int(found.orders.geoms[place])
            if source < 0 or _apart(kinematics, found, place, source) > _FAR * kinematics.size:
                geoms += 1
                example = example or f"geom {kinematics.name('geom', place)!r} has no partner"
    return Fit(joints, limited, geoms, touching, example)


def _apart(kinematics: Kinematics, found: ModelMap, place: int, source: int) -> float:
    """How far a geom's image is from the geom in its place [m]."""
    model = kinematics.model
    if model.geom_type[place] == _PLANE:
        return 0.0
    body = int(model.geom_bodyid[place])
    image = found.turns[body] @ model.geom_pos[source] + found.shifts[body]
    return float(np.linalg.norm(image - model.geom_pos[place]))
