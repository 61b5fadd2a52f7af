"""The classical eyes: iterative closest points to a known template."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from equiworld.benchmarks.eyes.eyes import Array, PoseEyes
from equiworld.envs.cloudpush.shapes import make_shape
from equiworld.groups import SO3

__all__ = ["ICP", "rigid_motion"]

_SIGNS = np.array([(1.0, 1.0, 1.0), (1.0, -1.0, -1.0), (-1.0, 1.0, -1.0), (-1.0, -1.0, 1.0)])
_POINTS = 4096  # of the template
_COVERING = 60  # orientations in which bodies begin that were not seen before
_ROUNDS, _FINE_ROUNDS = 12, 8  # point-to-point, point-to-plane
_PREFERRED = 0.8  # of the residual of the pose that was tracked, below which another takes its place
_KEPT = 0.9  # of the points, in the fine rounds
_LENGTH = 0.05  # [m] by which angles are made lengths
_DAMPING = 1e-6  # of motions that no plane resists, such as that of a bottle about its axis


@dataclass(frozen=True)
class ICP(PoseEyes):
    """Poses by iterative closest points, from several starts, of which the one of the least residual counts.

    All begin with the principal axes of the cloud on those of the template, with all signs; besides, bodies that were
    seen before begin where they were, and others in orientations that cover all of them evenly. Each start goes through
    rounds of point-to-point: each point of the cloud is matched with the nearest of the template, and the body is moved
    by the rigid motion that brings them closest. The best goes on point-to-plane, which lets clouds slide along faces.

    Told what others are not: the body's surface.

    References: P. J. Besl and N. D. McKay, IEEE PAMI 14 (1992) 239–256; Y. Chen and G. Medioni, Image and Vision
    Computing 10 (1992) 145–155 (point-to-plane).

    Attributes:
        shape: of the template, a body of CloudPush.
    """

    shape: str = "bracket"

    @cached_property
    def template(self) -> tuple[Array, Array]:
        """Points of the surface in body axes [m] and their outward normals, `(n, 3)` each."""
        return make_shape(self.shape).surface.sample(np.random.default_rng(0), _POINTS)

    @cached_property
    def _tree(self) -> Any:
        from scipy.spatial import KDTree  # slow to import

        return KDTree(self.template[0])

    def see(self, clouds: Array, before: Array) -> Array:
        found, even = np.empty((len(clouds), self.size)), SO3().grid(_COVERING).matrix
        for rows, known in ((np.isnan(before[:, 0]), False), (~np.isnan(before[:, 0]), True)):
            if rows.any():
                cloud, last = clouds[rows], before[rows, None]
                more = last[..., :9].reshape(-1, 1, 3, 3) if known else np.tile(even, (len(cloud), 1, 1, 1))
                turns = np.concatenate([more, self._principal(cloud)], 1)
                places = cloud.mean(1)[:, None] - turns @ self.template[0].mean(
                    0
                )  # as if all of it were seen
                places[:, :1] = last[..., 9:] if known else places[:, :1]
                found[rows] = self._best(cloud, turns, places, _PREFERRED if known else 1.0)
        return found

    def _principal(self, clouds: Array) -> Array:
        """Rotations `(B, 4, 3, 3)` that lay the template's principal axes on those of the clouds."""
        centred = [each - each.mean(-2, keepdims=True) for each in (clouds, self.template[0])]
        axes, own = (np.linalg.eigh(np.swapaxes(each, -1, -2) @ each)[1] for each in centred)
        axes[..., 0] *= (np.linalg.det(axes) * np.linalg.det(own))[..., None]
        return (axes[:, None] * _SIGNS[:, None]) @ own.T

    def _best(self, clouds: Array, turns: Array, places: Array, preferred: float) -> Array:
        """The pose `(B, 12)` of the least residual, from starts `(B, S, …)`; that of the first counts less."""
        points, rows = clouds[:, None], np.arange(len(clouds))
        for _ in range(_ROUNDS):
            turns, places = self._closer(points, turns, places, fine=False)
        residual = np.square(self._tree.query((points - places[..., None, :]) @ turns)[0]).mean(-1)
        residual[:, 0] *= preferred**2
        best = residual.argmin(1)
        turns, places = turns[rows, best][:, None], places[rows, best][:, None]
        for _ in range(_FINE_ROUNDS):
            turns, places = self._closer(points, turns, places, fine=True)
        return np.concatenate([turns.reshape(-1, 9), places.reshape(-1, 3)], 1)

    def _closer(self, points: Array, turns: Array, places: Array, fine: bool) -> tuple[Array, Array]:
        """Rotations `(B, S, 3, 3)` and places `(B, S, 3)` after a round with points `(B, 1, N, 3)`."""
        own = (points - places[..., None, :]) @ turns
        nearest = self._tree.query(own)[1]
        near, normals = (each[nearest] for each in self.template)
        turn, shift = _slide(own, near, normals) if fine else rigid_motion(own, near)
        # Own points move to their matches by this; so the body moves by its inverse.
        turns = turns @ np.swapaxes(turn, -1, -2)
        return turns, places - (turns @ shift[..., None])[..., 0]


def rigid_motion(own: Array, wanted: Array) -> tuple[Array, Array]:
    """The rotations `(…, 3, 3)` and shifts `(…, 3)` of the least Σ |R own + t − wanted|² over points `(…, N, 3)`.

    Reference: S. Umeyama, IEEE PAMI 13 (1991) 376–380.
    """
    middle, aim = own.mean(-2, keepdims=True), wanted.mean(-2, keepdims=True)
    left, _, right = np.linalg.svd(np.swapaxes(own - middle, -1, -2) @ (wanted - aim))
    left[..., -1] *= (np.linalg.det(left) * np.linalg.det(right))[..., None]
    turn = np.swapaxes(left @ right, -1, -2)
    return turn, (aim - middle @ np.swapaxes(turn, -1, -2))[..., 0, :]


def _slide(own: Array, near: Array, normals: Array) -> tuple[Array, Array]:
    """The same of the least Σ (n · (R own + t − near))², to first order, without those farthest from their planes.

    At an edge the nearest point of the template may lie on another face.
    """
    from scipy.spatial.transform import Rotation  # slow to import

    off = ((own - near) * normals).sum(-1, keepdims=True)
    kept = np.abs(off) <= np.quantile(np.abs(off), _KEPT, axis=-2, keepdims=True)
    slopes = np.concatenate([np.cross(own, normals) / _LENGTH, normals], -1)
    across = np.swapaxes(slopes * kept, -1, -2)
    step = -np.linalg.solve(across @ slopes + _DAMPING * own.shape[-2] * np.eye(6), across @ off)[..., 0]
    turn = Rotation.from_rotvec((step[..., :3] / _LENGTH).reshape(-1, 3)).as_matrix()
    return turn.reshape(*step.shape[:-1], 3, 3), step[..., 3:]
