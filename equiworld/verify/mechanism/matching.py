"""Which body takes whose place under an isometry: automorphisms of the kinematic tree that keep joints and axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from equiworld.verify.mechanism.kinematics import Kinematics
from equiworld.verify.mechanism.model_map import BALL, HINGE, SLIDE, Array

__all__ = ["Assignment", "Matching", "Misfit"]

_MOST = 24
"""Automorphisms that are looked at: more there are only of things that all stand in one place."""
_FAR = 1e3  # in sizes: what has other joints


@dataclass(frozen=True)
class Misfit:
    """The body that comes farthest from any other.

    Attributes:
        body: its name.
        nearest: the body that it comes nearest to; None where none has such joints.
        distance: of their joints [m], axes counted by their angle times the size of the mechanism.
    """

    body: str
    nearest: str | None
    distance: float

    def __str__(self) -> str:
        if self.nearest is None:
            return f"body {self.body!r} has no partner with joints like its own"
        nearest = f"the joints of {self.nearest!r}, the nearest, are {self.distance:.2g} m off"
        return f"body {self.body!r} has no partner: {nearest}"


@dataclass(frozen=True)
class Assignment:
    """Images of bodies with joints, and of their joints, with signs; and how far they miss."""

    bodies: dict[int, int]
    joints: dict[int, tuple[int, int]]
    mismatch: float

    def joined(self, other: Assignment) -> Assignment:
        """Both together."""
        return Assignment(
            self.bodies | other.bodies, self.joints | other.joints, max(self.mismatch, other.mismatch)
        )


class Matching:
    """Finds the assignments of one isometry x ↦ c + R (x − c).

    Args:
        kinematics: the model in its reference pose.
        isometry: R, `(3, 3)`.
        centre: c, `(3,)` [m].
        tolerance: how far a joint may be from where its image should be [m].
    """

    def __init__(self, kinematics: Kinematics, isometry: Array, centre: Array, tolerance: float) -> None:
        self._of, self._isometry, self._centre, self._tolerance = kinematics, isometry, centre, tolerance
        self._sign = np.sign(np.linalg.det(isometry))

    def assignments(self) -> list[Assignment]:
        """All that keep every joint within the tolerance, the identity of the tree first where it is one."""
        roots = self._of.children(0)
        return list(self._of_sets(roots, roots, np.zeros(3)))[:_MOST]

    def misfit(self) -> Misfit:
        """What comes farthest from its nearest partner."""
        roots = self._of.children(0)
        return self._worst_of_sets(roots, roots, np.zeros(3))[1]

    def taken_up(self, body: int, image: int, above: Array) -> Array:
        """By how much a body's image stands beside the body in its place [m]: what slides and free joints take up.

        Args:
            body: its image is looked at.
            image: the body in its place.
            above: the same of the bodies that they hang on, `(3,)`.
        """
        moved = self._centre + self._isometry @ (self._of.positions[body] - self._centre)
        beside = moved - above - self._of.positions[image]
        if self._of.is_free(image):
            return np.asarray(above + beside)
        slides = self._of.slides(image)
        if not slides or self._of.model.body_weldid[self._of.model.body_parentid[image]]:
            return above  # where a body slides on another one, the reference says where its image is
        axes = self._of.axes[slides].T
        return np.asarray(above + axes @ (np.linalg.pinv(axes) @ beside))

    def _of_sets(self, bodies: list[int], images: list[int], shift: Array) -> Iterator[Assignment]:
        """Each body to another of the images."""
        if not bodies:
            yield Assignment({}, {}, 0.0)
            return
        first, rest = bodies[0], bodies[1:]
        ordered = sorted(images, key=lambda image: image != first)
        found = 0
        for image in ordered:
            options = list(self._of_pair(first, image, self.taken_up(first, image, shift)))
            if not options:
                continue
            left = [each for each in images if each != image]
            for further in self._of_sets(rest, left, shift):
                for option in options:
                    yield option.joined(further)
                    found += 1
                    if found >= _MOST:
                        return

    def _of_pair(self, body: int, image: int, shift: Array) -> Iterator[Assignment]:
        joints, apart = self._joints(body, image, shift)
        children, others = self._of.children(body), self._of.children(image)
        if apart > self._tolerance or len(children) != len(others):
            return
        own = Assignment({body: image}, joints, apart)
        for below in self._of_sets(children, others, shift):
            yield own.joined(below)

    def _worst_of_sets(self, bodies: list[int], images: list[int], shift: Array) -> tuple[float, Misfit]:
        """The assignment that misses least in sum, and what misses most in it."""
        from scipy.optimize import linear_sum_assignment

        if not bodies:
            return 0.0, Misfit("", None, 0.0)
        far = _FAR * self._of.size
        if not images:
            return far, Misfit(self._of.name("body", bodies[0]), None, far)
        pairs = [[self._worst_of_pair(body, image, shift) for image in images] for body in bodies]
        rows, columns = linear_sum_assignment([[pair[0] for pair in row] for row in pairs])
        worst = max((pairs[i][j] for i, j in zip(rows, columns, strict=True)), key=lambda pair: pair[0])
        if len(rows) < len(bodies):
            (left, *_) = sorted(set(range(len(bodies))) - set(rows.tolist()))
            return far, Misfit(self._of.name("body", bodies[left]), None, far)
        return worst

    def _worst_of_pair(self, body: int, image: int, shift: Array) -> tuple[float, Misfit]:
        own = self.taken_up(body, image, shift)
        _, apart = self._joints(body, image, own)
        alone = apart < _FAR * self._of.size
        names = self._of.name("body", body), self._of.name("body", image) if alone else None
        below = self._worst_of_sets(self._of.children(body), self._of.children(image), own)
        return max((apart, Misfit(*names, apart)), below, key=lambda pair: pair[0])

    def _joints(self, body: int, image: int, shift: Array) -> tuple[dict[int, tuple[int, int]], float]:
        """The images of a body's joints, with their signs, and by how much they miss, at most."""
        types = self._of.model.jnt_type
        joints, others = self._of.joints(body), self._of.joints(image)
        if [types[each] for each in joints] != [types[each] for each in others]:
            return {}, _FAR * self._of.size
        found, worst, left = dict[int, tuple[int, int]](), 0.0, list(others)
        for place, joint in enumerate(joints):
            kind = types[joint]
            options = [others[place]]
            if kind == SLIDE:  # slides in a row may change places, what turns may not
                options = [each for each in left if types[each] == SLIDE]
            apart, sign, chosen = min(
                ((*self._apart(joint, each, shift, int(kind)), each) for each in options),
                key=lambda option: option[0],
            )
            left.remove(chosen)
            found[joint] = (chosen, sign)
            worst = max(worst, apart)
        return found, worst

    def _apart(self, joint: int, image: int, shift: Array, kind: int) -> tuple[float, int]:
        """How far a joint's image is from another joint, and the sign of its numbers there."""
        if kind not in (BALL, SLIDE, HINGE):
            return 0.0, 0
        moved = self._centre + self._isometry @ (self._of.anchors[joint] - self._centre) - shift
        far = 0.0 if kind == SLIDE else float(np.linalg.norm(moved - self._of.anchors[image]))
        if kind == BALL:
            return far, 0
        axis = self._isometry @ self._of.axes[joint] * (self._sign if kind == HINGE else 1.0)
        sign = 1 if axis @ self._of.axes[image] >= 0 else -1
        angle = float(np.linalg.norm(axis - sign * self._of.axes[image]))
        return far + angle * self._of.size, sign
