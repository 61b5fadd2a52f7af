"""Rotations, reflections and translations."""

from __future__ import annotations

from equiworld.groups.arrays import Array
from equiworld.groups.continuous import (
    ContinuousGroup,
    Planar,
    PlanarShifts,
    WithReflections,
    WithTranslations,
)

__all__ = ["E2", "E3", "SE2", "SE3"]


class SE2(PlanarShifts, Planar):  # type: ignore[override]
    """The rigid motions of the plane; with `axis` those of space across it, with `along` shifts along it too.

    >>> g = SE2().translation([1.0, 2.0]) @ SE2().rotation(0.3)  # first turn, then shift
    >>> g.act([0.0, 0.0]), g.rotate([0.0, 0.0])
    (array([1., 2.]), array([0., 0.]))
    """

    proper = True
    has_translations = True


class E2(WithReflections, PlanarShifts, Planar):  # type: ignore[override]
    """All isometries of the plane; with `axis` and `along` as `SE2`.

    >>> (E2().translation([1.0, 0.0]) @ E2().reflection(0.0)).act([0.0, 1.0])
    array([ 1., -1.])
    """

    proper = False
    has_translations = True

    def rotations(self) -> SE2:
        """SE2 about the same axis."""
        return SE2(None if self.axis is None else self.axis.direction, self.along)


class SE3(WithTranslations, ContinuousGroup):
    """The rigid motions of space.

    >>> import numpy as np
    >>> g = SE3().exp([0.0, 0.0, np.pi, 1.0, 0.0, 2.0])  # half a turn of a screw along the third axis
    >>> np.allclose(SE3().log(g), [0.0, 0.0, np.pi, 1.0, 0.0, 2.0])
    True
    """

    dim = 3
    proper = True
    has_translations = True

    def _stabiliser(self, arrow: Array) -> SE2:
        return SE2(arrow, along=True)


class E3(WithReflections, WithTranslations, ContinuousGroup):
    """All isometries of space.

    >>> (E3().translation([0.0, 0.0, 1.0]) @ E3().reflection([0.0, 0.0, 1.0])).act([1.0, 2.0, 3.0])
    array([ 1.,  2., -2.])
    """

    dim = 3
    proper = False
    has_translations = True

    def rotations(self) -> SE3:
        """SE3."""
        return SE3()

    def _stabiliser(self, arrow: Array) -> E2:
        return E2(arrow, along=True)
